//! The settings of a breaker, and the bounds within which it can never be stuck.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

/// What [`BreakerConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Consecutive failures that open the breaker; none if only the rates do.
    pub failure_threshold: Option<u32>,
    /// Shares of failed and of slow calls that open it; none if only consecutive failures do.
    pub rates: Option<RateSettings>,
    /// How long it stays open the first time.
    pub recovery_timeout: Duration,
    /// The open period doubles with each failed recovery, up to this.
    pub max_recovery_timeout: Duration,
    /// Share by which a doubled period is shortened at random, so that many breakers do not probe in step: 0 to 1.
    pub recovery_jitter: f64,
    /// How many probes one recovery may make.
    pub half_open_max_calls: u32,
    /// How many of them must succeed to close the breaker.
    pub success_threshold: u32,
    /// A probe that has not reported for this long is written off, and its place is free again.
    pub probe_lease: Duration,
    /// What a permit that was dropped without a report counts as: the call was cancelled.
    pub on_cancel: CountAs,
    /// What a permit that was dropped by a panic counts as.
    pub on_panic: CountAs,
    /// Counts calls and records the transitions it would make, but never opens by itself: to try settings on live traffic.
    pub metrics_only: bool,
}

/// The rules that look at a share of the last calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateSettings {
    /// Which calls are the last ones.
    pub window: Window,
    /// Calls that the window must hold before a share of them says anything.
    pub minimum_calls: u32,
    /// Share of failed calls that opens the breaker: above 0, to 1.
    pub failure_rate: f64,
    /// The rule for slow calls; none if slowness is no failure.
    pub slow_calls: Option<SlowCallSettings>,
}

/// Which calls are the last ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// That many.
    Calls(u32),
    /// Those of the last so long, which slides in steps of a 32nd.
    Time(Duration),
}

/// When slowness opens the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCallSettings {
    /// A call that took at least so long is slow, whether it failed or not.
    pub duration: Duration,
    /// Share of slow calls that opens the breaker: above 0, to 1.
    pub rate: f64,
}

/// What a call that never reported counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountAs {
    /// It does not count.
    Ignored,
    /// It counts as a failure.
    Failure,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failure_threshold: Some(5),
            rates: None,
            recovery_timeout: Duration::from_mins(1),
            max_recovery_timeout: Duration::from_mins(10),
            recovery_jitter: 0.2,
            half_open_max_calls: 3,
            success_threshold: 3,
            probe_lease: Duration::from_mins(1),
            on_cancel: CountAs::Ignored,
            on_panic: CountAs::Failure,
            metrics_only: false,
        }
    }
}

impl Default for RateSettings {
    /// Half of the last hundred calls, once twenty were seen; slowness is no failure.
    fn default() -> Self {
        Self { window: Window::Calls(100), minimum_calls: 20, failure_rate: 0.5, slow_calls: None }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BreakerConfig(BreakerSettings);

impl BreakerConfig {
    /// The largest window by calls: its failed ones are kept by their number.
    pub const MAX_WINDOW_CALLS: u32 = 1_000_000;
    /// The most probes of one recovery: more are no probing.
    pub const MAX_PROBES: u32 = 1_000;

    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: BreakerSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        let checks = SettingChecks::default()
            .require(s.failure_threshold != Some(0), "failure_threshold", 0, "at least 1, or none")
            .require(
                s.failure_threshold.is_some() || s.rates.is_some(),
                "failure_threshold",
                format_args!("none"),
                "set when there are no rates, or the breaker would never open",
            )
            .require(
                !s.recovery_timeout.is_zero(),
                "recovery_timeout",
                s.recovery_timeout,
                "longer than zero, or the breaker would never be open",
            )
            .require(
                s.max_recovery_timeout >= s.recovery_timeout,
                "max_recovery_timeout",
                s.max_recovery_timeout,
                "at least recovery_timeout",
            )
            .require(
                (0.0..=1.0).contains(&s.recovery_jitter),
                "recovery_jitter",
                s.recovery_jitter,
                "between 0 and 1",
            )
            .require(
                (1..=Self::MAX_PROBES).contains(&s.half_open_max_calls),
                "half_open_max_calls",
                s.half_open_max_calls,
                "at least 1 and at most 1000",
            )
            .require(
                // Without any probe it is those that are wrong.
                (1..=s.half_open_max_calls.max(1)).contains(&s.success_threshold),
                "success_threshold",
                s.success_threshold,
                "at least 1 and at most half_open_max_calls, or the breaker could never close",
            )
            .require(
                !s.probe_lease.is_zero(),
                "probe_lease",
                s.probe_lease,
                "longer than zero, or every probe would be written off at once",
            );
        let checks = match &s.rates {
            Some(rates) => rates.check(checks),
            None => checks,
        };
        checks.finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &BreakerSettings {
        &self.0
    }

    pub(crate) fn into_settings(self) -> BreakerSettings {
        self.0
    }
}

impl RateSettings {
    fn check(&self, checks: SettingChecks) -> SettingChecks {
        const RATE: &str = "above 0 and at most 1";
        let rate = |rate: f64| rate > 0.0 && rate <= 1.0;
        let checks = match self.window {
            Window::Calls(calls) => checks
                .require(
                    (1..=BreakerConfig::MAX_WINDOW_CALLS).contains(&calls),
                    "rates.window",
                    format_args!("{calls} calls"),
                    "at least 1 and at most 1000000 calls",
                )
                .require(
                    (1..=calls).contains(&self.minimum_calls),
                    "rates.minimum_calls",
                    self.minimum_calls,
                    "at least 1 and at most the calls of the window, or the rates would never be looked at",
                ),
            Window::Time(length) => checks
                .require(!length.is_zero(), "rates.window", length, "longer than zero")
                .require(self.minimum_calls >= 1, "rates.minimum_calls", self.minimum_calls, "at least 1"),
        };
        let checks = checks.require(rate(self.failure_rate), "rates.failure_rate", self.failure_rate, RATE);
        let Some(slow) = &self.slow_calls else { return checks };
        checks
            .require(
                !slow.duration.is_zero(),
                "rates.slow_calls.duration",
                slow.duration,
                "longer than zero, or every call would be slow",
            )
            .require(rate(slow.rate), "rates.slow_calls.rate", slow.rate, RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that are refused, in the order of the checks.
    #[track_caller]
    fn check(settings: BreakerSettings, refused: &[&str]) {
        let errors = BreakerConfig::try_new(settings).expect_err("some of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, refused);
    }

    fn rates(rates: RateSettings) -> BreakerSettings {
        BreakerSettings { rates: Some(rates), ..BreakerSettings::default() }
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(BreakerConfig::try_new(BreakerSettings::default()), Ok(BreakerConfig::default()));
        assert!(BreakerConfig::try_new(rates(RateSettings::default())).is_ok());
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        check(
            BreakerSettings {
                failure_threshold: Some(0),
                recovery_timeout: Duration::ZERO,
                recovery_jitter: f64::NAN,
                half_open_max_calls: 0,
                success_threshold: 2,
                probe_lease: Duration::ZERO,
                ..BreakerSettings::default()
            },
            &[
                "failure_threshold",
                "recovery_timeout",
                "recovery_jitter",
                "half_open_max_calls",
                "success_threshold",
                "probe_lease",
            ],
        );
    }

    #[test]
    fn an_open_period_that_shrinks_is_refused() {
        check(
            BreakerSettings { max_recovery_timeout: Duration::from_secs(59), ..BreakerSettings::default() },
            &["max_recovery_timeout"],
        );
    }

    #[test]
    fn more_successes_than_probes_are_refused_because_the_breaker_could_never_close() {
        check(
            BreakerSettings { half_open_max_calls: 2, success_threshold: 3, ..BreakerSettings::default() },
            &["success_threshold"],
        );
    }

    #[test]
    fn a_breaker_without_a_rule_is_refused_because_it_would_never_open() {
        let no_rule = BreakerSettings { failure_threshold: None, ..BreakerSettings::default() };
        check(no_rule.clone(), &["failure_threshold"]);
        let by_rates = BreakerSettings { rates: Some(RateSettings::default()), ..no_rule };
        assert!(BreakerConfig::try_new(by_rates).is_ok());
    }

    #[test]
    fn an_impossible_window_is_refused() {
        let window = |window| rates(RateSettings { window, ..RateSettings::default() });
        check(window(Window::Calls(0)), &["rates.window", "rates.minimum_calls"]);
        check(window(Window::Calls(1_000_001)), &["rates.window"]);
        check(window(Window::Time(Duration::ZERO)), &["rates.window"]);
        check(window(Window::Calls(19)), &["rates.minimum_calls"]);
        check(rates(RateSettings { minimum_calls: 0, ..RateSettings::default() }), &["rates.minimum_calls"]);
        let time = RateSettings {
            window: Window::Time(Duration::from_nanos(1)),
            minimum_calls: 0,
            ..RateSettings::default()
        };
        check(rates(time), &["rates.minimum_calls"]);
    }

    #[test]
    fn a_rate_is_above_zero_and_at_most_one() {
        for wrong in [0.0, -0.0, -0.5, 1.000_000_1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let slow_calls = Some(SlowCallSettings { duration: Duration::ZERO, rate: wrong });
            check(
                rates(RateSettings { failure_rate: wrong, slow_calls, ..RateSettings::default() }),
                &["rates.failure_rate", "rates.slow_calls.duration", "rates.slow_calls.rate"],
            );
        }
    }

    #[test]
    fn a_refusal_names_key_value_and_bound() {
        let errors =
            BreakerConfig::try_new(rates(RateSettings { failure_rate: 1.5, ..RateSettings::default() }))
                .expect_err("a rate over 1");
        assert_eq!(errors[0].to_string(), "rates.failure_rate is 1.5: it must be above 0 and at most 1");
    }
}
