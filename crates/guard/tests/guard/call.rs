//! One call: the order of its stations, and what each way of ending means to the breaker and to the caller.

use std::time::Duration;

use ttm_breaker::{BreakerSettings, RejectReason, State};
use ttm_guard::{Disposition, GuardError, GuardSettings};
use ttm_kernel::{Moment, Runtime, TaskEnd};
use ttm_retry::{GiveUpReason, RetrySettings};

use crate::rig::{DOWN, Failed, Reply, Rig, at_ms};

#[test]
fn a_call_that_works_is_made_once() {
    let rig = Rig::new();
    assert_eq!(rig.run(&[Reply::Ok(100)]).expect("it works"), 1);
    assert_eq!(rig.now(), at_ms(100));
    assert_eq!(rig.counts().successes, 1);
}

#[test]
fn a_failure_that_may_pass_is_tried_again_and_each_attempt_counts_in_the_breaker() {
    let rig = Rig::new();
    assert_eq!(rig.run(&[DOWN, DOWN, Reply::Ok(0)]).expect("the third works"), 3);
    let counts = rig.counts();
    assert_eq!((counts.failures, counts.successes), (2, 1));
}

#[test]
fn a_call_that_keeps_failing_hands_back_its_last_error() {
    let rig = Rig::new();
    let end = rig.run(&[DOWN]).expect_err("it keeps failing");
    let GuardError::Failed { error, attempts, gave_up } = end else { panic!("{end}") };
    assert_eq!((error, attempts), (Failed(Disposition::Transient { retry_after: None }), 3));
    assert_eq!(gave_up, GiveUpReason::AttemptsUsedUp);
}

#[test]
fn a_refusal_counts_against_the_target_and_is_not_tried_again() {
    let rig = Rig::new();
    let end = rig.run(&[Reply::Fails(0, Disposition::Refused)]).expect_err("refused");
    assert!(matches!(end, GuardError::Failed { attempts: 1, gave_up: GiveUpReason::Permanent, .. }));
    assert_eq!(rig.counts().failures, 1);
}

#[test]
fn a_request_that_is_wrong_does_not_count() {
    let rig = Rig::new();
    let end = rig.run(&[Reply::Fails(0, Disposition::Invalid)]).expect_err("invalid");
    assert!(matches!(end, GuardError::Failed { attempts: 1, gave_up: GiveUpReason::Permanent, .. }));
    assert_eq!((rig.counts().failures, rig.counts().ignored), (0, 1));
}

#[test]
fn an_attempt_that_takes_too_long_counts_as_a_failure() {
    let rig = Rig::new();
    let end = rig.run(&[Reply::Hangs]).expect_err("it hangs");
    assert!(matches!(end, GuardError::TimedOut { attempts: 3 }), "{end}");
    assert_eq!(rig.counts().failures, 3);
    let (first, _) = rig.attempts.events()[0];
    let (second, _) = rig.attempts.events()[1];
    assert!(second >= first + Duration::from_secs(5));
}

#[test]
fn an_attempt_that_the_caller_s_deadline_cuts_short_does_not_count_as_a_failure() {
    let rig = Rig::new();
    let end = rig.runtime.block_on(rig.call(at_ms(300), &[Reply::Hangs])).expect_err("no time");
    assert!(matches!(end, GuardError::TimedOut { attempts: 1 }), "{end}");
    assert_eq!(rig.now(), at_ms(300));
    assert_eq!((rig.counts().failures, rig.counts().ignored), (0, 1));
}

#[test]
fn a_call_whose_deadline_has_passed_makes_no_attempt() {
    let limited = GuardSettings::default();
    let free = GuardSettings { requests_per_minute: None, ..GuardSettings::default() };
    let narrow = GuardSettings { max_concurrent: Some(1), ..free.clone() };
    for settings in [limited, free, narrow] {
        let rig = Rig::with(1, settings, BreakerSettings::default(), RetrySettings::default());
        rig.runtime.clock().set(at_ms(1_000));
        for deadline in [Moment::ZERO, at_ms(1_000)] {
            let end = rig.runtime.block_on(rig.call(deadline, &[Reply::Ok(0)])).expect_err("too late");
            assert!(matches!(end, GuardError::TimedOut { attempts: 0 }), "{end}");
        }
        assert_eq!(rig.attempts.events(), []);
    }
}

#[test]
fn an_attempt_that_had_its_whole_time_was_too_slow_also_when_the_deadline_comes_with_its_end() {
    let rig = Rig::new();
    let end = rig.runtime.block_on(rig.call(at_ms(5_000), &[Reply::Hangs])).expect_err("it hangs");
    assert!(matches!(end, GuardError::TimedOut { attempts: 1 }), "{end}");
    assert_eq!((rig.counts().failures, rig.counts().ignored), (1, 0));
}

/// Nothing but the breaker and a timeout: the first attempt is polled by the call itself.
fn plain() -> Rig {
    let settings = GuardSettings { requests_per_minute: None, ..GuardSettings::default() };
    Rig::with(1, settings, BreakerSettings::default(), RetrySettings::default())
}

#[test]
fn a_plain_call_times_out_as_any_other() {
    let rig = plain();
    let end = rig.run(&[Reply::Hangs]).expect_err("it hangs");
    assert!(matches!(end, GuardError::TimedOut { attempts: 3 }), "{end}");
    let began: Vec<Moment> = rig.attempts.events().into_iter().map(|(at, _)| at).collect();
    assert!(began[1] >= at_ms(5_000) && began[2] >= began[1] + Duration::from_secs(5), "{began:?}");
    assert_eq!((rig.counts().failures, rig.counts().ignored), (3, 0));
}

#[test]
fn a_plain_call_is_polled_as_often_as_its_operation_wants() {
    let rig = plain();
    let answer = rig.runtime.block_on(rig.guard.call(
        Moment::MAX,
        |Failed(disposition)| *disposition,
        |attempt| {
            let runtime = &rig.runtime;
            async move {
                for step in 1..=3 {
                    runtime.sleep_until(at_ms(step * 1_000)).await;
                }
                Ok(attempt.number)
            }
        },
    ));
    assert_eq!(answer.expect("it works"), 1);
    assert_eq!(rig.now(), at_ms(3_000));
}

#[test]
fn a_breaker_that_opens_between_two_attempts_ends_the_call() {
    let breaker = BreakerSettings { failure_threshold: Some(2), ..BreakerSettings::default() };
    let rig = Rig::with(1, GuardSettings::default(), breaker, RetrySettings::default());
    let end = rig.run(&[DOWN]).expect_err("the breaker opens");
    let GuardError::Rejected(rejected) = end else { panic!("{end}") };
    assert_eq!(rejected.reason, RejectReason::Open);
    let opened = rig.guard.breaker().poll_transition().expect("it opened");
    assert_eq!(rejected.retry_at, opened.at + Duration::from_mins(1));
    assert_eq!(rig.attempts.events().len(), 2);
}

#[test]
fn an_open_breaker_answers_at_once_and_uses_up_no_turn() {
    let rig = Rig::new();
    rig.guard.breaker().force_open(rig.now());
    for _ in 0..100 {
        assert!(matches!(rig.run(&[Reply::Ok(0)]), Err(GuardError::Rejected(_))));
    }
    rig.guard.breaker().reset(rig.now());
    assert_eq!(rig.run(&[Reply::Ok(0)]).expect("closed"), 1);
    assert_eq!(rig.now(), Moment::ZERO);
}

#[test]
fn a_call_that_waits_for_a_turn_holds_no_probe() {
    let breaker = BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() };
    let slow = GuardSettings { requests_per_minute: Some(10), ..GuardSettings::default() };
    let rig = Rig::with(1, slow, breaker, RetrySettings { max_attempts: 1, ..RetrySettings::default() });
    rig.run(&[DOWN]).expect_err("this opens the breaker");
    rig.runtime.clock().set(at_ms(60_000));
    // The first takes the turn; the second must wait six seconds for the next.
    let calls: Vec<_> = (0..2)
        .map(|_| rig.runtime.spawn("call", Box::pin(report(rig.call(Moment::MAX, &[Reply::Ok(3_000)])))))
        .collect();
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(62_000)));
    assert_eq!(rig.guard.breaker().snapshot(rig.now()).probes_in_flight, 1);
    rig.runtime.block_on(async {
        for call in calls {
            assert_eq!(call.await, TaskEnd::Finished);
        }
    });
    assert_eq!(rig.counts().successes, 2);
}

async fn report(call: impl Future<Output = Result<u32, GuardError<Failed>>>) {
    call.await.expect("the call works");
}

#[test]
fn a_cancelled_call_gives_its_place_back_and_counts_for_nothing() {
    let breaker = BreakerSettings {
        failure_threshold: Some(1),
        half_open_max_calls: 1,
        success_threshold: 1,
        ..BreakerSettings::default()
    };
    let rig = Rig::with(1, GuardSettings::default(), breaker, RetrySettings::default());
    rig.run(&[DOWN]).expect_err("this opens the breaker");
    rig.runtime.clock().set(at_ms(60_000));
    let hanging = rig.runtime.spawn("call", Box::pin(report(rig.call(Moment::MAX, &[Reply::Hangs]))));
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(61_000)));
    assert!(matches!(rig.run(&[Reply::Ok(0)]), Err(GuardError::Rejected(_))), "the only probe is out");
    hanging.abort();
    assert_eq!(rig.runtime.block_on(hanging), TaskEnd::Aborted);
    assert_eq!(rig.counts().ignored, 1);
    assert_eq!(rig.run(&[Reply::Ok(0)]).expect("the place is free"), 1);
    assert_eq!(rig.guard.breaker().snapshot(rig.now()).state, State::Closed);
}

#[test]
fn a_call_that_is_dropped_long_after_its_panic_counts_as_a_failure_too() {
    let rig = plain();
    let operation = |_| {
        let mut polls = 0;
        std::future::poll_fn(move |_| {
            polls += 1;
            assert!(polls < 2, "on the second poll");
            std::task::Poll::<Result<(), Failed>>::Pending
        })
    };
    let mut call = Box::pin(rig.guard.call(Moment::MAX, |Failed(disposition)| *disposition, operation));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    let poll = std::panic::AssertUnwindSafe(|| call.as_mut().poll(&mut context).is_ready());
    std::panic::catch_unwind(poll).expect_err("it panics");
    drop(call);
    assert_eq!((rig.counts().failures, rig.counts().ignored), (1, 0));
}

#[test]
fn a_panicking_operation_counts_as_a_failure_whenever_it_panics_and_whatever_the_guard_has_to_do() {
    let plain = GuardSettings { requests_per_minute: None, ..GuardSettings::default() };
    for settings in [GuardSettings::default(), plain] {
        for reply in [Reply::Panics(0), Reply::Panics(5)] {
            let rig = Rig::with(1, settings.clone(), BreakerSettings::default(), RetrySettings::default());
            let call = rig.runtime.spawn("call", Box::pin(report(rig.call(Moment::MAX, &[reply]))));
            assert!(matches!(rig.runtime.block_on(call), TaskEnd::Panicked(_)));
            assert_eq!((rig.counts().failures, rig.counts().ignored), (1, 0), "{reply:?} with {settings:?}");
        }
    }
}

#[test]
fn a_guard_shows_its_settings_and_its_breaker() {
    let shown = format!("{:?}", Rig::new().guard);
    assert!(shown.contains("attempt_timeout: 5s") && shown.contains("\"upstream\""), "{shown}");
}
