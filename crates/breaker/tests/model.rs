//! The breaker against its reference model: any sequence of steps, the same answers and the same snapshots.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use ttm_breaker::testing::{Driver, Model, Step, any_settings, any_step};

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        any_settings().prop_map(Model::new).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        any_step(model)
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        model.allows(step)
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.apply(step);
        model
    }
}

struct Machine;

impl StateMachineTest for Machine {
    type SystemUnderTest = Driver;
    type Reference = Reference;

    fn init_test(model: &Model) -> Driver {
        Driver::new(model)
    }

    fn apply(mut driver: Driver, model: &Model, step: Step) -> Driver {
        driver.step(model, step);
        driver
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 2_048, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_breaker_does_what_its_model_does(sequential 1..80 => Machine);
}

#[test]
#[should_panic(expected = "what the caller saw: expected Rejected")]
fn a_breaker_that_does_otherwise_is_told() {
    let settings = any_settings().new_tree(&mut TestRunner::deterministic()).expect("drawn").current();
    let mut model = Model::new(settings);
    let mut driver = Driver::new(&model);
    // The model alone is forced open.
    model.apply(&Step::ForceOpen);
    model.apply(&Step::Admit);
    driver.step(&model, Step::Admit);
}
