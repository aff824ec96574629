//! Runs, progress, turns and what is in flight.

use std::time::Duration;

use ttm_dispatch::{Ask, DispatchSettings, Single};
use ttm_kernel::Lane;
use ttm_perf::{CallSummary, ControlReason};
use ttm_service::machine::{Effect, Upstream};

use super::AWAY;
use crate::stage::{MINUTE, SECOND, Stage};
use crate::world::Says;

#[test]
fn a_failure_is_no_progress_and_its_tokens_are_still_served_and_due_at_the_next_tick() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let before = stage.machine.status(Lane::Cold).last_progress;
    let batch = stage.ask().expect("a tick made them due");
    stage.fail(&batch);
    let runs = stage.runs(Lane::Cold);
    assert_eq!((runs[0].attempted, runs[0].failed, runs[0].stale, runs[0].processed), (4, 4, 4, 0));
    assert_eq!(stage.machine.status(Lane::Cold).last_progress, before);
    assert!(stage.ask().is_none(), "not before the next tick");
    stage.wait(45 * SECOND);
    assert_eq!(stage.ask().expect("the next tick").mints().len(), 4);
}

#[test]
fn tokens_that_are_too_old_or_unknown_are_not_served() {
    let mut stage = Stage::new(4);
    let batch = stage.ask().expect("all are due");
    stage.fail(&batch);
    assert_eq!(stage.runs(Lane::Cold)[0].skipped, 4, "nothing is known of them");
    let mut stage = Stage::scored(4, |_| Says::Cold);
    (0..22).for_each(|_| stage.wait(45 * SECOND));
    let deferred: Vec<(u64, u64)> =
        stage.runs(Lane::Cold).iter().map(|run| (run.stale, run.skipped)).collect();
    assert_eq!(
        (deferred[0], deferred[21]),
        ((4, 0), (0, 4)),
        "the scores grow older than a quarter of an hour"
    );
    let batch = stage.ask().expect("a tick made them due");
    stage.fail(&batch);
    let runs = stage.runs(Lane::Cold);
    assert_eq!((runs[0].failed, runs[0].skipped), (4, 4));
}

#[test]
fn a_tick_ends_the_run_before_it_and_defers_what_is_left() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.answer(&batch, |_| Says::Cold);
    let in_flight = stage.ask().expect("four are left");
    assert_eq!(in_flight.mints().len(), 4);
    stage.effects();
    let missed = stage.machine.status(Lane::Cold).missed_runs;
    stage.wait(45 * SECOND);
    let runs = stage.runs(Lane::Cold);
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].processed, runs[0].deferred, runs[0].stale), (4, 4, 4));
    assert_eq!(stage.machine.status(Lane::Cold).missed_runs, missed, "its end is no miss");
}

#[test]
fn a_run_is_progress_if_nothing_was_due_or_everything_was_fresh() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.machine.status(Lane::Hot).last_progress, Some(crate::world::at(Duration::ZERO).moment));
    stage.wait(9 * SECOND);
    assert_eq!(stage.machine.status(Lane::Hot).last_progress, Some(stage.now().moment));
    let fresh = crate::world::dispatch();
    let fresh = DispatchSettings { cold_fresh_for: MINUTE, ..fresh };
    let mut stage = Stage::with(1, fresh);
    let batch = stage.ask().expect("it is due");
    stage.answer(&batch, |_| Says::Cold);
    stage.effects();
    stage.wait(45 * SECOND);
    assert!(stage.ask().is_none(), "it has just been seen");
    let runs = stage.runs(Lane::Cold);
    assert_eq!((runs[0].cached, runs[0].attempted, runs[0].deferred), (1, 0, 0));
    assert_eq!(
        stage.machine.status(Lane::Cold).last_progress,
        Some(stage.now().moment),
        "the group is not behind"
    );
    stage.wait(45 * SECOND);
    let asked = stage.ask().expect("it was seen long ago");
    stage.answer(&asked, |_| Says::Cold);
    assert_eq!(stage.runs(Lane::Cold)[0].cached, 0, "once is enough");
}

#[test]
fn while_upstream_is_unavailable_runs_are_withheld_and_probes_try_one_token_after_the_other() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    stage.upstream = AWAY;
    stage.wait(Duration::from_millis(1));
    assert!(stage.machine.status(Lane::Cold).withheld_since.is_some());
    let probe = stage.ask().expect("a probe");
    assert_eq!(probe.mints().len(), 1);
    stage.fail(&probe);
    let next = stage.ask().expect("another probe");
    assert_ne!(next.mints(), probe.mints(), "the first one may be why it failed");
    stage.fail(&next);
    stage.effects();
    stage.wait(45 * SECOND);
    let runs = stage.runs(Lane::Cold);
    assert_eq!((runs[0].failed, runs[0].deferred, runs[0].withheld), (2, 2, 2));
}

#[test]
fn a_token_that_failed_as_a_probe_is_not_the_first_to_be_asked_for_again() {
    let mut stage = Stage::scored(6, |_| Says::Cold);
    stage.upstream = AWAY;
    let probe = stage.ask().expect("a probe");
    stage.fail(&probe);
    stage.upstream = Upstream::default();
    stage.wait(45 * SECOND);
    let batch = stage.ask().expect("the next tick");
    assert!(!batch.mints().contains(&probe.mints()[0]), "it goes to the end of its line");
}

#[test]
fn no_turn_is_wanted_while_there_is_none_and_an_open_breaker_is_asked_every_second() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    stage.wait(SECOND);
    stage.machine.handle_calls(&CallSummary::default(), stage.now());
    assert!(stage.machine.wants_turn(stage.now()));
    assert!(!stage.machine.wants_turn(stage.now()), "one at a time");
    stage.machine.handle_no_turn(stage.now().moment + MINUTE, stage.now());
    assert!(!stage.machine.wants_turn(stage.now()));
    assert_eq!(stage.machine.poll_timeout(stage.now()), stage.now().moment + SECOND);
    stage.wait(SECOND);
    assert!(stage.machine.wants_turn(stage.now()));
    stage.machine.handle_no_turn(stage.now().moment + SECOND / 2, stage.now());
    assert_eq!(stage.machine.poll_timeout(stage.now()), stage.now().moment + SECOND / 2);
}

#[test]
fn after_an_answer_a_turn_is_wanted_at_once_though_the_breaker_refused_one() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let asked = stage.ask().expect("a tick made them due");
    assert!(stage.machine.wants_turn(stage.now()));
    stage.machine.handle_no_turn(stage.now().moment + MINUTE, stage.now());
    stage.answer(&asked, |_| Says::Cold);
    assert!(stage.machine.wants_turn(stage.now()), "an answer is news of the breaker");
}

#[test]
fn control_follows_the_calls_every_ten_seconds_and_bounds_what_is_in_flight() {
    let mut stage = Stage::scored(200, |_| Says::Cold);
    assert_eq!(stage.machine.wants_calls(stage.now()), Some(2 * MINUTE));
    let millis = |millis| Some(Duration::from_millis(millis));
    let calls =
        CallSummary { calls: 100, errors: 50, p95: millis(100), p99: millis(500), ..CallSummary::default() };
    for _ in 0..2 {
        stage.machine.handle_calls(&calls, stage.now());
    }
    assert_eq!(stage.machine.wants_calls(stage.now()), None);
    let effects = stage.effects();
    assert!(effects.contains(&Effect::AttemptTimeout(Duration::from_millis(1_500))));
    assert!(effects.iter().any(|effect| matches!(effect,
        Effect::Control(change) if (change.from, change.to) == (4, 2) && change.reason == ControlReason::Errors)));
    let mut in_flight = 0;
    while stage.ask().is_some() {
        in_flight += 1;
    }
    assert_eq!(in_flight, 2);
    stage.wait(10 * SECOND);
    assert!(stage.machine.wants_calls(stage.now()).is_some());
}

#[test]
fn lists_for_completeness_are_wanted_while_few_wait() {
    let dispatch = DispatchSettings { lists: 1_000, ..crate::world::dispatch() };
    let mut stage = Stage::with(60, dispatch);
    let mut lists = 0;
    let mut batches = Vec::new();
    // Turns go to batches as long as there are any; the lists come last.
    while stage.machine.wants_turn(stage.now()) || {
        stage.wait(SECOND / 5);
        stage.machine.wants_turn(stage.now())
    } {
        let Some((id, request)) = stage.machine.poll_request(stage.now()) else { break };
        let asked = crate::stage::Asked { id, request };
        lists += u32::from(matches!(asked.request.ask, Ask::One(_, Single::List)));
        stage.answer(&asked, |_| Says::Thin);
        batches.push(asked);
    }
    assert_eq!(lists, 16);
}
