//! Laws over many callers: the upstream's limit, its pauses, and the callers' deadlines.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ttm_breaker::BreakerSettings;
use ttm_guard::{Disposition, GuardError, GuardSettings};
use ttm_kernel::{Clock, Moment, Runtime, Task, TaskEnd};
use ttm_retry::{BudgetConfig, RetrySettings};
use ttm_testkit::Recorder;

use crate::rig::{Failed, Reply, Rig, at_ms};

/// How a call ended, and when.
type End = (Moment, Result<u32, GuardError<Failed>>);

/// A caller: when it comes, how long it is willing to wait, and what its attempts will meet.
#[derive(Clone, Debug)]
struct Caller {
    comes_ms: u64,
    patience_ms: u64,
    replies: Vec<Reply>,
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let retry_after = || prop::option::of((0_u64..40).prop_map(Duration::from_secs));
    let transient = retry_after().prop_map(|retry_after| Disposition::Transient { retry_after });
    let limited = retry_after().prop_map(|retry_after| Disposition::RateLimited { retry_after });
    prop_oneof![
        8 => (0_u64..8_000).prop_map(Reply::Ok),
        4 => (0_u64..3_000, transient).prop_map(|(ms, disposition)| Reply::Fails(ms, disposition)),
        1 => (0_u64..3_000, limited).prop_map(|(ms, disposition)| Reply::Fails(ms, disposition)),
        1 => Just(Reply::Fails(5, Disposition::Refused)),
        1 => Just(Reply::Fails(5, Disposition::Invalid)),
        1 => Just(Reply::Hangs),
    ]
}

fn any_caller() -> impl Strategy<Value = Caller> {
    (0_u64..120_000, 0_u64..40_000, prop::collection::vec(any_reply(), 1..4))
        .prop_map(|(comes_ms, patience_ms, replies)| Caller { comes_ms, patience_ms, replies })
}

/// Settings with any of the stations there or not.
fn any_settings() -> impl Strategy<Value = GuardSettings> {
    let rpm = prop::option::of(100_u32..400);
    let budget = prop::option::of(Just(BudgetConfig::default()));
    (rpm, prop::option::of(1_u32..4), budget).prop_map(|(requests_per_minute, max_concurrent, budget)| {
        GuardSettings { requests_per_minute, max_concurrent, budget, ..GuardSettings::default() }
    })
}

/// Lets all callers come, and gives back how each of them ended, in their order.
fn run(rig: &Rig, callers: &[Caller]) -> Vec<End> {
    let spawn = |caller: &Caller| {
        let end = Arc::new(Recorder::default());
        let (runtime, call) =
            (rig.runtime.clone(), rig.call(at_ms(caller.comes_ms + caller.patience_ms), &caller.replies));
        let (comes, told) = (at_ms(caller.comes_ms), Arc::clone(&end));
        let task = async move {
            runtime.sleep_until(comes).await;
            let result = call.await;
            told.record((runtime.now(), result));
        };
        (rig.runtime.spawn("caller", Box::pin(task)), end)
    };
    let tasks: Vec<(Task, Arc<Recorder<End>>)> = callers.iter().map(spawn).collect();
    rig.runtime.block_on(async {
        let mut ends = Vec::new();
        for (task, end) in tasks {
            assert_eq!(task.await, TaskEnd::Finished);
            ends.extend(end.take());
        }
        ends
    })
}

/// A breaker that hardly ever interferes, so that the other laws are put to the test.
fn patient_breaker() -> BreakerSettings {
    BreakerSettings { failure_threshold: Some(1_000_000), ..BreakerSettings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_sliding_minute_sees_more_attempts_than_allowed_and_they_are_evenly_spaced(
        callers in prop::collection::vec(any_caller(), 1..60), rpm in 1_u32..400, seed: u64,
    ) {
        let settings = GuardSettings { requests_per_minute: Some(rpm), ..GuardSettings::default() };
        let rig = Rig::with(seed, settings, patient_breaker(), RetrySettings::default());
        run(&rig, &callers);
        let made: Vec<Moment> = rig.attempts.take().into_iter().map(|(at, _)| at).collect();
        for (index, &start) in made.iter().enumerate() {
            let minute = made[index..].iter().take_while(|&&at| at - start < Duration::from_mins(1)).count();
            prop_assert!(minute <= rpm as usize, "{minute} attempts in the minute from {start:?}");
        }
        for pair in made.windows(2) {
            prop_assert!(pair[1] - pair[0] >= Duration::from_mins(1) / rpm);
        }
    }

    #[test]
    fn no_call_outlives_its_deadline_and_no_attempt_begins_after_it(
        callers in prop::collection::vec(any_caller(), 1..30), settings in any_settings(), seed: u64,
    ) {
        let rig = Rig::with(seed, settings, BreakerSettings::default(), RetrySettings::default());
        let ends = run(&rig, &callers);
        prop_assert_eq!(ends.len(), callers.len());
        for (caller, (ended, end)) in callers.iter().zip(ends) {
            let patience = Duration::from_millis(caller.patience_ms).min(Duration::from_secs(30));
            prop_assert!(ended <= at_ms(caller.comes_ms) + patience);
            match end {
                Ok(attempts) | Err(GuardError::Failed { attempts, .. } | GuardError::TimedOut { attempts }) => {
                    prop_assert!(attempts <= 3);
                }
                Err(GuardError::Rejected(rejected)) => prop_assert!(rejected.retry_at > ended),
                Err(GuardError::Throttled { retry_at }) => prop_assert!(retry_at > ended),
            }
        }
        // Whatever happened, nothing is held for ever: every attempt was counted, and none is out.
        prop_assert_eq!(rig.guard.breaker().snapshot(rig.now()).probes_in_flight, 0);
    }

    #[test]
    fn after_a_429_every_caller_waits(
        callers in prop::collection::vec(any_caller(), 1..30), asked in 1_u64..60, seed: u64,
    ) {
        let rig = Rig::with(seed, GuardSettings::default(), patient_breaker(), RetrySettings::default());
        let retry_after = Some(Duration::from_secs(asked));
        let limited = Reply::Fails(0, Disposition::RateLimited { retry_after });
        // The first is rate limited; the others meet an upstream that works.
        let first = Caller { comes_ms: 0, patience_ms: 1, replies: vec![limited] };
        let others = callers.into_iter().map(|caller| Caller { comes_ms: caller.comes_ms + 1, replies: vec![Reply::Ok(10)], ..caller });
        let callers: Vec<Caller> = std::iter::once(first).chain(others).collect();
        run(&rig, &callers);
        for (made, _) in rig.attempts.take().into_iter().skip(1) {
            prop_assert!(made >= at_ms(asked * 1_000));
        }
    }
}

#[test]
fn a_call_whose_turn_would_come_too_late_fails_at_once_with_retry_at() {
    let rig = Rig::new();
    let limited = Reply::Fails(0, Disposition::RateLimited { retry_after: Some(Duration::from_secs(20)) });
    let first = Caller { comes_ms: 0, patience_ms: 1, replies: vec![limited] };
    let second = Caller { comes_ms: 1_000, patience_ms: 5_000, replies: vec![Reply::Ok(0)] };
    let mut ends = run(&rig, &[first, second]);
    let (told, end) = ends.pop().expect("two ends");
    assert_eq!(told, at_ms(1_000));
    assert!(matches!(end, Err(GuardError::Throttled { retry_at }) if retry_at == at_ms(20_000)), "{end:?}");
}
