//! Operators at the breakers of the guards. What they order is reported and saved as every other change is.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::{Breaker, BreakerControl, BreakerView, Order, OrderRefused, Ordered};
use ttm_guard::Guard;
use ttm_health::Phase;
use ttm_kernel::Moment;

use crate::breakers::Change;
use crate::resident::Resident;

/// The breakers of all guards.
pub(crate) struct GuardBreakers(Arc<Resident>);

impl GuardBreakers {
    pub(crate) const fn new(resident: Arc<Resident>) -> Self {
        Self(resident)
    }

    /// The guards, by the names of their breakers.
    fn guards(&self) -> Vec<&Arc<Guard>> {
        let mut guards: Vec<_> = self.0.guards.iter().collect();
        guards.sort_by_key(|guard| guard.breaker().name());
        guards
    }

    /// Reports what waits to be reported, so that the state and its reason are of one time.
    fn report(&self, breaker: &Breaker) {
        let cause = || self.0.board.api_trouble(breaker.name()).map(|trouble| trouble.message);
        self.0.breakers.report(breaker, &*self.0.clock, cause);
    }

    fn view(&self, breaker: &Breaker) -> BreakerView {
        self.report(breaker);
        let (now, wall) = (self.0.clock.now(), self.0.clock.wall());
        let snapshot = breaker.snapshot(now);
        let (since, reason, cause) = match self.0.breakers.last_change(breaker.name()) {
            Some(Change { at, reason, cause, .. }) => (at, reason, cause),
            // Each has one from its start on.
            None => (wall, None, None),
        };
        BreakerView {
            name: breaker.name().to_owned(),
            state: snapshot.state,
            since,
            reason,
            cause,
            retry_at: snapshot
                .retry_at
                .filter(|at| *at < Moment::MAX)
                .map(|at| wall.checked_add(at - now).unwrap_or(Timestamp::MAX)),
            counts: snapshot.counts,
            window: snapshot.window,
            probes_in_flight: snapshot.probes_in_flight,
        }
    }
}

#[async_trait]
impl BreakerControl for GuardBreakers {
    fn breakers(&self) -> Vec<BreakerView> {
        self.guards().into_iter().map(|guard| self.view(guard.breaker())).collect()
    }

    async fn order(&self, name: &str, order: Order) -> Result<Ordered, OrderRefused> {
        let guards = self.guards();
        let Some(guard) = guards.iter().find(|guard| guard.breaker().name() == name) else {
            let known = guards.iter().map(|guard| guard.breaker().name().to_owned()).collect();
            return Err(OrderRefused::Unknown { name: name.to_owned(), known });
        };
        if self.0.board.phase() == Phase::Stopping {
            // The writer may have written the breakers for the last time.
            return Err(OrderRefused::NotRunning("stopping"));
        }
        let (breaker, now) = (guard.breaker(), self.0.clock.now());
        // What came before the order is reported as it was.
        self.report(breaker);
        match order {
            Order::ForceOpen => breaker.force_open(now),
            Order::Disable => breaker.disable(now),
            Order::Reset => breaker.reset(now),
        }
        let (breaker, orders) = (self.view(breaker), &self.0.breakers.orders);
        let number = orders.give(name);
        // One that changes nothing is stored, too: the order before it may not be.
        self.0.breakers.put();
        Ok(Ordered { breaker, stored: orders.is_stored(number, &*self.0.clock).await })
    }
}

#[cfg(test)]
mod tests;
