//! The breaker as specified: it keeps every outcome of the generation and recomputes everything from that list. Slow,
//! plain, and written independently of the real state machine. It has no jitter.

use std::time::Duration;

use ttm_kernel::Moment;

use super::outcomes::{Ended, Outcomes};
use super::{Seen, Step};
use crate::{
    BreakerSettings, CountAs, Counts, Outcome, RejectReason, Rejected, SlowCallSettings, Snapshot, State,
    Verdict,
};

/// The reference model.
#[derive(Clone, Debug)]
pub struct Model {
    settings: BreakerSettings,
    now: Moment,
    newest: Moment,
    state: State,
    open_until: Moment,
    generation: u64,
    outcomes: Outcomes,
    failed_recoveries: i32,
    not_before: Moment,
    calls: Vec<Call>,
    seen: Seen,
}

/// A call that was admitted.
#[derive(Clone, Debug)]
struct Call {
    admitted_at: Moment,
    timed: bool,
    generation: u64,
    lease_until: Option<Moment>,
    out: bool,
    leaked: bool,
}

impl Model {
    /// The model of a new breaker with these settings, whose jitter must be 0.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            now: Moment::ZERO,
            newest: Moment::ZERO,
            state: State::Closed,
            open_until: Moment::ZERO,
            generation: 0,
            outcomes: Outcomes::default(),
            failed_recoveries: 0,
            not_before: Moment::ZERO,
            calls: Vec::new(),
            seen: Seen::Nothing,
        }
    }

    /// Its settings.
    pub const fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// The `now` that the next caller brings.
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// What the caller of the last step must have seen.
    pub const fn seen(&self) -> Seen {
        self.seen
    }

    /// The calls that can still report, be cancelled or be lost.
    pub fn calls_out(&self) -> Vec<usize> {
        let calls = self.calls.iter().enumerate();
        calls.filter(|(_, call)| call.out && !call.leaked).map(|(number, _)| number).collect()
    }

    /// What a snapshot must show.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now.max(self.newest);
        let probes = self.probes_out(now);
        let retry_at = match self.state {
            State::Open if now < self.open_until => Some(self.open_until),
            State::ForcedOpen => Some(Moment::MAX),
            State::HalfOpen if self.all_out(now) => probes.iter().min().copied(),
            State::Closed | State::Open | State::HalfOpen | State::Disabled => None,
        };
        Snapshot {
            state: self.state,
            generation: self.generation,
            retry_at,
            counts: Counts {
                successes: self.outcomes.count(|ended| ended.outcome == Outcome::Success),
                failures: self.outcomes.count(|ended| ended.outcome == Outcome::Failure),
                consecutive_failures: self.outcomes.failures_in_a_row(),
                slow: self.outcomes.count(|ended| ended.slow && ended.is_weighed()),
                ignored: self.outcomes.count(|ended| ended.outcome == Outcome::Ignored),
                rate_limited: self
                    .outcomes
                    .count(|ended| matches!(ended.outcome, Outcome::RateLimited { .. })),
            },
            window: self
                .settings
                .rates
                .filter(|_| self.state == State::Closed)
                .map(|rates| self.outcomes.window(&rates)),
            probes_in_flight: u32::try_from(probes.len()).unwrap_or(u32::MAX),
            transitions_lost: 0,
        }
    }

    /// Whether the step names a call that can still take it.
    pub fn allows(&self, step: &Step) -> bool {
        match step {
            Step::Report { permit, .. } | Step::Drop { permit } | Step::Leak { permit } => {
                self.calls.get(*permit).is_some_and(|call| call.out && !call.leaked)
            }
            _ => true,
        }
    }

    /// Makes one step.
    pub fn apply(&mut self, step: &Step) {
        self.seen = match step.clone() {
            Step::Admit => self.admit(),
            Step::Report { permit, outcome, took } => {
                let call = &self.calls[permit];
                // A call that is not timed took no time, even if it is when it reports.
                let since = if call.timed { call.admitted_at } else { self.now };
                let took = took.unwrap_or_else(|| self.now - since);
                Seen::Reported(self.report(permit, outcome, took, self.now))
            }
            Step::Drop { permit } => {
                let outcome = match self.settings.on_cancel {
                    CountAs::Ignored => Outcome::Ignored,
                    CountAs::Failure => Outcome::Failure,
                };
                // A drop brings no time of its own: that of the admission is the best there is.
                self.report(permit, outcome, Duration::ZERO, self.calls[permit].admitted_at);
                Seen::Nothing
            }
            Step::Leak { permit } => {
                self.calls[permit].leaked = true;
                Seen::Nothing
            }
            Step::Wait(by) => {
                self.now += by;
                Seen::Nothing
            }
            Step::Rewind(by) => {
                self.now = self.now.saturating_sub(by);
                Seen::Nothing
            }
            Step::ForceOpen => self.order(State::ForcedOpen),
            Step::Disable => self.order(State::Disabled),
            Step::Reset => self.order(State::Closed),
            Step::Reconfigure(settings) => self.reconfigure(*settings),
            Step::Restart(after) => self.restart(after),
        };
    }

    fn admit(&mut self) -> Seen {
        let now = self.now.max(self.newest);
        if self.state == State::Open && now >= self.open_until {
            self.enter(State::HalfOpen, now);
        }
        let rejected = |retry_at, reason| Seen::Rejected(Rejected { retry_at, reason });
        let lease_until = match self.state {
            State::Closed | State::Disabled => None,
            State::Open => return rejected(self.open_until, RejectReason::Open),
            State::ForcedOpen => return rejected(Moment::MAX, RejectReason::ForcedOpen),
            State::HalfOpen => {
                if self.all_out(now) {
                    let first = self.probes_out(now).into_iter().min().unwrap_or(Moment::MAX);
                    return rejected(first, RejectReason::ProbesOut);
                }
                self.newest = now;
                Some(now + self.settings.probe_lease)
            }
        };
        let timed = self.slow_calls().is_some() || lease_until.is_some();
        self.calls.push(Call {
            admitted_at: self.now,
            timed,
            generation: self.generation,
            lease_until,
            out: true,
            leaked: false,
        });
        Seen::Admitted { probe: lease_until.is_some() }
    }

    fn report(&mut self, permit: usize, outcome: Outcome, took: Duration, at: Moment) -> Verdict {
        self.calls[permit].out = false;
        let call = &self.calls[permit];
        if call.generation != self.generation {
            return Verdict::Stale;
        }
        if self.state == State::Disabled {
            return Verdict::Counted;
        }
        let lease_until = call.lease_until;
        let slow = self.slow_calls().is_some_and(|slow| took >= slow.duration);
        let now = at.max(self.newest);
        if self.state == State::HalfOpen || outcome != Outcome::Success || slow {
            self.newest = now;
        }
        if lease_until.is_some_and(|until| until <= now && until < Moment::MAX) {
            return Verdict::Stale;
        }
        if let Outcome::RateLimited { retry_at: Some(at) } = outcome {
            self.not_before = self.not_before.max(at);
        }
        let weighed = self.outcomes.push(outcome, slow, self.settings.rates.as_ref(), at);
        match self.state {
            State::Closed if weighed && !self.settings.metrics_only && self.rule_is_broken() => {
                self.open(now, self.settings.recovery_timeout);
            }
            State::HalfOpen if matches!(outcome, Outcome::RateLimited { .. }) => {
                self.open(now, self.grown_timeout());
            }
            State::HalfOpen if weighed => self.judge_recovery(now),
            _ => {}
        }
        Verdict::Counted
    }

    fn slow_calls(&self) -> Option<SlowCallSettings> {
        self.settings.rates.and_then(|rates| rates.slow_calls)
    }

    fn rule_is_broken(&self) -> bool {
        let settings = &self.settings;
        if settings.failure_threshold.is_some_and(|most| self.outcomes.failures_in_a_row() >= u64::from(most))
        {
            return true;
        }
        let Some(rates) = settings.rates else { return false };
        let window = self.outcomes.window(&rates);
        let reached = |part: u64, rate: f64| part as f64 / window.calls as f64 >= rate;
        window.calls >= u64::from(rates.minimum_calls)
            && (reached(window.failures, rates.failure_rate)
                || rates.slow_calls.is_some_and(|slow| reached(window.slow, slow.rate)))
    }

    /// Ends the recovery if the probes that have ended decide it.
    fn judge_recovery(&mut self, now: Moment) {
        let settings = self.settings.clone();
        let counts = self.snapshot().counts;
        let all = f64::from(settings.half_open_max_calls);
        let failed = match settings.rates {
            None => counts.failures > 0,
            Some(rates) => {
                let unreachable = counts.failures + u64::from(settings.success_threshold)
                    > settings.half_open_max_calls.into();
                let in_a_row = settings
                    .failure_threshold
                    .is_some_and(|most| counts.consecutive_failures >= u64::from(most));
                unreachable
                    || in_a_row
                    || counts.failures as f64 / all >= rates.failure_rate
                    || rates.slow_calls.is_some_and(|slow| counts.slow as f64 / all >= slow.rate)
            }
        };
        if failed {
            self.failed_recoveries += 1;
            self.open(now, self.grown_timeout());
        } else if counts.successes >= u64::from(settings.success_threshold) {
            self.close(now);
        }
    }

    fn reconfigure(&mut self, settings: BreakerSettings) -> Seen {
        if settings == self.settings {
            return Seen::Nothing;
        }
        let window = |settings: &BreakerSettings| settings.rates.map(|rates| rates.window);
        let same_window = window(&self.settings) == window(&settings);
        let now = self.now.max(self.newest);
        (self.newest, self.settings) = (now, settings);
        if !same_window {
            self.outcomes.begin_window(self.settings.rates.as_ref(), now);
        }
        match self.state {
            State::Open | State::HalfOpen if self.settings.metrics_only => self.close(now),
            State::HalfOpen => self.judge_recovery(now),
            _ => {}
        }
        Seen::Nothing
    }

    fn order(&mut self, state: State) -> Seen {
        let now = self.now.max(self.newest);
        self.newest = now;
        if state == State::Closed {
            self.close(now);
        } else if self.state != state {
            self.enter(state, now);
        }
        Seen::Nothing
    }

    fn restart(&mut self, after: Duration) -> Seen {
        let (now, before) = (self.now.max(self.newest), self.clone());
        *self = Self::new(before.settings);
        match before.state {
            State::Closed => {}
            State::Open | State::HalfOpen => {
                let left = if before.state == State::Open { before.open_until - now } else { Duration::ZERO };
                self.failed_recoveries = before.failed_recoveries;
                self.open_until = Moment::ZERO + left.saturating_sub(after);
                self.enter(State::Open, Moment::ZERO);
            }
            state @ (State::ForcedOpen | State::Disabled) => self.enter(state, Moment::ZERO),
        }
        Seen::Nothing
    }

    fn open(&mut self, now: Moment, period: Duration) {
        self.open_until = (now + period).max(self.not_before);
        self.enter(State::Open, now);
    }

    fn close(&mut self, now: Moment) {
        self.failed_recoveries = 0;
        self.not_before = Moment::ZERO;
        self.enter(State::Closed, now);
    }

    fn enter(&mut self, state: State, now: Moment) {
        self.newest = now;
        self.state = state;
        self.generation += 1;
        self.outcomes = Outcomes::new(self.settings.rates.as_ref(), now);
    }

    fn grown_timeout(&self) -> Duration {
        let doubled = |period: Duration, _| period.saturating_mul(2);
        (0..self.failed_recoveries)
            .fold(self.settings.recovery_timeout, doubled)
            .min(self.settings.max_recovery_timeout)
    }

    /// The leases of the probes that are out.
    fn probes_out(&self, now: Moment) -> Vec<Moment> {
        let calls = self.calls.iter().filter(|call| call.out && call.generation == self.generation);
        calls
            .filter_map(|call| call.lease_until)
            .filter(|until| *until > now || *until == Moment::MAX)
            .collect()
    }

    /// Whether every place of a recovery is taken: by a probe that is out, or by one that ended.
    fn all_out(&self, now: Moment) -> bool {
        let ended = self.outcomes.count(Ended::is_weighed);
        self.probes_out(now).len() as u64 + ended >= u64::from(self.settings.half_open_max_calls)
    }
}
