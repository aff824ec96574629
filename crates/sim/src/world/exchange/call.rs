//! A request in flight: reports its beginning and its end to the oracles of its budget. A caller that drops it has
//! not seen an answer, so how long it waited decides whether that counts as a failure.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};
use ttm_market::{Mint, PairBatch, PairSourceError};

use super::caller::{Budget, BudgetState, CallerState, Panicked};
use super::{Question, SimExchange, question_of};
use crate::oracle::{CallEnd, WatchedCall};

/// The longest attempt timeout of the caller: an attempt that it drops after this has failed.
const MAX_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Its shortest attempt timeout, after quick answers: an attempt that it drops before this was cancelled.
const MIN_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// A request in flight, as the oracles follow it.
pub(super) struct Call<'a> {
    exchange: &'a SimExchange,
    /// The calling process.
    process: u32,
    budget: Budget,
    question: u64,
    begun: Moment,
    watched: WatchedCall,
    /// The mints of a batch; empty for other requests.
    batch: Vec<Mint>,
    /// How many calls had succeeded before it, or before the batch that it is a half of.
    since: u64,
    /// Whether it is a half of a failed batch while other calls succeeded. The service requests the halves to find
    /// the mint that makes a batch fail, and may attribute their failures to the mint; which it did is not visible
    /// from outside.
    is_part: bool,
    pub(super) over_limit: bool,
    ended: bool,
}

/// No request takes longer, including all its attempts.
const ONE_CALL: Duration = Duration::from_mins(1);

impl<'a> Call<'a> {
    pub(super) fn begin(exchange: &'a SimExchange, budget: Budget, question: Question<'_>) -> Self {
        let now = exchange.runtime.now();
        // A call belongs to one task; another task may ask the same question as soon as the first has given up.
        let Question { number, batch } = question;
        let question = number ^ exchange.runtime.task().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let process = exchange.runtime.process();
        let (is_unknown, allowed) =
            exchange.succession.requests(process, exchange.faults.lease_was_away(now), now);
        let mut state = exchange.state.lock();
        state.counts.requests += 1;
        state.counts.in_flight += 1;
        let limit = &mut state.limits[budget as usize];
        let limited = limit.begin(is_unknown, now);
        let over_limit = limit.is_exceeded();
        let CallerState { budgets, succeeded, parts, first } = state.caller(process, exchange.promised);
        let since = parts.get(&number).copied();
        let is_part = since.is_some_and(|since| *succeeded > since);
        first.retain(|_, (at, _)| now - *at < ONE_CALL);
        let (_, answered) = *first.entry(question).or_insert((now, *succeeded));
        let since = since.unwrap_or(answered);
        let BudgetState { breaker, pace, .. } = &mut budgets[budget as usize];
        let (watched, admitted) = breaker.begin(now);
        let paced = pace.begin(question, now);
        drop(state);
        exchange.verdicts.check(allowed);
        exchange.verdicts.check(limited);
        exchange.verdicts.check(admitted);
        exchange.verdicts.check(paced);
        let batch = batch.to_vec();
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
        let responses = &mut caller.budgets[self.budget as usize].responses;
        match result {
            Ok(_) => responses.answer(now),
            Err(error) => responses.error(Some(error.to_string()), now),
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
                    caller.budgets[self.budget as usize].pace.pause_until(until);
                    CallEnd::RateLimited
                } else if matches!(error, PairSourceError::Rejected { .. }) {
                    CallEnd::Rejected
                } else {
                    CallEnd::Failure
                }
            }
        };
        let end = if self.is_part && end == CallEnd::Failure { CallEnd::GivenUp } else { end };
        self.settle(end);
    }

    /// The process panics on the answer: that says nothing of the API.
    pub(super) fn panic(mut self) -> ! {
        self.ended = true;
        let runtime = &self.exchange.runtime;
        runtime.trace(format_args!("the answer of the api makes its reader panic"));
        let panicked =
            Panicked { process: self.process, at: runtime.now(), task: runtime.task_name().unwrap_or("") };
        let mut state = self.exchange.state.lock();
        state.counts.answered += 1;
        state.panicked.push(panicked);
        drop(state);
        self.settle(CallEnd::Cancelled);
        self.is_halved();
        crate::panics::panic();
    }

    /// The process may ask for the halves of the batch next.
    fn is_halved(&self) {
        if self.batch.len() > 1 {
            let (first, second) = self.batch.split_at(self.batch.len().div_ceil(2));
            let halves = [first, second].map(|half| (question_of(half), self.since));
            let mut state = self.exchange.state.lock();
            state.caller(self.process, self.exchange.promised).parts.extend(halves);
        }
    }

    fn settle(&self, end: CallEnd) {
        if matches!(end, CallEnd::Failure | CallEnd::GivenUp | CallEnd::Rejected) {
            self.is_halved();
        }
        let mut state = self.exchange.state.lock();
        state.counts.in_flight -= 1;
        state.counts.succeeded += u64::from(end == CallEnd::Success);
        let CallerState { budgets, succeeded, .. } = state.caller(self.process, self.exchange.promised);
        *succeeded += u64::from(end == CallEnd::Success);
        let BudgetState { breaker, pace, .. } = &mut budgets[self.budget as usize];
        match end {
            CallEnd::Success => pace.answer(self.question),
            // Whatever the reason, it counts as a failed attempt.
            CallEnd::Failure | CallEnd::Rejected | CallEnd::RateLimited | CallEnd::GivenUp => {
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
            _ if waited >= MAX_ATTEMPT_TIMEOUT => CallEnd::Failure,
            _ if waited >= MIN_ATTEMPT_TIMEOUT => CallEnd::GivenUp,
            _ => CallEnd::Cancelled,
        };
        self.exchange.runtime.trace(format_args!("api is left without an answer after {waited:?}"));
        let now = self.exchange.runtime.now();
        let mut state = self.exchange.state.lock();
        let caller = state.caller(self.process, self.exchange.promised);
        caller.budgets[self.budget as usize].responses.error(None, now);
        drop(state);
        self.settle(end);
    }
}
