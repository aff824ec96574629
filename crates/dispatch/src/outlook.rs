//! How long a round of each line takes, given the turns that there are. It looks at numbers alone.

use std::time::Duration;

use crate::{DispatchConfig, Line};

/// What a line wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Keys in it.
    pub keys: usize,
    /// How often each of them is to be asked.
    pub interval: Duration,
    /// Keys that wait for a single question.
    pub unanswered: usize,
}

/// What a line gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Requests a minute.
    pub requests_per_minute: f64,
    /// How long it takes to ask for each of its keys once: the interval, or longer when there are too many. The least
    /// valuable key waits at most a quarter longer.
    pub cycle: Duration,
}

/// What the hot and the cold line get of `requests_per_minute`, when `others` of the other two priorities want all they may
/// have.
pub fn outlook(
    hot: Demand,
    cold: Demand,
    requests_per_minute: f64,
    config: &DispatchConfig,
    others: bool,
) -> [Outlook; 2] {
    let settings = config.settings();
    let floor = requests_per_minute * settings.floor_percent / 100.0;
    let reserved =
        if others { floor + requests_per_minute * settings.activation_percent / 100.0 } else { 0.0 };
    let left = requests_per_minute - reserved;
    let wants = |demand: Demand| {
        demand.keys.div_ceil(settings.batch) as f64 * 60.0 / demand.interval.as_secs_f64().max(1e-3)
    };
    let of_hot = wants(hot).min(left - wants(cold).min(floor));
    let of_cold = wants(cold).min(left - of_hot);
    [(Line::Hot, hot, of_hot), (Line::Cold, cold, of_cold)].map(|(line, demand, requests_per_minute)| {
        let requests = demand.keys.div_ceil(settings.batch) as f64;
        let singles = if demand.unanswered > 0 { 1.0 / f64::from(line.single_every()) } else { 0.0 };
        let batches_per_minute = requests_per_minute * (1.0 - singles);
        let round = if requests > 0.0 { requests * 60.0 / batches_per_minute } else { 0.0 };
        let cycle = Duration::try_from_secs_f64(round).unwrap_or(Duration::MAX).max(demand.interval);
        Outlook { requests_per_minute, cycle }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hot: usize, cold: usize, others: bool) -> [Outlook; 2] {
        let demand = |keys, seconds| Demand { keys, interval: Duration::from_secs(seconds), unanswered: 0 };
        outlook(demand(hot, 10), demand(cold, 45), 294.0, &DispatchConfig::default(), others)
    }

    #[test]
    fn with_turns_to_spare_every_line_keeps_its_interval() {
        let [hot, cold] = of(600, 900, true);
        assert_eq!([hot.cycle.as_secs(), cold.cycle.as_secs()], [10, 45]);
        assert!((hot.requests_per_minute - 120.0).abs() < 1e-9);
    }

    #[test]
    fn with_too_many_keys_the_cold_line_has_its_floor_and_the_hot_one_the_rest() {
        let [hot, cold] = of(2_000, 100_000, true);
        assert_eq!(hot.cycle.as_secs(), 17);
        assert_eq!(cold.cycle.as_secs() / 60, 226);
        let [hot, cold] = of(2_000, 100_000, false);
        assert_eq!((hot.cycle.as_secs(), cold.cycle.as_secs() / 60), (14, 226));
    }

    #[test]
    fn single_questions_make_a_round_longer() {
        let cold = Demand { keys: 9_000, interval: Duration::from_secs(45), unanswered: 10 };
        let hot = Demand { keys: 0, interval: Duration::from_secs(10), unanswered: 0 };
        let [_, cold] = outlook(hot, cold, 300.0, &DispatchConfig::default(), false);
        assert_eq!(cold.cycle.as_secs(), 80);
    }

    #[test]
    fn an_empty_line_wants_nothing_and_leaves_all_to_the_other() {
        let [hot, cold] = of(0, 9_000, false);
        assert_eq!((hot.requests_per_minute, hot.cycle.as_secs()), (0.0, 10));
        assert_eq!(cold.cycle.as_secs(), 61);
    }
}
