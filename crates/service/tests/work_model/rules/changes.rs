//! What changes the work from outside: edits of the set, resets of a lane, new settings, and the stop.

use std::time::Duration;

use ttm_dispatch::Priority;
use ttm_kernel::{Incarnation, Lane};
use ttm_market::{MarketConfig, MarketSettings};
use ttm_schedule::{ScheduleConfig, ScheduleSettings};
use ttm_service::machine::{Effect, Notice};

use crate::stage::{SECOND, Stage, but};
use crate::world::{self, Says, mint, token};

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
fn a_late_failure_moves_no_token() {
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
fn an_added_token_is_asked_for_with_the_next_turn_and_a_removed_one_no_longer() {
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
fn removing_the_only_silent_token_ends_the_silence() {
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
    assert_eq!(stage.machine.poll_timeout(stage.now()) - stage.now().moment, Duration::from_millis(19_800));
    stage.answer(&batch, |_| Says::Cold);
    assert!(stage.machine.is_finished(stage.now()));
    stage.machine.finish(stage.now());
    assert_eq!(
        stage.runs(Lane::Cold).iter().map(|run| (run.processed, run.deferred)).collect::<Vec<_>>(),
        [(4, 4)]
    );
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
fn standings_of_many_added_tokens_are_published_thirty_at_a_time() {
    let mut stage = Stage::new(0);
    stage.machine.handle_set((0..100).map(token).collect(), stage.now());
    let effects = stage.effects();
    let counts = effects.iter().filter_map(|effect| match effect {
        Effect::Standing(standings) => Some(standings.len()),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [30, 30, 30, 10]);
}

#[test]
fn new_settings_change_the_lanes_of_tokens_and_their_intervals_at_once() {
    let mut stage = Stage::scored(4, but(2, Says::Hot, Says::Cold));
    let mut settings = world::settings(world::dispatch());
    let market = MarketSettings { hot_threshold: 100.0, ..MarketSettings::default() };
    settings.market = MarketConfig::try_new(market).expect("valid settings");
    let schedule = ScheduleSettings { cold_interval: 20 * SECOND, ..ScheduleSettings::default() };
    settings.schedule = ScheduleConfig::try_new(schedule).expect("valid settings");
    stage.machine.reconfigure(settings, stage.now());
    assert_eq!(stage.machine.status(Lane::Cold).next_due, Some(world::at(110 * SECOND).moment));
    let batch = stage.ask().expect("the cold tokens are due");
    assert!(!batch.mints().contains(&mint(2)), "it waits for the tick of its new lane");
    stage.answer(&batch, |_| Says::Cold);
    stage.wait(20 * SECOND);
    assert!(stage.ask().expect("all are due").mints().contains(&mint(2)));
    assert!(stage.runs(Lane::Hot).iter().all(|run| run.attempted == 0), "no token is hot any more");
}
