//! How fast a caller makes requests: the rate limit of the upstream, the pauses that it requested, and the attempts
//! of one call. Counted from the requests alone, so no bug of a limiter can hide here.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_kernel::Moment;

/// The window of the limit.
const MINUTE: Duration = Duration::from_mins(1);
/// No call takes longer, so attempts are kept no longer.
const ONE_CALL: Duration = Duration::from_mins(1);

/// Follows when the requests from one address begin, whichever process makes them.
#[derive(Debug)]
pub struct Limit {
    per_minute: usize,
    /// When each began, and whether the present process cannot know of it.
    begun: VecDeque<(Moment, bool)>,
    busiest: usize,
}

/// Follows the attempts and pauses of one caller.
#[derive(Debug)]
pub struct Pace {
    attempts: usize,
    failed: VecDeque<(Moment, u64)>,
    paused_until: Moment,
}

impl Limit {
    /// At most `per_minute` requests in any sliding minute.
    pub const fn new(per_minute: usize) -> Self {
        Self { per_minute, begun: VecDeque::new(), busiest: 0 }
    }

    /// A request begins; `is_unknown` if the present process cannot know of it.
    ///
    /// # Errors
    /// If the known requests of the last minute exceed the limit.
    pub fn begin(&mut self, is_unknown: bool, now: Moment) -> Result<(), String> {
        // A request leaves the window once a whole minute has passed.
        while self.begun.front().is_some_and(|(at, _)| now - *at >= MINUTE) {
            self.begun.pop_front();
        }
        self.begun.push_back((now, is_unknown));
        self.busiest = self.busiest.max(self.begun.len());
        if !self.is_exceeded() {
            return Ok(());
        }
        let known = self.begun.iter().filter(|(_, is_unknown)| !is_unknown).count();
        if known <= self.per_minute {
            return Ok(());
        }
        Err(format!("{known} requests in one minute, {} are allowed", self.per_minute))
    }

    /// Whether the last minute holds more requests than allowed.
    pub fn is_exceeded(&self) -> bool {
        self.begun.len() > self.per_minute
    }

    /// The most requests in one minute.
    pub fn busiest(&self) -> usize {
        self.busiest
    }
}

impl Pace {
    /// A pace with at most `attempts` failed attempts of one call.
    pub const fn new(attempts: usize) -> Self {
        Self { attempts, failed: VecDeque::new(), paused_until: Moment::ZERO }
    }

    /// A request begins.
    ///
    /// # Errors
    /// The promise that this breaks.
    pub fn begin(&mut self, question: u64, now: Moment) -> Result<(), String> {
        while self.failed.front().is_some_and(|(at, _)| now - *at >= ONE_CALL) {
            self.failed.pop_front();
        }
        let failed = self.failed.iter().filter(|(_, asked)| *asked == question).count();
        if now < self.paused_until {
            return Err(format!(
                "a request before {:?}, the end of a pause that a 429 requested",
                self.paused_until
            ));
        }
        if failed >= self.attempts {
            return Err(format!("attempt {} of one call, {} are allowed", failed + 1, self.attempts));
        }
        Ok(())
    }

    /// A request that began at `begun` failed.
    pub fn fail(&mut self, question: u64, begun: Moment) {
        self.failed.push_back((begun, question));
    }

    /// A question was answered: when it is asked again, that is another call.
    pub fn answer(&mut self, question: u64) {
        self.failed.retain(|(_, asked)| *asked != question);
    }

    /// A response requested a pause until `until`.
    pub fn pause_until(&mut self, until: Moment) {
        self.paused_until = self.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn one_request_too_many_in_a_sliding_minute_is_detected() {
        let mut limit = Limit::new(2);
        assert_eq!(limit.begin(false, at(0)), Ok(()));
        assert_eq!(limit.begin(false, at(59_000)), Ok(()));
        assert_eq!(limit.begin(false, at(60_000)), Ok(()));
        assert!(limit.begin(false, at(60_001)).is_err());
        assert_eq!(limit.busiest(), 3);
    }

    #[test]
    fn a_request_that_the_present_process_cannot_know_of_breaks_no_promise() {
        let mut limit = Limit::new(1);
        assert_eq!(limit.begin(true, at(0)), Ok(()));
        assert_eq!(limit.begin(false, at(1)), Ok(()));
        assert!(limit.is_exceeded() && limit.begin(false, at(2)).is_err());
    }

    #[test]
    fn a_request_during_a_pause_and_a_fourth_attempt_are_detected() {
        let mut pace = Pace::new(3);
        pace.pause_until(at(1_000));
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
