//! The state machine of a breaker: total over its five states, without locks. It knows nothing of threads.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

use crate::{
    BreakerSettings, Counts, Outcome, RejectReason, Rejected, Snapshot, State, Transition, TransitionReason,
    Verdict,
};

/// How many transitions wait for somebody to fetch them.
const TRANSITIONS_KEPT: usize = 256;

/// Says which era a call was admitted in and, for a probe, which place it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: u64,
    probe: Option<u64>,
}

impl Ticket {
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

/// What an operator may order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    ForceOpen,
    Disable,
    Reset,
}

#[derive(Debug)]
enum Mode {
    Closed,
    Open { until: Moment },
    HalfOpen { probes: Vec<Probe>, issued: u64 },
    ForcedOpen,
    Disabled,
}

/// A probe that is out.
#[derive(Debug)]
struct Probe {
    number: u64,
    lease_until: Moment,
}

/// The probes whose lease has not run out.
fn out(probes: &[Probe], now: Moment) -> impl Iterator<Item = &Probe> + Clone {
    probes.iter().filter(move |probe| probe.lease_until > now)
}

impl Mode {
    const fn state(&self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen { .. } => State::HalfOpen,
            Self::ForcedOpen => State::ForcedOpen,
            Self::Disabled => State::Disabled,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Machine {
    settings: BreakerSettings,
    mode: Mode,
    generation: u64,
    counts: Counts,
    /// Recoveries that failed since the breaker was last closed.
    failed_recoveries: u32,
    /// The far side asked for patience until here.
    not_before: Moment,
    /// The newest `now` seen.
    newest: Moment,
    transitions: VecDeque<Transition>,
    transitions_lost: u64,
}

impl Machine {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            mode: Mode::Closed,
            generation: 0,
            counts: Counts::default(),
            failed_recoveries: 0,
            not_before: Moment::ZERO,
            newest: Moment::ZERO,
            transitions: VecDeque::new(),
            transitions_lost: 0,
        }
    }

    pub(crate) fn admit(&mut self, now: Moment) -> Result<Ticket, Rejected> {
        let now = self.observe(now);
        if let Mode::Open { until } = self.mode
            && now >= until
        {
            let half_open = Mode::HalfOpen { probes: Vec::new(), issued: 0 };
            self.enter(half_open, TransitionReason::RecoveryDue, now);
        }
        if let Some(rejected) = self.rejection(now) {
            return Err(rejected);
        }
        let probe = if let Mode::HalfOpen { probes, issued } = &mut self.mode {
            probes.retain(|probe| probe.lease_until > now);
            *issued = issued.wrapping_add(1);
            probes.push(Probe { number: *issued, lease_until: now + self.settings.probe_lease });
            Some(*issued)
        } else {
            None
        };
        Ok(Ticket { generation: self.generation, probe })
    }

    /// Why a call would not be admitted; changes nothing.
    pub(crate) fn rejection(&self, now: Moment) -> Option<Rejected> {
        let now = now.max(self.newest);
        match &self.mode {
            Mode::Closed | Mode::Disabled => None,
            Mode::Open { until } => {
                (now < *until).then_some(Rejected { retry_at: *until, reason: RejectReason::Open })
            }
            Mode::ForcedOpen => Some(Rejected { retry_at: Moment::MAX, reason: RejectReason::ForcedOpen }),
            Mode::HalfOpen { probes, .. } => {
                let out = out(probes, now);
                // A success keeps its place, so that one recovery makes no more calls than it may.
                let taken = out.clone().count() + self.counts.successes as usize;
                if taken < self.settings.half_open_max_calls as usize {
                    return None;
                }
                // Some probe is out: were all places taken by successes, the breaker would have closed.
                let retry_at = out.map(|probe| probe.lease_until).min().unwrap_or(now);
                Some(Rejected { retry_at, reason: RejectReason::ProbesOut })
            }
        }
    }

    /// `jitter` is uniform in `[0, 1)`.
    pub(crate) fn report(&mut self, ticket: Ticket, outcome: Outcome, now: Moment, jitter: f64) -> Verdict {
        let now = self.observe(now);
        if ticket.generation != self.generation || !self.give_back(ticket, now) {
            return Verdict::Stale;
        }
        if matches!(self.mode, Mode::Disabled) {
            return Verdict::Counted;
        }
        self.count(outcome);
        if let Outcome::RateLimited { retry_at: Some(retry_at) } = outcome {
            self.not_before = self.not_before.max(retry_at);
        }
        match (self.mode.state(), outcome) {
            (State::Closed, Outcome::Failure) => {
                if self.counts.consecutive_failures >= self.settings.failure_threshold {
                    self.open(self.settings.recovery_timeout, TransitionReason::ConsecutiveFailures, now);
                }
            }
            (State::HalfOpen, Outcome::Success) => {
                if self.counts.successes >= self.settings.success_threshold {
                    self.close(TransitionReason::ProbesSucceeded, now);
                }
            }
            (State::HalfOpen, Outcome::Failure) => {
                self.failed_recoveries = self.failed_recoveries.saturating_add(1);
                self.open(self.recovery_timeout(jitter), TransitionReason::ProbeFailed, now);
            }
            (State::HalfOpen, Outcome::RateLimited { .. }) => {
                // The far side works: no recovery failed, and the next period is no longer for it.
                self.open(self.recovery_timeout(jitter), TransitionReason::ProbeRateLimited, now);
            }
            (State::Closed, Outcome::Success | Outcome::Ignored | Outcome::RateLimited { .. })
            | (State::HalfOpen, Outcome::Ignored)
            // These three never get here: two hand out no ticket, and Disabled counts nothing.
            | (State::Open | State::ForcedOpen | State::Disabled, _) => {}
        }
        Verdict::Counted
    }

    pub(crate) fn command(&mut self, command: Command, now: Moment) {
        let now = self.observe(now);
        match (command, self.mode.state()) {
            (Command::ForceOpen, State::ForcedOpen) | (Command::Disable, State::Disabled) => {}
            (Command::ForceOpen, _) => self.enter(Mode::ForcedOpen, TransitionReason::Operator, now),
            (Command::Disable, _) => self.enter(Mode::Disabled, TransitionReason::Operator, now),
            (Command::Reset, _) => self.close(TransitionReason::Operator, now),
        }
    }

    pub(crate) fn snapshot(&self, now: Moment) -> Snapshot {
        let probes_in_flight = match &self.mode {
            Mode::HalfOpen { probes, .. } => out(probes, now.max(self.newest)).count(),
            Mode::Closed | Mode::Open { .. } | Mode::ForcedOpen | Mode::Disabled => 0,
        };
        Snapshot {
            state: self.mode.state(),
            generation: self.generation,
            retry_at: self.rejection(now).map(|rejected| rejected.retry_at),
            counts: self.counts,
            probes_in_flight: u32::try_from(probes_in_flight).unwrap_or(u32::MAX),
            transitions_lost: self.transitions_lost,
        }
    }

    pub(crate) fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    /// Racing callers bring their `now` in any order; inside, time never goes back.
    fn observe(&mut self, now: Moment) -> Moment {
        self.newest = self.newest.max(now);
        self.newest
    }

    /// Takes a probe's place back; false when it was written off. Other tickets hold no place.
    fn give_back(&mut self, ticket: Ticket, now: Moment) -> bool {
        let Some(number) = ticket.probe else { return true };
        let Mode::HalfOpen { probes, .. } = &mut self.mode else { return false };
        probes.retain(|probe| probe.lease_until > now);
        let before = probes.len();
        probes.retain(|probe| probe.number != number);
        probes.len() < before
    }

    fn count(&mut self, outcome: Outcome) {
        let counts = &mut self.counts;
        let counter = match outcome {
            Outcome::Success => {
                counts.consecutive_failures = 0;
                &mut counts.successes
            }
            Outcome::Failure => {
                counts.consecutive_failures = counts.consecutive_failures.saturating_add(1);
                &mut counts.failures
            }
            Outcome::Ignored => &mut counts.ignored,
            Outcome::RateLimited { .. } => &mut counts.rate_limited,
        };
        *counter = counter.saturating_add(1);
    }

    /// The configured period, doubled for each failed recovery, shortened by chance, never below the configured one.
    fn recovery_timeout(&self, jitter: f64) -> Duration {
        let settings = &self.settings;
        let factor = 2_u32.saturating_pow(self.failed_recoveries);
        let grown = settings.recovery_timeout.saturating_mul(factor).min(settings.max_recovery_timeout);
        // Through `try_from`: a period near `Duration::MAX` must shorten, not overflow.
        let cut = grown.as_secs_f64() * settings.recovery_jitter * jitter;
        let cut = Duration::try_from_secs_f64(cut).unwrap_or(Duration::ZERO);
        grown.saturating_sub(cut).max(settings.recovery_timeout)
    }

    fn open(&mut self, period: Duration, reason: TransitionReason, now: Moment) {
        let until = (now + period).max(self.not_before);
        self.enter(Mode::Open { until }, reason, now);
    }

    fn close(&mut self, reason: TransitionReason, now: Moment) {
        self.failed_recoveries = 0;
        self.not_before = Moment::ZERO;
        self.enter(Mode::Closed, reason, now);
    }

    fn enter(&mut self, mode: Mode, reason: TransitionReason, now: Moment) {
        let from = self.mode.state();
        let retry_at = if let Mode::Open { until } = mode { Some(until) } else { None };
        self.mode = mode;
        self.generation = self.generation.wrapping_add(1);
        let counts = std::mem::take(&mut self.counts);
        if self.transitions.len() == TRANSITIONS_KEPT {
            self.transitions.pop_front();
            self.transitions_lost = self.transitions_lost.saturating_add(1);
        }
        self.transitions.push_back(Transition {
            at: now,
            from,
            to: self.mode.state(),
            reason,
            counts,
            generation: self.generation,
            retry_at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_wraps_is_still_told_from_its_neighbours() {
        let mut machine = Machine::new(BreakerSettings::default());
        machine.generation = u64::MAX;
        let last = machine.admit(Moment::ZERO).expect("closed");
        machine.command(Command::Reset, Moment::ZERO);
        let first = machine.admit(Moment::ZERO).expect("closed");
        assert_eq!(machine.report(last, Outcome::Failure, Moment::ZERO, 0.0), Verdict::Stale);
        assert_eq!(machine.report(first, Outcome::Failure, Moment::ZERO, 0.0), Verdict::Counted);
        assert_eq!(machine.snapshot(Moment::ZERO).counts.failures, 1);
    }
}
