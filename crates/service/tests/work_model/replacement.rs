//! A machine that replaces another one continues it.

use std::time::Duration;

use proptest::prelude::*;
use ttm_dispatch::{Ask, Priority, Single};
use ttm_kernel::{Lane, PerLane};
use ttm_market::Mint;
use ttm_perf::CallSummary;
use ttm_service::machine::{Answer, Effect, Failed, Machine, Notice, Upstream};

use crate::model::Model;
use crate::stage::{Asked, MINUTE, SECOND, Stage, but};
use crate::steps;
use crate::world::{self, Says, mint};

/// What a machine asks for, by where it comes from.
#[derive(Debug, Default, PartialEq)]
struct Order {
    lanes: PerLane<Vec<Mint>>,
    rested: Vec<Mint>,
    alone: PerLane<Vec<Mint>>,
}

impl Order {
    fn sorted(mut self) -> Self {
        let Self { lanes, rested, alone } = &mut self;
        for order in [&mut lanes.hot, &mut lanes.cold, rested, &mut alone.hot, &mut alone.cold] {
            order.sort();
        }
        self
    }
}

/// Everything that the machine asks for until the next tick, if every request fails.
fn ask_for_all(machine: &mut Machine, tick: Duration) -> Order {
    let mut order = Order::default();
    machine.handle_upstream(Upstream::default());
    machine.handle_timeout(world::at(tick));
    // A batch that is not full waits a moment for company.
    let now = world::at(tick + SECOND);
    while let Some((id, request)) = machine.poll_request(now) {
        match &request.ask {
            Ask::Batch(asked) => {
                for asked in asked {
                    match asked.from {
                        Priority::Hot => order.lanes.hot.push(asked.key),
                        Priority::Cold => order.lanes.cold.push(asked.key),
                        _ => order.rested.push(asked.key),
                    }
                }
            }
            Ask::One(asked, Single::Unanswered) => {
                let lane = asked.from.lane();
                order.alone[lane].push(asked.key);
            }
            Ask::One(_, Single::List) => {}
        }
        let failed = Failed { may_be_the_tokens: false, message: "no answer".to_owned() };
        machine.handle_answer(id, Answer::Failed(failed), now);
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_asks_for_the_same_tokens_in_the_same_order(steps in prop::collection::vec(steps::step(), 1..200)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step)?;
        }
        model.answer_all()?;
        prop_assume!(!model.has_suspects());
        let (mut before, settings, boot, since) = model.into_machine();
        let mut after = Machine::boot(settings, boot, world::at(since));
        for lane in Lane::ALL {
            let of = |machine: &Machine| (machine.status(lane).next_due, machine.status(lane).runs);
            prop_assert_eq!(of(&before), of(&after), "{}", lane);
        }
        prop_assert_eq!(ask_for_all(&mut before, since), ask_for_all(&mut after, since));
        // What priorities are owed began anew, so that tokens that moved to another lane may have failed earlier or later.
        for tick in [60, 120, 240] {
            let tick = since + tick * SECOND;
            let [before, after] = [&mut before, &mut after].map(|machine| ask_for_all(machine, tick).sorted());
            prop_assert_eq!(before, after);
        }
    }
}

#[test]
fn ticks_missed_runs_and_control_go_on() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let millis = |millis| Some(Duration::from_millis(millis));
    let calls =
        CallSummary { calls: 100, errors: 50, p95: millis(100), p99: millis(500), ..CallSummary::default() };
    stage.machine.handle_calls(&calls, stage.now());
    stage.machine.handle_calls(&calls, stage.now());
    let looked_up = |effects: Vec<Effect>| {
        effects.into_iter().rev().find_map(|effect| match effect {
            Effect::Plan { asked, .. } => Some(asked),
            _ => None,
        })
    };
    assert_eq!(looked_up(stage.effects()), Some(4), "in the first round");
    let before = PerLane::from_fn(|lane| stage.machine.status(lane));
    stage.replace();
    for lane in Lane::ALL {
        let (before, after) = (before[lane], stage.machine.status(lane));
        assert_eq!(
            (after.next_due, after.runs, after.missed_runs),
            (before.next_due, before.runs, before.missed_runs)
        );
        assert!(!after.running && after.last_progress == before.last_progress);
    }
    assert_eq!(stage.machine.wants_calls(stage.now()), None, "it has just looked");
    let effects = stage.effects();
    assert!(effects.contains(&Effect::AttemptTimeout(Duration::from_millis(1_500))), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Show(_))), "readers see them already");
    let due = stage.ask().expect("what was due is due");
    stage.answer(&due, |_| Says::Cold);
    stage.machine.handle_calls(&calls, stage.now());
    assert_eq!(looked_up(stage.effects()), Some(8), "they are counted on");
}

#[test]
fn as_many_requests_may_be_in_flight_as_before() {
    let mut stage = Stage::scored(60, |_| Says::Cold);
    let calls = CallSummary { calls: 100, errors: 50, p95: Some(SECOND), ..CallSummary::default() };
    stage.machine.handle_calls(&calls, stage.now());
    stage.replace();
    let in_flight: Vec<_> = std::iter::from_fn(|| stage.ask()).collect();
    assert_eq!(in_flight.len(), 2, "half of four");
}

#[test]
fn tokens_that_were_not_asked_for_yet_come_before_those_that_were_put_back() {
    let mut stage = Stage::new(8);
    let first = stage.ask().expect("all are due");
    stage.answer(&first, |_| Says::Cold);
    stage.wait(45 * SECOND);
    stage.replace();
    let second = stage.ask().expect("all are due");
    assert!(second.mints().iter().all(|mint| !first.mints().contains(mint)));
}

#[test]
fn an_unlisted_token_backs_off_until_the_same_time() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    for _ in 0..2 {
        let asked = stage.ask().expect("due, then alone");
        stage.answer(&asked, but(2, Says::Missing, Says::Cold));
    }
    stage.wait(50 * SECOND);
    stage.replace();
    let batch = stage.ask().expect("the others are due");
    assert!(!batch.mints().contains(&mint(2)));
    stage.answer(&batch, |_| Says::Cold);
    stage.wait(45 * SECOND);
    assert!(stage.ask().expect("the next tick").mints().contains(&mint(2)));
}

#[test]
fn an_unlisted_token_that_was_suspected_goes_along_with_others_again() {
    let rides = |asked: &Asked| match &asked.request.ask {
        Ask::Batch(asked) => asked.iter().find(|asked| asked.from == Priority::Background).map(|it| it.key),
        Ask::One(..) => None,
    };
    let mut stage = Stage::scored(4, |_| Says::Cold);
    for wait in [0, 0, 50] {
        stage.wait(wait * SECOND);
        let asked = stage.ask().expect("due, then alone, then the next tick");
        stage.answer(&asked, but(2, Says::Missing, Says::Cold));
    }
    stage.wait(45 * SECOND);
    let asked = stage.ask().expect("all are due");
    assert_eq!(rides(&asked), Some(mint(2)));
    stage.blame(&asked);
    stage.replace();
    let asked = stage.ask().expect("what was suspected is due");
    assert_eq!((rides(&asked), asked.mints().len()), (Some(mint(2)), 4));
}

#[test]
fn a_token_that_makes_every_request_fail_backs_off_as_before() {
    let mut stage = Stage::scored(8, |_| Says::Cold);
    let bad = mint(3);
    // Fails alone for the first time, and a minute later for the second.
    for _ in 0..2 {
        while let Some(asked) = stage.ask() {
            if asked.mints().contains(&bad) {
                stage.blame(&asked);
            } else {
                stage.answer(&asked, |_| Says::Cold);
            }
        }
        stage.wait(70 * SECOND);
    }
    assert_eq!(stage.notices().iter().filter(|told| matches!(told, Notice::FailedAlone { .. })).count(), 2);
    stage.replace();
    while let Some(asked) = stage.ask() {
        assert!(!asked.mints().contains(&bad), "it rests for two minutes");
        stage.answer(&asked, |_| Says::Cold);
    }
    stage.wait(MINUTE);
    let mut alone = 0;
    while let Some(asked) = stage.ask() {
        if asked.mints().contains(&bad) {
            assert_eq!(asked.mints(), [bad], "it is known to be bad");
            stage.blame(&asked);
            alone += 1;
        } else {
            stage.answer(&asked, |_| Says::Cold);
        }
    }
    assert_eq!(alone, 1);
    for (minutes, asked_for) in [(3, false), (2, true)] {
        stage.wait(minutes * MINUTE);
        let mut is_asked_for = false;
        while let Some(asked) = stage.ask() {
            is_asked_for |= asked.mints().contains(&bad);
            stage.answer(&asked, |_| Says::Cold);
        }
        assert_eq!(is_asked_for, asked_for, "it rests for four minutes after the third time");
    }
}

#[test]
fn tokens_in_flight_are_asked_for_again_and_counted_once() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    let lost = stage.ask().expect("a tick made them due");
    stage.replace();
    let again = stage.ask().expect("they are due");
    assert_eq!(again.mints(), lost.mints());
    stage.answer(&again, |_| Says::Cold);
    assert_eq!(stage.saved(), again.mints());
    stage.wait(45 * SECOND);
    stage.wait(45 * SECOND);
    assert_eq!(stage.runs(Lane::Cold)[0].processed, 4);
}

#[test]
fn a_lane_goes_on_counting_its_incarnations() {
    let mut stage = Stage::scored(4, |_| Says::Cold);
    stage.reset(Lane::Cold);
    stage.replace();
    stage.effects();
    stage.reset(Lane::Cold);
    assert_eq!(stage.notices(), [], "the first new one is not newer any more");
}
