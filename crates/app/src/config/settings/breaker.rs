//! The section `[breaker.dexscreener]`: its keys as the settings of a breaker.

use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_breaker::{BreakerConfig, BreakerSettings, RateSettings, SlowCallSettings, Window};
use ttm_kernel::InvalidSetting;

use super::Reader;

const SECTION: &str = "breaker.dexscreener";

/// The window of the rates as it is written: nothing, `100 calls`, or a duration.
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

/// A duration, or nothing.
struct WrittenDuration(Option<Duration>);

impl FromStr for WrittenDuration {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        SpanParser::new().parse_unsigned_duration(text).map(|duration| Self(Some(duration))).map_err(|_| ())
    }
}

/// A share in percent, above 0.
struct Percent(f64);

impl FromStr for Percent {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let percent: u8 = text.parse().map_err(|_| ())?;
        (1..=100).contains(&percent).then(|| Self(f64::from(percent) / 100.0)).ok_or(())
    }
}

impl Reader<'_> {
    pub(super) fn breaker(&mut self) -> Option<BreakerConfig> {
        let failure_threshold = self.integer("breaker.dexscreener.failure_threshold");
        let recovery_timeout = self.duration("breaker.dexscreener.recovery_timeout");
        let half_open_max_calls = self.integer::<u32>("breaker.dexscreener.half_open_max_calls");
        let metrics_only = self.parsed("breaker.dexscreener.metrics_only");
        let rates = self.rates();
        let defaults = BreakerSettings::default();
        let recovery_timeout = recovery_timeout?;
        let settings = BreakerSettings {
            failure_threshold: Some(failure_threshold?),
            rates: rates?,
            recovery_timeout,
            max_recovery_timeout: defaults.max_recovery_timeout.max(recovery_timeout),
            half_open_max_calls: half_open_max_calls?,
            // Every probe that is admitted must succeed.
            success_threshold: half_open_max_calls?.max(1),
            metrics_only: metrics_only?,
            ..defaults
        };
        // The domain names its rates as a part of their own; in the file they stand beside the rest.
        let verdict = BreakerConfig::try_new(settings).map_err(|wrong| {
            let flat = |wrong: InvalidSetting| InvalidSetting {
                key: wrong.key.trim_start_matches("rates."),
                ..wrong
            };
            wrong.into_iter().map(flat).collect()
        });
        self.checked(SECTION, verdict)
    }

    /// The rules that look at shares of the last calls; none without a window.
    #[expect(clippy::option_option, reason = "the outer one is whether it could be read, as everywhere here")]
    fn rates(&mut self) -> Option<Option<RateSettings>> {
        let window = self.parsed("breaker.dexscreener.window");
        let minimum_calls = self.integer("breaker.dexscreener.minimum_calls");
        let failure_rate = self.parsed("breaker.dexscreener.failure_rate_percent");
        let slow_after = self.parsed("breaker.dexscreener.slow_call_duration");
        let slow_rate = self.parsed("breaker.dexscreener.slow_call_rate_percent");
        let (Percent(failure_rate), Percent(slow_rate)) = (failure_rate?, slow_rate?);
        let (WrittenWindow(window), WrittenDuration(slow_after)) = (window?, slow_after?);
        let minimum_calls = minimum_calls?;
        let slow_calls = slow_after.map(|duration| SlowCallSettings { duration, rate: slow_rate });
        Some(window.map(|window| RateSettings { window, minimum_calls, failure_rate, slow_calls }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_calls_or_as_a_duration_or_not_at_all() {
        let read = |text: &str| text.parse::<WrittenWindow>().map(|WrittenWindow(window)| window);
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("100 calls"), Ok(Some(Window::Calls(100))));
        assert_eq!(read("60s"), Ok(Some(Window::Time(Duration::from_mins(1)))));
        for wrong in ["100", "-5 calls", "many calls", "1.5 calls", "-60s", "99999999999 calls"] {
            assert_eq!(read(wrong), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn a_share_is_a_whole_percentage_above_zero() {
        assert!(matches!("50".parse(), Ok(Percent(rate)) if (rate - 0.5).abs() < 1e-9));
        for wrong in ["0", "101", "-1", "0.5", "50%", ""] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong:?}");
        }
    }
}
