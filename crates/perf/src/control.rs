//! How long an attempt may take and how many may be under way, from how the last ones went. It changes nothing itself, and
//! remembers nothing but what it said last.

use std::fmt;
use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

use crate::CallSummary;

/// What [`ControlConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlSettings {
    /// An attempt may take this long at least.
    pub timeout_floor: Duration,
    /// And this long at most.
    pub timeout_ceiling: Duration,
    /// In between, this many times the 99th percentile.
    pub timeout_factor: f64,
    /// Attempts that may be under way at least.
    pub least_in_flight: usize,
    /// And at most.
    pub most_in_flight: usize,
    /// Fewer calls say nothing.
    pub minimum_calls: u64,
    /// A greater share of failures halves what may be under way.
    pub error_rate: f64,
    /// So does a 95th percentile of more than this many times the usual one.
    pub slow_factor: f64,
}

impl Default for ControlSettings {
    /// The most is what the API's budget makes of answers that take six seconds.
    fn default() -> Self {
        Self {
            timeout_floor: Duration::from_secs(1),
            timeout_ceiling: Duration::from_secs(5),
            timeout_factor: 3.0,
            least_in_flight: 4,
            most_in_flight: 32,
            minimum_calls: 20,
            error_rate: 0.10,
            slow_factor: 2.0,
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlConfig(ControlSettings);

impl ControlConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: ControlSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        let factor = |factor: f64| factor.is_finite() && factor >= 1.0;
        SettingChecks::default()
            .require(!s.timeout_floor.is_zero(), "timeout_floor", s.timeout_floor, "longer than zero")
            .require(
                s.timeout_ceiling >= s.timeout_floor,
                "timeout_ceiling",
                s.timeout_ceiling,
                "at least timeout_floor",
            )
            .require(factor(s.timeout_factor), "timeout_factor", s.timeout_factor, "at least 1")
            .require(s.least_in_flight >= 1, "least_in_flight", s.least_in_flight, "at least 1")
            .require(
                s.most_in_flight >= s.least_in_flight,
                "most_in_flight",
                s.most_in_flight,
                "at least least_in_flight",
            )
            .require((0.0..=1.0).contains(&s.error_rate), "error_rate", s.error_rate, "between 0 and 1")
            .require(factor(s.slow_factor), "slow_factor", s.slow_factor, "at least 1")
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &ControlSettings {
        &self.0
    }
}

/// What is controlled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// How long an attempt may take, in milliseconds.
    AttemptTimeout,
    /// How many requests may be under way, those that wait for another attempt among them.
    InFlight,
}

/// A change, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlChange {
    /// What changes.
    pub what: Controlled,
    /// What it was.
    pub from: u64,
    /// What it is.
    pub to: u64,
    /// Why.
    pub reason: ControlReason,
}

/// Why something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlReason {
    /// The 99th percentile moved.
    Percentile,
    /// Too many attempts failed.
    Errors,
    /// Attempts take much longer than they usually do.
    Latency,
    /// All is well, so there may be a little more.
    Calm,
}

impl fmt::Display for ControlReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percentile => "the 99th percentile moved",
            Self::Errors => "too many attempts failed",
            Self::Latency => "attempts take much longer than usual",
            Self::Calm => "all is well",
        })
    }
}

/// Follows one far side.
///
/// Laws: (1) both values stay within their bounds, whatever the calls; (2) a timeout moves by a fifth at least, so that
/// noise is no news; (3) what may be under way halves at once and comes back one by one; (4) it halves again only when
/// there is more of what it was halved for: the calls that tell of it are still among the last minutes' for a while.
#[derive(Clone, Debug)]
pub struct Control {
    config: ControlConfig,
    timeout: Duration,
    in_flight: usize,
    /// The 95th percentile, as it usually is.
    usual: Option<Duration>,
    /// Errors and the 95th percentile at the last cut, until all is well again.
    cut_at: Option<(u64, Duration)>,
}

impl Control {
    /// Begins with the most of both: nothing is known yet.
    pub const fn new(config: ControlConfig) -> Self {
        let (timeout, in_flight) = (config.0.timeout_ceiling, config.0.most_in_flight);
        Self { config, timeout, in_flight, usual: None, cut_at: None }
    }

    /// How long an attempt may take.
    pub const fn attempt_timeout(&self) -> Duration {
        self.timeout
    }

    /// How many requests may be under way.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes in how the calls of the last minutes went; call it every few seconds.
    pub fn update(&mut self, calls: &CallSummary) -> impl Iterator<Item = ControlChange> + use<> {
        let enough = calls.calls >= self.config.0.minimum_calls;
        let changes = if enough { [self.follow(calls), self.adapt(calls)] } else { [None; 2] };
        changes.into_iter().flatten()
    }

    fn follow(&mut self, calls: &CallSummary) -> Option<ControlChange> {
        let settings = self.config.settings();
        let wanted = Duration::try_from_secs_f64(calls.p99?.as_secs_f64() * settings.timeout_factor)
            .unwrap_or(Duration::MAX)
            .clamp(settings.timeout_floor, settings.timeout_ceiling);
        let from = self.timeout;
        let at_bound = wanted == settings.timeout_floor || wanted == settings.timeout_ceiling;
        if wanted.abs_diff(from) < from / 5 && !(at_bound && wanted != from) {
            return None;
        }
        self.timeout = wanted;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        (wanted != from).then(|| ControlChange {
            what: Controlled::AttemptTimeout,
            from: millis(from),
            to: millis(wanted),
            reason: ControlReason::Percentile,
        })
    }

    fn adapt(&mut self, calls: &CallSummary) -> Option<ControlChange> {
        let settings = self.config.settings();
        let p95 = calls.p95?;
        let usual = *self.usual.get_or_insert(p95);
        // A twentieth of the way each time: what is usual changes slowly.
        self.usual = Some(usual.mul_f64(0.95) + p95.mul_f64(0.05));
        let reason = if calls.error_rate().is_some_and(|rate| rate > settings.error_rate) {
            ControlReason::Errors
        } else if p95.as_secs_f64() > usual.as_secs_f64() * settings.slow_factor {
            ControlReason::Latency
        } else {
            ControlReason::Calm
        };
        let from = self.in_flight;
        let is_old = |(errors, slow): (u64, Duration)| match reason {
            ControlReason::Errors => calls.errors <= errors,
            _ => p95 <= slow,
        };
        let to = match reason {
            ControlReason::Calm => {
                self.cut_at = None;
                from + 1
            }
            _ if self.cut_at.is_some_and(is_old) => from,
            _ => {
                self.cut_at = Some((calls.errors, p95));
                from / 2
            }
        };
        self.in_flight = to.clamp(settings.least_in_flight, settings.most_in_flight);
        (self.in_flight != from).then_some(ControlChange {
            what: Controlled::InFlight,
            from: from as u64,
            to: self.in_flight as u64,
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(errors: u64, p95: u64, p99: u64) -> CallSummary {
        let millis = |millis| Some(Duration::from_millis(millis));
        CallSummary { calls: 100, errors, p95: millis(p95), p99: millis(p99), ..CallSummary::default() }
    }

    fn update(control: &mut Control, summary: &CallSummary) -> Vec<ControlChange> {
        control.update(summary).collect()
    }

    #[test]
    fn the_defaults_pass_their_own_checks_and_bad_ones_are_named() {
        assert_eq!(ControlConfig::try_new(ControlSettings::default()), Ok(ControlConfig::default()));
        let errors = ControlConfig::try_new(ControlSettings {
            timeout_floor: Duration::ZERO,
            timeout_factor: f64::NAN,
            least_in_flight: 0,
            most_in_flight: 0,
            error_rate: 2.0,
            slow_factor: 0.5,
            ..ControlSettings::default()
        })
        .expect_err("nearly all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, ["timeout_floor", "timeout_factor", "least_in_flight", "error_rate", "slow_factor"]);
    }

    #[test]
    fn an_attempt_may_take_three_times_the_99th_percentile_within_bounds() {
        let mut control = Control::new(ControlConfig::default());
        for (p99, millis) in [(140, 1_000), (500, 1_500), (550, 1_500), (700, 2_100), (9_000, 5_000)] {
            update(&mut control, &calls(0, 100, p99));
            assert_eq!(control.attempt_timeout(), Duration::from_millis(millis), "after a p99 of {p99} ms");
        }
    }

    #[test]
    fn errors_and_slowness_halve_what_may_be_under_way_and_calm_brings_it_back_one_by_one() {
        let mut control = Control::new(ControlConfig::default());
        assert!(update(&mut control, &calls(5, 100, 1_700)).iter().all(|c| c.what != Controlled::InFlight));
        let change = *update(&mut control, &calls(11, 100, 1_700)).last().expect("it halves");
        assert_eq!((change.from, change.to, change.reason), (32, 16, ControlReason::Errors));
        assert_eq!(update(&mut control, &calls(11, 100, 1_700)), [], "the same errors are no news");
        let change = *update(&mut control, &calls(0, 300, 1_700)).last().expect("it halves");
        assert_eq!((change.from, change.to, change.reason), (16, 8, ControlReason::Latency));
        assert_eq!(update(&mut control, &calls(0, 300, 1_700)), [], "nor is the same slowness");
        let change = *update(&mut control, &calls(0, 100, 1_700)).last().expect("it grows");
        assert_eq!((change.from, change.to, change.reason), (8, 9, ControlReason::Calm));
    }

    #[test]
    fn a_few_calls_say_nothing() {
        let mut control = Control::new(ControlConfig::default());
        let few = CallSummary { calls: 19, ..calls(19, 100, 100) };
        assert_eq!(update(&mut control, &few), []);
    }

    proptest! {
        #[test]
        fn both_stay_within_their_bounds(
            windows in prop::collection::vec((0_u64..200, 0_u64..=100, 0_u64..20_000, 0_u64..20_000), 1..100),
        ) {
            let settings = ControlSettings::default();
            let mut control = Control::new(ControlConfig::default());
            for (all, errors, p95, p99) in windows {
                let before = (control.attempt_timeout(), control.in_flight());
                let changes = update(&mut control, &CallSummary { calls: all, ..calls(errors, p95, p99) });
                prop_assert!((settings.timeout_floor..=settings.timeout_ceiling).contains(&control.attempt_timeout()));
                prop_assert!((settings.least_in_flight..=settings.most_in_flight).contains(&control.in_flight()));
                let changed = usize::from(before.0 != control.attempt_timeout()) + usize::from(before.1 != control.in_flight());
                prop_assert_eq!(changes.len(), changed, "every change is told");
            }
        }
    }
}
