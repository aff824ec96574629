//! A request under way: tells the oracles of its budget when it begins and how it ends. It knows no answer's content.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};
use ttm_market::{Mint, PairBatch, PairSourceError};

use super::watching::{Budget, Watched, Watching};
use super::{Question, SimExchange, question_of};
use crate::oracle::{CallEnd, WatchedCall};

/// The most that the caller gives an attempt: one that it drops by then has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// The least that it gives one, when the answers were quick; what it drops sooner it has cancelled.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// A request under way, as the oracles follow it.
pub(super) struct Call<'a> {
    exchange: &'a SimExchange,
    /// Whose it is.
    process: u32,
    budget: Budget,
    question: u64,
    begun: Moment,
    watched: WatchedCall,
    /// What a batch asks; nothing for other requests.
    batch: Vec<Mint>,
    /// How many calls had been answered before it, or before the batch that it is a part of.
    since: u64,
    /// Whether it is a half of a batch that failed while others were answered. The service asks those to find the mint that
    /// makes a batch fail, and may take their failures for the mint's; which it did cannot be told from outside.
    is_part: bool,
    pub(super) over_limit: bool,
    ended: bool,
}

/// No request takes longer, with all its attempts.
const ONE_CALL: Duration = Duration::from_mins(1);

impl<'a> Call<'a> {
    pub(super) fn begin(exchange: &'a SimExchange, budget: Budget, asked: Question<'_>) -> Self {
        let now = exchange.runtime.now();
        // A call is one task's; another one may ask the same as soon as the first has given up.
        let question = asked.number ^ exchange.runtime.task().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let process = exchange.runtime.process();
        let (is_unknown, may_ask) =
            exchange.succession.asks(process, exchange.faults.lease_was_away(now), now);
        let mut state = exchange.state.lock();
        state.counts.requests += 1;
        state.counts.in_flight += 1;
        let limit = &mut state.limits[budget as usize];
        let limited = limit.begin(is_unknown, now);
        let over_limit = limit.is_exceeded();
        let Watching { budgets, succeeded, parts, first } = state.caller(process, exchange.promised);
        let since = parts.get(&asked.number).copied();
        let is_part = since.is_some_and(|since| *succeeded > since);
        first.retain(|_, (at, _)| now - *at < ONE_CALL);
        let (_, answered) = *first.entry(question).or_insert((now, *succeeded));
        let since = since.unwrap_or(answered);
        let Watched { breaker, pace, .. } = &mut budgets[budget as usize];
        let (watched, admitted) = breaker.begin(now);
        let paced = pace.begin(question, now);
        drop(state);
        exchange.verdicts.check(may_ask);
        exchange.verdicts.check(limited);
        exchange.verdicts.check(admitted);
        exchange.verdicts.check(paced);
        let batch = asked.batch.to_vec();
        Self {
            exchange,
            process,
            budget,
            question,
            begun: now,
            watched,
            batch,
            since,
            is_part,
            over_limit,
            ended: false,
        }
    }

    pub(super) fn end(mut self, result: &Result<PairBatch, PairSourceError>) {
        self.ended = true;
        let runtime = &self.exchange.runtime;
        let now = runtime.now();
        let mut state = self.exchange.state.lock();
        state.counts.answered += 1;
        let caller = state.caller(self.process, self.exchange.promised);
        let hearing = &mut caller.budgets[self.budget as usize].hearing;
        match result {
            Ok(_) => hearing.answer(now),
            Err(error) => hearing.error(Some(error.to_string()), now),
        }
        drop(state);
        let end = match result {
            Ok(batch) => {
                runtime.trace(format_args!("api answers {} pairs", batch.pairs.len()));
                CallEnd::Success
            }
            Err(error) => {
                runtime.trace(format_args!("api answers: {error}"));
                if let PairSourceError::RateLimited { retry_after, .. } = error {
                    let until = runtime.now() + retry_after.unwrap_or(Duration::ZERO);
                    let mut state = self.exchange.state.lock();
                    let caller = state.caller(self.process, self.exchange.promised);
                    caller.budgets[self.budget as usize].pace.ask_patience(until);
                    CallEnd::RateLimited
                } else if matches!(error, PairSourceError::Rejected { .. }) {
                    CallEnd::Refused
                } else {
                    CallEnd::Failure
                }
            }
        };
        let end = if self.is_part && end == CallEnd::Failure { CallEnd::GivenUp } else { end };
        self.settle(end);
    }

    fn settle(&self, end: CallEnd) {
        let mut state = self.exchange.state.lock();
        state.counts.in_flight -= 1;
        state.counts.succeeded += u64::from(end == CallEnd::Success);
        let Watching { budgets, succeeded, parts, .. } = state.caller(self.process, self.exchange.promised);
        *succeeded += u64::from(end == CallEnd::Success);
        if matches!(end, CallEnd::Failure | CallEnd::GivenUp | CallEnd::Refused) && self.batch.len() > 1 {
            let (first, second) = self.batch.split_at(self.batch.len().div_ceil(2));
            let since = self.since;
            parts.extend([first, second].map(|half| (question_of(half), since)));
        }
        let Watched { breaker, pace, .. } = &mut budgets[self.budget as usize];
        match end {
            CallEnd::Success => pace.answer(self.question),
            // Whatever it was, it was an attempt.
            CallEnd::Failure | CallEnd::Refused | CallEnd::RateLimited | CallEnd::GivenUp => {
                pace.fail(self.question, self.begun);
            }
            CallEnd::Cancelled => {}
        }
        breaker.end(self.watched, end, self.exchange.runtime.now());
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let waited = self.exchange.runtime.now() - self.begun;
        let end = match waited {
            _ if waited >= PATIENCE => CallEnd::Failure,
            _ if waited >= LEAST_PATIENCE => CallEnd::GivenUp,
            _ => CallEnd::Cancelled,
        };
        self.exchange.runtime.trace(format_args!("api is left without an answer after {waited:?}"));
        let now = self.exchange.runtime.now();
        let mut state = self.exchange.state.lock();
        let caller = state.caller(self.process, self.exchange.promised);
        caller.budgets[self.budget as usize].hearing.error(None, now);
        drop(state);
        self.settle(end);
    }
}
