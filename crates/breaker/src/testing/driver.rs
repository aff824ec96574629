//! Drives a breaker step by step beside its [`Model`], and holds what it does and shows against the model's.
//!
//! ```
//! use proptest::strategy::{Strategy, ValueTree};
//! use proptest::test_runner::TestRunner;
//! use ttm_breaker::testing::{Driver, Model, any_settings, any_step};
//!
//! let mut runner = TestRunner::deterministic();
//! let mut model = Model::new(any_settings().new_tree(&mut runner).expect("drawn").current());
//! let mut driver = Driver::new(&model);
//! for _ in 0..50 {
//!     let step = any_step(&model).new_tree(&mut runner).expect("drawn").current();
//!     if model.allows(&step) {
//!         model.apply(&step);
//!         driver.step(&model, step);
//!     }
//! }
//! assert_eq!(driver.breaker().snapshot(model.now()), model.snapshot());
//! ```

use std::sync::Arc;

use ttm_kernel::testing::expect;
use ttm_kernel::{Entropy, Moment};

use super::{Model, Seen, Step};
use crate::{Breaker, BreakerConfig, BreakerSettings, Permit, State};

/// A breaker, the calls that it has admitted, and where its transitions have led. The breaker is leaked: a driver that owned it and its
/// permits would borrow itself.
#[derive(Debug)]
pub struct Driver {
    breaker: &'static Breaker,
    permits: Vec<Option<Permit<'static>>>,
    /// The last `now` before this step.
    last_now: Moment,
    state: State,
    generation: u64,
    /// The most probes that the settings allowed in this generation.
    probes_allowed: u32,
}

/// The model has no jitter, so nothing is drawn.
struct NoChance;

impl Entropy for NoChance {
    fn next_u64(&self) -> u64 {
        0
    }
}

fn config(settings: &BreakerSettings) -> BreakerConfig {
    BreakerConfig::try_new(settings.clone()).expect("a model's settings are valid")
}

impl Driver {
    /// A new breaker with the model's settings.
    pub fn new(model: &Model) -> Self {
        let breaker = Breaker::new("subject", config(model.settings()), Arc::new(NoChance));
        Self {
            breaker: Box::leak(Box::new(breaker)),
            permits: Vec::new(),
            last_now: model.now(),
            state: State::Closed,
            generation: 0,
            probes_allowed: 0,
        }
    }

    /// The breaker; after a restart another one.
    pub const fn breaker(&self) -> &'static Breaker {
        self.breaker
    }

    /// Takes the step that the model has just taken, and panics unless its caller saw the same, its transitions follow each other, and
    /// the breaker shows what the model does.
    pub fn step(&mut self, model: &Model, step: Step) {
        let seen = self.take(model, step);
        expect("what the caller saw", model.seen(), seen);
        self.last_now = model.now();
        self.follow(model);
        self.compare(model);
    }

    fn take(&mut self, model: &Model, step: Step) -> Seen {
        let (breaker, now) = (self.breaker, model.now());
        let mut permit =
            |number: usize| self.permits[number].take().expect("the model says that the call is out");
        match step {
            Step::Admit => match breaker.admit(now) {
                Ok(permit) => {
                    let probe = permit.is_probe();
                    self.permits.push(Some(permit));
                    return Seen::Admitted { probe };
                }
                Err(rejected) => return Seen::Rejected(rejected),
            },
            Step::Report { permit: number, outcome, took: None } => {
                return Seen::Reported(permit(number).report(outcome, now));
            }
            Step::Report { permit: number, outcome, took: Some(took) } => {
                return Seen::Reported(permit(number).report_timed(outcome, took, now));
            }
            Step::Drop { permit: number } => drop(permit(number)),
            Step::Leak { permit: number } => std::mem::forget(permit(number)),
            Step::Wait(_) | Step::Rewind(_) => {}
            Step::ForceOpen => breaker.force_open(now),
            Step::Disable => breaker.disable(now),
            Step::Reset => breaker.reset(now),
            Step::Reconfigure(settings) => breaker.reconfigure(config(&settings), now),
            Step::Restart(after) => {
                let saved = breaker.save(self.last_now);
                self.permits.drain(..).for_each(std::mem::forget);
                *self = Self::new(model);
                self.breaker.restore(saved, after, now);
            }
        }
        Seen::Nothing
    }

    /// Transitions follow each other without a gap, and end in the present state.
    fn follow(&mut self, model: &Model) {
        let settings = model.settings();
        while let Some(transition) = self.breaker.poll_transition() {
            expect("where a transition begins", self.state, transition.from);
            expect(
                "that it says when to try again",
                transition.to == State::Open,
                transition.retry_at.is_some(),
            );
            if transition.suppressed.is_some() {
                expect("that only metrics are kept", true, settings.metrics_only);
                expect("the generation of a suppressed one", self.generation, transition.generation);
                continue;
            }
            let is_refusing = matches!(transition.to, State::Open | State::HalfOpen);
            expect(
                "that it refuses while only metrics are kept",
                false,
                settings.metrics_only && is_refusing,
            );
            expect("the generation", self.generation + 1, transition.generation);
            (self.state, self.generation) = (transition.to, transition.generation);
            self.probes_allowed = 0;
        }
        self.probes_allowed = self.probes_allowed.max(settings.half_open_max_calls);
        let end = self.breaker.snapshot(model.now());
        expect("where the transitions end", (self.state, self.generation), (end.state, end.generation));
    }

    fn compare(&self, model: &Model) {
        let shown = self.breaker.snapshot(model.now());
        expect("what it shows", &model.snapshot(), &shown);
        let rejected = self.breaker.check(model.now()).err().map(|rejected| rejected.retry_at);
        expect("when it would admit a call", shown.retry_at, rejected);
        let probes = u64::from(shown.probes_in_flight) + shown.counts.successes;
        let is_within = probes <= self.probes_allowed.into() || shown.state != State::HalfOpen;
        assert!(is_within, "probes: expected at most {}, got {probes}", self.probes_allowed);
    }
}
