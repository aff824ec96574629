//! What keeps an alert from being told: every message passes here when it is made and when it is sent.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::{AlertKey, Case, Desk, QuietId};
use crate::{Hidden, Labels, Now};

/// How long a silence or a window is kept after its end: the wall clock may have been wrong about that.
const KEPT_AFTER_ITS_END: Duration = Duration::from_hours(1);

/// Alerts that were hidden, and are looked at again one after the other.
#[derive(Debug)]
pub(super) struct Release {
    /// Those of this rule, or all.
    rule: Option<Arc<str>>,
    after: Option<AlertKey>,
}

impl Desk {
    /// Why nobody is told of an alert; `None` if nothing keeps it from being told. It is as of the last time that was handled.
    pub fn hidden(&self, key: &AlertKey) -> Option<Hidden> {
        let subject = self.subjects.get(key)?;
        let (_, case) = subject.cases.last()?;
        let is_told = subject.keeps_changing() && !case.is_notice;
        self.hides(key, case).or(is_told.then_some(Hidden::Flapping))
    }

    /// What keeps a case from being told, other than that it keeps changing.
    pub(super) fn hides(&self, key: &AlertKey, case: &Case) -> Option<Hidden> {
        let mut on = self.quiet_now.iter().filter_map(|id| Some((id, self.quiets.get(id)?)));
        if let Some((id, _)) = on.find(|(_, quiet)| quiet.matcher().matches(key, case.severity)) {
            return Some(Hidden::Quiet(*id));
        }
        if let Some(cause) = self.engine.cause(key) {
            return Some(Hidden::Consequence(cause));
        }
        let is_over_soon = case.was_hidden && case.is_unheard() && self.engine.recovers(key);
        is_over_soon.then_some(Hidden::Recovering)
    }

    /// Which silences and windows are on. What they kept from being told is looked at when one is not on any more, and what waits to be
    /// sent when one begins.
    pub(super) fn look_at_quiets(&mut self, now: Now) {
        let Now { moment, wall: at, .. } = now;
        let on = self.quiets.iter().filter(|(_, quiet)| quiet.is_on(at)).map(|(id, _)| *id);
        let on: BTreeSet<QuietId> = on.collect();
        if !self.quiet_now.is_subset(&on) {
            self.release(None);
        }
        if !on.is_subset(&self.quiet_now) {
            self.doubt_all();
        }
        self.quiet_now = on;
        let over = self.quiets.iter().filter(|(_, quiet)| quiet.is_over(at)).map(|(id, _)| *id);
        let before = std::mem::take(&mut self.over);
        self.over = over.map(|id| (id, before.get(&id).copied().unwrap_or(moment))).collect();
        let gone = self.over.extract_if(.., |_, since| moment.saturating_since(*since) >= KEPT_AFTER_ITS_END);
        for (id, _) in gone {
            self.quiets.remove(&id);
            self.unsaved.quiet(id, None);
        }
    }

    pub(super) fn doubt_all(&mut self) {
        for thread in self.threads.keys().cloned().collect::<Vec<_>>() {
            self.doubt(&thread);
        }
    }

    /// A cause is gone: what was hidden as its consequence is looked at.
    pub(super) fn release_consequences(&mut self, cause: &AlertKey) {
        let rules = Arc::clone(self.engine.rules());
        let Some(rule) = rules.find(&cause.rule) else { return self.release(None) };
        for consequence in rules.inhibited_by(rule) {
            let name = rules.name(*consequence);
            match cause.labels.only(rules.label_keys(*consequence)) {
                Some(labels) => self.release_one(AlertKey { rule: name, labels }),
                None => self.release(Some(name)),
            }
        }
    }

    /// An alert that was hidden is looked at.
    pub(super) fn release_one(&mut self, key: AlertKey) {
        if self.hidden.remove(&key) {
            self.dirty.insert(key);
        }
    }

    /// Those of a rule that were hidden are looked at one after the other, or all.
    fn release(&mut self, rule: Option<Arc<str>>) {
        match self.releases.iter_mut().find(|release| release.rule == rule) {
            Some(release) => release.after = None,
            None => self.releases.push_back(Release { rule, after: None }),
        }
    }

    /// The next alert that was hidden and is looked at.
    pub(super) fn next_released(&mut self) -> Option<AlertKey> {
        while let Some(Release { rule, after }) = self.releases.front_mut() {
            let begin = rule.as_ref().map(|rule| AlertKey::new(Arc::clone(rule), Labels::none()));
            let from = match (&*after, &begin) {
                (Some(after), _) => Bound::Excluded(after),
                (None, Some(begin)) => Bound::Included(begin),
                (None, None) => Bound::Unbounded,
            };
            let next = self.hidden.range((from, Bound::Unbounded)).next();
            let next = next.filter(|key| rule.as_ref().is_none_or(|rule| key.rule == *rule)).cloned();
            let Some(key) = next else {
                self.releases.pop_front();
                continue;
            };
            *after = Some(key.clone());
            self.hidden.remove(&key);
            return Some(key);
        }
        None
    }
}
