//! What an upstream may see of a caller behind a breaker: no calls after consecutive failures, then a few probes.
//! This is the promise as the specification states it; it shares no code with the breaker, so it cannot share its
//! bugs.

use std::time::Duration;

use ttm_kernel::Moment;

/// The promised behaviour.
#[derive(Clone, Copy, Debug)]
pub struct BreakerRules {
    /// Consecutive failures after which calls stop.
    pub failure_threshold: u32,
    /// How long they stop, at least.
    pub recovery_timeout: Duration,
    /// The most calls of one recovery.
    pub half_open_max_calls: u32,
    /// How many of them must succeed before calls are unrestricted again.
    pub success_threshold: u32,
    /// After this long a probe that has not ended no longer counts, and another may be made in its place.
    pub probe_lease: Duration,
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// An answer.
    Success,
    /// No answer in time, or an unusable one.
    Failure,
    /// The request was rejected as invalid, which says nothing about the upstream.
    Rejected,
    /// 429.
    RateLimited,
    /// The caller dropped it for its own reasons.
    Cancelled,
    /// The caller dropped it after a time that may have been its attempt timeout: a failure, or cancelled.
    GivenUp,
}

/// A call in progress: its end counts only in the same era, and that of a probe only within its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedCall {
    era: u64,
    begun: Moment,
    lease_until: Moment,
}

/// Follows the calls of one process to one upstream.
#[derive(Debug)]
pub struct BreakerWatch {
    rules: BreakerRules,
    mode: Mode,
    era: u64,
}

#[derive(Debug)]
enum Mode {
    Closed {
        failures: u32,
        given_up: u32,
    },
    Open {
        until: Moment,
    },
    HalfOpen {
        in_flight: Vec<Moment>,
        succeeded: u32,
    },
    /// It is not visible from outside whether the breaker has opened. Consecutive failures of calls that began since
    /// prove that it has, consecutive successes that it is closed.
    Unknown {
        failures: u32,
        succeeded: u32,
    },
}

const CLOSED: Mode = Mode::Closed { failures: 0, given_up: 0 };
const UNKNOWN: Mode = Mode::Unknown { failures: 0, succeeded: 0 };

impl BreakerWatch {
    /// The watch of a process that has just booted.
    pub const fn new(rules: BreakerRules) -> Self {
        Self { rules, mode: CLOSED, era: 0 }
    }

    /// The previous process left its breaker open, and this one has loaded until when.
    pub fn begin_open(&mut self, until: Moment) {
        self.enter(Mode::Open { until });
    }

    /// A call begins.
    ///
    /// # Errors
    /// Beside the call, which still counts, the promise that it breaks.
    pub fn begin(&mut self, now: Moment) -> (WatchedCall, Result<(), String>) {
        let lease_until = now + self.rules.probe_lease;
        if let Mode::Open { until } = self.mode
            && now >= until
        {
            self.enter(Mode::HalfOpen { in_flight: Vec::new(), succeeded: 0 });
        }
        let kept = match &mut self.mode {
            Mode::Closed { .. } | Mode::Unknown { .. } => Ok(()),
            Mode::Open { until } => Err(format!("a call while the breaker is open until {until:?}")),
            Mode::HalfOpen { in_flight, succeeded } => {
                in_flight.retain(|until| *until > now);
                in_flight.push(lease_until);
                let in_flight = in_flight.len();
                if in_flight + *succeeded as usize <= self.rules.half_open_max_calls as usize {
                    Ok(())
                } else {
                    Err(format!(
                        "{in_flight} probes in flight and {succeeded} succeeded while the breaker is half-open"
                    ))
                }
            }
        };
        (WatchedCall { era: self.era, begun: now, lease_until }, kept)
    }

    /// A call ends.
    pub fn end(&mut self, call: WatchedCall, end: CallEnd, now: Moment) {
        if call.era != self.era {
            return;
        }
        if let Mode::HalfOpen { in_flight, .. } = &mut self.mode {
            in_flight.retain(|until| *until > now);
            let Some(place) = in_flight.iter().position(|until| *until == call.lease_until) else {
                return;
            };
            in_flight.swap_remove(place);
        }
        match (&mut self.mode, end) {
            (Mode::Closed { failures, given_up }, CallEnd::Success) => (*failures, *given_up) = (0, 0),
            (Mode::Closed { failures, given_up }, CallEnd::Failure | CallEnd::GivenUp) => {
                *(if end == CallEnd::Failure { &mut *failures } else { &mut *given_up }) += 1;
                if *failures >= self.rules.failure_threshold {
                    self.enter(Mode::Open { until: now + self.rules.recovery_timeout });
                } else if *failures + *given_up >= self.rules.failure_threshold {
                    self.enter(UNKNOWN);
                }
            }
            (Mode::Unknown { failures, succeeded }, CallEnd::Failure) => {
                *succeeded = 0;
                *failures += 1;
                if *failures >= self.rules.failure_threshold {
                    // It opened when this call ended, or earlier, when another probe failed, but not before this call
                    // began.
                    self.enter(Mode::Open { until: call.begun + self.rules.recovery_timeout });
                }
            }
            (Mode::Unknown { failures, succeeded }, CallEnd::Success) => {
                *failures = 0;
                *succeeded += 1;
                if *succeeded >= self.rules.success_threshold {
                    self.enter(CLOSED);
                }
            }
            (Mode::Unknown { succeeded, .. }, CallEnd::RateLimited) => *succeeded = 0,
            (Mode::Unknown { failures, succeeded }, CallEnd::GivenUp) => (*failures, *succeeded) = (0, 0),
            (Mode::HalfOpen { .. }, CallEnd::GivenUp) => self.enter(UNKNOWN),
            (Mode::HalfOpen { .. }, CallEnd::Failure | CallEnd::RateLimited) => {
                self.enter(Mode::Open { until: now + self.rules.recovery_timeout });
            }
            (Mode::HalfOpen { succeeded, .. }, CallEnd::Success) => {
                *succeeded += 1;
                if *succeeded >= self.rules.success_threshold {
                    self.enter(CLOSED);
                }
            }
            (Mode::Closed { .. }, CallEnd::RateLimited)
            | (_, CallEnd::Cancelled | CallEnd::Rejected)
            | (Mode::Open { .. }, _) => {}
        }
    }

    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BreakerRules = BreakerRules {
        failure_threshold: 2,
        recovery_timeout: Duration::from_mins(1),
        half_open_max_calls: 2,
        success_threshold: 2,
        probe_lease: Duration::from_mins(1),
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn call(watch: &mut BreakerWatch, second: u64, end: CallEnd) -> bool {
        let (era, kept) = watch.begin(at(second));
        watch.end(era, end, at(second));
        kept.is_ok()
    }

    #[test]
    fn a_call_while_the_breaker_is_open_is_detected() {
        let mut watch = BreakerWatch::new(RULES);
        assert!(call(&mut watch, 0, CallEnd::Failure));
        assert!(call(&mut watch, 1, CallEnd::Failure));
        assert!(!call(&mut watch, 2, CallEnd::Success));
        assert!(!call(&mut watch, 60, CallEnd::Success));
        assert!(call(&mut watch, 61, CallEnd::Success));
    }

    #[test]
    fn attempts_that_may_have_failed_break_no_promise_until_the_state_is_known_again() {
        let mut watch = BreakerWatch::new(RULES);
        assert!(call(&mut watch, 0, CallEnd::Failure));
        assert!(call(&mut watch, 1, CallEnd::GivenUp), "it may be open now");
        for second in 2..4 {
            assert!(call(&mut watch, second, CallEnd::Failure), "or not");
        }
        assert!(!call(&mut watch, 62, CallEnd::Success), "now it is");
        assert!(call(&mut watch, 63, CallEnd::GivenUp), "its probe may have failed");
        for second in 64..66 {
            assert!(call(&mut watch, second, CallEnd::Success));
        }
        for second in 66..68 {
            assert!(call(&mut watch, second, CallEnd::Failure), "it was closed by then");
        }
        assert!(!call(&mut watch, 68, CallEnd::Success));
    }

    #[test]
    fn a_call_while_the_breaker_of_the_previous_process_is_open_is_detected() {
        let mut watch = BreakerWatch::new(RULES);
        watch.begin_open(at(30));
        assert!(!call(&mut watch, 29, CallEnd::Success));
        assert!(call(&mut watch, 30, CallEnd::Failure), "the first probe");
        assert!(!call(&mut watch, 89, CallEnd::Success), "it failed");
    }

    #[test]
    fn a_probe_too_many_is_detected_and_a_failed_one_opens_the_breaker_again() {
        let mut watch = BreakerWatch::new(RULES);
        for second in 0..2 {
            call(&mut watch, second, CallEnd::Failure);
        }
        let (first, kept) = watch.begin(at(61));
        assert_eq!(kept, Ok(()));
        assert_eq!(watch.begin(at(61)).1, Ok(()));
        assert!(watch.begin(at(61)).1.is_err());
        watch.end(first, CallEnd::Failure, at(62));
        assert!(!call(&mut watch, 121, CallEnd::Success));
        assert!(call(&mut watch, 122, CallEnd::Success));
    }

    #[test]
    fn a_probe_that_outlives_its_lease_no_longer_counts() {
        let mut watch = BreakerWatch::new(RULES);
        for second in 0..2 {
            call(&mut watch, second, CallEnd::Failure);
        }
        let (frozen, _) = watch.begin(at(61));
        watch.end(frozen, CallEnd::Failure, at(121));
        assert_eq!(watch.begin(at(121)).1, Ok(()), "its end came too late to open the breaker again");
        assert_eq!(watch.begin(at(121)).1, Ok(()), "its place is free again");
        assert!(watch.begin(at(121)).1.is_err());
    }

    #[test]
    fn the_end_of_a_call_from_before_the_breaker_opened_changes_nothing() {
        let mut watch = BreakerWatch::new(RULES);
        let (late, _) = watch.begin(at(0));
        for second in 0..2 {
            call(&mut watch, second, CallEnd::Failure);
        }
        watch.end(late, CallEnd::Success, at(3));
        assert!(!call(&mut watch, 4, CallEnd::Success));
    }
}
