//! What a far side may see of a caller behind a breaker: silence after failures in a row, then a few probes. It holds
//! the promise as the specification states it and shares no code with the breaker.

use std::time::Duration;

use ttm_kernel::Moment;

/// What was promised.
#[derive(Clone, Copy, Debug)]
pub struct BreakerRules {
    /// Failures in a row after which calls stop.
    pub failure_threshold: u32,
    /// For at least how long.
    pub recovery_timeout: Duration,
    /// How many calls one recovery may make.
    pub half_open_max_calls: u32,
    /// How many of them must succeed before calls flow again.
    pub success_threshold: u32,
    /// A call of a recovery that has not ended after this long is written off, and another may be made in its place.
    pub probe_lease: Duration,
}

/// How a call ended, as the caller takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// An answer.
    Success,
    /// No answer in time, or none that is usable.
    Failure,
    /// The question was refused as wrong, which says nothing about the far side.
    Refused,
    /// 429.
    RateLimited,
    /// The caller went away for its own reasons.
    Cancelled,
    /// The caller went away after a time that may have been all that it gives an attempt: a failure, or cancelled.
    GivenUp,
}

/// A call that began: its end counts only in the same era, and in a recovery only within its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedCall {
    era: u64,
    begun: Moment,
    lease_until: Moment,
}

/// Follows the calls of one process to one far side.
#[derive(Debug)]
pub struct BreakerWatch {
    rules: BreakerRules,
    mode: Mode,
    era: u64,
}

#[derive(Debug)]
enum Mode {
    Flowing {
        failures: u32,
        given_up: u32,
    },
    Silent {
        until: Moment,
    },
    Probing {
        out: Vec<Moment>,
        succeeded: u32,
    },
    /// Nobody outside can tell whether the breaker has opened. So many calls in a row, begun since, say that it has, or that
    /// it is closed.
    Unknown {
        failures: u32,
        succeeded: u32,
    },
}

const FLOWING: Mode = Mode::Flowing { failures: 0, given_up: 0 };
const UNKNOWN: Mode = Mode::Unknown { failures: 0, succeeded: 0 };

impl BreakerWatch {
    /// A watch over a process that has just booted.
    pub const fn new(rules: BreakerRules) -> Self {
        Self { rules, mode: FLOWING, era: 0 }
    }

    /// The process before left its breaker open, and this one knows until when.
    pub fn promise_silence(&mut self, until: Moment) {
        self.enter(Mode::Silent { until });
    }

    /// A call begins.
    ///
    /// # Errors
    /// The promise that this breaks, beside the call, which counts on.
    pub fn begin(&mut self, now: Moment) -> (WatchedCall, Result<(), String>) {
        let lease_until = now + self.rules.probe_lease;
        if let Mode::Silent { until } = self.mode
            && now >= until
        {
            self.enter(Mode::Probing { out: Vec::new(), succeeded: 0 });
        }
        let kept = match &mut self.mode {
            Mode::Flowing { .. } | Mode::Unknown { .. } => Ok(()),
            Mode::Silent { until } => Err(format!("a call while the breaker is open until {until:?}")),
            Mode::Probing { out, succeeded } => {
                out.retain(|until| *until > now);
                out.push(lease_until);
                let out = out.len();
                if out + *succeeded as usize <= self.rules.half_open_max_calls as usize {
                    Ok(())
                } else {
                    Err(format!("{out} probes out and {succeeded} back while the breaker is half-open"))
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
        if let Mode::Probing { out, .. } = &mut self.mode {
            out.retain(|until| *until > now);
            let Some(place) = out.iter().position(|until| *until == call.lease_until) else {
                return;
            };
            out.swap_remove(place);
        }
        match (&mut self.mode, end) {
            (Mode::Flowing { failures, given_up }, CallEnd::Success) => (*failures, *given_up) = (0, 0),
            (Mode::Flowing { failures, given_up }, CallEnd::Failure | CallEnd::GivenUp) => {
                *(if end == CallEnd::Failure { &mut *failures } else { &mut *given_up }) += 1;
                if *failures >= self.rules.failure_threshold {
                    self.enter(Mode::Silent { until: now + self.rules.recovery_timeout });
                } else if *failures + *given_up >= self.rules.failure_threshold {
                    self.enter(UNKNOWN);
                }
            }
            (Mode::Unknown { failures, succeeded }, CallEnd::Failure) => {
                *succeeded = 0;
                *failures += 1;
                if *failures >= self.rules.failure_threshold {
                    // It opened when this call ended or, as a probe beside this one failed, before, but not before it began.
                    self.enter(Mode::Silent { until: call.begun + self.rules.recovery_timeout });
                }
            }
            (Mode::Unknown { failures, succeeded }, CallEnd::Success) => {
                *failures = 0;
                *succeeded += 1;
                if *succeeded >= self.rules.success_threshold {
                    self.enter(FLOWING);
                }
            }
            (Mode::Unknown { succeeded, .. }, CallEnd::RateLimited) => *succeeded = 0,
            (Mode::Unknown { failures, succeeded }, CallEnd::GivenUp) => (*failures, *succeeded) = (0, 0),
            (Mode::Probing { .. }, CallEnd::GivenUp) => self.enter(UNKNOWN),
            (Mode::Probing { .. }, CallEnd::Failure | CallEnd::RateLimited) => {
                self.enter(Mode::Silent { until: now + self.rules.recovery_timeout });
            }
            (Mode::Probing { succeeded, .. }, CallEnd::Success) => {
                *succeeded += 1;
                if *succeeded >= self.rules.success_threshold {
                    self.enter(FLOWING);
                }
            }
            (Mode::Flowing { .. }, CallEnd::RateLimited)
            | (_, CallEnd::Cancelled | CallEnd::Refused)
            | (Mode::Silent { .. }, _) => {}
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
    fn a_call_into_the_silence_is_seen() {
        let mut watch = BreakerWatch::new(RULES);
        assert!(call(&mut watch, 0, CallEnd::Failure));
        assert!(call(&mut watch, 1, CallEnd::Failure));
        assert!(!call(&mut watch, 2, CallEnd::Success));
        assert!(!call(&mut watch, 60, CallEnd::Success));
        assert!(call(&mut watch, 61, CallEnd::Success));
    }

    #[test]
    fn attempts_that_may_have_failed_are_held_against_nobody_until_it_is_clear_again() {
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
    fn a_call_into_the_silence_that_another_process_left_is_seen() {
        let mut watch = BreakerWatch::new(RULES);
        watch.promise_silence(at(30));
        assert!(!call(&mut watch, 29, CallEnd::Success));
        assert!(call(&mut watch, 30, CallEnd::Failure), "the first probe");
        assert!(!call(&mut watch, 89, CallEnd::Success), "it failed");
    }

    #[test]
    fn a_probe_too_many_is_seen_and_a_failed_one_brings_the_silence_back() {
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
    fn a_probe_that_outlives_its_lease_is_written_off_whatever_it_says_later() {
        let mut watch = BreakerWatch::new(RULES);
        for second in 0..2 {
            call(&mut watch, second, CallEnd::Failure);
        }
        let (frozen, _) = watch.begin(at(61));
        watch.end(frozen, CallEnd::Failure, at(121));
        assert_eq!(watch.begin(at(121)).1, Ok(()), "its end came too late to bring the silence back");
        assert_eq!(watch.begin(at(121)).1, Ok(()), "its place is free again");
        assert!(watch.begin(at(121)).1.is_err());
    }

    #[test]
    fn the_end_of_a_call_from_before_the_silence_changes_nothing() {
        let mut watch = BreakerWatch::new(RULES);
        let (late, _) = watch.begin(at(0));
        for second in 0..2 {
            call(&mut watch, second, CallEnd::Failure);
        }
        watch.end(late, CallEnd::Success, at(3));
        assert!(!call(&mut watch, 4, CallEnd::Success));
    }
}
