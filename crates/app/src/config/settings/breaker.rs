//! The section `[breaker.dexscreener]`.

use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_breaker::{BreakerConfig, BreakerSettings, RateSettings, SlowCallSettings, Window};
use ttm_kernel::InvalidSetting;
use ttm_service::ServiceSettings;

use super::reader::Reader;

const SECTION: &str = "breaker.dexscreener";

/// The window of the rates as written: empty, `100 calls`, or a duration.
struct WrittenWindow(Option<Window>);

impl FromStr for WrittenWindow {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(None));
        }
        if let Some(calls) = text.strip_suffix("calls") {
            return calls.trim().parse().map(|calls| Self(Some(Window::Calls(calls)))).map_err(|_| ());
        }
        Ok(Self(Some(Window::Time(text.parse::<WrittenDuration>()?.0.ok_or(())?))))
    }
}

/// A duration, or empty.
struct WrittenDuration(Option<Duration>);

impl FromStr for WrittenDuration {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let duration = SpanParser::new().parse_unsigned_duration(text).map_err(|_| ())?;
        if duration.is_zero() { Err(()) } else { Ok(Self(Some(duration))) }
    }
}

/// A percentage above 0.
struct Percent(f64);

impl FromStr for Percent {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let percent: u8 = text.parse().map_err(|_| ())?;
        (1..=100).contains(&percent).then(|| Self(f64::from(percent) / 100.0)).ok_or(())
    }
}

impl Reader<'_> {
    /// An invalid value is reported and replaced by its default, so that the others are checked, too.
    pub(super) fn breaker(&mut self) -> Option<BreakerConfig> {
        let defaults = ServiceSettings::breaker_defaults();
        let recovery_timeout =
            self.duration("breaker.dexscreener.recovery_timeout").unwrap_or(defaults.recovery_timeout);
        let half_open_max_calls =
            self.integer("breaker.dexscreener.half_open_max_calls").unwrap_or(defaults.half_open_max_calls);
        let settings = BreakerSettings {
            failure_threshold: self
                .integer("breaker.dexscreener.failure_threshold")
                .map_or(defaults.failure_threshold, Some),
            rates: self.rates(),
            recovery_timeout,
            max_recovery_timeout: recovery_timeout.max(ServiceSettings::MAX_RECOVERY),
            half_open_max_calls,
            // All admitted probes must succeed.
            success_threshold: half_open_max_calls.max(1),
            metrics_only: self.parsed("breaker.dexscreener.metrics_only").unwrap_or(defaults.metrics_only),
            ..defaults
        };
        // The domain nests its rates; in the file they are not nested.
        let verdict = BreakerConfig::try_new(settings).map_err(|wrong| {
            let flat = |wrong: InvalidSetting| InvalidSetting {
                key: wrong.key.trim_start_matches("rates."),
                ..wrong
            };
            wrong.into_iter().map(flat).collect()
        });
        self.checked(SECTION, verdict)
    }

    /// The rules on the rates in the window; `None` without a window.
    fn rates(&mut self) -> Option<RateSettings> {
        let defaults = RateSettings::default();
        let window = self.parsed("breaker.dexscreener.window");
        let minimum_calls =
            self.integer("breaker.dexscreener.minimum_calls").unwrap_or(defaults.minimum_calls);
        let Percent(failure_rate) =
            self.parsed("breaker.dexscreener.failure_rate_percent").unwrap_or(Percent(defaults.failure_rate));
        let slow_after = self.parsed("breaker.dexscreener.slow_call_duration");
        let slow_rate = self.parsed("breaker.dexscreener.slow_call_rate_percent");
        let slow_calls = match (slow_after, slow_rate) {
            (Some(WrittenDuration(Some(duration))), Some(Percent(rate))) => {
                Some(SlowCallSettings { duration, rate })
            }
            _ => None,
        };
        let WrittenWindow(window) = window?;
        window.map(|window| RateSettings { window, minimum_calls, failure_rate, slow_calls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_number_of_calls_or_a_duration_or_empty() {
        let read = |text: &str| text.parse::<WrittenWindow>().map(|WrittenWindow(window)| window);
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("100 calls"), Ok(Some(Window::Calls(100))));
        assert_eq!(read("60s"), Ok(Some(Window::Time(Duration::from_mins(1)))));
        for wrong in ["100", "-5 calls", "many calls", "1.5 calls", "-60s", "0s", "99999999999 calls"] {
            assert_eq!(read(wrong), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn a_rate_is_a_whole_percentage_above_zero() {
        assert!(matches!("50".parse(), Ok(Percent(rate)) if (rate - 0.5).abs() < 1e-9));
        for wrong in ["0", "101", "-1", "0.5", "50%", ""] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong:?}");
        }
    }
}
