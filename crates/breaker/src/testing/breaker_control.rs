//! Breakers in memory that obey every law of the control port, for tests of what operators use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{BreakerControl, BreakerView, Counts, Order, OrderRefused, Ordered, State, TransitionReason};

/// Breakers that change their state by orders alone.
#[derive(Debug)]
pub struct FakeBreakerControl {
    breakers: Mutex<Vec<BreakerView>>,
    orders: Mutex<Vec<(String, Order)>>,
    stores: AtomicBool,
    stops: AtomicBool,
    now: Timestamp,
}

impl FakeBreakerControl {
    /// Closed breakers with these names, at this time, which does not move.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, now: Timestamp) -> Self {
        let mut breakers: Vec<_> = names.into_iter().map(|name| closed(name, now)).collect();
        breakers.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            breakers: Mutex::new(breakers),
            orders: Mutex::default(),
            stores: true.into(),
            stops: false.into(),
            now,
        }
    }

    /// Shows a breaker as this one instead of the one with its name.
    pub fn show(&self, view: &BreakerView) {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.iter_mut().filter(|known| known.name == view.name).for_each(|known| *known = view.clone());
    }

    /// Whether orders are stored from now on.
    pub fn stores(&self, stores: bool) {
        self.stores.store(stores, Ordering::Relaxed);
    }

    /// Refuses orders from now on.
    pub fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    /// The orders that were carried out.
    pub fn orders(&self) -> Vec<(String, Order)> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn closed(name: &str, now: Timestamp) -> BreakerView {
    BreakerView {
        name: name.to_owned(),
        state: State::Closed,
        since: now,
        reason: None,
        cause: None,
        retry_at: None,
        counts: Counts::default(),
        window: None,
        probes_in_flight: 0,
    }
}

#[async_trait]
impl BreakerControl for FakeBreakerControl {
    fn breakers(&self) -> Vec<BreakerView> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn order(&self, name: &str, order: Order) -> Result<Ordered, OrderRefused> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = || breakers.iter().map(|breaker| breaker.name.clone()).collect();
        let Some(at) = breakers.iter().position(|breaker| breaker.name == name) else {
            return Err(OrderRefused::Unknown { name: name.to_owned(), known: known() });
        };
        if self.stops.load(Ordering::Relaxed) {
            return Err(OrderRefused::NotRunning("stopping"));
        }
        let breaker = &mut breakers[at];
        if order == Order::Reset || breaker.state != order.state() {
            let (state, reason) = (order.state(), Some(TransitionReason::Operator));
            *breaker = BreakerView { state, reason, ..closed(name, self.now) };
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), order));
        Ok(Ordered { breaker: breaker.clone(), stored: self.stores.load(Ordering::Relaxed) })
    }
}
