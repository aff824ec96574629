//! The engine against its reference model: any sequence of steps, the same turns and the same states.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use ttm_alert::testing::{EngineModel, Measured, Step, any_step, rule_set, wall};
use ttm_alert::{Engine, Measurement, SavedAlert};
use ttm_kernel::{Epoch, Moment};

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = EngineModel;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<EngineModel> {
        Just(EngineModel::default()).boxed()
    }

    fn transitions(_: &EngineModel) -> BoxedStrategy<Step> {
        any_step()
    }

    fn apply(mut model: EngineModel, step: &Step) -> EngineModel {
        model.apply(step);
        model
    }
}

struct Machine;

fn measurement(measured: &Measured) -> Measurement {
    let Measured { series, labels, reading } = measured.clone();
    Measurement { series, labels, reading, at: wall(0) }
}

fn line(alert: &SavedAlert) -> String {
    let SavedAlert { key, phase, held, worse, worse_held, .. } = alert;
    format!("{}{{{}}} {phase} {held:?}, {worse} {worse_held:?}", key.rule, key.labels)
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Engine;
    type Reference = Reference;

    fn init_test(_: &EngineModel) -> Engine {
        Engine::new(rule_set(), Epoch::new(1), Moment::ZERO)
    }

    fn apply(mut engine: Engine, model: &EngineModel, step: Step) -> Engine {
        let now = Moment::from_origin(model.now());
        match step {
            Step::Evaluate { collector, mentions } => {
                engine.begin(collector, now);
                for measured in &mentions {
                    engine.handle(&measurement(measured)).expect("it fits");
                }
                engine.end(collector);
            }
            Step::Happens(measured) => engine.handle(&measurement(&measured)).expect("it fits"),
            Step::Pass(_) => engine.handle_timeout(now, wall(0)),
            Step::Restart => {
                let saved: Vec<SavedAlert> = engine.all().collect();
                engine = Engine::new(rule_set(), Epoch::new(2), now);
                engine.restore(&saved, wall(0));
            }
            Step::Reload => engine.reconfigure(rule_set(), now, wall(0)),
        }
        while engine.poll(1, wall(0)) {}
        let turns = std::iter::from_fn(|| engine.poll_transition());
        let mut turns: Vec<String> = turns
            .map(|it| {
                let is_of_episode = it.episode.is_some();
                let line = format!("{}{{{}}} {:?}", it.key.rule, it.key.labels, it.turn);
                let fires = !line.ends_with("Pending") && !line.ends_with("Cancelled");
                assert_eq!(is_of_episode, fires, "{line}");
                line
            })
            .collect();
        turns.sort_unstable();
        assert_eq!(turns, model.turns());
        engine
    }

    fn check_invariants(engine: &Engine, model: &EngineModel) {
        let mut lines: Vec<String> = engine.all().map(|alert| line(&alert)).collect();
        lines.sort_unstable();
        assert_eq!(lines, model.state());
        assert_eq!(engine.active(), lines.len());
        assert_eq!(engine.refused(), 0);
    }
}

prop_state_machine! {
    #![proptest_config(Config {
        cases: 512,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn an_engine_does_what_its_model_does(sequential 1..60 => Machine);
}
