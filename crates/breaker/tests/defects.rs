//! Defects that other breakers are known for, each as a test that this one does not have it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, CountAs, Outcome, RejectReason, Rejected, State,
    TransitionReason, Verdict,
};
use ttm_kernel::{Entropy, Moment, Now};
use ttm_testkit::SeededEntropy;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn breaker(settings: BreakerSettings) -> Breaker {
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    Breaker::new("subject", config, Arc::new(SeededEntropy::new(7)))
}

fn default_breaker() -> Breaker {
    breaker(BreakerSettings::default())
}

fn admit_and(breaker: &Breaker, outcome: Outcome, now: Moment) -> Verdict {
    breaker.admit(now).expect("admitted").report(outcome, now)
}

/// Fails the breaker open at `now`; with the default settings it probes from 60 s later.
fn trip(breaker: &Breaker, now: Moment) {
    while let Ok(permit) = breaker.admit(now) {
        permit.failure(now);
    }
    assert_eq!(breaker.snapshot(now).state, State::Open);
}

#[test]
fn five_failures_in_a_row_open_it_for_sixty_seconds_and_three_successes_close_it() {
    let breaker = default_breaker();
    for _ in 0..4 {
        admit_and(&breaker, Outcome::Failure, at(0));
    }
    admit_and(&breaker, Outcome::Success, at(0));
    trip(&breaker, at(1));
    let rejected = Rejected { retry_at: at(61), reason: RejectReason::Open };
    assert_eq!(breaker.admit(at(60)).expect_err("still open"), rejected);
    for _ in 0..3 {
        admit_and(&breaker, Outcome::Success, at(61));
    }
    assert_eq!(breaker.snapshot(at(61)).state, State::Closed);
    let story: Vec<_> =
        std::iter::from_fn(|| breaker.poll_transition()).map(|t| (t.to, t.reason, t.retry_at)).collect();
    assert_eq!(
        story,
        [
            (State::Open, TransitionReason::ConsecutiveFailures, Some(at(61))),
            (State::HalfOpen, TransitionReason::RecoveryDue, None),
            (State::Closed, TransitionReason::ProbesSucceeded, None),
        ]
    );
}

#[test]
fn racing_threads_get_exactly_as_many_probes_as_permitted() {
    for _ in 0..50 {
        let breaker = default_breaker();
        trip(&breaker, at(0));
        let (admitted, start) = (AtomicU32::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..50 {
                        if let Ok(permit) = breaker.admit(at(60)) {
                            admitted.fetch_add(1, Ordering::SeqCst);
                            std::mem::forget(permit);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 3);
    }
}

#[test]
fn a_recovery_makes_no_more_calls_than_permitted_even_when_probes_answer_one_by_one() {
    let settings =
        BreakerSettings { half_open_max_calls: 3, success_threshold: 3, ..BreakerSettings::default() };
    let breaker = breaker(settings);
    trip(&breaker, at(0));
    admit_and(&breaker, Outcome::Success, at(60));
    admit_and(&breaker, Outcome::Success, at(60));
    let last = breaker.admit(at(60)).expect("the third probe");
    let rejected = breaker.admit(at(60)).expect_err("there is no fourth");
    assert_eq!(rejected, Rejected { retry_at: at(120), reason: RejectReason::ProbesOut });
    assert_eq!(last.success(at(61)), Verdict::Counted);
    assert_eq!(breaker.snapshot(at(61)).state, State::Closed);
}

#[test]
fn a_dropped_probe_gives_its_place_back() {
    let breaker = default_breaker();
    trip(&breaker, at(0));
    for _ in 0..100 {
        drop(breaker.admit(at(60)).expect("the place is free again"));
    }
    assert_eq!(breaker.snapshot(at(60)).counts.ignored, 100);
    assert_eq!(breaker.snapshot(at(60)).probes_in_flight, 0);
}

#[test]
fn a_probe_that_never_reports_is_written_off_after_its_lease_and_its_late_report_is_stale() {
    let breaker = default_breaker();
    trip(&breaker, at(0));
    let silent: Vec<_> = (0..3).map(|_| breaker.admit(at(60)).expect("a probe")).collect();
    assert_eq!(breaker.admit(at(119)).expect_err("all are out").retry_at, at(120));
    let next = breaker.admit(at(120)).expect("the places are free again");
    for late in silent {
        assert_eq!(late.success(at(121)), Verdict::Stale);
    }
    assert_eq!(next.success(at(121)), Verdict::Counted);
    assert_eq!(breaker.snapshot(at(121)).counts.successes, 1);
}

#[test]
fn a_place_that_is_given_back_late_raises_no_limit() {
    let breaker = default_breaker();
    let of_the_closed_era: Vec<_> = (0..10).map(|_| breaker.admit(at(0)).expect("closed")).collect();
    trip(&breaker, at(0));
    let late: Vec<_> = (0..3).map(|_| breaker.admit(at(60)).expect("a probe")).collect();
    let in_their_place: Vec<_> = (0..3).map(|_| breaker.admit(at(120)).expect("a probe")).collect();
    drop((of_the_closed_era, late));
    assert_eq!(breaker.snapshot(at(120)).probes_in_flight, 3);
    assert_eq!(breaker.admit(at(121)).expect_err("three are out").reason, RejectReason::ProbesOut);
    drop(in_their_place);
    assert_eq!(breaker.snapshot(at(121)).probes_in_flight, 0);
}

#[test]
fn a_late_success_of_the_closed_era_does_not_close_a_half_open_breaker() {
    let breaker = breaker(BreakerSettings { success_threshold: 1, ..BreakerSettings::default() });
    let slow = breaker.admit(at(0)).expect("closed");
    trip(&breaker, at(1));
    let probe = breaker.admit(at(61)).expect("a probe");
    assert_eq!(slow.success(at(62)), Verdict::Stale);
    assert_eq!(breaker.snapshot(at(62)).state, State::HalfOpen);
    assert_eq!(probe.success(at(62)), Verdict::Counted);
    assert_eq!(breaker.snapshot(at(62)).state, State::Closed);
}

#[test]
fn a_late_failure_of_the_closed_era_does_not_reopen_a_recovered_breaker() {
    let breaker = breaker(BreakerSettings {
        failure_threshold: Some(1),
        success_threshold: 1,
        ..BreakerSettings::default()
    });
    let slow = breaker.admit(at(0)).expect("closed");
    trip(&breaker, at(0));
    admit_and(&breaker, Outcome::Success, at(60));
    assert_eq!(slow.failure(at(61)), Verdict::Stale);
    assert_eq!(breaker.snapshot(at(61)).state, State::Closed);
}

#[test]
fn a_panic_counts_as_a_failure() {
    let breaker = breaker(BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() });
    let end = thread::scope(|scope| {
        let call = scope.spawn(|| {
            let _permit = breaker.admit(at(5)).expect("closed");
            panic!("the call went wrong");
        });
        call.join()
    });
    assert!(end.is_err());
    assert_eq!(breaker.snapshot(at(5)).retry_at, Some(at(65)));
}

#[test]
fn a_dropped_permit_takes_the_newest_time_seen_not_that_of_its_admission() {
    let settings = BreakerSettings {
        failure_threshold: Some(1),
        on_cancel: CountAs::Failure,
        ..BreakerSettings::default()
    };
    let breaker = breaker(settings);
    let cancelled = breaker.admit(at(0)).expect("closed");
    admit_and(&breaker, Outcome::Ignored, at(50));
    drop(cancelled);
    assert_eq!(breaker.snapshot(at(50)).retry_at, Some(at(110)));
}

#[test]
fn a_clock_that_goes_back_neither_shortens_nor_lengthens_an_open_period() {
    let breaker = default_breaker();
    trip(&breaker, at(1000));
    assert_eq!(breaker.admit(at(0)).expect_err("still open").retry_at, at(1060));
    assert!(breaker.admit(at(1060)).is_ok());
    // Time has come this far: an older reading cannot undo it.
    assert!(breaker.admit(at(3)).is_ok());
}

#[test]
fn endless_durations_saturate() {
    let endless = BreakerSettings {
        failure_threshold: Some(1),
        max_recovery_timeout: Duration::MAX,
        recovery_jitter: 1.0,
        probe_lease: Duration::MAX,
        ..BreakerSettings::default()
    };
    let open_for_ever = breaker(BreakerSettings { recovery_timeout: Duration::MAX, ..endless.clone() });
    trip(&open_for_ever, at(1));
    assert_eq!(open_for_ever.admit(at(1_000_000_000)).expect_err("open").retry_at, Moment::MAX);

    let growing = breaker(endless);
    trip(&growing, at(0));
    while let Some(retry_at) = growing.snapshot(at(0)).retry_at.filter(|at| *at < Moment::MAX) {
        assert_eq!(growing.admit(retry_at).expect("a probe").failure(retry_at), Verdict::Counted);
    }
}

#[test]
fn an_operator_wins_over_the_calls_that_were_in_flight() {
    let breaker = breaker(BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() });
    let failing = breaker.admit(at(0)).expect("closed");
    breaker.disable(at(1));
    assert_eq!(failing.failure(at(2)), Verdict::Stale);
    assert_eq!(breaker.snapshot(at(2)).state, State::Disabled);

    for _ in 0..100 {
        admit_and(&breaker, Outcome::Failure, at(2));
    }
    assert_eq!(breaker.snapshot(at(2)).state, State::Disabled, "it counts nothing");

    let succeeding = breaker.admit(at(3)).expect("disabled admits");
    breaker.force_open(at(3));
    assert_eq!(succeeding.success(at(4)), Verdict::Stale);
    let rejected = Rejected { retry_at: Moment::MAX, reason: RejectReason::ForcedOpen };
    assert_eq!(breaker.admit(at(1_000_000)).expect_err("forced"), rejected);

    breaker.reset(at(1_000_001));
    assert!(breaker.admit(at(1_000_001)).is_ok());
}

#[test]
fn an_operator_and_a_trip_that_race_leave_the_operator_s_state() {
    for _ in 0..200 {
        let breaker = breaker(BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() });
        let permits: Vec<_> = (0..4).map(|_| breaker.admit(at(0)).expect("closed")).collect();
        let start = Barrier::new(5);
        thread::scope(|scope| {
            for permit in permits {
                scope.spawn(|| {
                    start.wait();
                    permit.failure(at(1));
                });
            }
            scope.spawn(|| {
                start.wait();
                breaker.disable(at(1));
            });
        });
        assert_eq!(breaker.snapshot(at(1)).state, State::Disabled);
    }
}

#[test]
fn an_open_period_is_never_shorter_than_retry_after() {
    let breaker = default_breaker();
    admit_and(&breaker, Outcome::RateLimited { retry_at: Some(at(300)) }, at(0));
    assert_eq!(breaker.snapshot(at(0)).state, State::Closed, "a rate limit is no failure");
    trip(&breaker, at(1));
    assert_eq!(breaker.snapshot(at(1)).retry_at, Some(at(300)));
    admit_and(&breaker, Outcome::RateLimited { retry_at: Some(at(500)) }, at(300));
    assert_eq!(breaker.snapshot(at(300)).retry_at, Some(at(500)));
}

#[test]
fn a_restart_does_not_hammer_an_upstream_that_was_down() {
    let before = default_breaker();
    trip(&before, at(1_000));
    admit_and(&before, Outcome::Failure, at(1_060));
    let saved = before.save(at(1_100));
    assert_eq!((saved.state, saved.failed_recoveries), (State::Open, 1));

    // Ten seconds later another process, on a clock of its own.
    let after = default_breaker();
    after.restore(saved, Duration::from_secs(10), at(5));
    let left = before.snapshot(at(1_100)).retry_at.expect("open") - at(1_110);
    assert_eq!(after.admit(at(5)).expect_err("still open").retry_at, at(5) + left);
    // The next failed recovery counts as the second.
    admit_and(&after, Outcome::Failure, at(200));
    let grown = after.snapshot(at(200)).retry_at.expect("open") - at(200);
    assert!(grown > Duration::from_secs(190), "{grown:?}");

    // Its probes died with a half-open one: the next process probes at once.
    let half_open = default_breaker();
    trip(&half_open, at(0));
    let probe = half_open.admit(at(60)).expect("a probe");
    after.restore(half_open.save(at(60)), Duration::ZERO, at(300));
    assert!(after.admit(at(300)).expect("due").is_probe());
    drop(probe);
    // What an operator ordered outlives the process too.
    half_open.force_open(at(61));
    after.restore(half_open.save(at(61)), Duration::from_hours(100), at(301));
    assert_eq!(after.snapshot(at(301)).state, State::ForcedOpen);
}

/// Entropy that calls the breaker it serves, as a foreign port might.
struct Nosy(std::sync::OnceLock<std::sync::Weak<Breaker>>);

impl Entropy for Nosy {
    fn next_u64(&self) -> u64 {
        let breaker = self.0.get().and_then(std::sync::Weak::upgrade).expect("set before the first draw");
        breaker.snapshot(at(0)).generation
    }
}

#[test]
fn a_port_that_the_breaker_calls_may_call_back() {
    let nosy = Arc::new(Nosy(std::sync::OnceLock::new()));
    let config = BreakerConfig::default();
    let breaker = Arc::new(Breaker::new("subject", config, Arc::clone(&nosy) as Arc<dyn Entropy>));
    nosy.0.set(Arc::downgrade(&breaker)).expect("set once");
    trip(&breaker, at(0));
    admit_and(&breaker, Outcome::Failure, at(60));
    // Transitions wait to be fetched, so no listener runs inside.
    while let Some(transition) = breaker.poll_transition() {
        assert!(breaker.snapshot(transition.at).generation >= transition.generation);
    }
}

#[test]
fn a_clock_is_read_only_when_the_answer_depends_on_it() {
    #[derive(Clone, Copy)]
    struct Reads<'a>(&'a Cell<u32>);
    impl Now for Reads<'_> {
        fn now(&self) -> Moment {
            self.0.set(self.0.get() + 1);
            at(0)
        }
    }
    let (breaker, reads) = (default_breaker(), Cell::new(0));
    let clock = || Reads(&reads);
    breaker.admit(clock()).expect("closed").success(clock());
    breaker.check(clock()).expect("closed");
    assert_eq!(reads.get(), 0);
    breaker.admit(clock()).expect("closed").failure(clock());
    assert_eq!(reads.get(), 1);
    // A permit that is dropped knows the time when it has a clock.
    drop(breaker.admit(clock()).expect("closed"));
    assert_eq!(reads.get(), 2);
}

#[test]
fn transitions_that_are_not_fetched_are_bounded_and_counted() {
    let breaker = default_breaker();
    for _ in 0..500 {
        breaker.reset(at(0));
    }
    assert_eq!(breaker.snapshot(at(0)).transitions_lost, 436);
    assert_eq!(std::iter::from_fn(|| breaker.poll_transition()).count(), 64);
}

proptest! {
    #[test]
    fn each_failed_recovery_doubles_the_period_within_its_bounds(
        recovery in 1_u64..1_000, more in 0_u64..100_000, jitter in 0.0_f64..=1.0, seed: u64,
    ) {
        let (base, most) = (Duration::from_secs(recovery), Duration::from_secs(recovery + more));
        let config = BreakerConfig::try_new(BreakerSettings {
            failure_threshold: Some(1),
            recovery_timeout: base,
            max_recovery_timeout: most,
            recovery_jitter: jitter,
            ..BreakerSettings::default()
        })
        .expect("valid settings");
        let breaker = Breaker::new("subject", config, Arc::new(SeededEntropy::new(seed)));
        let mut now = at(0);
        for failed_recoveries in 0..40_u32 {
            admit_and(&breaker, Outcome::Failure, now);
            let retry_at = breaker.snapshot(now).retry_at.expect("open");
            let grown = base.saturating_mul(2_u32.saturating_pow(failed_recoveries)).min(most);
            let shortest = grown.mul_f64(1.0 - jitter).saturating_sub(Duration::from_micros(1)).max(base);
            prop_assert!((shortest..=grown).contains(&(retry_at - now)));
            now = retry_at;
        }
    }
}
