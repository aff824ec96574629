//! One call and its attempts: counts the failures and decides what comes next.

use std::fmt;
use std::time::Duration;

use ttm_kernel::{Entropy, Moment};

use crate::{Class, RetryPolicy};

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again then, which is before the deadline.
    RetryAt(Moment),
    /// Do not.
    GiveUp(GiveUpReason),
}

/// Why a call is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUpReason {
    /// The failure is permanent.
    Permanent,
    /// That was the last attempt.
    AttemptsUsedUp,
    /// The wait would reach the deadline.
    Deadline,
    /// The target's [`RetryBudget`](crate::RetryBudget) is used up. A [`Retry`] never returns this; it is for
    /// the caller whose withdrawal was refused.
    BudgetExhausted,
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "trying again cannot help",
            Self::AttemptsUsedUp => "that was the last attempt",
            Self::Deadline => "no time is left to try again",
            Self::BudgetExhausted => "the retry budget is used up",
        })
    }
}

/// One call through its attempts.
#[derive(Clone, Debug)]
pub struct Retry<'a> {
    policy: &'a RetryPolicy,
    deadline: Moment,
    failures: u32,
    previous: Option<Duration>,
}

impl<'a> Retry<'a> {
    /// A call before its first attempt. [`Moment::MAX`] is no deadline.
    pub const fn new(policy: &'a RetryPolicy, deadline: Moment) -> Self {
        Self { policy, deadline, failures: 0, previous: None }
    }

    /// Failed attempts so far.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When an attempt that starts at `now` is to be abandoned: after `timeout`, or at the deadline if that is sooner.
    pub fn attempt_deadline(&self, now: Moment, timeout: Duration) -> Moment {
        (now + timeout).min(self.deadline)
    }

    /// An attempt failed at `now`. `retry_after` is what the upstream asked for, if it did.
    pub fn next(
        &mut self,
        class: Class,
        retry_after: Option<Duration>,
        now: Moment,
        entropy: &dyn Entropy,
    ) -> Decision {
        let n = self.failures;
        self.failures = self.failures.saturating_add(1);
        let asked = match class {
            Class::Permanent => return Decision::GiveUp(GiveUpReason::Permanent),
            Class::Transient => retry_after,
            Class::RateLimited => Some(self.policy.pause(retry_after, entropy)),
        };
        if self.failures >= self.policy.settings().max_attempts {
            return Decision::GiveUp(GiveUpReason::AttemptsUsedUp);
        }
        let own = self.policy.jittered(n, self.previous, entropy);
        self.previous = Some(own);
        let delay = asked.map_or(own, |asked| self.policy.asked(asked, entropy).max(own));
        let at = now + delay;
        if at < self.deadline { Decision::RetryAt(at) } else { Decision::GiveUp(GiveUpReason::Deadline) }
    }
}
