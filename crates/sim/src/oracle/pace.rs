//! How fast a caller asks: the limit of the far side, the pauses that it asked for, and how often one call tries its
//! question again. It knows no limiter.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

/// The window of the limit.
const MINUTE: Duration = Duration::from_mins(1);
/// No call takes longer, so no attempt is remembered for longer.
const ONE_CALL: Duration = Duration::from_mins(1);

/// Follows when requests begin.
#[derive(Debug)]
pub struct Pace {
    per_minute: usize,
    attempts: usize,
    begun: VecDeque<Moment>,
    failed: VecDeque<(Moment, u64)>,
    patience: Moment,
    busiest: usize,
}

impl Pace {
    /// A pace of at most `per_minute` requests in any sliding minute, and `attempts` failed tries of one call.
    pub const fn new(per_minute: usize, attempts: usize) -> Self {
        Self {
            per_minute,
            attempts,
            begun: VecDeque::new(),
            failed: VecDeque::new(),
            patience: Moment::ZERO,
            busiest: 0,
        }
    }

    /// A request begins. Whether it is within the limit, or the promise that it breaks.
    ///
    /// # Errors
    /// The promise that this breaks.
    pub fn begin(&mut self, question: u64, now: Moment) -> Result<(), String> {
        // A request is out of the window once a whole minute has passed.
        while self.begun.front().is_some_and(|at| now - *at >= MINUTE) {
            self.begun.pop_front();
        }
        while self.failed.front().is_some_and(|(at, _)| now - *at >= ONE_CALL) {
            self.failed.pop_front();
        }
        self.begun.push_back(now);
        self.busiest = self.busiest.max(self.begun.len());
        let tries = self.failed.iter().filter(|(_, asked)| *asked == question).count();
        if self.begun.len() > self.per_minute {
            return Err(format!(
                "{} requests in one minute, {} are allowed",
                self.begun.len(),
                self.per_minute
            ));
        }
        if now < self.patience {
            return Err(format!("a request before {:?}, until which a 429 asked to wait", self.patience));
        }
        if tries >= self.attempts {
            return Err(format!("attempt {} at one call, {} are allowed", tries + 1, self.attempts));
        }
        Ok(())
    }

    /// Whether the last minute holds more requests than allowed.
    pub fn is_exceeded(&self) -> bool {
        self.begun.len() > self.per_minute
    }

    /// A request that began at `begun` failed.
    pub fn fail(&mut self, question: u64, begun: Moment) {
        self.failed.push_back((begun, question));
    }

    /// A question was answered: who asks it again makes another call.
    pub fn answer(&mut self, question: u64) {
        self.failed.retain(|(_, asked)| *asked != question);
    }

    /// An answer asked to wait until `until`.
    pub fn ask_patience(&mut self, until: Moment) {
        self.patience = self.patience.max(until);
    }

    /// The caller was restarted: it knows of no pause until it is told. The limit is the address's and stays.
    pub fn restart(&mut self) {
        self.patience = Moment::ZERO;
        self.failed.clear();
    }

    /// The most requests in one minute.
    pub fn busiest(&self) -> usize {
        self.busiest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn one_request_too_many_in_a_sliding_minute_is_seen() {
        let mut pace = Pace::new(2, 3);
        assert_eq!(pace.begin(1, at(0)), Ok(()));
        assert_eq!(pace.begin(2, at(59_000)), Ok(()));
        assert_eq!(pace.begin(3, at(60_000)), Ok(()));
        assert!(pace.begin(4, at(60_001)).is_err());
        assert_eq!(pace.busiest(), 3);
    }

    #[test]
    fn a_request_into_a_pause_and_a_fourth_attempt_are_seen() {
        let mut pace = Pace::new(100, 3);
        pace.ask_patience(at(1_000));
        assert!(pace.begin(1, at(999)).is_err());
        for millis in [1_000, 1_100, 1_200] {
            assert_eq!(pace.begin(7, at(millis)), Ok(()));
            pace.fail(7, at(millis));
        }
        assert_eq!(pace.begin(8, at(1_300)), Ok(()));
        assert!(pace.begin(7, at(1_300)).is_err());
        pace.answer(7);
        assert_eq!(pace.begin(7, at(1_400)), Ok(()), "another call");
    }
}
