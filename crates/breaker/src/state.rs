//! The state machine of a breaker, total over its five states and unaware of threads.
//!
//! Successes that threads counted in their shards, without the lock, are added by [`Machine::absorb`].

mod published;
mod reconfigure;

use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::Moment;

use crate::fact::{Command, Report, Ticket};
use crate::gate::Word;
use crate::journal::Journal;
use crate::probes::Probes;
use crate::rules;
use crate::share::{OpenPlace, OpenShare};
use crate::window::CallWindow;
use crate::{
    BreakerSettings, CountAs, Counts, Outcome, RejectReason, Rejected, Saved, Snapshot, State, SuppressedBy,
    Transition, TransitionReason, Verdict,
};
pub(crate) use published::nanos;

/// How many transitions are kept until they are fetched.
const TRANSITIONS_KEPT: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Mode {
    Closed,
    Open { until: Moment },
    HalfOpen,
    ForcedOpen,
    Disabled,
}

impl Mode {
    const fn state(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Open { .. } => State::Open,
            Self::HalfOpen => State::HalfOpen,
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
    /// How many of the successes of this generation came from the shards.
    absorbed: u64,
    window: Option<CallWindow>,
    probes: Probes,
    /// Recoveries that failed since the breaker was last closed.
    failed_recoveries: u32,
    /// The upstream asked not to be called before.
    not_before: Moment,
    /// The newest `now` of everything but plain successes, which matter to a time window only.
    newest: Moment,
    /// A suppressed trip is recorded once in each period for which the breaker would have been open.
    suppressed_until: Moment,
    share: Option<Arc<OpenShare>>,
    place: Option<OpenPlace>,
    pub(crate) journal: Journal<Transition>,
}

impl Machine {
    pub(crate) fn new(settings: BreakerSettings, share: Option<Arc<OpenShare>>) -> Self {
        Self {
            mode: Mode::Closed,
            generation: 0,
            counts: Counts::default(),
            absorbed: 0,
            window: settings.rates.as_ref().map(|rates| CallWindow::new(rates, Moment::ZERO)),
            probes: Probes::new(settings.half_open_max_calls, settings.probe_lease),
            failed_recoveries: 0,
            not_before: Moment::ZERO,
            newest: Moment::ZERO,
            suppressed_until: Moment::ZERO,
            share,
            place: None,
            journal: Journal::new(TRANSITIONS_KEPT),
            settings,
        }
    }

    /// `beside` successes of this generation, none of them slow, were counted in the shards since it began.
    pub(crate) fn absorb(&mut self, beside: u64) {
        let new = beside.saturating_sub(self.absorbed);
        if new == 0 {
            return;
        }
        self.absorbed = beside;
        self.counts.successes += new;
        self.counts.consecutive_failures = 0;
        if let Some(window) = &mut self.window {
            window.add_successes(new);
        }
    }

    pub(crate) fn admit(&mut self, now: Moment) -> Result<Ticket, Rejected> {
        let latest = now.max(self.newest);
        if let Mode::Open { until } = self.mode
            && latest >= until
        {
            self.enter(Mode::HalfOpen, TransitionReason::RecoveryDue, latest);
        }
        if let Some(rejected) = self.rejection(latest) {
            return Err(rejected);
        }
        let probe = matches!(self.mode, Mode::HalfOpen).then(|| {
            self.newest = latest;
            self.probes.send(latest)
        });
        Ok(Ticket { era: self.word_until().0, probe })
    }

    /// Why a call would not be admitted; changes nothing.
    pub(crate) fn rejection(&self, now: Moment) -> Option<Rejected> {
        let now = now.max(self.newest);
        match self.mode {
            Mode::Closed | Mode::Disabled => None,
            Mode::Open { until } => {
                (now < until).then_some(Rejected { retry_at: until, reason: RejectReason::Open })
            }
            Mode::ForcedOpen => Some(Rejected { retry_at: Moment::MAX, reason: RejectReason::ForcedOpen }),
            Mode::HalfOpen => {
                // A probe that ended keeps its place, so that one recovery makes no more calls than it may.
                let ended = self.counts.successes + self.counts.failures;
                if self.probes.out(now) + ended < u64::from(self.settings.half_open_max_calls) {
                    return None;
                }
                // Some probe is out: were all places taken by ended ones, the recovery would be decided.
                let retry_at = self.probes.first_lease(now).unwrap_or(now);
                Some(Rejected { retry_at, reason: RejectReason::ProbesOut })
            }
        }
    }

    pub(crate) fn report(&mut self, report: Report, now: Moment) -> Verdict {
        if report.ticket.era.generation() != self.generation {
            return Verdict::Stale;
        }
        match self.mode {
            Mode::Closed => self.report_call(&report, now),
            Mode::HalfOpen => return self.report_probe(&report, now),
            Mode::Disabled => {}
            // They hand out no tickets.
            Mode::Open { .. } | Mode::ForcedOpen => return Verdict::Stale,
        }
        Verdict::Counted
    }

    fn report_call(&mut self, report: &Report, now: Moment) {
        let slow = self.is_slow(report.took);
        let plain = report.outcome == Outcome::Success && !slow;
        let latest = now.max(self.newest);
        if !plain {
            self.newest = latest;
        }
        self.count(report.outcome, slow);
        if !matches!(report.outcome, Outcome::Success | Outcome::Failure) {
            return;
        }
        if let Some(window) = &mut self.window {
            window.record(report.outcome == Outcome::Failure, slow, now);
        }
        let window = self.window.as_ref().map(CallWindow::counts);
        let Some(reason) = rules::broken(&self.settings, &self.counts, window) else { return };
        let until = self.open_until(self.settings.recovery_timeout, latest);
        let suppressed = if self.settings.metrics_only {
            Some(SuppressedBy::MetricsOnly)
        } else {
            self.place = self.share.as_ref().and_then(OpenShare::take);
            (self.share.is_some() && self.place.is_none()).then_some(SuppressedBy::OpenShare)
        };
        if suppressed.is_none() {
            self.enter(Mode::Open { until }, reason, latest);
        } else if latest >= self.suppressed_until {
            self.suppressed_until = until;
            self.tell(Mode::Open { until }, reason, latest, suppressed);
        }
    }

    fn report_probe(&mut self, report: &Report, now: Moment) -> Verdict {
        self.newest = now.max(self.newest);
        let now = self.newest;
        if !report.ticket.probe.is_some_and(|probe| self.probes.give_back(probe, now)) {
            return Verdict::Stale;
        }
        self.count(report.outcome, self.is_slow(report.took));
        match report.outcome {
            Outcome::Ignored => {}
            Outcome::RateLimited { .. } => {
                // The upstream works, so no recovery failed and the next period does not grow.
                self.reopen(TransitionReason::ProbeRateLimited, report.jitter, now);
            }
            Outcome::Success | Outcome::Failure => self.judge_recovery(report.jitter, now),
        }
        Verdict::Counted
    }

    /// Ends the recovery when the probes that have reported decide it.
    fn judge_recovery(&mut self, jitter: f64, now: Moment) {
        if let Some(reason) = rules::failed_recovery(&self.settings, &self.counts) {
            self.failed_recoveries = self.failed_recoveries.saturating_add(1);
            self.reopen(reason, jitter, now);
        } else if self.counts.successes >= u64::from(self.settings.success_threshold) {
            self.close(TransitionReason::ProbesSucceeded, now);
        }
    }

    /// What a permit counts as that was dropped without a report.
    pub(crate) const fn outcome_of_drop(&self, panicked: bool) -> Outcome {
        let count_as = if panicked { self.settings.on_panic } else { self.settings.on_cancel };
        match count_as {
            CountAs::Ignored => Outcome::Ignored,
            CountAs::Failure => Outcome::Failure,
        }
    }

    fn is_slow(&self, took: Duration) -> bool {
        let slow_calls = self.settings.rates.and_then(|rates| rates.slow_calls);
        slow_calls.is_some_and(|slow| took >= slow.duration)
    }

    pub(crate) fn command(&mut self, command: Command, now: Moment) {
        let now = now.max(self.newest);
        self.newest = now;
        match (command, self.mode.state()) {
            (Command::ForceOpen, State::ForcedOpen) | (Command::Disable, State::Disabled) => {}
            (Command::ForceOpen, _) => self.enter(Mode::ForcedOpen, TransitionReason::Operator, now),
            (Command::Disable, _) => self.enter(Mode::Disabled, TransitionReason::Operator, now),
            (Command::Reset, _) => self.close(TransitionReason::Operator, now),
            (Command::Restore(saved), _) => self.restore(saved, now),
        }
    }

    fn restore(&mut self, saved: Saved, now: Moment) {
        let mode = match saved.state {
            State::Closed => return,
            State::Open | State::HalfOpen if self.settings.metrics_only => return,
            State::Open | State::HalfOpen => {
                self.failed_recoveries = saved.failed_recoveries;
                // The share does not apply: it was open before any other breaker of this process could be.
                self.place = self.share.as_ref().map(OpenShare::insist);
                Mode::Open { until: now + saved.open_for }
            }
            State::ForcedOpen => Mode::ForcedOpen,
            State::Disabled => Mode::Disabled,
        };
        self.enter(mode, TransitionReason::Restored, now);
    }

    pub(crate) fn saved(&self, now: Moment) -> Saved {
        let (state, open_for) = match self.mode {
            Mode::Open { until } => (State::Open, until.saturating_since(now.max(self.newest))),
            Mode::HalfOpen => (State::Open, Duration::ZERO),
            other => (other.state(), Duration::ZERO),
        };
        Saved { state, open_for, failed_recoveries: self.failed_recoveries }
    }

    pub(crate) fn snapshot(&self, now: Moment) -> Snapshot {
        let probes_in_flight = self.probes.out(now.max(self.newest));
        Snapshot {
            state: self.mode.state(),
            generation: self.generation,
            retry_at: self.rejection(now).map(|rejected| rejected.retry_at),
            counts: self.counts,
            window: self
                .window
                .as_ref()
                .filter(|_| matches!(self.mode, Mode::Closed))
                .map(CallWindow::counts),
            probes_in_flight: u32::try_from(probes_in_flight).unwrap_or(u32::MAX),
            transitions_lost: self.journal.lost(),
        }
    }

    fn count(&mut self, outcome: Outcome, slow: bool) {
        let counts = &mut self.counts;
        match outcome {
            Outcome::Success => {
                counts.consecutive_failures = 0;
                counts.successes += 1;
            }
            Outcome::Failure => {
                counts.consecutive_failures += 1;
                counts.failures += 1;
            }
            Outcome::Ignored => counts.ignored += 1,
            Outcome::RateLimited { retry_at } => {
                counts.rate_limited += 1;
                self.not_before = self.not_before.max(retry_at.unwrap_or(Moment::ZERO));
            }
        }
        let weighed = matches!(outcome, Outcome::Success | Outcome::Failure);
        counts.slow += u64::from(slow && weighed);
    }

    /// Never before the moment that the upstream asked for.
    fn open_until(&self, period: Duration, now: Moment) -> Moment {
        (now + period).max(self.not_before)
    }

    fn reopen(&mut self, reason: TransitionReason, jitter: f64, now: Moment) {
        let until = self.open_until(rules::open_period(&self.settings, self.failed_recoveries, jitter), now);
        self.enter(Mode::Open { until }, reason, now);
    }

    fn close(&mut self, reason: TransitionReason, now: Moment) {
        self.failed_recoveries = 0;
        self.not_before = Moment::ZERO;
        self.enter(Mode::Closed, reason, now);
    }

    fn enter(&mut self, mode: Mode, reason: TransitionReason, now: Moment) {
        self.newest = now;
        self.tell(mode, reason, now, None);
        self.mode = mode;
        self.generation = self.next_generation();
        self.counts = Counts::default();
        self.absorbed = 0;
        self.probes.clear();
        self.suppressed_until = Moment::ZERO;
        if let Some(window) = &mut self.window {
            window.clear(now);
        }
        if !matches!(mode, Mode::Open { .. } | Mode::HalfOpen) {
            self.place = None;
        }
    }

    const fn next_generation(&self) -> u64 {
        if self.generation == Word::MAX_GENERATION { 0 } else { self.generation + 1 }
    }

    fn tell(&mut self, mode: Mode, reason: TransitionReason, at: Moment, suppressed: Option<SuppressedBy>) {
        self.journal.push(Transition {
            at,
            from: self.mode.state(),
            to: mode.state(),
            reason,
            counts: self.counts,
            generation: if suppressed.is_some() { self.generation } else { self.next_generation() },
            retry_at: if let Mode::Open { until } = mode { Some(until) } else { None },
            suppressed,
        });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_wraps_still_differs_from_its_neighbours() {
        let mut machine = Machine::new(BreakerSettings::default(), None);
        machine.generation = Word::MAX_GENERATION;
        let took = Duration::ZERO;
        let failed = |ticket| Report { ticket, outcome: Outcome::Failure, took, jitter: 0.0 };
        let last = machine.admit(Moment::ZERO).expect("closed");
        assert_eq!(machine.published().word.generation(), Word::MAX_GENERATION);
        machine.command(Command::Reset, Moment::ZERO);
        let first = machine.admit(Moment::ZERO).expect("closed");
        assert_eq!(machine.report(failed(last), Moment::ZERO), Verdict::Stale);
        assert_eq!(machine.report(failed(first), Moment::ZERO), Verdict::Counted);
        assert_eq!(machine.snapshot(Moment::ZERO).counts.failures, 1);
        assert_eq!(machine.published().word.generation(), 0);
    }
}
