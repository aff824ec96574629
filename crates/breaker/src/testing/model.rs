//! The breaker as its specification tells it: it keeps every outcome of the era and recomputes all from the list. Slow,
//! plain, and written without a look at the real state machine. It has no jitter.

use std::time::Duration;

use ttm_kernel::Moment;

use crate::{BreakerSettings, CountAs, Counts, Outcome, RejectReason, Rejected, Snapshot, State, Verdict};

/// What can happen to a breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// A call asks for leave.
    Admit,
    /// The call that was admitted as number `permit` reports.
    Report {
        /// Which call, counted from 0.
        permit: usize,
        /// How it ended.
        outcome: Outcome,
    },
    /// A call is cancelled.
    Drop {
        /// Which call.
        permit: usize,
    },
    /// A call is never heard of again.
    Leak {
        /// Which call.
        permit: usize,
    },
    /// Time passes.
    Wait(Duration),
    /// The next callers bring a `now` that is this much older.
    Rewind(Duration),
    /// An operator forces the breaker open.
    ForceOpen,
    /// An operator disables it.
    Disable,
    /// An operator resets it.
    Reset,
}

/// What the caller must have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: the step answers nobody.
    Nothing,
    /// Leave to call; it is a probe or not.
    Admitted {
        /// Whether it decides about recovery.
        probe: bool,
    },
    /// No leave.
    Rejected(Rejected),
    /// What became of the report.
    Reported(Verdict),
}

/// The reference model.
#[derive(Clone, Debug)]
pub struct Model {
    settings: BreakerSettings,
    now: Moment,
    newest: Moment,
    state: State,
    open_until: Moment,
    generation: u64,
    outcomes: Vec<Outcome>,
    failed_recoveries: i32,
    far_side_wants: Moment,
    calls: Vec<Call>,
    seen: Seen,
}

/// A call that was admitted.
#[derive(Clone, Debug)]
struct Call {
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
            outcomes: Vec::new(),
            failed_recoveries: 0,
            far_side_wants: Moment::ZERO,
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
        let all_out = probes.len() + self.count(|o| *o == Outcome::Success) >= self.places();
        let retry_at = match self.state {
            State::Open if now < self.open_until => Some(self.open_until),
            State::ForcedOpen => Some(Moment::MAX),
            State::HalfOpen if all_out => probes.iter().min().copied(),
            State::Closed | State::Open | State::HalfOpen | State::Disabled => None,
        };
        let count = |wanted: fn(&Outcome) -> bool| u32::try_from(self.count(wanted)).unwrap_or(u32::MAX);
        let counts = Counts {
            successes: count(|o| *o == Outcome::Success),
            failures: count(|o| *o == Outcome::Failure),
            consecutive_failures: u32::try_from(self.failures_in_a_row()).unwrap_or(u32::MAX),
            ignored: count(|o| *o == Outcome::Ignored),
            rate_limited: count(|o| matches!(o, Outcome::RateLimited { .. })),
        };
        Snapshot {
            state: self.state,
            generation: self.generation,
            retry_at,
            counts,
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
        self.seen = match *step {
            Step::Admit => self.admit(),
            Step::Report { permit, outcome } => Seen::Reported(self.report(permit, outcome)),
            Step::Drop { permit } => {
                let outcome = match self.settings.on_cancel {
                    CountAs::Ignored => Outcome::Ignored,
                    CountAs::Failure => Outcome::Failure,
                };
                // A drop brings no time: the newest that anybody brought is the best there is.
                let now = std::mem::replace(&mut self.now, Moment::ZERO);
                self.report(permit, outcome);
                self.now = now;
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
        };
    }

    fn admit(&mut self) -> Seen {
        let now = self.time();
        if self.state == State::Open && now >= self.open_until {
            self.enter(State::HalfOpen);
        }
        let rejected = |retry_at, reason| Seen::Rejected(Rejected { retry_at, reason });
        let lease_until = match self.state {
            State::Closed | State::Disabled => None,
            State::Open => return rejected(self.open_until, RejectReason::Open),
            State::ForcedOpen => return rejected(Moment::MAX, RejectReason::ForcedOpen),
            State::HalfOpen => {
                let probes = self.probes_out(now);
                if probes.len() + self.count(|o| *o == Outcome::Success) >= self.places() {
                    let first = probes.iter().min().copied().unwrap_or(Moment::MAX);
                    return rejected(first, RejectReason::ProbesOut);
                }
                Some(now + self.settings.probe_lease)
            }
        };
        self.calls.push(Call { generation: self.generation, lease_until, out: true, leaked: false });
        Seen::Admitted { probe: lease_until.is_some() }
    }

    fn report(&mut self, permit: usize, outcome: Outcome) -> Verdict {
        let now = self.time();
        self.calls[permit].out = false;
        let call = &self.calls[permit];
        if call.generation != self.generation || call.lease_until.is_some_and(|until| until <= now) {
            return Verdict::Stale;
        }
        if self.state == State::Disabled {
            return Verdict::Counted;
        }
        self.outcomes.push(outcome);
        if let Outcome::RateLimited { retry_at: Some(at) } = outcome {
            self.far_side_wants = self.far_side_wants.max(at);
        }
        let settings = &self.settings;
        if self.state == State::Closed && self.failures_in_a_row() >= settings.failure_threshold as usize {
            self.open(now, settings.recovery_timeout);
        } else if self.state == State::HalfOpen {
            match outcome {
                Outcome::Failure => {
                    self.failed_recoveries += 1;
                    self.open(now, self.grown_timeout());
                }
                Outcome::RateLimited { .. } => self.open(now, self.grown_timeout()),
                Outcome::Success | Outcome::Ignored => {
                    if self.count(|o| *o == Outcome::Success) >= settings.success_threshold as usize {
                        self.close();
                    }
                }
            }
        }
        Verdict::Counted
    }

    fn order(&mut self, state: State) -> Seen {
        self.time();
        if state == State::Closed {
            self.close();
        } else if self.state != state {
            self.enter(state);
        }
        Seen::Nothing
    }

    fn open(&mut self, now: Moment, period: Duration) {
        self.open_until = (now + period).max(self.far_side_wants);
        self.enter(State::Open);
    }

    fn close(&mut self) {
        self.failed_recoveries = 0;
        self.far_side_wants = Moment::ZERO;
        self.enter(State::Closed);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.outcomes.clear();
    }

    fn grown_timeout(&self) -> Duration {
        let doubled = |period: Duration, _| period.saturating_mul(2);
        (0..self.failed_recoveries)
            .fold(self.settings.recovery_timeout, doubled)
            .min(self.settings.max_recovery_timeout)
    }

    fn time(&mut self) -> Moment {
        self.newest = self.newest.max(self.now);
        self.newest
    }

    /// The leases of the probes that are out.
    fn probes_out(&self, now: Moment) -> Vec<Moment> {
        let calls = self.calls.iter().filter(|call| call.out && call.generation == self.generation);
        calls.filter_map(|call| call.lease_until).filter(|until| *until > now).collect()
    }

    fn places(&self) -> usize {
        self.settings.half_open_max_calls as usize
    }

    fn count(&self, wanted: fn(&Outcome) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| wanted(outcome)).count()
    }

    /// Failures since the last success; what says nothing does not interrupt the row.
    fn failures_in_a_row(&self) -> usize {
        let since_success = self.outcomes.iter().rev().take_while(|o| **o != Outcome::Success);
        since_success.filter(|o| **o == Outcome::Failure).count()
    }
}
