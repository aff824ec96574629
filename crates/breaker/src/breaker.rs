//! The breaker that threads share. Decisions are made in `state`; the answers that need no lock are published in `gate`.

mod permit;

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use ttm_kernel::{Entropy, Moment, Now};

use crate::fact::{Command, Report, Ticket};
use crate::gate::{Gate, Word};
use crate::shards::Shards;
use crate::share::OpenShare;
use crate::state::{Machine, nanos};
use crate::sync::{Mutex, MutexGuard};
use crate::{BreakerConfig, Outcome, RejectReason, Rejected, Saved, Snapshot, State, Transition, Verdict};
use permit::Took;

pub use permit::Permit;

/// A circuit breaker; share it by reference.
///
/// Three answers need no lock, because they follow from what the machine has published: a call of a closed breaker is
/// admitted; its success is counted, unless it is slow or the first after a step of a time window; a call of an open
/// one is rejected. A success that races with the report that opens the breaker may return [`Verdict::Counted`]
/// without having been weighed; it never counts in a later generation.
pub struct Breaker {
    gate: Gate,
    shards: Shards,
    machine: Mutex<Machine>,
    entropy: Arc<dyn Entropy>,
    name: Arc<str>,
}

impl Breaker {
    /// A closed breaker. `name` is what people read; `entropy` spreads the repeated open periods.
    pub fn new(name: impl Into<Arc<str>>, config: BreakerConfig, entropy: Arc<dyn Entropy>) -> Self {
        Self::with_share(name.into(), config, entropy, None)
    }

    pub(crate) fn with_share(
        name: Arc<str>,
        config: BreakerConfig,
        entropy: Arc<dyn Entropy>,
        share: Option<Arc<OpenShare>>,
    ) -> Self {
        let machine = Machine::new(config.into_settings(), share);
        let gate = Gate::new(machine.published());
        Self { gate, shards: Shards::new(), machine: Mutex::new(machine), entropy, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks to make one call. `now` is a moment, or a clock, which a closed breaker that does not time calls never reads.
    ///
    /// # Errors
    /// [`Rejected`] says why not, and when to come back.
    #[inline]
    pub fn admit<N: Now>(&self, now: N) -> Result<Permit<'_, N>, Rejected> {
        let word = self.gate.word();
        if word.admits_all_untimed() {
            return Ok(Permit::new(self, Ticket { era: word, probe: None }, Moment::MAX, now));
        }
        let at = now.now();
        if word.admits_all() {
            return Ok(Permit::new(self, Ticket { era: word, probe: None }, at, now));
        }
        self.admit_probe(word, at).map(|ticket| Permit::new(self, ticket, at, now))
    }

    /// The rest of an admission when not every call is admitted. Apart, so that what is around it stays small enough to
    /// be inlined.
    #[inline(never)]
    fn admit_probe(&self, word: Word, now: Moment) -> Result<Ticket, Rejected> {
        match self.rejection(word, now) {
            Some(rejected) => Err(rejected),
            None => self.ask(|machine| machine.admit(now)),
        }
    }

    /// Whether a call would be rejected now, without admitting one: for callers that have to wait for something else first.
    ///
    /// # Errors
    /// [`Rejected`] says why, and when to come back.
    #[inline]
    pub fn check(&self, now: impl Now) -> Result<(), Rejected> {
        let word = self.gate.word();
        if word.admits_all() {
            return Ok(());
        }
        let now = now.now();
        match self.rejection(word, now) {
            Some(rejected) => Err(rejected),
            None => self.lock().rejection(now).map_or(Ok(()), Err),
        }
    }

    /// The rejection that follows from what is published, if one does. `word` does not admit all.
    #[inline]
    fn rejection(&self, word: Word, now: Moment) -> Option<Rejected> {
        let state = word.state();
        if state == State::ForcedOpen {
            return Some(Rejected { retry_at: Moment::MAX, reason: RejectReason::ForcedOpen });
        }
        let until = self.gate.until();
        // The word once more: only if it still stands, the moment was its own.
        (now < until && self.gate.word() == word).then(|| {
            let reason = if state == State::Open { RejectReason::Open } else { RejectReason::ProbesOut };
            Rejected { retry_at: until, reason }
        })
    }

    /// Holds the breaker open until [`Breaker::reset`] or [`Breaker::disable`].
    pub fn force_open(&self, now: Moment) {
        self.ask(|machine| machine.command(Command::ForceOpen, now));
    }

    /// Admits every call and counts nothing until [`Breaker::reset`] or [`Breaker::force_open`].
    pub fn disable(&self, now: Moment) {
        self.ask(|machine| machine.command(Command::Disable, now));
    }

    /// Closes the breaker with empty counts, whatever its state.
    pub fn reset(&self, now: Moment) {
        self.ask(|machine| machine.command(Command::Reset, now));
    }

    /// Replaces the settings as of `now`. Equal settings change nothing.
    ///
    /// Kept are the state, its generation and counts, the permits of calls in flight, the deadline of an open period, which is
    /// neither extended nor shortened, the number of failed recoveries, the leases of probes in flight, and an operator's
    /// order. The new settings apply to every later decision:
    /// - The change itself does not open a closed breaker; the first report that finds a threshold reached does.
    /// - A window of the same kind and size keeps its calls, each slow or not as it was judged when it ended. Any other
    ///   window starts empty, because the calls that it should hold were not kept.
    /// - A half-open breaker is judged at once by the probes that have reported, because a lower limit may leave no further
    ///   probe to decide it. Probes in flight above the new limit still count; no more are admitted until they are fewer.
    /// - In [`metrics_only`](crate::BreakerSettings::metrics_only) mode an open or half-open breaker closes; one that was forced
    ///   open does not.
    /// - A call that was admitted while calls were not timed is never slow, unless its caller measured it.
    ///
    /// A call that overlaps with the change may be judged by the old settings or the new.
    pub fn reconfigure(&self, config: BreakerConfig, now: Moment) {
        let jitter = self.entropy.unit();
        self.ask(|machine| machine.reconfigure(config.into_settings(), jitter, now));
    }

    /// The state to save for the next process.
    pub fn save(&self, now: Moment) -> Saved {
        self.lock().saved(now)
    }

    /// Continues where the process before stopped. `elapsed` is how long ago that was by the wall clock, which counts
    /// towards the open period. A saved closed state changes nothing.
    pub fn restore(&self, saved: Saved, elapsed: Duration, now: Moment) {
        let saved = Saved { open_for: saved.open_for.saturating_sub(elapsed), ..saved };
        self.ask(|machine| machine.command(Command::Restore(saved), now));
    }

    /// What the breaker looks like; changes nothing.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        self.lock().snapshot(now)
    }

    /// The oldest transition that was not fetched yet, if any. The newest 64 are kept; [`Snapshot::transitions_lost`] counts the rest.
    ///
    /// While there is none it costs one atomic load, so it can be polled after every call. A thread finds each transition that
    /// its own call caused, or that it observed through a rejection, unless another thread has fetched it.
    #[inline]
    pub fn poll_transition(&self) -> Option<Transition> {
        if self.gate.has_transitions() { self.fetch_transition() } else { None }
    }

    #[cold]
    #[inline(never)]
    fn fetch_transition(&self) -> Option<Transition> {
        self.ask(|machine| machine.journal.pop())
    }

    #[inline]
    fn report(&self, ticket: Ticket, outcome: Outcome, took: Took, now: impl Now) -> Verdict {
        let word = self.gate.word();
        if word == ticket.era && word.is_plain() && outcome == Outcome::Success && self.shards.add(word.tag())
        {
            return Verdict::Counted;
        }
        self.report_otherwise(ticket, outcome, took, now.now())
    }

    /// A report that is more than the plain success of a plain breaker.
    #[inline(never)]
    fn report_otherwise(&self, ticket: Ticket, outcome: Outcome, took: Took, now: Moment) -> Verdict {
        let word = self.gate.word();
        if word.generation() != ticket.era.generation() {
            return Verdict::Stale;
        }
        let may_be_slow = || nanos(took.until(now)) >= self.gate.slow_after();
        if word.is_warm()
            && outcome == Outcome::Success
            && !(word.is_timed() && may_be_slow())
            && now < self.gate.until()
            && self.shards.add(word.tag())
        {
            return Verdict::Counted;
        }
        let (took, jitter) = (took.until(now), self.jitter(ticket));
        self.ask(|machine| machine.report(Report { ticket, outcome, took, jitter }, now))
    }

    /// Drawn outside the lock, since the port is foreign code, and for probes only, since no other report needs it.
    fn jitter(&self, ticket: Ticket) -> f64 {
        if ticket.probe.is_some() { self.entropy.unit() } else { 0.0 }
    }

    /// A permit was dropped: its call was cancelled, or panicked.
    #[cold]
    #[inline(never)]
    fn take_back(&self, ticket: Ticket, started: Moment, now: Moment) {
        let (panicked, took, jitter) = (thread::panicking(), now - started, self.jitter(ticket));
        self.ask(|machine| {
            let outcome = machine.outcome_of_drop(panicked);
            machine.report(Report { ticket, outcome, took, jitter }, now)
        });
    }

    /// Asks the machine, and publishes what follows.
    fn ask<T>(&self, question: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.lock();
        let answer = question(&mut machine);
        self.gate.publish(machine.published());
        answer
    }

    /// The machine, including what was counted in the shards.
    fn lock(&self) -> MutexGuard<'_, Machine> {
        // Nothing panics half-way through a change, so the state of a poisoned lock is whole.
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = self.shards.sum(machine.tag());
        machine.absorb(beside);
        machine
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.lock();
        f.debug_struct("Breaker")
            .field("name", &self.name)
            .field("machine", &*machine)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc;

    use ttm_testkit::SeededEntropy;

    use super::*;
    use crate::{BreakerSettings, RateSettings, SlowCallSettings, Window};

    fn breaker(settings: BreakerSettings) -> Breaker {
        let config = BreakerConfig::try_new(settings).expect("valid settings");
        Breaker::new("subject", config, Arc::new(SeededEntropy::new(0)))
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    /// Asks in a thread of its own, while this one holds the lock.
    #[track_caller]
    fn check_without_lock(breaker: &Breaker, question: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let held = breaker.machine.lock();
            scope.spawn(move || {
                question();
                tell.send(())
            });
            // Only a caller that needs the lock takes this long.
            let answered = told.recv_timeout(Duration::from_secs(10));
            drop(held);
            answered.expect("answered without the lock");
        });
    }

    #[test]
    fn a_closed_breaker_admits_and_counts_successes_without_the_lock() {
        let rates = |window| {
            let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(5), rate: 1.0 });
            Some(RateSettings { window, minimum_calls: 1, slow_calls, ..RateSettings::default() })
        };
        for rates in [None, rates(Window::Calls(100)), rates(Window::Time(Duration::from_hours(1)))] {
            let breaker = breaker(BreakerSettings { rates, ..BreakerSettings::default() });
            // With rates, only once the least number of calls was seen.
            breaker.admit(at(0)).expect("closed").success(at(0));
            check_without_lock(&breaker, || {
                breaker.check(at(1)).expect("closed");
                for _ in 0..10 {
                    assert_eq!(breaker.admit(at(1)).expect("closed").success(at(2)), Verdict::Counted);
                }
            });
            assert_eq!(breaker.snapshot(at(2)).counts.successes, 11);
        }
    }

    #[test]
    fn a_rejected_call_is_answered_without_the_lock() {
        let settings = BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() };
        let breaker = breaker(settings);
        let check = |now, reason, retry_at| {
            check_without_lock(&breaker, || {
                let rejected = Rejected { retry_at, reason };
                assert_eq!(breaker.check(now), Err(rejected));
                assert_eq!(breaker.admit(now).err(), Some(rejected));
            });
        };
        breaker.admit(at(0)).expect("closed").failure(at(0));
        check(at(59), RejectReason::Open, at(60));
        let _probes = [(); 3].map(|()| breaker.admit(at(60)).expect("a probe"));
        check(at(119), RejectReason::ProbesOut, at(120));
        breaker.force_open(at(119));
        check(at(200), RejectReason::ForcedOpen, Moment::MAX);
    }

    #[test]
    fn looking_for_a_transition_when_there_is_none_takes_no_lock() {
        let breaker = breaker(BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() });
        check_without_lock(&breaker, || assert_eq!(breaker.poll_transition(), None));
        breaker.admit(at(0)).expect("closed").failure(at(0));
        breaker.reset(at(1));
        let told: Vec<State> = std::iter::from_fn(|| breaker.poll_transition()).map(|told| told.to).collect();
        assert_eq!(told, [State::Open, State::Closed]);
        check_without_lock(&breaker, || assert_eq!(breaker.poll_transition(), None));
    }

    #[test]
    fn a_permit_carries_the_generation_that_admitted_it() {
        let breaker = breaker(BreakerSettings::default());
        for era in 0..3 {
            let permit = breaker.admit(at(0)).expect("closed");
            assert_eq!((permit.generation(), breaker.snapshot(at(0)).generation), (era, era));
            breaker.reset(at(0));
            assert_eq!(permit.success(at(0)), Verdict::Stale);
        }
    }

    #[test]
    fn a_poisoned_lock_still_admits_and_counts() {
        let breaker = breaker(BreakerSettings::default());
        let end = thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = breaker.lock();
                panic!("while the lock is held");
            });
            holder.join()
        });
        assert!(end.is_err() && breaker.machine.is_poisoned());
        let permit = breaker.admit(Moment::ZERO).expect("closed");
        assert_eq!(permit.failure(Moment::ZERO), Verdict::Counted);
        assert_eq!(breaker.snapshot(Moment::ZERO).counts.failures, 1);
    }
}
