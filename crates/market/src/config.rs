//! The market's thresholds: which pools count, what is hot, when a token is archived.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, Lane, SettingChecks};

/// What [`MarketConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketSettings {
    /// From this smoothed score on, a token that is not active is hot as well.
    pub hot_threshold: f64,
    /// A pool with less liquidity does not count, US dollars.
    pub min_liquidity_usd: f64,
    /// Weight of the newest score in the EWMA, above 0 and at most 1.
    pub ewma_alpha: f64,
    /// A token that was seen below the minimum liquidity for this long is archived.
    pub archive_after: Duration,
    /// A full list of pools that is older no longer counts as a basis.
    pub list_max_age: Duration,
    /// Roughly how many bytes of full lists are kept; beyond that the oldest go first.
    pub list_capacity_bytes: usize,
    /// A hot token that was not observed for longer is stale.
    pub hot_stale_after: Duration,
    /// A cold or archived token that was not observed for longer is stale.
    pub cold_stale_after: Duration,
    /// A score that is older is not served, even marked as stale.
    pub serve_stale_for: Duration,
    /// A token that the API does not know is asked for again after this, then twice this, and so on.
    pub unlisted_backoff: Duration,
    /// The longest wait before a token that the API does not know is asked for again.
    pub unlisted_max_backoff: Duration,
}

impl Default for MarketSettings {
    /// The stale marks are six runs of the hot group (10 s) and four of the cold one (45 s): a run or two that fails is
    /// no news.
    fn default() -> Self {
        Self {
            hot_threshold: 0.10,
            min_liquidity_usd: 500.0,
            ewma_alpha: 0.3,
            archive_after: Duration::from_hours(12),
            list_max_age: Duration::from_mins(15),
            list_capacity_bytes: 32 << 20,
            hot_stale_after: Duration::from_mins(1),
            cold_stale_after: Duration::from_mins(3),
            serve_stale_for: Duration::from_mins(15),
            unlisted_backoff: Duration::from_mins(1),
            unlisted_max_backoff: Duration::from_hours(1),
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarketConfig(MarketSettings);

/// No setting is longer than this, which keeps all sums of times far inside the calendar.
const YEAR: Duration = Duration::from_hours(365 * 24);

impl MarketConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: MarketSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        let up_to_a_year = |wait: Duration| !wait.is_zero() && wait <= YEAR;
        SettingChecks::default()
            .require(s.hot_threshold.is_finite(), "hot_threshold", s.hot_threshold, "a number")
            .require(
                s.min_liquidity_usd.is_finite() && s.min_liquidity_usd > 0.0,
                "min_liquidity_usd",
                s.min_liquidity_usd,
                "a number above 0, or an empty pool would count",
            )
            .require(
                s.ewma_alpha > 0.0 && s.ewma_alpha <= 1.0,
                "ewma_alpha",
                s.ewma_alpha,
                "above 0 and at most 1",
            )
            .require(
                up_to_a_year(s.archive_after),
                "archive_after",
                s.archive_after,
                "above 0, at most a year",
            )
            .require(up_to_a_year(s.list_max_age), "list_max_age", s.list_max_age, "above 0, at most a year")
            .require(!s.hot_stale_after.is_zero(), "hot_stale_after", s.hot_stale_after, "above 0")
            .require(
                s.cold_stale_after >= s.hot_stale_after,
                "cold_stale_after",
                s.cold_stale_after,
                "at least hot_stale_after",
            )
            .require(!s.unlisted_backoff.is_zero(), "unlisted_backoff", s.unlisted_backoff, "above 0")
            .require(
                (s.unlisted_backoff..=YEAR).contains(&s.unlisted_max_backoff),
                "unlisted_max_backoff",
                s.unlisted_max_backoff,
                "at least unlisted_backoff, at most a year",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// From this smoothed score on, a token that is not active is hot as well.
    pub const fn hot_threshold(&self) -> f64 {
        self.0.hot_threshold
    }

    /// A pool with less liquidity does not count, US dollars.
    pub const fn min_liquidity_usd(&self) -> f64 {
        self.0.min_liquidity_usd
    }

    /// Weight of the newest score in the EWMA.
    pub const fn ewma_alpha(&self) -> f64 {
        self.0.ewma_alpha
    }

    /// A token that was seen below the minimum liquidity for this long is archived.
    pub const fn archive_after(&self) -> Duration {
        self.0.archive_after
    }

    /// A full list of pools that is older no longer counts as a basis.
    pub const fn list_max_age(&self) -> Duration {
        self.0.list_max_age
    }

    /// Roughly how many bytes of full lists are kept.
    pub const fn list_capacity_bytes(&self) -> usize {
        self.0.list_capacity_bytes
    }

    /// A token of this lane that was not observed for longer is stale; archived tokens are measured as cold ones.
    pub const fn stale_after(&self, lane: Option<Lane>) -> Duration {
        match lane {
            Some(Lane::Hot) => self.0.hot_stale_after,
            Some(Lane::Cold) | None => self.0.cold_stale_after,
        }
    }

    /// A score that is older is not served, even marked as stale.
    pub const fn serve_stale_for(&self) -> Duration {
        self.0.serve_stale_for
    }

    /// The backoff of a token that was missing `misses` times in a row: 1, 2, 4, … 60 minutes by default.
    pub fn unlisted_backoff(&self, misses: u32) -> Duration {
        let factor = 2_u32.saturating_pow(misses.saturating_sub(1));
        self.0.unlisted_backoff.saturating_mul(factor).min(self.0.unlisted_max_backoff)
    }

    /// The longest of those waits.
    pub const fn unlisted_max_backoff(&self) -> Duration {
        self.0.unlisted_max_backoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(MarketConfig::try_new(MarketSettings::default()), Ok(MarketConfig::default()));
    }

    #[test]
    fn every_bad_setting_is_named_with_its_value_and_bound() {
        let bad = MarketSettings {
            hot_threshold: f64::NAN,
            min_liquidity_usd: 0.0,
            ewma_alpha: 1.5,
            archive_after: Duration::ZERO,
            list_max_age: Duration::MAX,
            list_capacity_bytes: 1 << 20,
            hot_stale_after: Duration::ZERO,
            cold_stale_after: Duration::ZERO,
            serve_stale_for: Duration::from_mins(15),
            unlisted_backoff: Duration::from_mins(1),
            unlisted_max_backoff: Duration::from_secs(59),
        };
        let errors = MarketConfig::try_new(bad).expect_err("almost everything is wrong");
        let keys: Vec<&str> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            [
                "hot_threshold",
                "min_liquidity_usd",
                "ewma_alpha",
                "archive_after",
                "list_max_age",
                "hot_stale_after",
                "unlisted_max_backoff",
            ]
        );
        assert_eq!(errors[2].to_string(), "ewma_alpha is 1.5: it must be above 0 and at most 1");
    }

    #[test]
    fn each_bound_holds_to_the_last_bit() {
        let defaults = MarketSettings::default;
        let minimum = |min_liquidity_usd| MarketSettings { min_liquidity_usd, ..defaults() };
        let alpha = |ewma_alpha| MarketSettings { ewma_alpha, ..defaults() };
        let archive = |archive_after| MarketSettings { archive_after, ..defaults() };
        let list = |list_max_age| MarketSettings { list_max_age, ..defaults() };
        let cold = |cold_stale_after| MarketSettings { cold_stale_after, ..defaults() };
        let rest = |unlisted_backoff, unlisted_max_backoff| MarketSettings {
            unlisted_backoff,
            unlisted_max_backoff,
            ..defaults()
        };
        let (least, year) = (Duration::from_nanos(1), Duration::from_hours(8_760));
        let hot = defaults().hot_stale_after;
        for right in [
            minimum(f64::MIN_POSITIVE),
            alpha(f64::MIN_POSITIVE),
            alpha(1.0),
            archive(least),
            archive(year),
            list(year),
            cold(hot),
            rest(least, least),
            rest(year, year),
        ] {
            assert!(MarketConfig::try_new(right.clone()).is_ok(), "{right:?}");
        }
        for wrong in [
            minimum(-1.0),
            minimum(f64::INFINITY),
            minimum(f64::NAN),
            alpha(0.0),
            alpha(1.0 + f64::EPSILON),
            alpha(f64::NAN),
            archive(year + least),
            list(Duration::ZERO),
            list(year + least),
            cold(hot.saturating_sub(least)),
            rest(Duration::ZERO, year),
            rest(least, year + least),
        ] {
            let refused = MarketConfig::try_new(wrong.clone());
            assert_eq!(refused.map_err(|errors| errors.len()), Err(1), "{wrong:?}");
        }
    }

    #[test]
    fn the_waits_for_an_unlisted_token_double_up_to_an_hour() {
        let config = MarketConfig::default();
        let minutes: Vec<u64> =
            (1..=9).map(|misses| config.unlisted_backoff(misses).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(config.unlisted_backoff(u32::MAX), Duration::from_hours(1));
    }
}
