//! Callers that take their turn before they decide what to ask, a rate that follows 429s, and an adaptive attempt timeout.

use std::time::Duration;

use ttm_breaker::BreakerSettings;
use ttm_guard::{Disposition, GuardError, GuardSettings, SavedRate};
use ttm_kernel::{Moment, Runtime};
use ttm_retry::RetrySettings;

use crate::rig::{DOWN, Failed, Reply, Rig, at_ms};

const SPACING_MS: u64 = 200;
const TOO_MANY: Reply = Reply::Fails(0, Disposition::RateLimited { retry_after: None });

fn rig(retry: RetrySettings) -> Rig {
    let settings = GuardSettings { headroom_percent: 0.0, ..GuardSettings::default() };
    Rig::with(1, settings, BreakerSettings::default(), retry)
}

fn classify(Failed(disposition): &Failed) -> Disposition {
    *disposition
}

#[test]
fn a_turn_comes_like_any_other_and_its_call_makes_the_first_attempt_at_once() {
    let rig = rig(RetrySettings::default());
    rig.run(&[Reply::Ok(0)]).expect("it works");
    let answer = rig.runtime.block_on(async {
        let turn = rig.guard.turn(Moment::MAX).await.expect("the breaker is closed");
        assert_eq!(rig.now(), at_ms(SPACING_MS));
        rig.guard.call_on(turn, Moment::MAX, classify, rig.operation(&[Reply::Ok(7)])).await
    });
    answer.expect("it works");
    assert_eq!(rig.now(), at_ms(SPACING_MS + 7));
}

#[test]
fn only_the_first_attempt_is_made_on_the_turn_and_the_next_one_waits_for_its_own() {
    let instant = RetrySettings { base_delay: Duration::from_millis(1), ..RetrySettings::default() };
    let rig = rig(instant);
    let answer = rig.runtime.block_on(async {
        let turn = rig.guard.turn(Moment::MAX).await.expect("the breaker is closed");
        rig.guard.call_on(turn, Moment::MAX, classify, rig.operation(&[DOWN, Reply::Ok(0)])).await
    });
    answer.expect("the second attempt works");
    let begun: Vec<Moment> = rig.attempts.take().into_iter().map(|(at, _)| at).collect();
    assert_eq!(begun, [at_ms(0), at_ms(SPACING_MS)]);
}

#[test]
fn there_is_no_turn_while_the_breaker_is_open() {
    let rig = rig(RetrySettings { max_attempts: 1, ..RetrySettings::default() });
    for _ in 0..5 {
        rig.run(&[DOWN]).expect_err("it is down");
    }
    let refused = rig.runtime.block_on(rig.guard.turn(Moment::MAX));
    assert!(matches!(refused, Err(GuardError::Rejected(_))), "{refused:?}");
}

#[test]
fn a_429_pauses_every_caller_and_halves_the_rate_for_a_while() {
    let rig = rig(RetrySettings { max_attempts: 1, ..RetrySettings::default() });
    rig.run(&[TOO_MANY]).expect_err("too many");
    let rate = rig.guard.rate().expect("there is a limit");
    let until = rate.paused_until.expect("a pause is on");
    assert_eq!(rig.guard.paused_until(), until);
    let turns = rig.runtime.block_on(async {
        let mut turns = Vec::new();
        for _ in 0..2 {
            drop(rig.guard.turn(Moment::MAX).await.expect("the breaker is closed"));
            turns.push(rig.now());
        }
        turns
    });
    assert_eq!(turns, [until, until + Duration::from_millis(2 * SPACING_MS)]);
    rig.runtime.block_on(rig.runtime.sleep_until(until + Duration::from_secs(30)));
    let rate = rig.guard.rate().expect("there is a limit");
    assert_eq!((rate.share, rate.paused_until), (1.0, None));
}

#[test]
fn attempts_take_no_longer_than_was_set_last() {
    let rig = rig(RetrySettings { max_attempts: 1, ..RetrySettings::default() });
    rig.guard.set_attempt_timeout(Duration::from_millis(300));
    let end = rig.run(&[Reply::Hangs]);
    assert!(matches!(end, Err(GuardError::TimedOut { attempts: 1 })), "{end:?}");
    assert_eq!(rig.now(), at_ms(300));
    rig.guard.set_attempt_timeout(Duration::MAX);
    assert_eq!(rig.guard.attempt_timeout(), GuardSettings::default().deadline);
}

#[test]
fn fifty_that_gave_up_waiting_cost_the_next_one_nothing() {
    let rig = rig(RetrySettings::default());
    rig.run(&[Reply::Ok(0)]).expect("it works");
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let mut turn = Box::pin(rig.guard.turn(Moment::MAX));
            let polled = turn.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            assert!(polled.is_pending(), "it waits");
            turn
        })
        .collect();
    drop(waiting);
    drop(rig.runtime.block_on(rig.guard.turn(Moment::MAX)).expect("the breaker is closed"));
    assert_eq!(rig.now(), at_ms(SPACING_MS));
}

#[test]
fn a_guard_that_goes_on_waits_for_a_spacing_and_for_the_rest_of_a_pause() {
    let rig = rig(RetrySettings::default());
    rig.guard.resume(SavedRate::default(), Duration::ZERO);
    rig.run(&[Reply::Ok(0)]).expect("it works");
    assert_eq!(rig.now(), at_ms(SPACING_MS));
    let saved = SavedRate { share: 0.5, paused_for: Duration::from_secs(10) };
    rig.guard.resume(saved, Duration::from_secs(4));
    assert_eq!(rig.guard.save(), Some(SavedRate { share: 0.5, paused_for: Duration::from_secs(6) }));
    assert_eq!(rig.guard.paused_until(), at_ms(SPACING_MS + 6_000));
    rig.run(&[Reply::Ok(0)]).expect("it works");
    assert_eq!(rig.now(), at_ms(SPACING_MS + 6_000));
}
