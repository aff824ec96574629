//! Runs and ticks, by example.

use std::time::Duration;

use ttm_kernel::{Lane, Moment};
use ttm_schedule::{Effect, RunOutcome, ScheduleConfig, ScheduleSettings, Scheduler};

const WORK: RunOutcome = RunOutcome {
    attempted: 10,
    processed: 9,
    failed: 1,
    broken: 0,
    stale: 1,
    skipped: 0,
    cached: 0,
    deferred: 0,
    withheld: 0,
};

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn scheduler() -> Scheduler {
    Scheduler::new(&ScheduleConfig::default(), at(0))
}

fn start(lane: Lane, run: u64, missed: u64) -> Effect {
    Effect::StartRun { lane, run, missed }
}

#[test]
fn both_lanes_run_at_the_start_the_hot_one_first() {
    let mut scheduler = scheduler();
    assert_eq!(scheduler.poll_timeout(), Some(at(0)));
    assert_eq!(scheduler.poll(at(0)), Some(start(Lane::Hot, 1, 0)));
    assert_eq!(scheduler.poll(at(0)), Some(start(Lane::Cold, 1, 0)));
    assert_eq!(scheduler.poll(at(0)), None);
    assert_eq!(scheduler.poll_timeout(), Some(at(10)));
}

#[test]
fn a_run_that_takes_too_long_misses_ticks_and_the_next_run_starts_on_the_grid() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    scheduler.poll(at(0));
    assert_eq!(scheduler.poll(at(10)), None, "it never overlaps itself");
    assert!(scheduler.handle_finished(Lane::Hot, 1, WORK, at(25)));
    assert_eq!(scheduler.poll(at(25)), None, "what was missed is not queued");
    assert_eq!(scheduler.poll(at(30)), Some(start(Lane::Hot, 2, 2)));
    assert_eq!(scheduler.status(Lane::Hot).missed_runs, 2);
}

#[test]
fn a_run_that_ends_on_a_tick_is_followed_at_once() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    scheduler.handle_finished(Lane::Hot, 1, WORK, at(10));
    scheduler.poll(at(10));
    assert_eq!(scheduler.status(Lane::Hot).runs, 2);
    assert_eq!(scheduler.status(Lane::Hot).missed_runs, 0);
}

#[test]
fn a_run_that_ends_on_a_tick_which_is_polled_late_is_followed_at_once() {
    let mut scheduler = scheduler();
    while scheduler.poll(at(0)).is_some() {}
    let due = scheduler.status(Lane::Hot).next_due.expect("the next tick");
    assert!(scheduler.handle_finished(Lane::Hot, 1, WORK, due));
    assert_eq!(scheduler.poll(due + Duration::from_millis(3)), Some(start(Lane::Hot, 2, 0)));
}

#[test]
fn a_late_poll_does_not_move_later_ticks() {
    let mut scheduler = scheduler();
    scheduler.poll(at(3));
    assert_eq!(scheduler.status(Lane::Hot).next_due, Some(at(10)));
}

#[test]
fn a_jump_over_centuries_is_counted_exactly() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    scheduler.handle_finished(Lane::Hot, 1, WORK, at(1));
    let centuries = 5 * 100 * 365 * 24 * 3_600;
    assert_eq!(scheduler.poll(at(centuries)), Some(start(Lane::Hot, 2, centuries / 10 - 1)));
    assert_eq!(
        scheduler.poll(Moment::MAX),
        Some(start(Lane::Cold, 1, Moment::MAX.as_nanos() / 45_000_000_000))
    );
    scheduler.poll(Moment::MAX);
    assert_eq!(scheduler.poll(Moment::MAX), None);
}

#[test]
fn a_report_of_an_old_run_changes_nothing() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    assert!(scheduler.handle_aborted(Lane::Hot, 1, at(5)));
    scheduler.poll(at(10));
    assert!(scheduler.status(Lane::Hot).running);
    let before = scheduler.status(Lane::Hot);
    assert!(!scheduler.handle_finished(Lane::Hot, 1, WORK, at(11)));
    assert!(!scheduler.handle_aborted(Lane::Hot, 1, at(11)));
    assert!(!scheduler.handle_finished(Lane::Hot, 7, WORK, at(11)));
    assert_eq!(scheduler.status(Lane::Hot), before);
}

#[test]
fn progress_is_committed_work_or_a_run_that_left_nothing() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, None, "a start is not progress");
    scheduler.handle_progress(Lane::Hot, 0, at(1));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, None, "nothing was committed");
    scheduler.handle_progress(Lane::Hot, 3, at(2));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(2)));
    let all_failed = RunOutcome { attempted: 3, failed: 3, ..RunOutcome::default() };
    scheduler.handle_finished(Lane::Hot, 1, all_failed, at(3));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(2)), "everything failed");
    scheduler.poll(at(10));
    scheduler.handle_finished(Lane::Hot, 2, RunOutcome::default(), at(11));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(11)), "nothing was due");
    scheduler.handle_progress(Lane::Hot, 1, at(14));
    scheduler.poll(at(20));
    let between = RunOutcome { attempted: 1, processed: 1, ..RunOutcome::default() };
    scheduler.handle_finished(Lane::Hot, 3, between, at(20));
    let progress = scheduler.status(Lane::Hot).last_progress;
    assert_eq!(progress, Some(at(20)), "nothing was due any more: it was committed between two runs");
    scheduler.poll(at(30));
    scheduler.handle_progress(Lane::Hot, 1, at(31));
    let held_up = RunOutcome { attempted: 1, processed: 1, deferred: 15, ..RunOutcome::default() };
    scheduler.handle_finished(Lane::Hot, 4, held_up, at(39));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(31)), "nothing since it was committed");
    scheduler.handle_progress(Lane::Hot, 1, at(39));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(39)), "along with another lane's");
}

#[test]
fn after_a_shutdown_nothing_starts_and_runs_in_progress_may_finish() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    scheduler.handle_shutdown();
    assert_eq!(scheduler.poll(at(0)), None, "the cold lane had not started");
    assert_eq!(scheduler.poll_timeout(), None);
    assert!(scheduler.is_running());
    assert!(scheduler.handle_finished(Lane::Hot, 1, WORK, at(100)));
    assert!(!scheduler.is_running());
    assert_eq!(scheduler.poll(at(100)), None);
    assert_eq!(scheduler.status(Lane::Hot).missed_runs, 0);
}

#[test]
fn a_run_in_which_everything_was_fresh_is_progress_and_not_conclusive() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    let left_alone = RunOutcome { cached: 40, ..RunOutcome::default() };
    scheduler.handle_finished(Lane::Hot, 1, left_alone, at(1));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, Some(at(1)), "the lane is not behind");
    assert!(!left_alone.is_conclusive() && WORK.is_conclusive() && RunOutcome::default().is_conclusive());
    let failed = RunOutcome { attempted: 1, failed: 1, ..RunOutcome::default() };
    let deferred = RunOutcome { deferred: 1, ..RunOutcome::default() };
    assert!(failed.is_conclusive() && deferred.is_conclusive());
}

#[test]
fn a_lane_is_withheld_since_upstream_became_unavailable_until_it_makes_progress() {
    let mut scheduler = scheduler();
    let withheld = || RunOutcome { deferred: 40, withheld: 40, ..RunOutcome::default() };
    scheduler.poll(at(0));
    assert!(scheduler.handle_withheld(Lane::Hot, 1, at(3)));
    assert_eq!(scheduler.status(Lane::Hot).withheld_since, Some(at(3)), "at once, not at the end of the run");
    scheduler.handle_finished(Lane::Hot, 1, withheld(), at(10));
    scheduler.poll(at(10));
    // A probe that fails is no progress either.
    let probed = RunOutcome { attempted: 30, failed: 30, ..withheld() };
    scheduler.handle_finished(Lane::Hot, 2, probed, at(20));
    assert_eq!(scheduler.status(Lane::Hot).withheld_since, Some(at(3)));
    assert_eq!(scheduler.status(Lane::Hot).last_progress, None);
    scheduler.poll(at(20));
    scheduler.handle_progress(Lane::Hot, 30, at(21));
    assert_eq!(scheduler.status(Lane::Hot).withheld_since, None);
    assert!(!scheduler.handle_withheld(Lane::Hot, 2, at(22)), "a run that is over cannot be held up");
}

#[test]
fn failing_runs_are_not_withheld() {
    let mut scheduler = scheduler();
    scheduler.poll(at(0));
    scheduler.handle_withheld(Lane::Hot, 1, at(3));
    let failed = RunOutcome { attempted: 30, failed: 30, ..RunOutcome::default() };
    scheduler.handle_finished(Lane::Hot, 1, failed, at(10));
    assert_eq!(scheduler.status(Lane::Hot).withheld_since, None);
    assert_eq!(scheduler.status(Lane::Hot).last_held_up, Some(at(10)), "every attempt failed");
    scheduler.poll(at(10));
    scheduler.handle_finished(Lane::Hot, 2, RunOutcome { deferred: 30, ..RunOutcome::default() }, at(20));
    assert_eq!(scheduler.status(Lane::Hot).last_held_up, Some(at(10)), "nothing held this one up");
    for (tick, broken, last) in [(20, 30, 10), (30, 15, 10), (40, 14, 45)] {
        scheduler.poll(at(tick));
        let run = scheduler.status(Lane::Hot).runs;
        scheduler.handle_finished(Lane::Hot, run, RunOutcome { broken, ..failed }, at(tick + 5));
        let held_up = scheduler.status(Lane::Hot).last_held_up;
        assert_eq!(held_up, Some(at(last)), "{broken} of 30 failed in this process");
    }
}

fn intervals(hot: u64, cold: u64) -> ScheduleConfig {
    let settings =
        ScheduleSettings { hot_interval: Duration::from_secs(hot), cold_interval: Duration::from_secs(cold) };
    ScheduleConfig::try_new(settings).expect("valid settings")
}

#[test]
fn a_new_interval_counts_from_the_last_tick_and_does_not_affect_the_other_lane() {
    let mut scheduler = scheduler();
    while scheduler.poll(at(0)).is_some() {}
    for (hot, next) in [(30, 30), (4, 7)] {
        scheduler.reconfigure(&intervals(hot, 45), at(7));
        assert_eq!(scheduler.status(Lane::Hot).next_due, Some(at(next)));
        assert_eq!(scheduler.status(Lane::Cold).next_due, Some(at(45)));
    }
}

#[test]
fn after_a_change_the_latest_unpolled_tick_is_due_and_earlier_ones_are_missed() {
    let mut scheduler = scheduler();
    while scheduler.poll(at(0)).is_some() {}
    scheduler.handle_finished(Lane::Hot, 1, WORK, at(1));
    scheduler.reconfigure(&intervals(3_600, 45), at(35));
    assert_eq!(scheduler.status(Lane::Hot).next_due, Some(at(30)));
    assert_eq!(scheduler.poll(at(35)), Some(start(Lane::Hot, 2, 2)));
    assert_eq!(scheduler.status(Lane::Hot).next_due, Some(at(3_630)));
}

#[test]
fn a_run_in_flight_survives_a_change_and_shutdown_is_final() {
    let mut scheduler = scheduler();
    while scheduler.poll(at(0)).is_some() {}
    scheduler.reconfigure(&intervals(5, 5), at(1));
    assert!(scheduler.handle_finished(Lane::Hot, 1, WORK, at(2)));
    scheduler.handle_shutdown();
    scheduler.reconfigure(&intervals(1, 1), at(60));
    let status = scheduler.status(Lane::Cold);
    assert_eq!((status.running, status.runs, status.missed_runs, status.next_due), (true, 1, 0, None));
}
