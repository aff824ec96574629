//! The requests in flight, as tasks: each is listed from its start until its task is gone, whoever waits for it. So a task that was
//! aborted and does not end is seen, and what hung can be told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Incarnation, Moment};

use crate::machine::RequestId;

/// Requests of all incarnations of the work.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<BTreeMap<(Incarnation, RequestId), Flight>>);

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) priority: &'static str,
    pub(crate) tokens: usize,
    pub(crate) since: Moment,
    /// When it was aborted.
    pub(crate) aborted: Option<Moment>,
}

/// Takes a request off the list when its task is gone.
pub(crate) struct Landing {
    flights: Arc<Flights>,
    key: (Incarnation, RequestId),
}

impl Flights {
    /// A request begins. What is returned belongs to its task.
    pub(crate) fn begin(self: &Arc<Self>, key: (Incarnation, RequestId), flight: Flight) -> Landing {
        self.0.lock().insert(key, flight);
        Landing { flights: self.clone(), key }
    }

    /// A request was aborted.
    pub(crate) fn abort(&self, key: (Incarnation, RequestId), now: Moment) {
        if let Some(flight) = self.0.lock().get_mut(&key) {
            flight.aborted.get_or_insert(now);
        }
    }

    /// The work was replaced by this incarnation: what older ones asked was aborted with them.
    pub(crate) fn abort_before(&self, incarnation: Incarnation, now: Moment) {
        for ((by, _), flight) in &mut *self.0.lock() {
            if *by < incarnation {
                flight.aborted.get_or_insert(now);
            }
        }
    }

    /// Everything is left behind with its plane.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    /// A request that was aborted so long ago, and keeps a thread.
    pub(crate) fn stuck(&self, after: Duration, now: Moment) -> Option<Flight> {
        let flights = self.0.lock();
        let is_stuck = |flight: &&Flight| flight.aborted.is_some_and(|at| now - at >= after);
        flights.values().find(is_stuck).copied()
    }

    /// Whether a request that nobody has given up has been under way for so long.
    pub(crate) fn overdue(&self, after: Duration, now: Moment) -> bool {
        let flights = self.0.lock();
        flights.values().any(|flight| flight.aborted.is_none() && now - flight.since >= after)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Flight> {
        let mut all: Vec<Flight> = self.0.lock().values().copied().collect();
        all.sort_by_key(|flight| flight.since);
        all
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.0.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_request_is_stuck_until_its_task_is_gone() {
        let flights = Arc::new(Flights::default());
        let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
        let (first, second) = (Incarnation::FIRST, Incarnation::FIRST.next());
        let flight = Flight { priority: "hot", tokens: 30, since: at(0), aborted: None };
        let old = flights.begin((first, RequestId(1)), flight);
        let new = flights.begin((second, RequestId(1)), Flight { since: at(5), ..flight });
        let five = Duration::from_secs(5);
        assert!(flights.stuck(five, at(60)).is_none(), "a slow request is not stuck");
        flights.abort_before(second, at(10));
        flights.abort((first, RequestId(1)), at(12));
        assert!(flights.stuck(five, at(14)).is_none());
        assert_eq!(flights.stuck(five, at(15)).map(|flight| flight.since), Some(at(0)));
        drop(old);
        assert!(flights.stuck(five, at(60)).is_none());
        assert_eq!(flights.all().len(), 1);
        assert!(!flights.overdue(five, at(9)), "it began at the fifth second");
        assert!(flights.overdue(five, at(10)));
        drop(new);
        assert!(flights.all().is_empty() && !flights.overdue(five, at(60)));
    }
}
