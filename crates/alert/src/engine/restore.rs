//! What outlives a process, and a change of the rules.

use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_kernel::Moment;

use super::pace::Pace;
use super::pair::{Pair, PairKey};
use super::{AlertKey, Ending, Engine, EpisodeId, SavedAlert, Transition, Turn};
use crate::{Phase, RuleId, RuleSet};

impl Engine {
    /// Takes up what an earlier process stored, before the first evaluation. What fired fires on, in the same episode, and timers
    /// go on where they were; time in which no process ran counts for none of them. An alert whose rule is gone has ended.
    pub fn restore(&mut self, saved: &[SavedAlert], wall: Timestamp) {
        for alert in saved.iter().filter(|alert| alert.phase != Phase::Inactive) {
            let rule = self.rules.find(&alert.key.rule).filter(|_| self.active < Self::MOST);
            let Some(rule) = rule else {
                let ended = alert.episode.filter(|_| alert.phase.fires());
                self.transitions.extend(ended.map(|episode| Transition {
                    key: alert.key.clone(),
                    turn: Turn::Resolved(Ending::RuleRemoved),
                    episode: Some(episode),
                    // Nobody can say how severe a rule is that is gone.
                    severity: ttm_kernel::Severity::Info,
                    value: alert.value,
                    at: wall,
                }));
                continue;
            };
            let key = PairKey { rule, labels: alert.key.labels.clone() };
            let pair = Pair::restored(alert);
            self.active += usize::from(self.pairs[rule.place()].insert(key.labels.clone(), pair).is_none());
            let pace = self.pace(rule);
            self.paces[pace].restored.insert(key);
        }
    }

    /// Gives no number of this epoch away that an episode has, which a desk before this one may have begun and told.
    pub(crate) fn number_after(&mut self, id: EpisodeId) {
        if id.epoch == self.epoch {
            self.episodes = self.episodes.max(id.number);
        }
    }

    /// Goes on with other rules. Alerts of rules with the same name go on where they were, and are judged by the new limits
    /// from the next measurement on, for which the next evaluation of each collector mentions every fact. Those of rules that are gone
    /// end. The growth of counters stays counted.
    pub fn reconfigure(&mut self, rules: RuleSet, now: Moment, wall: Timestamp) {
        let all: Vec<SavedAlert> = self.all().collect();
        let mut next = Self::new(rules, self.epoch, now);
        next.episodes = self.episodes;
        next.refused = self.refused;
        next.looked = self.looked;
        std::mem::swap(&mut next.transitions, &mut self.transitions);
        for (place, collector) in next.rules.catalogue().collectors.iter().enumerate() {
            if let Some(old) = self.rules.catalogue().collector(collector.name) {
                let now_at = |series: usize| {
                    let known = &self.rules.catalogue().series[series];
                    let of_next = next.rules.catalogue();
                    let place = of_next.find(known.name)?;
                    (of_next.series[place].collector == collector.name).then_some(place)
                };
                let before = std::mem::replace(&mut self.paces[old], Pace::new(collector.interval, now));
                next.paces[place].go_on(before, now_at);
            }
        }
        for (place, spec) in (0..).zip(next.rules.rules()) {
            let (rule, pace) = (RuleId(place), next.pace(RuleId(place)));
            let Some(old) = self.rules.find(&spec.name) else {
                next.paces[pace].new_rules.insert(rule);
                continue;
            };
            let of_old = self.windows.extract_if(.., |key, _| key.rule == old);
            let windows = of_old.map(|(key, window)| (PairKey { rule, ..key }, window.unqueued()));
            next.windows.extend(windows.filter(|_| spec.series == self.rules.rule(old).series));
        }
        next.restore(&all, wall);
        *self = next;
    }

    /// What to store of every alert that is not inactive.
    pub fn all(&self) -> impl Iterator<Item = SavedAlert> {
        let rules = Arc::clone(&self.rules);
        let places = self.pairs.iter().zip((0..).map(RuleId));
        places.flat_map(move |(pairs, rule)| {
            let now = self.paces[self.pace(rule)].observed;
            let name = rules.name(rule);
            pairs.iter().map(move |(labels, pair)| {
                pair.saved(AlertKey { rule: Arc::clone(&name), labels: labels.clone() }, now)
            })
        })
    }

    /// Alerts that are not inactive, ordered by their keys, beginning at this one.
    pub(crate) fn keys_from(&self, first: Bound<AlertKey>) -> impl Iterator<Item = AlertKey> {
        let rules = Arc::clone(&self.rules);
        let mut places: Vec<(Arc<str>, RuleId)> =
            (0..).map(RuleId).take(self.pairs.len()).map(|rule| (rules.name(rule), rule)).collect();
        places.sort_unstable();
        places.into_iter().flat_map(move |(name, rule)| {
            let from = match &first {
                Bound::Included(key) if key.rule == name => Bound::Included(key.labels.clone()),
                Bound::Excluded(key) if key.rule == name => Bound::Excluded(key.labels.clone()),
                _ => Bound::Unbounded,
            };
            let is_before = matches!(&first, Bound::Included(key) | Bound::Excluded(key) if name < key.rule);
            let labels = self.pairs[rule.place()].range((from, Bound::Unbounded)).filter(move |_| !is_before);
            labels.map(move |(labels, _)| AlertKey { rule: Arc::clone(&name), labels: labels.clone() })
        })
    }
}
