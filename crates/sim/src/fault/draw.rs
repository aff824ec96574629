//! Draws a schedule from chance: a random half of the kinds, spread over the hours before the healing begins.

use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Entropy;

use super::{ExchangeFault, Fault, FaultKind, FaultSchedule, StoreFault, StoreTable};

/// How a swarm of schedules is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Swarm {
    /// Faults begin after this: the first boot is not disturbed.
    pub from: Duration,
    /// Every fault is over by then, and the service has the rest of the run to get well.
    pub until: Duration,
    /// Mean time between the beginnings of two faults.
    pub every: Duration,
}

impl Default for Swarm {
    /// Twenty hours of faults for a day of 24.
    fn default() -> Self {
        Self {
            from: Duration::from_mins(10),
            until: Duration::from_hours(20),
            every: Duration::from_mins(90),
        }
    }
}

/// A kind and how many seconds it lasts, at least and at most.
type Kind = (FaultKind, u64, u64);

/// Every kind that a swarm can draw by its place; a step of the wall clock is drawn beside them.
const KINDS: [Kind; 28] = [
    (FaultKind::Exchange(ExchangeFault::Unavailable), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Hang), 60, 1_200),
    (FaultKind::Exchange(ExchangeFault::SlowDrip), 60, 1_200),
    (FaultKind::Exchange(ExchangeFault::Truncated), 10, 600),
    (FaultKind::Exchange(ExchangeFault::Limited(None)), 10, 600),
    (FaultKind::Exchange(ExchangeFault::Limited(Some(20))), 10, 600),
    (FaultKind::Exchange(ExchangeFault::Nulls), 5, 300),
    (FaultKind::Exchange(ExchangeFault::HalfBatch), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::ServerError(500)), 10, 1_200),
    (FaultKind::Exchange(ExchangeFault::ServerError(520)), 10, 1_200),
    (FaultKind::Exchange(ExchangeFault::Forbidden), 10, 600),
    (FaultKind::Exchange(ExchangeFault::TooLarge), 10, 600),
    (FaultKind::Exchange(ExchangeFault::WrongType), 10, 600),
    (FaultKind::Exchange(ExchangeFault::FlakyNulls(30)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::EmptyBatch(20)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Delisted(20)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Stale(30)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::ExtraPairs), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::BadPairs(20)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Sparse), 60, 3_600),
    (FaultKind::Store(StoreTable::All, StoreFault::Gone), 1, 3_600),
    (FaultKind::Store(StoreTable::All, StoreFault::Hang), 1, 600),
    (FaultKind::Store(StoreTable::All, StoreFault::LostAcks), 1, 600),
    (FaultKind::Store(StoreTable::All, StoreFault::Full), 60, 3_600),
    (FaultKind::ResourcesUnknown, 60, 3_600),
    (FaultKind::Kill, 5, 30),
    (FaultKind::Terminate, 5, 30),
    (FaultKind::Freeze, 1, 300),
];

impl Swarm {
    /// A schedule; equal chance gives equal schedules.
    pub fn draw(&self, entropy: &dyn Entropy) -> FaultSchedule {
        let kinds = half(entropy);
        let mut faults = Vec::new();
        let mut at = self.from;
        loop {
            at += exponential(entropy, self.every);
            if at >= self.until {
                return FaultSchedule::new(faults);
            }
            // One place more than there are kinds: the last one is a step of the wall clock, which has a length of
            // its own.
            let drawn = usize::try_from(entropy.below(kinds.len() as u64 + 1)).unwrap_or(0);
            let fault = match kinds.get(drawn) {
                Some((kind, least, most)) => {
                    let lasts = between(entropy, *least, *most).min(self.until.saturating_sub(at));
                    Fault { at, lasts, kind: *kind }
                }
                None => Fault { at, lasts: Duration::ZERO, kind: wall_step(entropy) },
            };
            faults.push(fault);
        }
    }
}

/// A swarm finds more when each run leaves out some kinds: those that hide others.
fn half(entropy: &dyn Entropy) -> Vec<Kind> {
    let mut kinds = KINDS.to_vec();
    while kinds.len() > KINDS.len() / 2 {
        let out = usize::try_from(entropy.below(kinds.len() as u64)).unwrap_or(0);
        kinds.swap_remove(out);
    }
    kinds
}

/// Up to two hours either way, in milliseconds: a whole number of minutes would hide what only odd steps show.
fn wall_step(entropy: &dyn Entropy) -> FaultKind {
    let millis = i64::try_from(entropy.below(14_400_000)).unwrap_or(0) - 7_200_000;
    FaultKind::WallStep(SignedDuration::from_millis(millis))
}

fn exponential(entropy: &dyn Entropy, mean: Duration) -> Duration {
    let drawn = mean.mul_f64(-(1.0 - entropy.unit()).ln());
    // Whole milliseconds, so that the schedule's line is exact.
    Duration::from_millis(u64::try_from(drawn.as_millis()).unwrap_or(u64::MAX))
}

fn between(entropy: &dyn Entropy, least_s: u64, most_s: u64) -> Duration {
    Duration::from_millis(1_000 * least_s + entropy.below(1_000 * (most_s - least_s)))
}

#[cfg(test)]
mod tests {
    use ttm_testkit::SeededEntropy;

    use super::*;

    #[test]
    fn a_swarm_reaches_every_kind_and_leaves_half_of_them_out_of_each_run() {
        let mut missing: Vec<FaultKind> = KINDS.iter().map(|(kind, ..)| *kind).collect();
        for seed in 0..200 {
            let schedule = Swarm::default().draw(&SeededEntropy::new(seed));
            let mut kinds: Vec<String> = schedule
                .faults()
                .iter()
                .map(|fault| format!("{:?}", std::mem::discriminant(&fault.kind)))
                .collect();
            kinds.sort();
            kinds.dedup();
            assert!(kinds.len() <= KINDS.len() / 2 + 1);
            missing.retain(|kind| schedule.faults().iter().all(|fault| fault.kind != *kind));
        }
        assert_eq!(missing, []);
    }

    #[test]
    fn every_fault_of_a_swarm_is_over_when_the_healing_begins() {
        let swarm = Swarm::default();
        for seed in 0..200 {
            for fault in swarm.draw(&SeededEntropy::new(seed)).faults() {
                assert!(fault.at >= swarm.from && fault.at + fault.lasts <= swarm.until, "{fault:?}");
            }
        }
    }
}
