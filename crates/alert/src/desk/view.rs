//! What readers are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{AlertKey, Desk};
use crate::{AlertView, ChannelId, Identity, Item, News};

impl Desk {
    /// Alerts of which something is kept, ordered by their keys: those after this one, at most `limit`.
    pub fn views(&self, after: Option<&AlertKey>, limit: usize) -> Vec<AlertView> {
        let (mut views, mut after) = (Vec::new(), after.cloned());
        loop {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let subjects = self.subjects.range((from.clone(), Bound::Unbounded)).map(|(key, _)| key);
            let mut keys: BTreeSet<AlertKey> = subjects.take(limit).cloned().collect();
            keys.extend(self.engine.keys_from(from).take(limit));
            // Of a rule that is gone there may be nothing to show.
            let shown = keys.iter().take(limit).filter_map(|key| self.view(key));
            views.extend(shown.take(limit - views.len()));
            after = keys.iter().take(limit).next_back().cloned();
            if after.is_none() || views.len() == limit {
                return views;
            }
        }
    }

    /// An alert of which something is kept.
    pub fn view(&self, key: &AlertKey) -> Option<AlertView> {
        let record = self.record(key)?;
        let rules = self.engine.rules();
        let base = rules.find(&key.rule).map(|rule| rules.rule(rule).severity);
        let of_case = record.cases.last().map(|case| case.severity);
        let severity = of_case.or(self.engine.severity(key)).or(base)?;
        let limit = self.limit(key, severity);
        Some(AlertView { id: key.identity(), hidden: self.hidden(key), record, severity, limit })
    }

    /// The alert with this id. It looks through all of them.
    pub fn find(&self, id: Identity) -> Option<AlertKey> {
        let mut subjects = self.subjects.keys();
        let of_subjects = subjects.find(|key| key.identity() == id).cloned();
        of_subjects.or_else(|| self.engine.keys_from(Bound::Unbounded).find(|key| key.identity() == id))
    }

    /// All that fires, consequences and what is silenced included, for those who decide themselves what to tell.
    pub fn firing(&self) -> impl Iterator<Item = Item> {
        let newest = self.subjects.iter().filter_map(|(key, subject)| {
            let (id, case) = subject.cases.last()?;
            case.ended.is_none().then_some((key, *id))
        });
        newest.filter_map(|(key, id)| self.item(key, id, News::New))
    }

    /// How many messages wait for each channel that any waits for.
    pub fn waiting(&self) -> BTreeMap<ChannelId, usize> {
        let mut waiting = BTreeMap::new();
        for ((_, channel), thread) in &self.threads {
            if thread.row.is_some() {
                *waiting.entry(channel.clone()).or_default() += 1;
            }
        }
        waiting
    }
}
