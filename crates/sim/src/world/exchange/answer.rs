//! The answers of the simulated API: latency, the strict rate limit, and every kind of fault.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Clock, Entropy, Runtime};
use ttm_market::{
    Listing, MAX_BATCH, Mint, Pair, PairBatch, PairSource, PairSourceError, ProfileSource, SkipReason, Trades,
};

use super::call::Call;
use super::caller::Budget;
use super::{Defect, Question, SimExchange, question_of};
use crate::{ExchangeFault, Percent, Poison};

/// The most profiles in one answer.
const MAX_PROFILES: usize = 30;
/// When calls fail although no fault says so, in a world with that defect.
const SECRET_OUTAGE: Range<Duration> = Duration::from_mins(30)..Duration::from_mins(32);
/// The API's own data is about this old, so an answer may be reused for as long.
const ANSWER_TTL_S: i64 = 30;

impl SimExchange {
    /// One request for some mints; `answer` computes what a healthy API answers at a time.
    async fn request(
        &self,
        budget: Budget,
        question: Question<'_>,
        mints: &[Mint],
        answer: impl FnOnce(Timestamp) -> PairBatch + Send,
    ) -> Result<PairBatch, PairSourceError> {
        let call = Call::begin(self, budget, question);
        self.runtime.yields().await;
        let fault = self.fault();
        match fault {
            Some(ExchangeFault::Hang) => std::future::pending::<()>().await,
            Some(ExchangeFault::SlowDrip) => {
                self.pause(Duration::from_secs(30 + self.fault_draws.below(90))).await;
            }
            _ => self.pause(self.draw_latency()).await,
        }
        self.runtime.yields().await;
        let result = if call.over_limit { Err(limited(None)) } else { self.respond(fault, mints, answer) };
        if matches!(budget, Budget::Pools) && result.is_ok() && self.faults.answers_panic(self.runtime.now())
        {
            call.panic();
        }
        call.end(&result);
        result
    }

    fn fault(&self) -> Option<ExchangeFault> {
        let now = self.runtime.now();
        let is_away =
            || self.defects.has(Defect::SecretOutage) && SECRET_OUTAGE.contains(&now.since_origin());
        self.faults.exchange(now).or_else(|| is_away().then_some(ExchangeFault::Unavailable))
    }

    /// The answer as our client would return it.
    fn respond(
        &self,
        fault: Option<ExchangeFault>,
        mints: &[Mint],
        answer: impl FnOnce(Timestamp) -> PairBatch,
    ) -> Result<PairBatch, PairSourceError> {
        let now = self.runtime.wall();
        let Some(fault) = fault else { return Ok(answer(now)) };
        // Some faults hit batches only.
        let batched = mints.len() > 1;
        Ok(match fault {
            ExchangeFault::Unavailable => return Err(transient("503 Service Unavailable")),
            ExchangeFault::ServerError(status) => return Err(transient(&format!("status {status}"))),
            ExchangeFault::WrongType => return Err(transient("status 200, an HTML page")),
            ExchangeFault::Hang | ExchangeFault::SlowDrip => {
                return Err(transient("the connection was closed"));
            }
            ExchangeFault::Forbidden => {
                let message = "403, an HTML page".to_owned();
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
            ExchangeFault::Poison(share) => {
                let Some(poison) = mints.iter().find_map(|mint| Poison::of(mint, share)) else {
                    return Ok(answer(now));
                };
                self.state.lock().counts.poisoned += 1;
                return Err(poisoned(poison));
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

    /// Draws whether a fault that hits this share of all cases hits this one.
    fn happens(&self, share: Percent) -> bool {
        self.fault_draws.below(100) < u64::from(share)
    }

    /// All pools that have one of the mints as their base; pools that have one as their quote are counted.
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

    /// 20 to 140 ms, mostly about 80: the sum of two uniform draws has its mode in the middle.
    fn draw_latency(&self) -> Duration {
        Duration::from_micros(20_000 + self.latency.below(60_000) + self.latency.below(60_000))
    }

    /// The primary pool, recomputed every half minute.
    fn primary(&self, mint: Mint, at: Timestamp) -> Option<Pair> {
        let era = at.as_second().div_euclid(ANSWER_TTL_S);
        let mut state = self.state.lock();
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
        let question = Question { number: question_of(mints), batch: mints };
        self.request(Budget::Pools, question, mints, answer).await
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        // A different question than a batch of one.
        let answer = |at| self.all_pools(&[mint], at);
        let question = Question { number: !question_of(&[mint]), batch: &[] };
        self.request(Budget::Pools, question, &[mint], answer).await
    }
}

#[async_trait]
impl ProfileSource for SimExchange {
    /// Every minute since the start a token that is new to the market gets a profile.
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError> {
        let question = Question { number: 0, batch: &[] };
        self.request(Budget::Profiles, question, &[], |_| PairBatch::default()).await?;
        let minutes = self.runtime.now().since_origin().as_secs() / 60;
        let profiles = usize::try_from(minutes).unwrap_or(usize::MAX);
        let new = self.market.grown_by(profiles).mints().skip(self.market.mints().count());
        let mints = new.skip(profiles.saturating_sub(MAX_PROFILES)).collect();
        Ok(Listing { mints, ..Listing::default() })
    }
}

fn limited(seconds: Option<u32>) -> PairSourceError {
    let message = "429, an HTML page".to_owned();
    PairSourceError::RateLimited {
        message,
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

fn transient(message: &str) -> PairSourceError {
    PairSourceError::Transient { message: message.to_owned(), retry_after: None, source: None }
}

/// The error that our client would return for a request with a poisoned mint.
fn poisoned(poison: Poison) -> PairSourceError {
    match poison {
        Poison::Refused => PairSourceError::Rejected { message: "400 Bad Request".to_owned() },
        Poison::ServerError => transient("500 Internal Server Error"),
        Poison::Undecodable => malformed("200, expected value at line 1 column 1"),
    }
}

fn malformed(message: &str) -> PairSourceError {
    PairSourceError::Malformed { message: message.to_owned() }
}

/// Only the pairs to `keep`; the others count as skipped for `reason`, if there is one.
fn filtered(mut batch: PairBatch, keep: impl Fn(&Pair) -> bool, reason: Option<SkipReason>) -> PairBatch {
    let before = batch.pairs.len();
    let mut left_out = BTreeSet::new();
    batch.pairs.retain(|pair| {
        let is_kept = keep(pair);
        if !is_kept {
            left_out.insert(pair.base.mint);
        }
        is_kept
    });
    if let Some(reason) = reason {
        (batch.pairs.len()..before).for_each(|_| batch.skipped.add(reason));
        batch.unreadable = left_out.into_iter().map(|mint| (mint, "priceUsd \"NaN\"".into())).collect();
    }
    batch
}

/// Drops every optional field.
fn make_sparse(pair: &mut Pair) {
    pair.base.symbol = Box::default();
    (pair.price_usd, pair.liquidity_usd, pair.created_at) = (None, None, None);
    (pair.trades_5m, pair.trades_1h) = (Trades::default(), Trades::default());
    (pair.volume_5m_usd, pair.volume_1h_usd) = (0.0, 0.0);
}

#[cfg(test)]
mod tests;
