//! Adaptive control: how long an attempt may take and how many requests may be in flight, from the latencies and errors of the
//! last minutes, by AIMD.

use std::fmt;
use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

use crate::CallSummary;

/// What [`ControlConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlSettings {
    /// The shortest attempt timeout.
    pub timeout_floor: Duration,
    /// The longest.
    pub timeout_ceiling: Duration,
    /// In between it is this many times the 99th percentile.
    pub timeout_factor: f64,
    /// The lowest limit on requests in flight.
    pub least_in_flight: usize,
    /// The highest.
    pub most_in_flight: usize,
    /// Fewer calls are not significant, and change nothing.
    pub minimum_calls: u64,
    /// A greater share of failures halves the limit on requests in flight.
    pub error_rate: f64,
    /// So does a 95th percentile above this many times the usual one.
    pub slow_factor: f64,
}

impl Default for ControlSettings {
    /// The highest limit is what the API's budget needs if answers take six seconds.
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
    /// How many requests may be in flight, including those that wait for a retry.
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
    /// Attempts take much longer than usual.
    Latency,
    /// All is well, so the limit grows by one.
    Calm,
    /// The settings changed, and with them the bounds.
    Settings,
}

impl fmt::Display for ControlReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percentile => "the 99th percentile moved",
            Self::Errors => "too many attempts failed",
            Self::Latency => "attempts take much longer than usual",
            Self::Calm => "all is well",
            Self::Settings => "the settings changed",
        })
    }
}

/// Controls the requests to one upstream.
///
/// Laws: (1) both values stay within their bounds, whatever the calls; (2) a timeout moves by a fifth at least, so that noise does
/// not change it; (3) the limit on requests halves at once and recovers one by one; (4) it halves again only if there are more
/// errors, or slower calls, than at the last cut: those of the last cut stay in the window for a while.
#[derive(Clone, Debug)]
pub struct Control {
    config: ControlConfig,
    timeout: Duration,
    in_flight: usize,
    /// The usual 95th percentile.
    usual: Option<Duration>,
    /// Errors and the 95th percentile at the last cut, until all is well again.
    cut_at: Option<(u64, Duration)>,
}

impl Control {
    /// Starts with the highest values of both: nothing is known yet.
    pub const fn new(config: ControlConfig) -> Self {
        let (timeout, in_flight) = (config.0.timeout_ceiling, config.0.most_in_flight);
        Self { config, timeout, in_flight, usual: None, cut_at: None }
    }

    /// How long an attempt may take.
    pub const fn attempt_timeout(&self) -> Duration {
        self.timeout
    }

    /// How many requests may be in flight.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Replaces the settings, and returns what that changes.
    ///
    /// Kept are both values, as far as the new bounds allow, and what was learnt: the usual 95th percentile, and the reason
    /// of the last cut, so that the same errors do not cut again. A value at its upper bound follows that bound, because no call
    /// was a reason for less. From the next update on both follow the calls by the new rules.
    pub fn reconfigure(&mut self, config: ControlConfig) -> impl Iterator<Item = ControlChange> + use<> {
        let (old, new) = (self.config.settings(), config.settings());
        let timeout = if self.timeout == old.timeout_ceiling { Duration::MAX } else { self.timeout };
        let timeout = timeout.clamp(new.timeout_floor, new.timeout_ceiling);
        let in_flight = if self.in_flight == old.most_in_flight { usize::MAX } else { self.in_flight };
        let in_flight = in_flight.clamp(new.least_in_flight, new.most_in_flight);
        self.config = config;
        let changes = [
            self.set_timeout(timeout, ControlReason::Settings),
            self.set_in_flight(in_flight, ControlReason::Settings),
        ];
        changes.into_iter().flatten()
    }

    /// Updates both values from the calls of the last minutes; call it every few seconds.
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
        self.set_timeout(wanted, ControlReason::Percentile)
    }

    fn set_timeout(&mut self, timeout: Duration, reason: ControlReason) -> Option<ControlChange> {
        let from = std::mem::replace(&mut self.timeout, timeout);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (what, from_ms, to) = (Controlled::AttemptTimeout, millis(from), millis(timeout));
        (timeout != from).then_some(ControlChange { what, from: from_ms, to, reason })
    }

    fn set_in_flight(&mut self, in_flight: usize, reason: ControlReason) -> Option<ControlChange> {
        let from = std::mem::replace(&mut self.in_flight, in_flight);
        let (what, to) = (Controlled::InFlight, in_flight as u64);
        (in_flight != from).then_some(ControlChange { what, from: from as u64, to, reason })
    }

    fn adapt(&mut self, calls: &CallSummary) -> Option<ControlChange> {
        let settings = self.config.settings();
        let p95 = calls.p95?;
        let usual = *self.usual.get_or_insert(p95);
        // A twentieth of the way each time, so that the usual value changes slowly.
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
        let to = to.clamp(settings.least_in_flight, settings.most_in_flight);
        self.set_in_flight(to, reason)
    }
}

#[cfg(test)]
mod tests;
