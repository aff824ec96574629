//! The work against a model that knows of each token where it is: any history of answers, failures, edits, resets and
//! outages, and each rule by itself.

mod fairness;
mod model;
mod replacement;
mod rules;
mod stage;
mod steps;
mod world;

use proptest::prelude::*;

use model::Model;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_asked_for_once_at_a_time_accounted_for_and_never_lost(
        steps in prop::collection::vec(steps::step(), 1..250),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step)?;
        }
        model.drain()?;
    }

    #[test]
    fn nothing_is_asked_for_once_the_stop_is_ordered_and_every_run_ends(
        steps in prop::collection::vec(steps::step(), 1..100), after in prop::collection::vec(steps::step(), 1..30),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step)?;
        }
        model.stop()?;
        for step in after {
            model.apply(step)?;
        }
        model.finish()?;
    }
}
