//! The breaker against its reference model: any sequence of steps, the same answers and the same snapshots.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use ttm_breaker::testing::{Model, Seen, Step, any_settings, any_step};
use ttm_breaker::{Breaker, BreakerConfig, Permit, State};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

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

/// The real breaker. It is leaked, because a test that owns both the breaker and its permits would borrow itself.
struct Subject {
    breaker: &'static Breaker,
    permits: Vec<Option<Permit<'static>>>,
    /// The last `now` before this step.
    last_now: Moment,
    /// Where its transitions have led so far.
    state: State,
    generation: u64,
    /// The most probes that the settings allowed in this generation.
    probes_allowed: u32,
}

impl Subject {
    fn new(model: &Model) -> Self {
        Self {
            breaker: new_breaker(model),
            permits: Vec::new(),
            last_now: model.now(),
            state: State::Closed,
            generation: 0,
            probes_allowed: 0,
        }
    }

    /// Transitions follow each other without a gap, and end in the present state.
    fn follow(&mut self, model: &Model) {
        while let Some(transition) = self.breaker.poll_transition() {
            assert_eq!(transition.from, self.state);
            assert_eq!(transition.retry_at.is_some(), transition.to == State::Open);
            if transition.suppressed.is_some() {
                assert!(model.settings().metrics_only && transition.generation == self.generation);
                continue;
            }
            assert!(
                !model.settings().metrics_only || !matches!(transition.to, State::Open | State::HalfOpen)
            );
            assert_eq!(transition.generation, self.generation + 1);
            (self.state, self.generation) = (transition.to, transition.generation);
            self.probes_allowed = 0;
        }
        self.probes_allowed = self.probes_allowed.max(model.settings().half_open_max_calls);
        let end = self.breaker.snapshot(model.now());
        assert_eq!((self.state, self.generation), (end.state, end.generation));
    }
}

fn new_breaker(model: &Model) -> &'static Breaker {
    let config = BreakerConfig::try_new(model.settings().clone()).expect("the strategy makes valid settings");
    Box::leak(Box::new(Breaker::new("subject", config, Arc::new(SeededEntropy::new(0)))))
}

struct Machine;

impl StateMachineTest for Machine {
    type SystemUnderTest = Subject;
    type Reference = Reference;

    fn init_test(model: &Model) -> Subject {
        Subject::new(model)
    }

    fn apply(mut subject: Subject, model: &Model, step: Step) -> Subject {
        let breaker = subject.breaker;
        let now = model.now();
        let mut take = |permit: usize| subject.permits[permit].take().expect("the model says that it is out");
        let seen = match step {
            Step::Admit => match breaker.admit(now) {
                Ok(permit) => {
                    let probe = permit.is_probe();
                    subject.permits.push(Some(permit));
                    Seen::Admitted { probe }
                }
                Err(rejected) => Seen::Rejected(rejected),
            },
            Step::Report { permit, outcome, took: None } => Seen::Reported(take(permit).report(outcome, now)),
            Step::Report { permit, outcome, took: Some(took) } => {
                Seen::Reported(take(permit).report_timed(outcome, took, now))
            }
            Step::Drop { permit } => {
                drop(take(permit));
                Seen::Nothing
            }
            Step::Leak { permit } => {
                std::mem::forget(take(permit));
                Seen::Nothing
            }
            Step::Wait(_) | Step::Rewind(_) => Seen::Nothing,
            Step::ForceOpen => {
                breaker.force_open(now);
                Seen::Nothing
            }
            Step::Disable => {
                breaker.disable(now);
                Seen::Nothing
            }
            Step::Reset => {
                breaker.reset(now);
                Seen::Nothing
            }
            Step::Reconfigure(settings) => {
                let config = BreakerConfig::try_new(*settings).expect("the strategy makes valid settings");
                breaker.reconfigure(config, now);
                Seen::Nothing
            }
            Step::Restart(after) => {
                let saved = breaker.save(subject.last_now);
                subject.permits.drain(..).for_each(std::mem::forget);
                subject = Subject::new(model);
                subject.breaker.restore(saved, after, now);
                Seen::Nothing
            }
        };
        assert_eq!(seen, model.seen());
        subject.last_now = now;
        subject.follow(model);
        subject
    }

    fn check_invariants(subject: &Subject, model: &Model) {
        let snapshot = subject.breaker.snapshot(model.now());
        assert_eq!(snapshot, model.snapshot());
        let rejected = subject.breaker.check(model.now()).err();
        assert_eq!(rejected.map(|rejected| rejected.retry_at), snapshot.retry_at);
        assert!(
            u64::from(snapshot.probes_in_flight) + snapshot.counts.successes <= subject.probes_allowed.into()
                || snapshot.state != State::HalfOpen
        );
    }
}

prop_state_machine! {
    #![proptest_config(Config { cases: 2_048, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_breaker_does_what_its_model_does(sequential 1..80 => Machine);
}
