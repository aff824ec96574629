//! How long to wait: the arithmetic of backoff.

use std::time::Duration;

use ttm_kernel::{Entropy, InvalidSetting, SettingChecks};

/// How the waits of callers that failed together are spread at random.
///
/// The names and formulas are those of "Exponential Backoff And Jitter" (Marc Brooker, AWS, 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all: `delay`.
    None,
    /// Uniform in `0..delay`.
    Full,
    /// Uniform in `delay/2..delay`.
    Equal,
    /// Uniform in `base..3 · the wait before`, capped.
    Decorrelated,
}

/// What [`RetryPolicy::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// The wait after the first failure, before jitter.
    pub base_delay: Duration,
    /// By how much the wait grows with each further failure.
    pub multiplier: f64,
    /// The longest wait that the upstream did not ask for.
    pub max_delay: Duration,
    /// How waits are spread.
    pub jitter: Jitter,
    /// The longest wait that the upstream may ask for.
    pub max_retry_after: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_secs(1),
            multiplier: 2.0,
            max_delay: Duration::from_secs(30),
            jitter: Jitter::Full,
            max_retry_after: Duration::from_mins(10),
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPolicy(RetrySettings);

impl RetryPolicy {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: RetrySettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        SettingChecks::default()
            .require(s.max_attempts >= 1, "max_attempts", s.max_attempts, "at least 1")
            .require(
                !s.base_delay.is_zero(),
                "base_delay",
                s.base_delay,
                "longer than zero, or retries would hammer",
            )
            .require(
                s.multiplier.is_finite() && s.multiplier >= 1.0,
                "multiplier",
                s.multiplier,
                "a number of at least 1",
            )
            .require(s.max_delay >= s.base_delay, "max_delay", s.max_delay, "at least base_delay")
            .require(
                s.max_retry_after >= s.max_delay,
                "max_retry_after",
                s.max_retry_after,
                "at least max_delay",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &RetrySettings {
        &self.0
    }

    /// `min(max_delay, base_delay · multiplier^n)`: the wait before retry `n`, counted from 0, without jitter.
    pub fn backoff(&self, n: u32) -> Duration {
        let RetrySettings { base_delay, multiplier, max_delay, .. } = self.0;
        // As the base is over zero and the multiplier at least 1, the product may be infinite but is a number. What does not
        // fit a duration is above every cap.
        let seconds = base_delay.as_secs_f64() * multiplier.powf(f64::from(n));
        Duration::try_from_secs_f64(seconds).map_or(max_delay, |delay| delay.min(max_delay))
    }

    /// How long all callers wait after a 429: what the upstream asked for up to `max_retry_after`, or, if
    /// it asked for nothing, a long wait of between half and all of `max_delay`.
    pub fn pause(&self, retry_after: Option<Duration>, entropy: &dyn Entropy) -> Duration {
        match retry_after {
            Some(asked) => asked.min(self.0.max_retry_after),
            None => between(self.0.max_delay / 2, self.0.max_delay, entropy),
        }
    }

    /// The wait before retry `n` with jitter; `previous` is the wait before it, if there was one.
    pub(crate) fn jittered(&self, n: u32, previous: Option<Duration>, entropy: &dyn Entropy) -> Duration {
        let delay = self.backoff(n);
        match self.0.jitter {
            Jitter::None => delay,
            Jitter::Full => between(Duration::ZERO, delay, entropy),
            Jitter::Equal => between(delay / 2, delay, entropy),
            Jitter::Decorrelated => {
                let base = self.0.base_delay;
                let most = previous.unwrap_or(base).saturating_mul(3);
                between(base, most, entropy).min(self.0.max_delay)
            }
        }
    }

    /// The wait that the upstream asked for, capped, and up to a tenth longer, never shorter.
    pub(crate) fn asked(&self, retry_after: Duration, entropy: &dyn Entropy) -> Duration {
        let least = retry_after.min(self.0.max_retry_after);
        match self.0.jitter {
            Jitter::None => least,
            Jitter::Full | Jitter::Equal | Jitter::Decorrelated => {
                between(least, least.saturating_add(least / 10), entropy)
            }
        }
    }
}

/// Uniform in `least..most`.
fn between(least: Duration, most: Duration, entropy: &dyn Entropy) -> Duration {
    let span = most.saturating_sub(least);
    // `unit` is below 1 by 2^-53 at least, which keeps even the longest span inside a duration. The port is implemented by
    // others, though, and a slip of theirs should cost some spread, not a panic.
    let part = Duration::try_from_secs_f64(span.as_secs_f64() * entropy.unit()).unwrap_or(span);
    least.saturating_add(part).min(most.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(RetryPolicy::try_new(RetrySettings::default()), Ok(RetryPolicy::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let errors = RetryPolicy::try_new(RetrySettings {
            max_attempts: 0,
            base_delay: Duration::ZERO,
            multiplier: f64::NAN,
            max_retry_after: Duration::from_secs(1),
            ..RetrySettings::default()
        })
        .expect_err("all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, ["max_attempts", "base_delay", "multiplier", "max_retry_after"]);
    }

    #[test]
    fn waits_never_shrink_and_never_become_endless() {
        let accepted = |multiplier| {
            RetryPolicy::try_new(RetrySettings { multiplier, ..RetrySettings::default() }).is_ok()
        };
        assert!([1.0, 1.5, f64::MAX].into_iter().all(accepted));
        assert!(![0.999, 0.0, -2.0, f64::INFINITY, f64::NEG_INFINITY].into_iter().any(accepted));
    }

    #[test]
    fn the_default_waits_are_one_two_four_and_at_most_thirty_seconds() {
        let policy = RetryPolicy::default();
        let seconds = [0, 1, 2, 3, 4, 5, u32::MAX].map(|n| policy.backoff(n).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    }
}
