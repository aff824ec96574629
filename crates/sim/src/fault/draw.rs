//! Draws a random schedule: a random half of the kinds, spread over the hours before recovery begins.

use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Entropy;

use super::{
    Channel, ChannelFault, ExchangeFault, Fault, FaultKind, FaultSchedule, JobFault, Part, Requests,
    StoreFault, StoreTable,
};
use crate::Plane;

/// How a swarm of schedules is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Swarm {
    /// Faults begin after this, so that the first boot is undisturbed.
    pub from: Duration,
    /// Every fault is over by then, and the service has the rest of the run to recover.
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

/// The same for a kind that each part can have.
type OfPart = (fn(Part) -> JobFault, u64, u64);

/// Faults of the upstream API.
const EXCHANGE: [Kind; 21] = [
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
    (FaultKind::Exchange(ExchangeFault::Poison(2)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Stale(30)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::ExtraPairs), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::BadPairs(20)), 60, 3_600),
    (FaultKind::Exchange(ExchangeFault::Sparse), 60, 3_600),
];

/// Faults of one table, or of all of them.
const STORE: [(StoreFault, u64, u64); 8] = [
    (StoreFault::Gone, 1, 3_600),
    (StoreFault::Hang, 1, 600),
    (StoreFault::LostAcks, 1, 600),
    (StoreFault::Full, 60, 3_600),
    (StoreFault::Busy, 1, 600),
    (StoreFault::ReadOnly, 10, 1_200),
    (StoreFault::NoRight, 60, 3_600),
    (StoreFault::Corrupt, 1, 600),
];

/// Faults that reject rows, for the tables whose writers drop rejected rows.
const REJECTS: [Kind; 2] = [
    (FaultKind::Store(StoreTable::Samples, StoreFault::Rejects(30)), 60, 1_200),
    (FaultKind::Store(StoreTable::Events, StoreFault::Rejects(30)), 60, 1_200),
];

/// Faults of the process and its machine.
const PROCESS: [Kind; 8] = [
    (FaultKind::ResourcesUnknown, 60, 3_600),
    (FaultKind::Kill, 5, 30),
    (FaultKind::Terminate, 5, 30),
    (FaultKind::Freeze, 1, 300),
    (FaultKind::PlaneStalls(Plane::Work), 1, 900),
    (FaultKind::PlaneStalls(Plane::Supervision), 1, 300),
    (FaultKind::SecondProcess, 60, 1_200),
    (FaultKind::PlaneStalls(Plane::Io), 1, 300),
];

/// Faults inside the process, beside those of each part.
const JOBS: [Kind; 9] = [
    (FaultKind::Job(JobFault::RequestsHang(Requests::Hot)), 10, 300),
    (FaultKind::Job(JobFault::RequestsHang(Requests::Cold)), 10, 300),
    (FaultKind::Job(JobFault::RequestsHang(Requests::All)), 10, 300),
    (FaultKind::Job(JobFault::RequestsSpin), 60, 300),
    (FaultKind::Job(JobFault::RequestsPanic(Requests::Hot)), 10, 1_800),
    (FaultKind::Job(JobFault::RequestsPanic(Requests::Cold)), 10, 1_800),
    (FaultKind::Job(JobFault::RequestsPanic(Requests::All)), 10, 1_800),
    (FaultKind::Job(JobFault::AnswersPanic), 10, 1_800),
    (FaultKind::Job(JobFault::Leaks), 60, 1_800),
];

/// What may go wrong with each part.
const OF_PARTS: [OfPart; 3] =
    [(JobFault::PartHangs, 0, 120), (JobFault::PartSpins, 30, 60), (JobFault::PartPanicsAlways, 10, 600)];

/// What may go wrong with a channel.
const OF_CHANNELS: [(ChannelFault, u64, u64); 5] = [
    (ChannelFault::Down, 10, 3_600),
    (ChannelFault::Hangs, 10, 1_200),
    (ChannelFault::Mute, 10, 600),
    (ChannelFault::Refuses, 10, 1_200),
    (ChannelFault::Limited(30), 10, 600),
];

/// Every kind of the table of alerts, of the channels, and of the part that tells.
fn kinds_of_telling() -> Vec<Kind> {
    let of_store = STORE
        .iter()
        .map(|(fault, least, most)| (FaultKind::Store(StoreTable::Alerts, *fault), *least, *most));
    let of_channels = Channel::ALL.into_iter().flat_map(|channel| {
        OF_CHANNELS.map(|(fault, least, most)| (FaultKind::Channel(channel, fault), least, most))
    });
    of_store.chain(of_channels).chain(at_once(Part::Alerts)).chain(lasting(Part::Alerts)).collect()
}

/// What happens to a part at once.
fn at_once(part: Part) -> [Kind; 2] {
    [(FaultKind::PartPanics(part), 0, 0), (FaultKind::PartEnds(part), 0, 0)]
}

/// What goes on being wrong with a part.
fn lasting(part: Part) -> [Kind; 3] {
    OF_PARTS.map(|(kind, least, most)| (FaultKind::Job(kind(part)), least, most))
}

/// Every kind of the API, of the store, of the process and of what it does. Steps of the wall clock are drawn separately.
fn kinds() -> [Vec<Kind>; 4] {
    let of = |table| {
        STORE.iter().map(move |(fault, least, most)| (FaultKind::Store(table, *fault), *least, *most))
    };
    let at_work = || Part::ALL.into_iter().filter(|part| *part != Part::Alerts);
    [
        EXCHANGE.to_vec(),
        StoreTable::EACH
            .into_iter()
            .filter(|table| *table != StoreTable::Alerts)
            .flat_map(of)
            .chain(REJECTS)
            .collect(),
        PROCESS.into_iter().chain(at_work().flat_map(at_once)).collect(),
        JOBS.into_iter().chain(at_work().flat_map(lasting)).collect(),
    ]
}

impl Swarm {
    /// The words of every kind that a swarm draws, except steps of the wall clock, each of which is different.
    pub fn words() -> Vec<String> {
        let kinds = kinds();
        kinds.iter().flatten().chain(&kinds_of_telling()).map(|(kind, ..)| kind.to_string()).collect()
    }

    /// Draws a schedule; equal randomness gives equal schedules. A swarm finds more when each run omits some kinds,
    /// because some hide others.
    pub fn draw(&self, entropy: &dyn Entropy) -> FaultSchedule {
        let mut faults = self.draw_work(entropy);
        // What tells of them fails by itself, and no less than they do.
        let kinds = half(kinds_of_telling(), entropy);
        let mut at = self.from;
        loop {
            at += exponential(entropy, self.every);
            if at >= self.until {
                return FaultSchedule::new(faults);
            }
            let drawn = usize::try_from(entropy.below(kinds.len() as u64)).unwrap_or(0);
            let (kind, least, most) = kinds[drawn];
            let lasts = between(entropy, least, most).min(self.until.saturating_sub(at));
            faults.push(Fault { at, lasts, kind });
            faults.extend(self.follow(kind, at + lasts, entropy));
        }
    }

    /// Faults of everything but what tells of them.
    fn draw_work(&self, entropy: &dyn Entropy) -> Vec<Fault> {
        let kinds = kinds().map(|kinds| half(kinds, entropy));
        let mut faults = Vec::new();
        let mut at = self.from;
        loop {
            at += exponential(entropy, self.every);
            if at >= self.until {
                return faults;
            }
            // Most faults are those of the API.
            let kinds = match entropy.below(9) {
                0..4 => &kinds[0],
                4..6 => &kinds[1],
                6..8 => &kinds[2],
                _ => &kinds[3],
            };
            // One index more than there are kinds: the last one stands for a step of the wall clock, which has a size
            // of its own.
            let drawn = usize::try_from(entropy.below(kinds.len() as u64 + 1)).unwrap_or(0);
            match kinds.get(drawn) {
                Some((kind, least, most)) => {
                    let lasts = between(entropy, *least, *most).min(self.until.saturating_sub(at));
                    faults.push(Fault { at, lasts, kind: *kind });
                    faults.extend(self.follow(*kind, at + lasts, entropy));
                }
                None => faults.push(Fault { at, lasts: Duration::ZERO, kind: wall_step(entropy) }),
            }
        }
    }

    /// The faults that follow from one that is over.
    fn follow(&self, kind: FaultKind, over: Duration, entropy: &dyn Entropy) -> Vec<Fault> {
        let fault =
            |at: Duration, lasts, kind| Fault { at: at.min(self.until.saturating_sub(lasts)), lasts, kind };
        match kind {
            // An operator has checked the store, and restarts the process.
            FaultKind::Store(_, StoreFault::Corrupt) => {
                let checked = over + between(entropy, 1, 1_200);
                vec![fault(checked, Duration::from_secs(2), FaultKind::Terminate)]
            }
            // Without a watchdog it is a person who notices that the process hangs as a whole.
            FaultKind::Job(JobFault::PartSpins(
                Part::Api | Part::LeaseKeeper | Part::Monitor | Part::Alerts,
            )) => {
                let noticed = over + between(entropy, 120, 1_200);
                vec![fault(noticed, Duration::from_secs(5), FaultKind::Kill)]
            }
            // Some kills are followed by a series of others.
            FaultKind::Kill if entropy.below(4) == 0 => {
                let every = between(entropy, 1, 40);
                let times = 1 + u32::try_from(entropy.below(12)).unwrap_or(0);
                (1..=times)
                    .map(|n| fault(over + every * n, Duration::from_secs(1), FaultKind::Kill))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

fn half(mut kinds: Vec<Kind>, entropy: &dyn Entropy) -> Vec<Kind> {
    let all = kinds.len();
    while kinds.len() > all / 2 {
        let out = usize::try_from(entropy.below(kinds.len() as u64)).unwrap_or(0);
        kinds.swap_remove(out);
    }
    kinds
}

/// Up to two hours either way, in milliseconds: whole minutes would hide bugs that only odd steps reveal.
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
    Duration::from_millis(1_000 * least_s + entropy.below((1_000 * (most_s - least_s)).max(1)))
}

#[cfg(test)]
mod tests {
    use ttm_xoshiro_entropy::SeededEntropy;

    use super::*;

    #[test]
    fn a_swarm_draws_every_kind_and_omits_half_of_them_in_each_run() {
        let all = kinds().into_iter().flatten().chain(kinds_of_telling());
        let mut missing: Vec<FaultKind> = all.map(|(kind, ..)| kind).collect();
        let all = missing.len();
        for seed in 0..200 {
            let schedule = Swarm::default().draw(&SeededEntropy::new(seed));
            let steps = |fault: &&Fault| !matches!(fault.kind, FaultKind::WallStep(_));
            let mut kinds: Vec<String> =
                schedule.faults().iter().filter(steps).map(|fault| fault.kind.to_string()).collect();
            kinds.sort();
            kinds.dedup();
            // A restart may follow from another fault.
            assert!(kinds.len() <= all / 2 + 1);
            missing.retain(|kind| schedule.faults().iter().all(|fault| fault.kind != *kind));
        }
        assert_eq!(missing, []);
    }

    #[test]
    fn every_fault_of_a_swarm_is_over_when_recovery_begins() {
        let swarm = Swarm::default();
        for seed in 0..200 {
            for fault in swarm.draw(&SeededEntropy::new(seed)).faults() {
                assert!(fault.at >= swarm.from && fault.at + fault.lasts <= swarm.until, "{fault:?}");
            }
        }
    }
}
