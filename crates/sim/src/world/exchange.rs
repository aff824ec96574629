//! The simulated API over the generated market: latency, the strict limit, and every way to misbehave. It holds what it
//! was promised against each request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Clock, Entropy, Moment, Runtime};
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{MAX_BATCH, Mint, Pair, PairBatch, PairSource, PairSourceError, SkipReason, Trades};
use ttm_testkit::SeededEntropy;

use crate::executor::lock;
use crate::oracle::{BreakerWatch, CallEnd, Pace, Verdicts, WatchedCall};
use crate::{ExchangeFault, FaultSchedule, Percent, Promises, SimRuntime};

/// The caller gives an attempt up after this; a call that it drops sooner is cancelled, not failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// The API's own data is about this old, so one answer may be given again for as long.
const ANSWERS_LAST_S: i64 = 30;

/// The API.
#[derive(Debug)]
pub struct SimExchange {
    market: SyntheticMarket,
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    verdicts: Arc<Verdicts>,
    latency: Arc<SeededEntropy>,
    chance: Arc<SeededEntropy>,
    promised: Promises,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watch: BreakerWatch,
    pace: Pace,
    counts: ExchangeCounts,
    primaries: BTreeMap<Mint, (i64, Option<Pair>)>,
}

/// What the API saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Requests that began.
    pub requests: u64,
    /// Requests that got an answer of any kind.
    pub answered: u64,
    /// Requests that got pairs, or would have if there were any.
    pub succeeded: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// The most requests in one minute.
    pub busiest_minute: usize,
}

impl SimExchange {
    /// An API over `market` that was promised something.
    pub fn new(
        market: SyntheticMarket,
        promised: Promises,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        verdicts: &Arc<Verdicts>,
    ) -> Self {
        Self {
            market,
            runtime: runtime.clone(),
            faults: faults.clone(),
            verdicts: verdicts.clone(),
            latency: runtime.stream("latency"),
            chance: runtime.stream("faults"),
            promised,
            state: Mutex::new(State {
                watch: BreakerWatch::new(promised.breaker),
                pace: Pace::new(promised.requests_per_minute, promised.attempts),
                counts: ExchangeCounts::default(),
                primaries: BTreeMap::new(),
            }),
        }
    }

    /// The counts as they are now.
    pub fn counts(&self) -> ExchangeCounts {
        let state = lock(&self.state);
        ExchangeCounts { busiest_minute: state.pace.busiest(), ..state.counts }
    }

    /// The process was restarted: its breaker is forgotten until it is loaded, and its pauses for good; the limit of its
    /// address is not.
    pub fn process_restarted(&self) {
        let mut state = lock(&self.state);
        state.watch = BreakerWatch::new(self.promised.breaker);
        state.pace.restart();
    }

    /// The process was told that its breaker is to be open until then.
    pub fn promise_silence(&self, until: Moment) {
        lock(&self.state).watch.promise_silence(until);
    }

    /// One request for some mints: `answer` is what a healthy API says at a time.
    async fn request(
        &self,
        question: u64,
        mints: &[Mint],
        answer: impl FnOnce(Timestamp) -> PairBatch + Send,
    ) -> Result<PairBatch, PairSourceError> {
        let call = Call::begin(self, question);
        self.runtime.yields().await;
        let fault = self.faults.exchange(self.runtime.now());
        match fault {
            Some(ExchangeFault::Hang) => std::future::pending::<()>().await,
            Some(ExchangeFault::SlowDrip) => {
                self.pause(Duration::from_secs(30 + self.chance.below(90))).await;
            }
            _ => self.pause(self.draw_latency()).await,
        }
        self.runtime.yields().await;
        let result = if call.over_limit { Err(limited(None)) } else { self.respond(fault, mints, answer) };
        call.end(&result);
        result
    }

    /// What a client of ours makes of the answer.
    fn respond(
        &self,
        fault: Option<ExchangeFault>,
        mints: &[Mint],
        answer: impl FnOnce(Timestamp) -> PairBatch,
    ) -> Result<PairBatch, PairSourceError> {
        let now = self.runtime.wall();
        let Some(fault) = fault else { return Ok(answer(now)) };
        // Only what is asked for together gets lost together.
        let batched = mints.len() > 1;
        Ok(match fault {
            ExchangeFault::Unavailable => return Err(transient("503 Service Unavailable")),
            ExchangeFault::ServerError(status) => return Err(transient(&format!("status {status}"))),
            ExchangeFault::WrongType => return Err(transient("status 200, an HTML page")),
            ExchangeFault::Hang | ExchangeFault::SlowDrip => {
                return Err(transient("the connection was closed"));
            }
            ExchangeFault::Forbidden => {
                let message = "status 403, an HTML page".to_owned();
                return Err(PairSourceError::Forbidden { message });
            }
            ExchangeFault::Truncated => return Err(malformed("EOF while parsing a string")),
            ExchangeFault::TooLarge => return Err(malformed("the body is larger than 4194304 bytes")),
            ExchangeFault::Limited(seconds) => return Err(limited(seconds)),
            ExchangeFault::FlakyNulls(share) if self.happens(share) => {
                return Err(transient("null instead of a list of pairs"));
            }
            ExchangeFault::Nulls => PairBatch::default(),
            ExchangeFault::EmptyBatch(share) if batched && self.happens(share) => PairBatch::default(),
            ExchangeFault::HalfBatch if batched => filtered(answer(now), |_| self.happens(50), None),
            ExchangeFault::FlakyNulls(_) | ExchangeFault::EmptyBatch(_) | ExchangeFault::HalfBatch => {
                answer(now)
            }
            ExchangeFault::Delisted(share) => {
                let is_gone = |pair: &Pair| question_of(&[pair.base.mint]) % 100 < u64::from(share);
                filtered(answer(now), |pair| !is_gone(pair), None)
            }
            ExchangeFault::Stale(seconds) => {
                answer(now.checked_sub(Duration::from_secs(seconds.into())).unwrap_or(now))
            }
            ExchangeFault::ExtraPairs => self.all_pools(mints, now),
            ExchangeFault::BadPairs(share) => {
                filtered(answer(now), |_| !self.happens(share), Some(SkipReason::Malformed))
            }
            ExchangeFault::Sparse => {
                let mut batch = answer(now);
                batch.pairs.iter_mut().for_each(make_sparse);
                batch
            }
        })
    }

    /// Whether something happens that happens to so many in a hundred.
    fn happens(&self, share: Percent) -> bool {
        self.chance.below(100) < u64::from(share)
    }

    /// All pools of some mints that have one of them as their base; the others are counted.
    fn all_pools(&self, mints: &[Mint], at: Timestamp) -> PairBatch {
        let mut batch = PairBatch::default();
        for pool in mints.iter().flat_map(|mint| self.market.pools_of(mint, at)) {
            if mints.contains(&pool.pair.base.mint) {
                batch.pairs.push(pool.pair);
            } else {
                batch.skipped.add(SkipReason::QuoteSide);
            }
        }
        batch
    }

    async fn pause(&self, time: Duration) {
        self.runtime.sleep_until(self.runtime.now() + time).await;
    }

    /// 80 ms give or take 60, never below 20: the sum of two draws is likelier in the middle.
    fn draw_latency(&self) -> Duration {
        Duration::from_micros(20_000 + self.latency.below(60_000) + self.latency.below(60_000))
    }

    /// The primary pool, computed anew every half minute.
    fn primary(&self, mint: Mint, at: Timestamp) -> Option<Pair> {
        let era = at.as_second().div_euclid(ANSWERS_LAST_S);
        let mut state = lock(&self.state);
        match state.primaries.get(&mint) {
            Some((made, pair)) if *made == era => pair.clone(),
            _ => {
                let pair = self.market.primary_of(&mint, at).map(|pool| pool.pair);
                state.primaries.insert(mint, (era, pair.clone()));
                pair
            }
        }
    }
}

#[async_trait]
impl PairSource for SimExchange {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        if mints.is_empty() || mints.len() > MAX_BATCH {
            self.verdicts.broken(format_args!("a batch of {} mints", mints.len()));
        }
        let answer = |at| PairBatch {
            pairs: mints.iter().filter_map(|mint| self.primary(*mint, at)).collect(),
            ..PairBatch::default()
        };
        self.request(question_of(mints), mints, answer).await
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        // Another question than a batch of one.
        self.request(!question_of(&[mint]), &[mint], |at| self.all_pools(&[mint], at)).await
    }
}

/// A request under way, as the oracles follow it.
struct Call<'a> {
    exchange: &'a SimExchange,
    question: u64,
    begun: Moment,
    watched: WatchedCall,
    over_limit: bool,
    ended: bool,
}

impl<'a> Call<'a> {
    fn begin(exchange: &'a SimExchange, question: u64) -> Self {
        let now = exchange.runtime.now();
        // A call is one task's; another one may ask the same as soon as the first has given up.
        let question = question ^ exchange.runtime.task().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut state = lock(&exchange.state);
        state.counts.requests += 1;
        state.counts.in_flight += 1;
        let (watched, admitted) = state.watch.begin(now);
        let paced = state.pace.begin(question, now);
        let over_limit = state.pace.is_exceeded();
        drop(state);
        exchange.verdicts.check(admitted);
        exchange.verdicts.check(paced);
        Self { exchange, question, begun: now, watched, over_limit, ended: false }
    }

    fn end(mut self, result: &Result<PairBatch, PairSourceError>) {
        self.ended = true;
        let runtime = &self.exchange.runtime;
        lock(&self.exchange.state).counts.answered += 1;
        let end = match result {
            Ok(batch) => {
                runtime.trace(format_args!("api answers {} pairs", batch.pairs.len()));
                CallEnd::Success
            }
            Err(error) => {
                runtime.trace(format_args!("api answers: {error}"));
                if let PairSourceError::RateLimited { retry_after } = error {
                    let until = runtime.now() + retry_after.unwrap_or(Duration::ZERO);
                    lock(&self.exchange.state).pace.ask_patience(until);
                    CallEnd::RateLimited
                } else {
                    CallEnd::Failure
                }
            }
        };
        self.settle(end);
    }

    fn settle(&self, end: CallEnd) {
        let mut state = lock(&self.exchange.state);
        state.counts.in_flight -= 1;
        if end == CallEnd::Success {
            state.counts.succeeded += 1;
            state.pace.answer(self.question);
        }
        if matches!(end, CallEnd::Failure | CallEnd::RateLimited) {
            state.pace.fail(self.question, self.begun);
        }
        state.watch.end(self.watched, end, self.exchange.runtime.now());
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let waited = self.exchange.runtime.now() - self.begun;
        let end = if waited >= PATIENCE { CallEnd::Failure } else { CallEnd::Cancelled };
        self.exchange.runtime.trace(format_args!("api is left without an answer after {waited:?}"));
        self.settle(end);
    }
}

/// A number for a question, so that the next attempt at it is known again.
fn question_of(mints: &[Mint]) -> u64 {
    mints
        .iter()
        .flat_map(Mint::as_bytes)
        .fold(0, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5))
}

fn limited(seconds: Option<u32>) -> PairSourceError {
    PairSourceError::RateLimited { retry_after: seconds.map(|seconds| Duration::from_secs(seconds.into())) }
}

fn transient(message: &str) -> PairSourceError {
    PairSourceError::Transient { message: message.to_owned(), retry_after: None, source: None }
}

fn malformed(message: &str) -> PairSourceError {
    PairSourceError::Malformed { message: message.to_owned() }
}

/// The pairs to `keep`; the others count as skipped for the reason, if there is one.
fn filtered(mut batch: PairBatch, keep: impl Fn(&Pair) -> bool, reason: Option<SkipReason>) -> PairBatch {
    let before = batch.pairs.len();
    batch.pairs.retain(keep);
    if let Some(reason) = reason {
        (batch.pairs.len()..before).for_each(|_| batch.skipped.add(reason));
    }
    batch
}

/// Leaves out what a pair may leave out.
fn make_sparse(pair: &mut Pair) {
    pair.base.symbol = Box::default();
    (pair.price_usd, pair.liquidity_usd, pair.created_at) = (None, None, None);
    (pair.trades_5m, pair.trades_1h) = (Trades::default(), Trades::default());
    (pair.volume_5m_usd, pair.volume_1h_usd) = (0.0, 0.0);
}

#[cfg(test)]
mod tests;
