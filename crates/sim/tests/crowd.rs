//! Many more tokens than the budget allows for, for hours: a tenth of a hundred thousand with a tenth of the budget,
//! so that every round is as long as with all of them.

use std::time::Duration;

use ttm_guard::{GuardConfig, GuardSettings};
use ttm_market::{MarketConfig, MarketSettings};
use ttm_sim::{FaultSchedule, Plan};

const HOUR: Duration = Duration::from_hours(1);
const TOKENS: usize = 10_200;
const REQUESTS_PER_MINUTE: u32 = 30;
/// Two percent of the tokens of the generated market reach this score.
const HOT_THRESHOLD: f64 = 2.5;

/// The oracle on ages needs two rounds of the cold lane, which take hours.
#[test]
fn every_cold_token_is_refreshed_within_two_computed_rounds_and_hot_ones_stay_fresh() {
    let lasts = if cfg!(debug_assertions) { HOUR / 2 } else { 9 * HOUR };
    let mut plan = Plan::new(1, lasts, FaultSchedule::default());
    plan.tokens = TOKENS;
    let market = MarketSettings { hot_threshold: HOT_THRESHOLD, ..MarketSettings::default() };
    plan.settings.market = MarketConfig::try_new(market).expect("valid settings");
    let guard = GuardSettings { requests_per_minute: Some(REQUESTS_PER_MINUTE), ..GuardSettings::default() };
    plan.settings.guard = GuardConfig::try_new(guard).expect("valid settings");
    plan.promised.requests_per_minute = REQUESTS_PER_MINUTE as usize;
    let outcome = plan.run();
    println!("{outcome}");
    // The service reports that there are more tokens than it can keep fresh, and tells somebody so.
    let is_expected = |broken: &&String| {
        [
            "not recovered",
            "degraded at the end",
            "health: not healthy, although all faults were over long ago",
            "data_stale{api=dexscreener,lane=",
        ]
        .iter()
        .any(|text| broken.contains(text))
    };
    let broken: Vec<&String> = outcome.broken.iter().filter(|broken| !is_expected(broken)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let minutes = lasts.as_secs() / 60;
    assert!(outcome.requests.requests >= minutes * 29, "permits were left unused: {outcome}");
}
