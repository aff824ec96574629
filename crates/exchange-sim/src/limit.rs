//! A strict sliding window: a limit on the requests in any minute.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

const MINUTE: Duration = Duration::from_mins(1);

/// The admitted and the arrived requests of the last minute.
#[derive(Debug)]
pub(crate) struct SlidingMinute {
    limit: usize,
    admitted: VecDeque<Moment>,
    arrived: VecDeque<Moment>,
    busiest: usize,
}

impl SlidingMinute {
    /// Admits `limit` requests per minute.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, admitted: VecDeque::with_capacity(limit), arrived: VecDeque::new(), busiest: 0 }
    }

    /// Whether a request that arrives now is admitted. A refused one does not count towards the limit.
    pub(crate) fn admit(&mut self, now: Moment) -> bool {
        forget_older(&mut self.arrived, now);
        self.arrived.push_back(now);
        self.busiest = self.busiest.max(self.arrived.len());

        forget_older(&mut self.admitted, now);
        let free = self.admitted.len() < self.limit;
        if free {
            self.admitted.push_back(now);
        }
        free
    }

    /// The most requests that arrived in any minute so far, admitted or not.
    pub(crate) const fn busiest(&self) -> usize {
        self.busiest
    }
}

/// A request exactly a minute ago is outside of the window.
fn forget_older(times: &mut VecDeque<Moment>, now: Moment) {
    while times.front().is_some_and(|time| now.saturating_since(*time) >= MINUTE) {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_of_the_whole_limit_is_admitted_and_one_more_is_not() {
        let mut window = SlidingMinute::new(300);
        assert!((0..300).all(|_| window.admit(at(0))));
        assert!(!window.admit(at(0)));
        assert!(!window.admit(at(59_999)));
        assert!(window.admit(at(60_000)));
        assert_eq!(window.busiest(), 302);
    }

    #[test]
    fn an_even_pace_at_the_limit_is_always_admitted() {
        let mut window = SlidingMinute::new(300);
        assert!((0..10_000).all(|number| window.admit(at(number * 200))));
        assert_eq!(window.busiest(), 300);
    }

    #[test]
    fn a_burst_at_the_edge_of_a_minute_counts_in_the_next_one() {
        let mut window = SlidingMinute::new(10);
        assert!((0..10).all(|_| window.admit(at(59_000))));
        assert!(!window.admit(at(61_000)), "a fixed window would admit it");
        assert!(window.admit(at(119_000)));
    }
}
