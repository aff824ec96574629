//! A published rate of faults, and what readers get under it with self-healing and without. A day of this is not a forecast: it shows
//! what the service makes of faults that come this often.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::Entropy;
use ttm_recovery::{RecoveryConfig, RecoverySettings};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::oracle::Availability;
use crate::{
    ExchangeFault, Fault, FaultKind, FaultSchedule, JobFault, Outcome, Part, Plan, Requests, StoreFault,
    StoreTable,
};

const DAY: Duration = Duration::from_hours(24);
/// Faults begin after the first start, and early enough to be over before the day is.
const FROM: Duration = Duration::from_mins(10);
const UNTIL: Duration = Duration::from_hours(23);

/// How often something breaks.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// What does.
    pub kind: FaultKind,
    /// The mean number of times in a day.
    pub a_day: f64,
    /// How long it lasts, at least and at most, in seconds. What hangs or spins does so for good.
    pub lasts_s: [u64; 2],
    /// Whether it comes from outside the service and its machine.
    pub outside: bool,
}

const fn outside(kind: FaultKind, a_day: f64, lasts_s: [u64; 2]) -> Rate {
    Rate { kind, a_day, lasts_s, outside: true }
}

const fn inside(fault: JobFault, a_day: f64, lasts_s: [u64; 2]) -> Rate {
    Rate { kind: FaultKind::Job(fault), a_day, lasts_s, outside: false }
}

const fn of_process(kind: FaultKind, a_day: f64, lasts_s: [u64; 2]) -> Rate {
    Rate { kind, a_day, lasts_s, outside: false }
}

/// The rates. About once a week for each way in which a job gets stuck is much more than a well-kept service sees.
pub const RATES: [Rate; 20] = {
    use ExchangeFault as Api;
    use FaultKind::{Exchange, Store};
    use StoreTable::All;
    [
        outside(Exchange(Api::Unavailable), 0.25, [60, 1_200]),
        outside(Exchange(Api::Hang), 0.125, [60, 600]),
        outside(Exchange(Api::Limited(Some(20))), 0.25, [10, 300]),
        outside(Exchange(Api::FlakyNulls(10)), 0.25, [60, 1_200]),
        outside(Exchange(Api::HalfBatch), 0.25, [60, 1_200]),
        outside(Store(All, StoreFault::Gone), 0.25, [1, 1_800]),
        outside(Store(All, StoreFault::Hang), 0.125, [1, 300]),
        outside(Store(All, StoreFault::Full), 0.125, [60, 1_800]),
        inside(JobFault::RequestsHang(Requests::Hot), 0.125, [15, 60]),
        inside(JobFault::RequestsHang(Requests::Cold), 0.125, [50, 120]),
        inside(JobFault::RequestsHang(Requests::All), 0.125, [15, 60]),
        inside(JobFault::RequestsSpin, 0.125, [50, 60]),
        inside(JobFault::PartHangs(Part::Work), 0.125, [0, 0]),
        inside(JobFault::PartHangs(Part::TokenWriter), 0.125, [0, 0]),
        inside(JobFault::PartHangs(Part::Roster), 0.125, [0, 0]),
        inside(JobFault::PartSpins(Part::SampleWriter), 0.125, [0, 0]),
        inside(JobFault::Leaks, 0.125, [600, 3_600]),
        of_process(FaultKind::PartPanics(Part::Work), 0.25, [0, 0]),
        of_process(FaultKind::Kill, 0.125, [5, 30]),
        of_process(FaultKind::Freeze, 0.125, [1, 300]),
    ]
};

/// What happened in many days under the rates.
#[derive(Clone, Debug, Default)]
pub struct Pooled {
    /// The days.
    pub days: u64,
    /// Slots in which readers could get anything, and those in which they got what was promised; without those in which the
    /// process was frozen or killed from outside.
    pub slots: u64,
    /// The good ones.
    pub good: u64,
    /// Slots in which the process was frozen or killed from outside.
    pub apart: u64,
    /// The seed of the worst day, and its share.
    pub worst: Option<(u64, f64)>,
    /// What was restarted.
    pub restarts: u64,
    /// Promises that were broken, with their seeds.
    pub broken: Vec<(u64, String)>,
}

impl Plan {
    /// A day under the rates; only the faults from outside if `inside` is false.
    pub fn of_rates(seed: u64, inside: bool) -> Self {
        let entropy = SeededEntropy::stream(seed, "rates");
        let mut faults = Vec::new();
        for rate in RATES {
            let mut at = FROM;
            loop {
                // Drawn also for what is left out, so that the other faults are the same.
                at += DAY.div_f64(rate.a_day).mul_f64(-(1.0 - entropy.unit()).ln()).min(DAY);
                if at >= UNTIL {
                    break;
                }
                let [least, most] = rate.lasts_s;
                let lasts = Duration::from_secs(least + entropy.below((most - least).max(1)));
                let at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
                if inside || rate.outside {
                    faults.push(Fault { at, lasts, kind: rate.kind });
                }
            }
        }
        Self::new(seed, DAY, FaultSchedule::new(faults))
    }

    /// The same, and nothing is restarted but by hand.
    ///
    /// # Panics
    /// Never: these settings are valid.
    #[must_use]
    pub fn without_healing(mut self) -> Self {
        let settings = RecoverySettings { max_restart_attempts: 0, ..RecoverySettings::default() };
        self.settings.recovery = RecoveryConfig::try_new(settings).expect("valid settings");
        self
    }
}

impl Pooled {
    /// Runs the plan of each seed once, on this many threads, calling `shown` after each with how far it got: a thousand days take most of
    /// an hour.
    ///
    /// # Panics
    /// If a simulation panics.
    pub fn run(
        seeds: Range<u64>,
        threads: usize,
        plan: impl Fn(u64) -> Plan + Sync,
        shown: impl Fn(&Self) + Sync,
    ) -> Self {
        let (next, pooled) = (AtomicU64::new(seeds.start), Mutex::new(Self::default()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            return;
                        }
                        let outcome = plan(seed).run();
                        let mut pooled = pooled.lock();
                        pooled.add(seed, outcome);
                        shown(&pooled);
                    }
                });
            }
        });
        let mut pooled = pooled.into_inner();
        pooled.broken.sort();
        pooled
    }

    /// The share of good slots.
    pub fn share(&self) -> f64 {
        self.good as f64 / self.slots.max(1) as f64
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
        let own: Availability = outcome.own;
        self.days += 1;
        self.slots += u64::from(own.slots());
        self.good += u64::from(own.good());
        self.apart += u64::from(outcome.availability.slots() - own.slots());
        self.restarts += u64::from(outcome.restarts);
        let share = own.share();
        let is_worse = |(known, worst): &(u64, f64)| share < *worst || share <= *worst && seed < *known;
        if self.worst.as_ref().is_none_or(is_worse) {
            self.worst = Some((seed, share));
        }
        self.broken.extend(outcome.broken.into_iter().map(|broken| (seed, broken)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_under_the_rates_have_them_on_average_and_leave_out_only_what_is_inside() {
        let days = 2_000;
        let (mut all, mut others) = (0, 0);
        for seed in 0..days {
            let (with, without) = (Plan::of_rates(seed, true), Plan::of_rates(seed, false));
            let is_kept = |fault: &&Fault| without.faults.faults().contains(fault);
            assert_eq!(with.faults.faults().iter().filter(is_kept).count(), without.faults.faults().len());
            all += with.faults.faults().len();
            others += without.faults.faults().len();
        }
        let a_day =
            |outside: bool| RATES.iter().filter(move |rate| rate.outside || !outside).map(|rate| rate.a_day);
        let share = UNTIL.saturating_sub(FROM).as_secs_f64() / DAY.as_secs_f64();
        for (found, expected) in [(all, a_day(false).sum::<f64>()), (others, a_day(true).sum())] {
            let mean = found as f64 / days as f64;
            assert!((mean / (expected * share) - 1.0).abs() < 0.1, "{mean} instead of {expected}");
        }
    }
}
