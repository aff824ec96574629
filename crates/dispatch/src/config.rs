//! The settings of the dispatcher, and their bounds.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, Lane, SettingChecks};

/// What [`DispatchConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct DispatchSettings {
    /// Keys that one request can ask for.
    pub batch: usize,
    /// How long a key may wait for others to fill its batch.
    pub coalesce: Duration,
    /// How long a key whose backoff is over waits for room in another batch, before it gets its own.
    pub gather: Duration,
    /// The first backoff of a key that makes every request fail; it doubles each time, up to the next setting.
    pub bad_rest: Duration,
    /// The longest of these backoffs.
    pub longest_bad_rest: Duration,
    /// The share of the turns that each line, and the keys that have rested, get at least when they can use it.
    pub floor_percent: f64,
    /// The share of the turns that candidates for activation go first with; beyond it they come last, or a crowd of them
    /// would leave the hot line its floor.
    pub activation_percent: f64,
    /// A hot key that was seen less long ago is not asked again: what is known of it is as good as an answer.
    pub hot_fresh_for: Duration,
    /// The same for a cold key.
    pub cold_fresh_for: Duration,
    /// Requests that may be in flight at once.
    pub max_in_flight: usize,
    /// Keys of each line that may wait to be asked alone, which takes a turn each. An upstream that leaves out more at once is
    /// better asked again in batches.
    pub alone: usize,
    /// Full lists that may wait, of each of the two kinds, more than which are not remembered. With fewer than there are
    /// keys, those that are seen late in each round may never get theirs.
    pub lists: usize,
}

impl Default for DispatchSettings {
    fn default() -> Self {
        Self {
            batch: 30,
            coalesce: Duration::from_millis(200),
            gather: Duration::from_mins(1),
            bad_rest: Duration::from_mins(1),
            longest_bad_rest: Duration::from_mins(10),
            floor_percent: 5.0,
            activation_percent: 10.0,
            hot_fresh_for: Duration::from_secs(5),
            cold_fresh_for: Duration::from_secs(30),
            max_in_flight: 32,
            alone: 512,
            lists: 16_384,
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DispatchConfig(DispatchSettings);

impl DispatchConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: DispatchSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        SettingChecks::default()
            .require((1..=10_000).contains(&s.batch), "batch", s.batch, "at least 1 and at most 10000")
            .require(
                s.coalesce <= Duration::from_mins(1),
                "coalesce",
                s.coalesce,
                "at most a minute, or nothing would be asked",
            )
            .require(s.gather <= Duration::from_hours(1), "gather", s.gather, "at most an hour")
            .require(!s.bad_rest.is_zero(), "bad_rest", s.bad_rest, "longer than zero")
            .require(
                s.longest_bad_rest >= s.bad_rest,
                "longest_bad_rest",
                s.longest_bad_rest,
                "at least bad_rest",
            )
            .require(
                (0.1..=25.0).contains(&s.floor_percent),
                "floor_percent",
                s.floor_percent,
                "between 0.1 and 25, since three share the turns beside the first",
            )
            .require(
                (0.1..=25.0).contains(&s.activation_percent),
                "activation_percent",
                s.activation_percent,
                "between 0.1 and 25",
            )
            .require(
                (1..=100_000).contains(&s.max_in_flight),
                "max_in_flight",
                s.max_in_flight,
                "at least 1 and at most 100000",
            )
            .require((1..=1_000_000).contains(&s.alone), "alone", s.alone, "at least 1 and at most 1000000")
            .require((1..=1_000_000).contains(&s.lists), "lists", s.lists, "at least 1 and at most 1000000")
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &DispatchSettings {
        &self.0
    }

    /// How long what was seen of a key of this line is as good as an answer.
    pub const fn fresh_for(&self, lane: Lane) -> Duration {
        match lane {
            Lane::Hot => self.0.hot_fresh_for,
            Lane::Cold => self.0.cold_fresh_for,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(DispatchConfig::try_new(DispatchSettings::default()), Ok(DispatchConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let errors = DispatchConfig::try_new(DispatchSettings {
            batch: 0,
            coalesce: Duration::MAX,
            gather: Duration::MAX,
            bad_rest: Duration::ZERO,
            longest_bad_rest: Duration::ZERO,
            floor_percent: 50.0,
            activation_percent: f64::NAN,
            max_in_flight: 0,
            alone: 0,
            lists: 0,
            ..DispatchSettings::default()
        })
        .expect_err("all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            [
                "batch",
                "coalesce",
                "gather",
                "bad_rest",
                "floor_percent",
                "activation_percent",
                "max_in_flight",
                "alone",
                "lists"
            ]
        );
    }
}
