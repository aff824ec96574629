//! Each rule of the work by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use ttm_dispatch::{Ask, DispatchSettings, Priority, Single};
use ttm_perf::{CallSummary, ControlReason};
use ttm_service::machine::{Effect, Incarnation, Lane, Notice, Upstream};

use crate::stage::{MINUTE, SECOND, Stage, but};
use crate::world::{Says, mint, token};

/// Upstream holds calls back, but for its probes.
const AWAY: Upstream = Upstream { is_away: true, retry_at: None, share: 1.0, paused_until: None };

#[test]
fn a_token_that_is_missing_from_a_batch_and_alone_is_unlisted_and_rests() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    assert_eq!(batch.mints().len(), 4);
    stage.answer(&batch, but(2, Says::Missing, Says::Cold));
    assert!(!Stage::unlisted(&stage.effects(), mint(2)), "a batch alone says little");
    let alone = stage.ask().expect("it is asked for alone");
    assert_eq!(alone.single(), Some(mint(2)));
    stage.answer(&alone, |_| Says::Missing);
    assert!(Stage::unlisted(&stage.effects(), mint(2)));
    stage.wait(50 * SECOND);
    let batch = stage.ask().expect("the next tick");
    assert!(!batch.mints().contains(&mint(2)), "it rests for a minute");
    stage.answer(&batch, |_| Says::Cold);
    stage.wait(45 * SECOND);
    let batch = stage.ask().expect("the next tick");
    assert!(batch.mints().contains(&mint(2)), "it rides along");
    stage.answer(&batch, but(2, Says::Missing, Says::Cold));
    assert!(Stage::unlisted(&stage.effects(), mint(2)));
    assert!(stage.ask().is_none(), "it was asked for alone before");
}

#[test]
fn a_token_that_cannot_be_read_fails_and_is_not_unlisted() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.answer(&batch, but(2, Says::Unreadable, Says::Cold));
    let alone = stage.ask().expect("it is asked for alone");
    stage.answer(&alone, |_| Says::Unreadable);
    let effects = stage.effects();
    assert!(!Stage::unlisted(&effects, mint(2)));
    let ended = effects.iter().find_map(|effect| match effect {
        Effect::RunEnded { outcome, .. } => Some(outcome),
        _ => None,
    });
    let outcome = ended.expect("nothing is left to do");
    assert_eq!((outcome.processed, outcome.failed, outcome.stale), (3, 1, 1));
}

#[test]
fn a_token_that_cannot_be_read_for_half_a_minute_is_told_and_its_end_too() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let mut told = Vec::new();
    for says in [Says::Unreadable, Says::Unreadable, Says::Cold] {
        while let Some(asked) = stage.ask() {
            stage.answer(&asked, but(2, says, Says::Cold));
        }
        told.extend(stage.notices());
        stage.wait(45 * SECOND);
    }
    let why = "priceUsd".into();
    assert_eq!(told, [Notice::UnreadableBegan { mint: mint(2), why }, Notice::UnreadableEnded]);
}

#[test]
fn while_nothing_is_listed_a_missing_token_is_in_doubt_and_one_of_each_batch_is_asked_for_alone() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    for round in 0..3 {
        let batch = stage.ask().expect("a tick made them due");
        stage.answer(&batch, |_| Says::Missing);
        let mut alone = BTreeSet::new();
        while let Some(asked) = stage.ask() {
            alone.extend(asked.single());
            stage.answer(&asked, |_| Says::Missing);
        }
        // The first batch begins the silence: as many are asked for alone as there is room for.
        assert_eq!(alone.len(), if round == 0 { 2 } else { 1 }, "round {round}");
        let effects = stage.effects();
        assert!((0..4).all(|number| !Stage::unlisted(&effects, mint(number))), "round {round}");
        stage.wait(45 * SECOND);
    }
}

#[test]
fn a_doubt_ends_once_others_are_listed() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let (first, second) = (stage.ask().expect("due"), stage.ask().expect("due"));
    stage.answer(&first, |_| Says::Missing);
    let alone = stage.ask().expect("one is asked for alone");
    let doubted = alone.single().expect("alone");
    stage.answer(&alone, |_| Says::Missing);
    assert!(!Stage::unlisted(&stage.effects(), doubted), "nothing is listed");
    stage.wait(SECOND);
    stage.answer(&second, |_| Says::Cold);
    stage.wait(45 * SECOND);
    while let Some(asked) = stage.ask() {
        stage.answer(&asked, |of| if of == doubted { Says::Missing } else { Says::Cold });
    }
    assert!(Stage::unlisted(&stage.effects(), doubted));
}

#[test]
fn a_silence_is_told_once_it_lasts_for_half_a_minute() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let mut told = Vec::new();
    for says in [Says::Missing, Says::Missing, Says::Cold] {
        while let Some(asked) = stage.ask() {
            stage.answer(&asked, |_| says);
        }
        told.extend(stage.notices());
        stage.wait(45 * SECOND);
    }
    assert_eq!(told, [Notice::SilenceBegan { tokens: 4 }, Notice::SilenceEnded]);
}

#[test]
fn where_too_many_are_missing_for_single_questions_those_that_were_never_seen_rest() {
    let mut stage = Stage::new(4);
    let batch = stage.ask().expect("all are due");
    stage.answer(&batch, |_| Says::Missing);
    let alone = [stage.ask().and_then(|asked| asked.single()), stage.ask().and_then(|asked| asked.single())];
    assert!(alone.iter().all(Option::is_some), "there is room for two");
    assert!(stage.ask().is_none());
    stage.wait(44 * SECOND);
    assert!(stage.ask().is_none(), "the others are not due: they rest");
    stage.wait(2 * MINUTE);
    let batch = stage.ask().expect("they have rested");
    assert!(matches!(&batch.request.ask, Ask::Batch(asked) if asked[0].from == Priority::Background));
    assert_eq!(batch.mints().len(), 2);
}

#[test]
fn a_failure_is_no_progress_and_its_tokens_are_served_on_and_due_at_the_next_tick() {
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
fn what_is_too_old_or_unknown_is_not_served_on() {
    let mut stage = Stage::new(4);
    let batch = stage.ask().expect("all are due");
    stage.fail(&batch);
    assert_eq!(stage.runs(Lane::Cold)[0].skipped, 4, "nothing is known of them");
    let mut stage = Stage::scored(4, |_| Says::Cold);
    stage.wait(Duration::from_hours(1));
    let batch = stage.ask().expect("a tick made them due");
    stage.fail(&batch);
    assert_eq!(stage.runs(Lane::Cold).last().map(|run| run.skipped), Some(4), "the scores are an hour old");
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
fn a_run_that_finds_nothing_due_is_progress_and_one_that_leaves_everything_alone_is_none() {
    let mut stage = Stage::new(0);
    assert_eq!(stage.machine.status(Lane::Hot).last_progress, Some(crate::world::at(Duration::ZERO).moment));
    stage.wait(9 * SECOND);
    assert_eq!(stage.machine.status(Lane::Hot).last_progress, Some(stage.now().moment));
    let fresh = crate::world::dispatch();
    let fresh = DispatchSettings { cold_fresh_for: MINUTE, ..fresh };
    let mut stage = Stage::with(1, fresh);
    let batch = stage.ask().expect("it is due");
    stage.answer(&batch, |_| Says::Cold);
    let before = stage.machine.status(Lane::Cold).last_progress;
    assert!(before.is_some());
    stage.effects();
    stage.wait(45 * SECOND);
    assert!(stage.ask().is_none(), "it has just been seen");
    let runs = stage.runs(Lane::Cold);
    assert_eq!((runs[0].cached, runs[0].attempted, runs[0].deferred), (1, 0, 0));
    assert_eq!(stage.machine.status(Lane::Cold).last_progress, before);
}

#[test]
fn while_upstream_is_away_runs_are_withheld_and_single_tokens_are_tried_in_turn() {
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
fn a_token_that_makes_every_request_fail_is_found_by_halves_and_harms_no_other() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let bad = mint(3);
    let mut seen = BTreeSet::new();
    while let Some(asked) = stage.ask() {
        if asked.mints().contains(&bad) {
            stage.blame(&asked);
        } else {
            seen.extend(asked.mints());
            stage.answer(&asked, |_| Says::Cold);
        }
    }
    assert_eq!(seen.len(), 7);
    let message = "400".to_owned();
    assert_eq!(stage.notices(), [Notice::FailedAlone { mint: bad, message }]);
}

#[test]
fn a_request_that_panics_is_blamed_on_its_tokens() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.end(&batch, ttm_service::machine::Answer::Panicked);
    let half = stage.ask().expect("it is asked for by halves");
    assert_eq!(half.mints(), batch.mints()[..2]);
}

#[test]
fn a_rested_token_whose_request_fails_rests_again() {
    let mut stage = Stage::scored(2, |_| Says::Cold);
    for _ in 0..2 {
        let asked = stage.ask().expect("due, then alone");
        stage.answer(&asked, but(0, Says::Missing, Says::Cold));
    }
    stage.wait(3 * MINUTE);
    let asked = stage.ask().expect("it has rested");
    assert!(asked.mints().contains(&mint(0)));
    stage.fail(&asked);
    stage.wait(44 * SECOND);
    let asked = stage.ask().expect("the other one is due");
    assert_eq!(asked.mints(), [mint(1)], "it would come again with the next turn");
    stage.answer(&asked, |_| Says::Cold);
    stage.wait(45 * SECOND);
    assert!(stage.ask().expect("the next tick").mints().contains(&mint(0)));
}

#[test]
fn after_a_reset_a_late_answer_counts_for_the_other_lane_alone() {
    // Two hot tokens and two cold ones share a batch.
    let says = |of| if of == mint(0) || of == mint(1) { Says::Hot } else { Says::Cold };
    let mut stage = Stage::scored(4, says);
    let mixed = stage.ask().expect("both lanes are due");
    assert_eq!(mixed.mints().len(), 4);
    stage.effects();
    stage.reset(Lane::Hot);
    let runs = stage.runs(Lane::Hot);
    assert_eq!((runs[0].processed, runs[0].deferred), (0, 2), "its run ends as deferred");
    let again = stage.ask().expect("its tokens are due again at once");
    assert_eq!(again.mints(), mixed.mints()[..2], "in the same order");
    stage.answer(&mixed, says);
    assert_eq!(stage.saved(), mixed.mints()[2..]);
    stage.answer(&again, says);
    assert_eq!(stage.saved(), mixed.mints()[..2]);
    stage.wait(10 * SECOND);
    stage.wait(10 * SECOND);
    let hot: Vec<u64> = stage.runs(Lane::Hot).iter().map(|run| run.processed).collect();
    assert_eq!(hot, [2], "each was counted once");
}

#[test]
fn a_late_failure_takes_no_token_from_its_place() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.effects();
    stage.reset(Lane::Cold);
    stage.blame(&batch);
    let again = stage.ask().expect("they were taken back");
    assert_eq!(again.mints(), batch.mints());
    stage.answer(&again, |_| Says::Cold);
    assert!(stage.ask().is_none());
    stage.wait(45 * SECOND);
    stage.wait(45 * SECOND);
    let failed: Vec<u64> = stage.runs(Lane::Cold).iter().map(|run| run.failed).collect();
    assert_eq!(failed, [0, 0]);
}

#[test]
fn an_incarnation_that_is_not_newer_resets_nothing() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.effects();
    stage.machine.reset(Lane::Cold, Incarnation::FIRST, stage.now());
    assert_eq!(stage.effects(), []);
    stage.answer(&batch, |_| Says::Cold);
    assert_eq!(stage.saved().len(), 4);
}

#[test]
fn an_added_token_is_asked_for_with_the_next_turn_and_a_removed_one_not_any_more() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    while let Some(asked) = stage.ask() {
        stage.answer(&asked, |_| Says::Cold);
    }
    stage.machine.handle_set((1..=4).map(token).collect(), stage.now());
    let edited = Notice::SetEdited { added: 1, removed: 1, tokens: 4 };
    assert_eq!(stage.notices(), [edited]);
    let asked = stage.ask().expect("before the next tick");
    assert_eq!(asked.mints(), [mint(4)]);
    stage.answer(&asked, |_| Says::Cold);
    stage.wait(45 * SECOND);
    let asked = stage.ask().expect("the next tick");
    assert!(!asked.mints().contains(&mint(0)));
}

#[test]
fn an_answer_for_a_token_that_was_removed_meanwhile_has_no_effect() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.machine.handle_set((1..4).map(token).collect(), stage.now());
    stage.effects();
    stage.answer(&batch, |_| Says::Cold);
    assert!(!stage.saved().contains(&mint(0)));
    stage.wait(45 * SECOND);
    assert!(!stage.ask().expect("the next tick").mints().contains(&mint(0)));
}

#[test]
fn a_removed_token_ends_the_silence_that_it_was_all_of() {
    let mut stage = Stage::scored(1, |_| Says::Cold);
    for _ in 0..2 {
        while let Some(asked) = stage.ask() {
            stage.answer(&asked, |_| Says::Missing);
        }
        stage.wait(45 * SECOND);
    }
    let silence = |effects: Vec<Effect>| {
        effects.into_iter().rev().find_map(|effect| match effect {
            Effect::Unanswered { silence, .. } => Some(silence.map(|silence| silence.tokens)),
            _ => None,
        })
    };
    assert_eq!(silence(stage.effects()), Some(Some(1)));
    stage.machine.handle_set(Vec::new(), stage.now());
    assert_eq!(silence(stage.effects()), Some(None));
}

#[test]
fn after_the_stop_nothing_is_asked_for_and_what_is_in_flight_ends() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let batch = stage.ask().expect("a tick made them due");
    stage.effects();
    stage.machine.stop(stage.now().moment + 20 * SECOND);
    assert_eq!(stage.notices(), [Notice::Stopping { in_flight: 1 }]);
    assert!(stage.ask().is_none() && !stage.machine.is_finished(stage.now()));
    assert_eq!(stage.machine.poll_timeout(stage.now()) - stage.now().moment, 20 * SECOND - Duration::from_millis(200));
    stage.answer(&batch, |_| Says::Cold);
    assert!(stage.machine.is_finished(stage.now()));
    stage.machine.finish(stage.now());
    assert_eq!(stage.runs(Lane::Cold).iter().map(|run| (run.processed, run.deferred)).collect::<Vec<_>>(), [(4, 4)]);
}

#[test]
fn what_is_in_flight_at_the_deadline_of_the_stop_is_given_up() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    stage.ask().expect("a tick made them due");
    stage.machine.stop(stage.now().moment + 20 * SECOND);
    stage.machine.stop(stage.now().moment + 30 * SECOND);
    stage.wait(20 * SECOND);
    assert!(stage.machine.is_finished(stage.now()), "a second order does not put it off");
    stage.effects();
    stage.machine.finish(stage.now());
    assert_eq!(stage.notices(), [Notice::GivenUp { priority: Priority::Cold }]);
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
fn an_answer_has_a_turn_asked_for_at_once_though_the_breaker_refused_one() {
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
        Effect::Control(change) if (change.from, change.to) == (32, 16) && change.reason == ControlReason::Errors)));
    let mut in_flight = 0;
    while stage.ask().is_some() {
        in_flight += 1;
    }
    assert_eq!(in_flight, 16);
    stage.wait(10 * SECOND);
    assert!(stage.machine.wants_calls(stage.now()).is_some());
}

#[test]
fn lists_that_are_only_good_to_have_are_wanted_while_few_wait() {
    let dispatch = DispatchSettings { lists: 1_000, ..crate::world::dispatch() };
    let mut stage = Stage::with(60, dispatch);
    let mut lists = 0;
    let mut batches = Vec::new();
    // Turns go to batches as long as there are any; the lists come last.
    while stage.machine.wants_turn(stage.now()) || { stage.wait(SECOND / 5); stage.machine.wants_turn(stage.now()) } {
        let Some((id, request)) = stage.machine.poll_request(stage.now()) else { break };
        let asked = crate::stage::Asked { id, request };
        lists += u32::from(matches!(asked.request.ask, Ask::One(_, Single::List)));
        stage.answer(&asked, |_| Says::Thin);
        batches.push(asked);
    }
    assert_eq!(lists, 16);
}
