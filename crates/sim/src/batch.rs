//! Many days of the swarm at once, and their coverage: a batch that never injected a fault, or never reached a
//! status, proves nothing about it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ttm_health::{BreakerState, Status};
use ttm_service::StoreUse;
use ttm_xoshiro_entropy::SeededEntropy;

use crate::{Failure, Outcome, Plan, Swarm};

const DAY: Duration = Duration::from_hours(24);

/// The results of a range of seeds.
#[derive(Debug)]
pub struct Batch {
    /// The day of each seed, in the order of the seeds.
    pub days: Vec<Day>,
}

/// The result of one seed.
#[derive(Debug)]
pub struct Day {
    /// The seed.
    pub seed: u64,
    /// The outcome; it has its last events only if a promise was broken.
    pub outcome: Outcome,
    /// The kinds of fault in the schedule.
    pub faults: BTreeSet<String>,
    /// The failure, if a promise was broken.
    pub failure: Option<Failure>,
}

impl Plan {
    /// The day of the swarm for a seed.
    pub fn of_swarm(seed: u64) -> Self {
        Self::new(seed, DAY, Swarm::default().draw(&SeededEntropy::stream(seed, "schedule")))
    }
}

impl Batch {
    /// Runs the day of each seed twice, on this many threads.
    ///
    /// # Panics
    /// If a simulation panics.
    pub fn run(seeds: Range<u64>, threads: usize) -> Self {
        let next = AtomicU64::new(seeds.start);
        let days = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return;
                        }
                        let day = Day::run(seed);
                        days.lock().push(day);
                    }
                });
            }
        });
        let mut days = days.into_inner();
        days.sort_by_key(|day| day.seed);
        Self { days }
    }

    /// The seeds that broke a promise.
    pub fn broken(&self) -> impl Iterator<Item = (u64, &Failure)> {
        self.days.iter().filter_map(|day| Some((day.seed, day.failure.as_ref()?)))
    }

    /// The faults and states that some day of a batch should reach, and no day of this one did.
    pub fn never_reached(&self) -> Vec<String> {
        let reached: BTreeSet<&String> =
            self.days.iter().flat_map(|day| day.outcome.reached.iter().chain(&day.faults)).collect();
        expected().into_iter().filter(|state| !reached.contains(state)).collect()
    }
}

impl Day {
    fn run(seed: u64) -> Self {
        let plan = Plan::of_swarm(seed);
        let mut outcome = plan.run_twice();
        let failure = outcome.verdict(&plan).err();
        if failure.is_none() {
            outcome.last_events.clear();
            outcome.recoveries.clear();
        }
        let faults = plan.faults.faults().iter().map(|fault| fault.kind.to_string()).collect();
        Self { seed, outcome, faults, failure }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = || self.days.iter().map(|day| day.outcome.availability.share());
        let mean = shares().sum::<f64>() / self.days.len().max(1) as f64;
        write!(f, "{} days, available {:.2} % of the time on average", self.days.len(), 100.0 * mean)?;
        let by_share =
            |a: &&Day, b: &&Day| a.outcome.availability.share().total_cmp(&b.outcome.availability.share());
        if let Some(Day { seed, outcome, .. }) = self.days.iter().min_by(by_share) {
            write!(f, "; the worst, seed {seed}: {outcome}")?;
        }
        Ok(())
    }
}

/// Every kind of fault that a swarm draws, every status, and every state of a use of the store and of the breaker
/// that this world can cause.
fn expected() -> Vec<String> {
    let statuses = [Status::Healthy, Status::Degraded, Status::Unknown, Status::Critical];
    let statuses = statuses.map(|status| format!("health {status}"));
    let uses = [
        StoreUse::TokenReads,
        StoreUse::TokenWrites,
        StoreUse::Breakers,
        StoreUse::Samples,
        StoreUse::Events,
    ];
    let uses = uses.into_iter().flat_map(|what| {
        // A use that only reads drops nothing.
        let reads = what == StoreUse::TokenReads;
        let statuses =
            [Status::Healthy, Status::Degraded, Status::Critical].into_iter().take(3 - usize::from(reads));
        statuses.map(move |status| format!("{} {status}", what.as_str()))
    });
    let breaker = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];
    let breaker = breaker.map(|state| format!("breaker {}", state.as_str()));
    Swarm::words().into_iter().chain(statuses).chain(uses).chain(breaker).collect()
}
