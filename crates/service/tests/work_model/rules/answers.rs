//! What is made of an answer or a failure.

use std::collections::BTreeSet;

use ttm_dispatch::{Ask, Priority};
use ttm_kernel::Lane;
use ttm_market::Mint;
use ttm_service::machine::{Answer, Effect, Failed, Notice};

use crate::stage::{MINUTE, SECOND, Stage, but};
use crate::world::{Says, mint};

#[test]
fn a_token_that_is_missing_from_a_batch_and_alone_is_unlisted_and_backs_off() {
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
fn a_token_that_cannot_be_read_for_half_a_minute_is_reported_and_so_is_the_end() {
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
fn a_silence_is_reported_once_it_has_lasted_half_a_minute() {
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
fn if_too_many_are_missing_for_single_requests_those_that_were_never_seen_back_off() {
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
fn a_token_that_makes_every_request_fail_is_found_by_halves_and_delays_no_other() {
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
    stage.end(&batch, Answer::Panicked("boom".to_owned()));
    let told = Notice::Panicked { lane: Lane::Cold, message: "boom".to_owned() };
    assert_eq!(stage.notices(), [told]);
    let half = stage.ask().expect("it is asked for by halves");
    assert_eq!(half.mints(), batch.mints()[..2]);
}

#[test]
fn what_panics_or_hangs_failed_here_and_what_upstream_refuses_did_not() {
    let endings: [(fn() -> Answer, u64); 3] = [
        (|| Answer::Panicked("boom".to_owned()), 1),
        (|| Answer::Aborted, 1),
        (|| Answer::Failed(Failed { may_be_the_tokens: false, message: "503".to_owned() }), 0),
    ];
    for (ending, broken) in endings {
        let mut stage = Stage::scored(1, |_| Says::Cold);
        let asked = stage.ask().expect("a tick made it due");
        stage.end(&asked, ending());
        stage.wait(45 * SECOND);
        let [.., run] = stage.runs(Lane::Cold)[..] else { panic!("no run ended") };
        assert_eq!((run.failed, run.broken), (1, broken), "{:?}", ending());
    }
}

/// Each request panics until none can be made for so long; `answers` says which are answered instead.
fn panics(stage: &mut Stage, answers: impl Fn(&[Mint]) -> bool) {
    while let Some(asked) = stage.ask() {
        if answers(&asked.mints()) {
            stage.answer(&asked, |_| Says::Cold);
        } else {
            stage.end(&asked, Answer::Panicked("boom".to_owned()));
        }
    }
}

#[test]
fn a_restart_or_another_machine_does_not_make_a_lane_get_on_whose_requests_all_panic() {
    let changes: [fn(&mut Stage); 2] = [|stage| stage.reset(Lane::Cold), |stage| stage.replace()];
    for change in changes {
        let mut stage = Stage::scored(4, |_| Says::Cold);
        let before = stage.machine.status(Lane::Cold).last_progress;
        panics(&mut stage, |_| false);
        // They are due again after the next tick.
        assert!(stage.machine.has_nothing_due(Lane::Cold) && !stage.machine.is_at_rest(Lane::Cold));
        change(&mut stage);
        assert!(stage.machine.has_nothing_due(Lane::Cold) && !stage.machine.is_at_rest(Lane::Cold));
        assert_eq!(stage.machine.status(Lane::Cold).last_progress, before);
        stage.wait(3 * MINUTE);
        panics(&mut stage, |_| true);
        assert!(
            stage.machine.status(Lane::Cold).last_progress > before && stage.machine.is_at_rest(Lane::Cold)
        );
    }
}

#[test]
fn a_token_whose_requests_alone_panic_does_not_keep_its_lane_from_getting_on() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    for _ in 0..10 {
        let before = stage.machine.status(Lane::Cold).last_progress;
        panics(&mut stage, |mints| !mints.contains(&mint(0)));
        assert!(stage.machine.status(Lane::Cold).last_progress > before);
        // Its own failures, alone or not, say nothing of the others.
        assert!(stage.machine.is_at_rest(Lane::Cold), "{:?}", stage.machine.status(Lane::Cold));
        stage.wait(3 * MINUTE);
    }
}

#[test]
fn a_few_answers_among_many_requests_that_panic_are_no_progress() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let (lucky, before) = (mint(0), stage.machine.status(Lane::Cold).last_progress);
    panics(&mut stage, |mints| mints == [lucky]);
    assert_eq!(stage.machine.status(Lane::Cold).last_progress, before, "one of eight was answered");
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let before = stage.machine.status(Lane::Cold).last_progress;
    panics(&mut stage, |mints| mints.len() == 4 && !mints.contains(&lucky) || mints == [lucky]);
    assert!(stage.machine.status(Lane::Cold).last_progress > before, "half of them were answered");
}

#[test]
fn a_lane_whose_requests_all_panic_is_not_at_rest_between_its_runs() {
    let mut stage = Stage::scored(2, |_| Says::Cold);
    assert!(stage.machine.is_at_rest(Lane::Hot));
    let rests: [bool; 3] = [false, false, true].map(|answers| {
        while let Some(asked) = stage.ask() {
            if answers {
                stage.answer(&asked, |_| Says::Cold);
            } else {
                stage.end(&asked, Answer::Panicked("boom".to_owned()));
            }
        }
        assert!(stage.machine.has_nothing_due(Lane::Cold));
        let rests = stage.machine.is_at_rest(Lane::Cold);
        stage.wait(3 * MINUTE);
        rests
    });
    assert_eq!(rests, [false, false, true]);
}

#[test]
fn a_token_whose_requests_keep_failing_alone_cannot_be_read_until_one_is_answered() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let bad = mint(1);
    let mut told = Vec::new();
    for second in 0..600 {
        while let Some(asked) = stage.ask() {
            if second < 300 && asked.mints().contains(&bad) {
                stage.blame(&asked);
            } else {
                stage.answer(&asked, |_| Says::Cold);
            }
        }
        told.extend(
            stage.notices().into_iter().filter(|notice| !matches!(notice, Notice::FailedAlone { .. })),
        );
        stage.wait(SECOND);
    }
    assert_eq!(told, [Notice::UnreadableBegan { mint: bad, why: "400".into() }, Notice::UnreadableEnded]);
}

#[test]
fn a_token_whose_request_fails_after_its_backoff_backs_off_again() {
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
