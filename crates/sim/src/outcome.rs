//! The outcome of a simulation, and the text that a failure prints: what was broken, the last events, and the command
//! that replays it.

use std::collections::BTreeSet;
use std::fmt;

use crate::Plan;
use crate::oracle::{Availability, SLOT, Told};
use crate::world::{ExchangeCounts, SampleLedger};

/// The outcome of a simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A hash of everything that happened.
    pub hash: u64,
    /// The number of polls.
    pub polls: u64,
    /// What readers saw.
    pub availability: Availability,
    /// The same without slots in which the process was frozen or killed from outside.
    pub own: Availability,
    /// What the API received.
    pub requests: ExchangeCounts,
    /// What the history counted.
    pub samples: SampleLedger,
    /// How many tokens are stored at the end.
    pub tokens: usize,
    /// How often the process booted.
    pub boots: u32,
    /// The steps of recoveries that began or replaced anything, by the durable ledger.
    pub restarts: u32,
    /// How often a second process on the store took over.
    pub takeovers: u32,
    /// How often one was refused the lease.
    pub refusals: u32,
    /// How often the lease ran out under a process that renewed it later.
    pub lapses: usize,
    /// How often it was stopped in order.
    pub stops: u32,
    /// Every health status, state of a use of the store and state of the breaker that was reported.
    pub reached: BTreeSet<String>,
    /// Every promise that was broken.
    pub broken: Vec<String>,
    /// What self-healing did, by the durable ledger.
    pub recoveries: Vec<String>,
    /// What was told of alerts, in the order in which it arrived.
    pub told: Vec<Told>,
    /// The last 200 events.
    pub last_events: Vec<String>,
}

impl Outcome {
    /// Checks that no promise was broken.
    ///
    /// # Errors
    /// If one was, with the text of the failure.
    pub fn verdict(&self, plan: &Plan) -> Result<(), Failure> {
        if self.broken.is_empty() {
            return Ok(());
        }
        let events = self.last_events.join("\n  ");
        let broken = self.broken.join("\nbroken: ");
        let recoveries = self.recoveries.join("\n  ");
        Err(Failure(format!(
            "the last events:\n  {events}\nself-healing:\n  {recoveries}\n{self}\nbroken: {broken}\nreplay with:\n  \
             cargo run --release -p ttm-sim --example replay -- '{plan}'"
        )))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, samples, .. } = self;
        write!(
            f,
            "available {:.3} % (longest gap {:?}), {} requests ({} in the busiest minute), {} samples, {} boots, \
             {} restarts, {} takeovers, {} stops, {} polls, trace {:016x}",
            100.0 * self.availability.share(),
            self.availability.longest_down(SLOT),
            requests.requests,
            requests.busiest_minute,
            samples.stored,
            self.boots,
            self.restarts,
            self.takeovers,
            self.stops,
            self.polls,
            self.hash,
        )
    }
}

/// Promises were broken: which, after which events, and how to replay it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);
