//! Checks of settings, of which all failures are reported at once.

use std::fmt;

/// A setting outside its bounds, in words that name what to fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}: it must be {bound}")]
pub struct InvalidSetting {
    /// The setting's name.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be, such as `at least 1`.
    pub bound: &'static str,
}

/// Collects everything that is wrong with a config, so that all of it is reported at once.
#[derive(Debug, Default)]
#[must_use = "checks that are not finished have no effect"]
pub struct SettingChecks(Vec<InvalidSetting>);

impl SettingChecks {
    /// Adds an error about `key` and its `value` unless `valid`.
    pub fn require(
        mut self,
        valid: bool,
        key: &'static str,
        value: impl fmt::Debug,
        bound: &'static str,
    ) -> Self {
        if !valid {
            self.0.push(InvalidSetting { key, value: format!("{value:?}"), bound });
        }
        self
    }

    /// The config, if all checks passed.
    ///
    /// # Errors
    /// Every check that failed, in order.
    pub fn finish<T>(self, config: T) -> Result<T, Vec<InvalidSetting>> {
        if self.0.is_empty() { Ok(config) } else { Err(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_violation_is_reported_with_its_key_value_and_bound() {
        let errors = SettingChecks::default()
            .require(false, "attempts", 0, "at least 1")
            .require(true, "multiplier", 2.0, "at least 1")
            .require(false, "base", Duration::ZERO, "longer than zero")
            .finish(())
            .expect_err("two of three are wrong");
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["attempts is 0: it must be at least 1", "base is 0ns: it must be longer than zero"]
        );
    }

    #[test]
    fn a_config_without_violations_is_handed_back() {
        assert_eq!(SettingChecks::default().require(true, "attempts", 3, "at least 1").finish(7), Ok(7));
    }
}
