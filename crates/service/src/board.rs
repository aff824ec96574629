//! What the planes know of each other: the work plane posts, the supervision plane reads, and neither waits for the other.
//! What is on it is a snapshot; health is judged from it elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::{Mutex, RwLock};
use ttm_health::{
    DataFacts, Facts, HealthView, LaneFacts, Phase, PlanFacts, Report, ResourceSample, SourceFacts,
};
use ttm_kernel::{Incarnation, Lane, Moment, PerLane, Runtime};
use ttm_market::{LaneAges, MarketConfig, Origin, TokenIndex};
use ttm_perf::{CallSummary, CallWindow};
use ttm_recovery::{Budgets, PartView, Recoveries};
use ttm_schedule::LaneStatus;

use super::answers::Answers;
use super::stores::{Damage, Stores};
use super::trouble::Trouble;
use crate::first_report::first_report;
use crate::life::Author;
use crate::refusals::Refusals;
use crate::tally::Tally;
use crate::{Planes, ServiceSettings};

mod apis;
mod freshness;
mod healing;
mod places;
mod tokens;

use freshness::Freshness;
use places::Places;

/// The board. Locks are held for a few instructions, never across an await; that of the tokens for a page or a few dozen
/// changes.
pub struct Board {
    clock: Arc<dyn Runtime>,
    market: MarketConfig,
    started: Moment,
    /// The incarnations that may post: what an older one still does is not shown, and nothing goes on from it.
    admitted: RwLock<BTreeMap<&'static str, Incarnation>>,
    phase: Mutex<Phase>,
    /// When the start was over: the time in which a token has to be observed counts from then, not from its import.
    running: OnceLock<Moment>,
    groups: Mutex<PerLane<Option<LaneStatus>>>,
    /// Shared with the book, which makes a copy when it changes one.
    tokens: RwLock<TokenIndex>,
    plan: Mutex<Option<PlanFacts>>,
    /// Tokens that were asked for and that were not, because they had been seen just before: so many at each time.
    look_ups: Mutex<VecDeque<(Moment, u64, u64)>>,
    scored: Mutex<VecDeque<(Moment, u64)>>,
    calls: Mutex<CallWindow>,
    /// What answers leave unsaid.
    pub(super) answers: Answers,
    /// Where the tokens stand, for a work that replaces one that was lost.
    pub(super) places: Places,
    /// By the name of its breaker.
    troubles: Mutex<BTreeMap<String, Option<Trouble>>>,
    /// When each API answered last, with whatever, by the name of its breaker.
    last_words: Mutex<BTreeMap<String, Moment>>,
    /// The last sample, and when it came or could not be made.
    resources: Mutex<(Option<Moment>, Option<ResourceSample>)>,
    /// What the last report was made from.
    facts: ArcSwapOption<(Moment, Arc<Facts>)>,
    /// How often each API refused a call, by the name of its breaker.
    refusals: Mutex<BTreeMap<String, Refusals>>,
    /// What self-healing did.
    recoveries: OnceLock<Arc<Mutex<Recoveries>>>,
    /// How each use of a store went last.
    pub(super) stores: Stores,
    sources: Mutex<BTreeMap<Origin, SourceFacts>>,
    parts: Mutex<(Vec<PartView>, Option<String>)>,
    budgets: Mutex<Option<Budgets>>,
    /// What is wrong with the record of earlier restarts, and until when that matters.
    set_aside: Mutex<Option<(Moment, String)>>,
    /// Why the process ends without being ordered to.
    ends_because: OnceLock<String>,
    report: ArcSwap<Report>,
    freshness: Freshness,
    /// What is counted until it is written to the history.
    pub(super) tally: Arc<Tally>,
}

impl Board {
    /// The board of a service that has not started yet: readers see it starting.
    pub fn starting(settings: &ServiceSettings, planes: &dyn Planes) -> Arc<Self> {
        let clock = planes.supervision();
        let report = first_report(&*clock, settings, Duration::ZERO, None);
        let board = Self::new(clock, settings.market.clone(), report);
        let stores = Stores::new(settings.databases.clone(), &board.tally);
        Arc::new(Self { stores, ..board })
    }

    /// An empty board; `report` stands until the first real one.
    fn new(clock: Arc<dyn Runtime>, market: MarketConfig, report: Report) -> Self {
        Self {
            started: clock.now(),
            clock,
            tokens: RwLock::new(TokenIndex::new(market.clone())),
            market,
            admitted: RwLock::default(),
            phase: Mutex::new(Phase::Starting),
            running: OnceLock::new(),
            groups: Mutex::default(),
            plan: Mutex::default(),
            look_ups: Mutex::default(),
            scored: Mutex::default(),
            calls: Mutex::new(CallWindow::default()),
            answers: Answers::default(),
            places: Places::default(),
            troubles: Mutex::default(),
            last_words: Mutex::default(),
            resources: Mutex::default(),
            facts: ArcSwapOption::empty(),
            refusals: Mutex::default(),
            recoveries: OnceLock::new(),
            stores: Stores::default(),
            sources: Mutex::default(),
            parts: Mutex::default(),
            budgets: Mutex::default(),
            set_aside: Mutex::default(),
            ends_because: OnceLock::new(),
            report: ArcSwap::from_pointee(report),
            freshness: Freshness::default(),
            tally: Arc::default(),
        }
    }

    /// Time since the board was made.
    pub fn uptime(&self) -> Duration {
        self.clock.now() - self.started
    }

    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        *self.phase.lock()
    }

    /// Posts that the start is over, unless the process stops already.
    pub fn enter_running(&self) {
        let mut phase = self.phase.lock();
        if *phase == Phase::Starting {
            *phase = Phase::Running;
            // The first time is the only one.
            let _ = self.running.set(self.clock.now());
        }
    }

    /// Posts that the process stops.
    pub fn enter_stopping(&self) {
        *self.phase.lock() = Phase::Stopping;
    }

    /// Takes posts of no older incarnation of this author from now on: what such a one posts meanwhile is seen by whoever reads after
    /// this, or never.
    pub(super) fn admit(&self, author: Author) {
        self.admitted.write().insert(author.part, author.incarnation);
        self.places.admit(author);
    }

    /// Whether this author was not replaced. To be asked under the lock of what is posted.
    fn may_post(&self, author: Author) -> bool {
        self.admitted.read().get(author.part).is_none_or(|newest| author.incarnation >= *newest)
    }

    /// Posts a group's status.
    pub(super) fn post_group(&self, by: Author, lane: Lane, status: LaneStatus) {
        let mut groups = self.groups.lock();
        if self.may_post(by) {
            groups[lane] = Some(status);
        }
    }

    /// The last posted status of a group.
    pub fn group(&self, lane: Lane) -> Option<LaneStatus> {
        self.groups.lock()[lane]
    }

    /// The last posted status of each group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Lane, Option<LaneStatus>)> + use<> {
        let groups = *self.groups.lock();
        Lane::ALL.into_iter().map(move |lane| (lane, groups[lane]))
    }

    /// What an operator must mend in a store. `None` if nothing was given up.
    pub fn given_up(&self) -> Option<Damage> {
        self.stores.given_up()
    }

    /// Posts what the next requests are for.
    pub fn post_plan(&self, plan: PlanFacts) {
        *self.plan.lock() = Some(plan);
    }

    /// What the next requests are for, as last posted.
    pub fn plan(&self) -> Option<PlanFacts> {
        *self.plan.lock()
    }

    /// Posts how many tokens were asked for since the start, and how many were not, because they had been seen just before.
    pub fn post_look_ups(&self, asked: u64, cached: u64) {
        let now = self.clock.now();
        let mut look_ups = self.look_ups.lock();
        look_ups.push_back((now, asked, cached));
        while look_ups.front().is_some_and(|(at, ..)| now - *at > 5 * MINUTE) {
            look_ups.pop_front();
        }
    }

    /// The share of the look-ups of the last five minutes that needed no request. `None` without any.
    pub fn cache_hit_rate(&self) -> Option<f64> {
        let look_ups = self.look_ups.lock();
        let ((_, asked_before, cached_before), (_, asked, cached)) = (look_ups.front()?, look_ups.back()?);
        let (asked, cached) = (asked - asked_before, cached - cached_before);
        (asked + cached > 0).then(|| cached as f64 / (asked + cached) as f64)
    }

    /// Posts that `count` tokens were scored.
    pub fn post_scored(&self, count: u64) {
        let now = self.clock.now();
        let mut scored = self.scored.lock();
        scored.push_back((now, count));
        while scored.front().is_some_and(|(at, _)| now - *at > MINUTE) {
            scored.pop_front();
        }
    }

    /// Tokens scored in the last minute; in the first minute, those scored so far.
    pub fn tokens_per_minute(&self) -> f64 {
        let now = self.clock.now();
        let scored = self.scored.lock();
        let sum: u64 = scored.iter().filter(|(at, _)| now - *at <= MINUTE).map(|(_, count)| count).sum();
        sum as f64
    }

    /// Posts one attempt of a call to the API.
    pub fn post_call(&self, latency: Duration, ok: bool) {
        self.calls.lock().record(self.clock.now(), latency, ok);
    }

    /// Posts that a request to the service's own API was answered; `route` is one of few, and of the characters of a label.
    pub fn post_served(&self, route: &str, took: Duration) {
        self.tally.time("http.requests", &[route], took);
    }

    /// The calls of the last minutes.
    pub fn calls(&self, over: Duration) -> CallSummary {
        self.calls.lock().summary(self.clock.now(), over)
    }

    /// Attempts of the last minute.
    pub(super) fn calls_per_minute(&self) -> f64 {
        self.calls.lock().calls_per_minute(self.clock.now())
    }

    /// Posts a sample of the resources.
    pub fn post_resources(&self, sample: Option<ResourceSample>) {
        let now = self.clock.now();
        *self.resources.lock() = (Some(now), sample);
    }

    /// The last sample of the resources.
    pub fn resources(&self) -> Option<ResourceSample> {
        self.resources.lock().1
    }

    /// When the resources were sampled last, whether or not that could be done, and what came of it.
    pub(crate) fn sampled(&self) -> (Option<Moment>, Option<ResourceSample>) {
        *self.resources.lock()
    }

    /// The last sample of the resources, if it is no older than this.
    pub(crate) fn fresh_resources(&self, longest: Duration) -> Option<ResourceSample> {
        let now = self.clock.now();
        let (at, sample) = *self.resources.lock();
        sample.filter(|_| at.is_some_and(|at| now - at <= longest))
    }

    /// Posts what a report is made from.
    pub(super) fn post_facts(&self, facts: Facts) {
        self.facts.store(Some(Arc::new((self.clock.now(), Arc::new(facts)))));
    }

    /// What the last report was made from, and when; `None` before the first one of a service that has started.
    pub(crate) fn facts(&self) -> Option<(Moment, Arc<Facts>)> {
        self.facts.load().as_deref().cloned()
    }

    /// Posts how many tokens a source lists, or what is wrong with it.
    pub fn post_source(&self, origin: Origin, listed: Result<u64, String>) {
        let mut sources = self.sources.lock();
        let facts = sources.entry(origin).or_default();
        origin.as_str().clone_into(&mut facts.origin);
        match listed {
            Ok(tokens) => (facts.tokens, facts.problem) = (Some(tokens), None),
            Err(problem) => facts.problem = Some(problem),
        }
    }

    /// The sources of tokens as last seen.
    pub fn sources(&self) -> Vec<SourceFacts> {
        self.sources.lock().values().cloned().collect()
    }

    /// Posts that the process ends without being ordered to: every report says so from now on, the present one included.
    pub(super) fn ends_because(&self, cause: &str) {
        self.enter_stopping();
        if self.ends_because.set(cause.to_owned()).is_ok() {
            // The sentence is in front of every report once: one that was posted since has it.
            self.report.rcu(|report| self.as_it_ends(report));
        }
    }

    /// Posts the report that readers get from now on, and returns it as they do: with why the process ends, if it does.
    pub fn post_report(&self, report: Report) -> Arc<Report> {
        self.freshness.made(self.clock.now());
        let report = Arc::new(report);
        // Tried again if another report came in between: the cause may have come with that one.
        self.report.rcu(|_| self.as_it_ends(&report));
        self.as_it_ends(&report)
    }

    fn as_it_ends(&self, report: &Arc<Report>) -> Arc<Report> {
        match self.ends_because.get() {
            Some(cause) if !report.is_ending() => Arc::new(Report::clone(report).ending(cause)),
            Some(_) | None => report.clone(),
        }
    }

    /// Age and staleness of the tokens, without a look at each.
    pub fn data_facts(&self) -> DataFacts {
        let now = self.clock.wall();
        let running_for = self.running.get().map_or(Duration::ZERO, |since| self.clock.now() - *since);
        let tokens = self.tokens.read();
        let of = |lane| {
            let LaneAges { tokens, never_observed, overdue, stale, expired, ages } = tokens.ages(lane, now);
            // A list may be imported hours before a process asks for it: the process has as long as for a new token.
            let overdue = if running_for > self.market.stale_after(Some(lane)) { overdue } else { 0 };
            LaneFacts { tokens, never_observed, overdue, stale, expired, ages }
        };
        DataFacts {
            hot: of(Lane::Hot),
            cold: of(Lane::Cold),
            unlisted: tokens.unlisted(),
            archived: tokens.archived(),
        }
    }
}

impl HealthView for Board {
    fn report(&self) -> Arc<Report> {
        let report = self.report.load_full();
        match self.freshness.missing_for(self.clock.now()) {
            Some(age) if report.phase != Phase::Stopping => Arc::new(Report::clone(&report).outdated(age)),
            _ => report,
        }
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
