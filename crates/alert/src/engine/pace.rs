//! The observed clock of one collector, what it did not measure, and what is due on that clock.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ttm_kernel::Moment;

use super::pair::PairKey;
use crate::rules::longest_step;
use crate::{Labels, RuleId};

/// A series, by its place in the catalogue, and labels.
pub(super) type FactKey = (usize, Labels);

/// How one collector gets on.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    /// Time between evaluations that followed on each other, up to the newest.
    pub(super) observed: Moment,
    /// The same up to the evaluation before, while one is under way.
    pub(super) confirmed: Moment,
    /// When the newest evaluation began, by the monotonic clock.
    last: Option<Moment>,
    /// Since when no evaluation has been completed.
    silent: Moment,
    pub(super) is_evaluating: bool,
    /// Evaluations that are complete.
    evaluations: u64,
    missing: BTreeMap<FactKey, (u64, Cow<'static, str>)>,
    oldest: BTreeSet<(u64, FactKey)>,
    /// What time alone changes, and when on the observed clock.
    pub(super) due: BTreeSet<(Moment, PairKey)>,
    /// Rules that came with a change of the rules: their counters have grown before.
    pub(super) new_rules: BTreeSet<RuleId>,
    /// What was restored, and has not been measured since.
    pub(super) restored: BTreeSet<PairKey>,
    /// What of that the first complete evaluation did not mention.
    pub(super) gone: BTreeSet<PairKey>,
}

impl Pace {
    pub(super) fn new(interval: Duration, now: Moment) -> Self {
        Self {
            interval,
            observed: Moment::ZERO,
            confirmed: Moment::ZERO,
            last: None,
            silent: now,
            is_evaluating: false,
            evaluations: 0,
            missing: BTreeMap::new(),
            oldest: BTreeSet::new(),
            due: BTreeSet::new(),
            new_rules: BTreeSet::new(),
            restored: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    pub(super) fn begin(&mut self, now: Moment) {
        let step = self.last.map_or(Duration::ZERO, |last| now.saturating_since(last));
        if step <= longest_step(self.interval) {
            self.observed += step;
        }
        self.last = Some(now);
        self.is_evaluating = true;
    }

    /// The evaluation that began is complete. One that began under other rules is none under these.
    pub(super) fn end(&mut self) {
        if !std::mem::take(&mut self.is_evaluating) {
            return;
        }
        self.silent = self.last.unwrap_or(self.silent).max(self.silent);
        self.confirmed = self.observed;
        self.evaluations += 1;
        self.gone.append(&mut self.restored);
        self.new_rules.clear();
    }

    pub(super) fn has_evaluated(&self) -> bool {
        self.evaluations > 0
    }

    /// Notes whether a fact was measured.
    pub(super) fn note(&mut self, fact: FactKey, missing: Option<&str>) {
        if missing.is_none() && self.missing.is_empty() {
            return;
        }
        match missing {
            // One of them makes the collector stale, however many there are.
            Some(_) if self.missing.len() >= MOST_MISSING && !self.missing.contains_key(&fact) => {}
            Some(why) => {
                let why = Cow::Owned(why.chars().take(MAX_WHY).collect());
                let (since, known) =
                    self.missing.entry(fact.clone()).or_insert((self.evaluations, "".into()));
                *known = why;
                self.oldest.insert((*since, fact));
            }
            None => {
                if let Some((since, _)) = self.missing.remove(&fact) {
                    self.oldest.remove(&(since, fact));
                }
            }
        }
    }

    /// How many evaluations in a row one of its facts was missing in, or should have been made and were not.
    pub(super) fn missed(&self, now: Moment) -> u64 {
        let silent = now.saturating_since(self.silent).as_nanos() / self.interval.as_nanos().max(1);
        let missing = self.oldest.first().map_or(0, |(since, _)| self.evaluations - since);
        missing.max(silent.try_into().unwrap_or(u64::MAX))
    }

    /// What has been missing for longest, and why.
    pub(super) fn oldest(&self) -> Option<(&FactKey, &str)> {
        let (_, fact) = self.oldest.first()?;
        Some((fact, &self.missing.get(fact)?.1))
    }

    pub(super) fn silent(&self) -> Moment {
        self.silent
    }

    /// Whether something has to be done at this time of the observed clock.
    pub(super) fn is_due(&self) -> bool {
        !self.gone.is_empty() || self.due.first().is_some_and(|(due, _)| *due <= self.observed)
    }

    /// Goes on from another one, whose alerts are restored here. `place` says where one of its series is now.
    pub(super) fn go_on(&mut self, before: Self, place: impl Fn(usize) -> Option<usize>) {
        self.observed = before.observed;
        self.confirmed = before.confirmed;
        (self.last, self.silent, self.evaluations) = (before.last, before.silent, before.evaluations);
        for ((series, labels), (since, why)) in before.missing {
            let Some(series) = place(series) else { continue };
            self.oldest.insert((since, (series, labels.clone())));
            self.missing.insert((series, labels), (since, why));
        }
    }

    /// The whole process stood still, so that nothing of this time was its collector's to use.
    pub(super) fn paused(&mut self, gap: Duration) {
        self.silent += gap.saturating_sub(self.interval);
    }
}

/// How many facts that are missing are remembered.
const MOST_MISSING: usize = 10_000;

/// What is kept of a reason, in characters.
const MAX_WHY: usize = 200;
