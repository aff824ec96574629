//! All pairs of rule and labels: measurements go in, transitions come out. It knows no channel and sends nothing.
//!
//! A pair that is inactive has no memory, and what time alone changes waits in a queue by its time. So a measurement costs
//! its own rules, an evaluation costs what changed, and nothing costs what there is.

mod inhibit;
mod pace;
mod pair;
mod restore;
mod step;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment, Severity};

use crate::alert::{AlertKey, Ending, Episode, EpisodeId, SavedAlert, Transition, Turn};
use crate::rule::Condition;
use crate::{Change, Labels, Measurement, Phase, Reading, RuleId, RuleSet, Seen};
use pace::Pace;
use pair::{Pair, PairKey};
use window::Window;

/// A measurement that fits no series: counted, and otherwise without effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMeasurement {
    /// The catalogue has no such series.
    #[error("there is no series {0:?}")]
    UnknownSeries(&'static str),
    /// Its labels are not those of the series.
    #[error("the labels {labels} for the series {series}, expected {expected:?}")]
    Labels {
        /// The series.
        series: &'static str,
        /// What it was measured with.
        labels: Labels,
        /// What the catalogue says.
        expected: &'static [&'static str],
    },
}

/// A collector that does not measure what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale<'a> {
    /// What has been missing for longest, and why; `None` if it has not evaluated at all.
    pub missing: Option<(&'static str, &'a Labels, &'a str)>,
    /// Whether it has not evaluated since this process began.
    pub since_start: bool,
}

/// The state of every alert.
///
/// An evaluation is [`begin`](Self::begin), [`handle`](Self::handle) once for each fact, [`end`](Self::end): what it does not
/// mention is as it was, except that the first evaluation of a collector, and the first after
/// [`reconfigure`](Self::reconfigure), mentions every fact that exists. In between, `handle` takes what happens at once; as it
/// has been observed for none of the time since the last evaluation, its time begins with the next one. After each of these, [`poll`](Self::poll) until it returns false, and take the transitions.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    epoch: Epoch,
    /// Episodes that began in this epoch.
    episodes: u64,
    /// For each rule, all that is not inactive.
    pairs: Vec<BTreeMap<Labels, Pair>>,
    active: usize,
    windows: BTreeMap<PairKey, Window>,
    /// For each collector; the last one is that of the absences, which evaluate when the engine is looked at.
    paces: Vec<Pace>,
    transitions: VecDeque<Transition>,
    refused: u64,
    looked: Moment,
}

impl Engine {
    /// The most alerts that are not inactive.
    pub const MOST: usize = 200_000;

    /// No alert yet. `epoch` is the one that this process claimed.
    pub fn new(rules: RuleSet, epoch: Epoch, now: Moment) -> Self {
        let intervals = rules.catalogue().collectors.iter().map(|collector| collector.interval);
        let paces = intervals.chain([WATCH]).map(|interval| Pace::new(interval, now)).collect();
        Self {
            pairs: vec![BTreeMap::new(); rules.rules().len()],
            rules: Arc::new(rules),
            epoch,
            episodes: 0,
            active: 0,
            windows: BTreeMap::new(),
            paces,
            transitions: VecDeque::new(),
            refused: 0,
            looked: now,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// An evaluation of this collector begins. An unknown one has no effect.
    pub fn begin(&mut self, collector: &str, now: Moment) {
        if let Some(place) = self.rules.catalogue().collector(collector) {
            self.paces[place].begin(now);
        }
    }

    /// What was found for one fact.
    /// Beyond [`MOST`](Self::MOST) alerts none begins; it is counted.
    ///
    /// # Errors
    /// The measurement is of no series. It is counted, and nothing changes.
    pub fn handle(&mut self, measurement: &Measurement) -> Result<(), InvalidMeasurement> {
        let Measurement { series, labels, reading, at } = measurement;
        let rules = Arc::clone(&self.rules);
        let place = rules.catalogue().find(series).ok_or(InvalidMeasurement::UnknownSeries(series));
        let place = place.inspect_err(|_| self.refused += 1)?;
        let known = rules.catalogue().series[place];
        if !labels.iter().map(|(key, _)| key).eq(known.labels.iter().copied()) {
            self.refused += 1;
            let (labels, expected) = (labels.clone(), known.labels);
            return Err(InvalidMeasurement::Labels { series, labels, expected });
        }
        if let Some(collector) = rules.catalogue().collector(known.collector) {
            let missing = reading.absent().filter(|_| reading.is_missing());
            self.paces[collector].note((place, labels.clone()), missing);
        }
        for rule in rules.about(place) {
            self.see(&PairKey { rule: *rule, labels: labels.clone() }, reading, *at);
        }
        Ok(())
    }

    /// The evaluation is complete: what it did not mention is as it was.
    pub fn end(&mut self, collector: &str) {
        if let Some(place) = self.rules.catalogue().collector(collector) {
            self.paces[place].end();
        }
    }

    /// Time has passed: whether collectors are stale is looked at. At least once a second keeps what fires on time.
    pub fn handle_timeout(&mut self, now: Moment, wall: Timestamp) {
        let gap = now.saturating_since(self.looked);
        self.looked = now;
        for pace in &mut self.paces {
            pace.paused(gap.min(now.saturating_since(pace.silent())));
        }
        let rules = Arc::clone(&self.rules);
        let watch = self.paces.len() - 1;
        self.paces[watch].begin(now);
        for (place, collector) in rules.catalogue().collectors.iter().enumerate() {
            let pace = &self.paces[place];
            let missed = match pace.missed(now) {
                // After a start nobody knows yet whether what was stale still is.
                0 if !pace.has_evaluated() => Reading::Idle("restarted".into()),
                missed => Reading::Value(missed as f64),
            };
            let labels = Labels::try_new([("collector", collector.name)]).unwrap_or_else(|_| Labels::none());
            for rule in rules.absences() {
                self.see(&PairKey { rule, labels: labels.clone() }, &missed, wall);
            }
        }
        self.paces[watch].end();
    }

    /// Does up to `limit` pieces of what has become due, and says whether there is more.
    pub fn poll(&mut self, limit: usize, wall: Timestamp) -> bool {
        for _ in 0..limit {
            let Some((key, reading)) = self.next_due() else { return false };
            match reading {
                Some(reading) => self.see(&key, &reading, wall),
                None => self.pass(&key, wall),
            }
        }
        self.paces.iter().any(|pace| !pace.is_evaluating && pace.is_due())
    }

    /// The next transition, in the order in which they came about.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        let next = self.transitions.pop_front();
        if next.is_none() {
            // After a storm, its memory is given back.
            self.transitions.shrink_to(100);
        }
        next
    }

    /// Whether every collector has evaluated since the start, so that what is known is known in full.
    pub fn has_evaluated(&self) -> bool {
        self.paces.split_last().is_none_or(|(_, paces)| paces.iter().all(Pace::has_evaluated))
    }

    /// Measurements that were refused so far, and alerts that were too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How many alerts are not inactive.
    pub fn active(&self) -> usize {
        self.active
    }

    /// What to store of an alert; `None` if it is inactive, so that nothing is stored.
    pub fn saved(&self, key: &AlertKey) -> Option<SavedAlert> {
        let rule = self.rules.find(&key.rule)?;
        let pair = self.pairs[rule.place()].get(&key.labels)?;
        Some(pair.saved(key.clone(), self.paces[self.pace(rule)].observed))
    }

    /// The next of all alerts whose time is running, after those that this walk has been to: what a kill would lose if it were
    /// stored with transitions alone.
    pub(crate) fn next_running(&self, walk: &mut Running) -> Option<AlertKey> {
        while let Some(pace) = self.paces.get(walk.pace) {
            let after = walk.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            if let Some(next) = pace.due.range((after, Bound::Unbounded)).next() {
                walk.after = Some(next.clone());
                return Some(self.alert(&next.1));
            }
            *walk = Running { pace: walk.pace + 1, after: None };
        }
        None
    }

    /// How severe an alert is; `None` if it does not fire.
    pub(crate) fn severity(&self, key: &AlertKey) -> Option<Severity> {
        let rule = self.rules.find(&key.rule)?;
        let pair = self.pairs[rule.place()].get(&key.labels).filter(|pair| pair.base.phase().fires())?;
        Some(pair.severity(self.rules.rule(rule)))
    }

    /// Whether an alert has been left, and is over unless that changes.
    pub(crate) fn recovers(&self, key: &AlertKey) -> bool {
        let pair = self.rules.find(&key.rule).and_then(|rule| self.pairs[rule.place()].get(&key.labels));
        pair.is_some_and(|pair| pair.base.phase() == Phase::Recovering)
    }

    /// The alerts of a rule that fire, in the order of their labels, with their severity and last value.
    pub fn firing(&self, rule: RuleId) -> impl Iterator<Item = (&Labels, Severity, Option<f64>)> {
        let spec = self.rules.rule(rule);
        let firing = self.pairs[rule.place()].iter().filter(|(_, pair)| pair.base.phase().fires());
        firing.map(move |(labels, pair)| (labels, pair.severity(spec), finite(pair.value)))
    }

    /// The last value of an alert that is not inactive.
    pub fn value(&self, key: &AlertKey) -> Option<f64> {
        let rule = self.rules.find(&key.rule)?;
        finite(self.pairs[rule.place()].get(&key.labels)?.value)
    }

    /// What a collector does not measure, if it is not as it should be.
    pub fn stale(&self, collector: &str, now: Moment) -> Option<Stale<'_>> {
        let pace = &self.paces[self.rules.catalogue().collector(collector)?];
        let missing = pace
            .oldest()
            .map(|((series, labels), why)| (self.rules.catalogue().series[*series].name, labels, why));
        (pace.missed(now) > 0).then(|| Stale { missing, since_start: !pace.has_evaluated() })
    }

    fn next_due(&mut self) -> Option<(PairKey, Option<Reading>)> {
        self.paces.iter_mut().filter(|pace| !pace.is_evaluating).find_map(|pace| {
            if let Some(key) = pace.gone.pop_first() {
                return Some((key, Some(Reading::Gone)));
            }
            let (_, key) = pace.due.first().filter(|(due, _)| *due <= pace.observed)?;
            Some((key.clone(), None))
        })
    }

    /// The place of the clock that a rule's time runs on.
    fn pace(&self, rule: RuleId) -> usize {
        self.rules.collector_of(rule).unwrap_or(self.paces.len() - 1)
    }

    fn alert(&self, key: &PairKey) -> AlertKey {
        AlertKey { rule: self.rules.name(key.rule), labels: key.labels.clone() }
    }
}

/// How far a walk over all alerts whose time is running has got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    pace: usize,
    after: Option<(Moment, PairKey)>,
}

/// How often the absences are expected to be looked at; longer gaps are not observed.
const WATCH: Duration = Duration::from_mins(1);

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}
