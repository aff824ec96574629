//! What operators are shown of the next requests: how many each lane gets, how long a cycle through its tokens takes, and
//! what has to wait.

use std::time::Duration;

use ttm_dispatch::{Demand, outlook};
use ttm_health::{LanePlan, PlanFacts};
use ttm_kernel::{Lane, Moment, PerLane};

use super::boot::LookUps;
use super::{Effect, Machine};

impl Machine {
    pub(super) fn show_plan(&mut self, now: Moment) {
        let LookUps { asked, cached } = self.looked_up();
        self.effects.push_back(Effect::Plan { facts: self.plan(now), asked, cached });
    }

    fn plan(&self, now: Moment) -> PlanFacts {
        let counts = self.dispatcher.counts();
        let budget = self.settings.requests_per_minute * self.upstream.share;
        let demand = PerLane::from_fn(|lane| {
            let interval = self.settings.schedule.interval(lane);
            Demand { keys: counts.in_line[lane], interval, unanswered: counts.unanswered[lane] }
        });
        let others = counts.lists.activation > 0;
        let outlooks = outlook(demand, budget, self.dispatcher.config(), others);
        let held_until = self.upstream.retry_at.max(self.upstream.paused_until);
        // None if only an operator can end it.
        let held_for = match held_until {
            Some(Moment::MAX) => None,
            until => Some(until.map_or(Duration::ZERO, |until| until - now)),
        };
        let lane = |lane: Lane| {
            let outlook = outlooks[lane];
            let deferred = counts.waiting[lane] as u64;
            let share = deferred as f64 / (counts.in_line[lane].max(1)) as f64;
            LanePlan {
                requests_per_minute: outlook.requests_per_minute,
                cycle: outlook.cycle,
                deferred,
                comes_within: held_for.map(|held| held.saturating_add(outlook.cycle.mul_f64(share.min(1.0)))),
            }
        };
        PlanFacts {
            requests_per_minute: budget,
            paused_for: self.upstream.paused_until.map(|until| until - now),
            hot: lane(Lane::Hot),
            cold: lane(Lane::Cold),
            resting: counts.resting as u64,
            lists_waiting: counts.lists.total() as u64,
            in_flight: counts.in_flight as u64,
            max_in_flight: self.control.in_flight() as u64,
            tokens_per_batch: counts.keys_per_batch(),
            attempt_timeout: self.control.attempt_timeout(),
        }
    }
}
