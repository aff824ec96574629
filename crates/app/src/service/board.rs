//! What the two planes know of each other: the work plane posts, the supervision plane reads, and nobody waits. It
//! judges nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use ttm_health::{HealthView, LaneFacts, Phase, Report, ResourceSample, StoreFacts};
use ttm_kernel::{Moment, Runtime};
use ttm_market::{Lane, MarketConfig, Mint, Token, TokenPage, TokenQuery, TokenRow, TokenView, row};
use ttm_perf::{CallSummary, CallWindow};
use ttm_schedule::{Group, GroupStatus};

/// The board. Locks are held for a few instructions, never across an await.
pub struct Board {
    clock: Arc<dyn Runtime>,
    market: MarketConfig,
    started: Moment,
    phase: Mutex<Phase>,
    groups: Mutex<[Option<GroupStatus>; 2]>,
    tokens: ArcSwap<Vec<Token>>,
    scored: Mutex<VecDeque<(Moment, u64)>>,
    calls: Mutex<CallWindow>,
    resources: Mutex<Option<ResourceSample>>,
    store: Mutex<StoreFacts>,
    report: ArcSwap<Report>,
}

impl Board {
    /// An empty board; `report` stands until the first real one.
    pub fn new(clock: Arc<dyn Runtime>, market: MarketConfig, report: Report) -> Self {
        Self {
            started: clock.now(),
            clock,
            market,
            phase: Mutex::new(Phase::Starting),
            groups: Mutex::default(),
            tokens: ArcSwap::default(),
            scored: Mutex::default(),
            calls: Mutex::new(CallWindow::default()),
            resources: Mutex::default(),
            store: Mutex::default(),
            report: ArcSwap::from_pointee(report),
        }
    }

    /// Time since the board was made.
    pub fn uptime(&self) -> Duration {
        self.clock.now() - self.started
    }

    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        *lock(&self.phase)
    }

    /// Posts where the process is in its life.
    pub fn enter(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }

    /// Posts a group's status.
    pub fn post_group(&self, group: Group, status: GroupStatus) {
        lock(&self.groups)[slot(group)] = Some(status);
    }

    /// The last posted status of a group.
    pub fn group(&self, group: Group) -> Option<GroupStatus> {
        lock(&self.groups)[slot(group)]
    }

    /// Posts all tokens as they are now.
    pub fn post_tokens(&self, tokens: Vec<Token>) {
        self.tokens.store(Arc::new(tokens));
    }

    /// The tokens as last posted, in the order of their mints.
    pub fn tokens(&self) -> Arc<Vec<Token>> {
        self.tokens.load_full()
    }

    /// Posts that `count` tokens were scored.
    pub fn post_scored(&self, count: u64) {
        let now = self.clock.now();
        let mut scored = lock(&self.scored);
        scored.push_back((now, count));
        while scored.front().is_some_and(|(at, _)| now - *at > MINUTE) {
            scored.pop_front();
        }
    }

    /// Tokens scored in the last minute; none before the first minute is over.
    pub fn tokens_per_minute(&self) -> Option<f64> {
        let now = self.clock.now();
        let scored = lock(&self.scored);
        let sum: u64 = scored.iter().filter(|(at, _)| now - *at <= MINUTE).map(|(_, count)| count).sum();
        (now - self.started >= MINUTE).then_some(sum as f64)
    }

    /// Posts one attempt of a call to the API.
    pub fn post_call(&self, latency: Duration, ok: bool) {
        lock(&self.calls).record(self.clock.now(), latency, ok);
    }

    /// The calls of the last minutes.
    pub fn calls(&self, over: Duration) -> CallSummary {
        lock(&self.calls).summary(self.clock.now(), over)
    }

    /// Attempts of the last minute; none before the first minute is over.
    pub(super) fn calls_per_minute(&self) -> Option<f64> {
        lock(&self.calls).calls_per_minute(self.clock.now())
    }

    /// Posts a sample of the resources.
    pub fn post_resources(&self, sample: Option<ResourceSample>) {
        *lock(&self.resources) = sample;
    }

    /// The last sample of the resources.
    pub fn resources(&self) -> Option<ResourceSample> {
        *lock(&self.resources)
    }

    /// Posts that the store answered.
    pub fn post_store_answered(&self) {
        let mut store = lock(&self.store);
        if let Some(since) = store.down_since.take() {
            tracing::info!(down_since = %since, "the store answers again");
        }
        store.reachable = Some(true);
        store.last_error = None;
    }

    /// Posts that the store did not do what it was asked to.
    pub fn post_store_failed(&self, error: &(dyn std::error::Error + 'static)) {
        let now = self.clock.wall();
        let mut store = lock(&self.store);
        if store.down_since.is_none() {
            store.down_since = Some(now);
            tracing::warn!(%error, "the store does not answer; scoring goes on and keeps what is to be stored");
        }
        store.reachable = Some(false);
        store.last_error = Some(error.to_string());
    }

    /// The store as last seen, without the outboxes' counts.
    pub fn store(&self) -> StoreFacts {
        lock(&self.store).clone()
    }

    /// Posts the report that readers get from now on.
    pub fn post_report(&self, report: Report) {
        self.report.store(Arc::new(report));
    }

    /// Age and staleness of the tokens of a lane.
    pub fn lane_facts(&self, lane: Lane) -> LaneFacts {
        let now = self.clock.wall();
        let tokens = self.tokens();
        let mut facts = LaneFacts::default();
        let mut ages = Vec::new();
        for token in tokens.iter().filter(|token| token.lane(self.market.hot_threshold()) == Some(lane)) {
            if token.unlisted.is_some() {
                continue;
            }
            facts.tokens += 1;
            let since = token.score.map_or(token.first_seen, |score| score.at);
            let age = Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO);
            facts.stale += u64::from(age > self.market.stale_after(Some(lane)));
            if token.score.is_some() {
                ages.push(age);
            } else {
                facts.never_observed += 1;
            }
        }
        ages.sort_unstable();
        facts.ages = ages.last().map(|oldest| {
            // Nearest rank.
            let rank = |percent: usize| ages[(ages.len() * percent).div_ceil(100).max(1) - 1];
            [rank(50), rank(95), rank(99), *oldest]
        });
        facts
    }
}

impl HealthView for Board {
    fn report(&self) -> Arc<Report> {
        self.report.load_full()
    }
}

impl TokenView for Board {
    fn page(&self, query: &TokenQuery) -> TokenPage {
        let now = self.clock.wall();
        let rows: Vec<TokenRow> = self.tokens().iter().map(|token| row(token, now, &self.market)).collect();
        ttm_market::page(rows, query)
    }

    fn get(&self, mint: &Mint) -> Option<TokenRow> {
        let tokens = self.tokens();
        let at = tokens.binary_search_by_key(mint, |token| token.mint).ok()?;
        Some(row(&tokens[at], self.clock.wall(), &self.market))
    }
}

const MINUTE: Duration = Duration::from_mins(1);

const fn slot(group: Group) -> usize {
    match group {
        Group::Hot => 0,
        Group::Cold => 1,
    }
}

/// Every change under a lock is one assignment or one call, so a panic elsewhere leaves the content whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
