//! What a simulation came to, and the text that a failure prints: enough to see it and one line to replay it.

use std::fmt;

use crate::oracle::Availability;
use crate::simulation::{Plan, SLOT};
use crate::world::{ExchangeCounts, SampleLedger};

/// What a simulation came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// One number for everything that happened.
    pub hash: u64,
    /// How often a task was polled.
    pub polls: u64,
    /// What readers got.
    pub availability: Availability,
    /// What the API saw.
    pub requests: ExchangeCounts,
    /// What the history knows.
    pub samples: SampleLedger,
    /// How often the process booted.
    pub boots: u32,
    /// How often it was stopped in an orderly way.
    pub stops: u32,
    /// Every promise that was broken.
    pub broken: Vec<String>,
    /// The last 200 events.
    pub last_events: Vec<String>,
}

impl Outcome {
    /// Nothing, or the text of the failure.
    ///
    /// # Errors
    /// When a promise was broken.
    pub fn verdict(&self, plan: &Plan) -> Result<(), Failure> {
        if self.broken.is_empty() { Ok(()) } else { Err(Failure { plan: plan.clone(), outcome: self.clone() }) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, samples, .. } = self;
        write!(
            f,
            "available {:.3} % (longest gap {:?}), {} requests ({} in the busiest minute), {} samples, {} boots, \
             {} stops, {} polls, trace {:016x}",
            100.0 * self.availability.share(),
            self.availability.longest_down(SLOT),
            requests.requests,
            requests.busiest_minute,
            samples.stored,
            self.boots,
            self.stops,
            self.polls,
            self.hash,
        )
    }
}

/// A plan under which promises were broken.
#[derive(Clone, Debug)]
pub struct Failure {
    plan: Plan,
    outcome: Outcome,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, outcome } = self;
        writeln!(f, "the last events:")?;
        for event in &outcome.last_events {
            writeln!(f, "  {event}")?;
        }
        writeln!(f, "{outcome}")?;
        for promise in &outcome.broken {
            writeln!(f, "broken: {promise}")?;
        }
        writeln!(f, "replay with:")?;
        write!(
            f,
            "  TTM_SIM='{} {} {} {}' cargo test --release -p ttm-sim --test seeds replay -- --nocapture",
            plan.seed,
            plan.lasts.as_secs(),
            plan.tokens,
            plan.faults,
        )
    }
}

impl std::error::Error for Failure {}
