//! How long a round of each lane takes, given the turns that there are: a forecast from numbers alone, for operators.

use std::time::Duration;

use ttm_kernel::PerLane;

use crate::{DispatchConfig, single_every};

/// What a lane wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Keys in its line.
    pub keys: usize,
    /// How often each of them is to be asked.
    pub interval: Duration,
    /// Keys that wait for a single request.
    pub unanswered: usize,
}

/// What a lane gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Requests a minute.
    pub requests_per_minute: f64,
    /// How long it takes to ask for each of its keys once: the interval, or longer when there are too many. The least
    /// valuable key waits at most a quarter longer.
    pub cycle: Duration,
}

/// What each lane gets of `requests_per_minute`, when `others` of the other two priorities want all they may
/// have.
pub fn outlook(
    demand: PerLane<Demand>,
    requests_per_minute: f64,
    config: &DispatchConfig,
    others: bool,
) -> PerLane<Outlook> {
    let settings = config.settings();
    let floor = requests_per_minute * settings.floor_percent / 100.0;
    let reserved =
        if others { floor + requests_per_minute * settings.activation_percent / 100.0 } else { 0.0 };
    let left = requests_per_minute - reserved;
    let wants = |demand: Demand| {
        demand.keys.div_ceil(settings.batch) as f64 * 60.0 / demand.interval.as_secs_f64().max(1e-3)
    };
    let hot = wants(demand.hot).min(left - wants(demand.cold).min(floor));
    let gets = PerLane { hot, cold: wants(demand.cold).min(left - hot) };
    PerLane::from_fn(|lane| {
        let (demand, requests_per_minute) = (demand[lane], gets[lane]);
        let requests = demand.keys.div_ceil(settings.batch) as f64;
        let singles = if demand.unanswered > 0 { 1.0 / f64::from(single_every(lane)) } else { 0.0 };
        let batches_per_minute = requests_per_minute * (1.0 - singles);
        let round = if requests > 0.0 { requests * 60.0 / batches_per_minute } else { 0.0 };
        let cycle = Duration::try_from_secs_f64(round).unwrap_or(Duration::MAX).max(demand.interval);
        Outlook { requests_per_minute, cycle }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hot: usize, cold: usize, others: bool) -> PerLane<Outlook> {
        let demand = |keys, seconds| Demand { keys, interval: Duration::from_secs(seconds), unanswered: 0 };
        outlook(
            PerLane { hot: demand(hot, 10), cold: demand(cold, 45) },
            294.0,
            &DispatchConfig::default(),
            others,
        )
    }

    #[test]
    fn with_turns_to_spare_every_line_keeps_its_interval() {
        let PerLane { hot, cold } = of(600, 900, true);
        assert_eq!([hot.cycle.as_secs(), cold.cycle.as_secs()], [10, 45]);
        assert!((hot.requests_per_minute - 120.0).abs() < 1e-9);
    }

    #[test]
    fn with_too_many_keys_the_cold_line_has_its_floor_and_the_hot_one_the_rest() {
        let PerLane { hot, cold } = of(2_000, 100_000, true);
        assert_eq!(hot.cycle.as_secs(), 17);
        assert_eq!(cold.cycle.as_secs() / 60, 226);
        let PerLane { hot, cold } = of(2_000, 100_000, false);
        assert_eq!((hot.cycle.as_secs(), cold.cycle.as_secs() / 60), (14, 226));
    }

    #[test]
    fn single_requests_make_a_round_longer() {
        let cold = Demand { keys: 9_000, interval: Duration::from_secs(45), unanswered: 10 };
        let hot = Demand { keys: 0, interval: Duration::from_secs(10), unanswered: 0 };
        let outlook = outlook(PerLane { hot, cold }, 300.0, &DispatchConfig::default(), false);
        assert_eq!(outlook.cold.cycle.as_secs(), 80);
    }

    #[test]
    fn an_empty_line_wants_nothing_and_leaves_all_to_the_other() {
        let PerLane { hot, cold } = of(0, 9_000, false);
        assert_eq!((hot.requests_per_minute, hot.cycle.as_secs()), (0.0, 10));
        assert_eq!(cold.cycle.as_secs(), 61);
    }
}
