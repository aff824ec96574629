//! One attempt: asks the breaker, runs the operation until its timeout, and reports the outcome to the breaker and the
//! limiter.

use std::future::Future;
use std::time::Duration;

use ttm_breaker::{Outcome as Verdict, Permit, Rejected};
use ttm_kernel::{Moment, within};
use ttm_retry::{Class, GiveUpReason, Withdrawal};

use crate::deadline::CallDeadline;
use crate::{Attempt, Disposition, Guard, GuardError};

/// How an attempt ended.
pub(super) enum Outcome<T, E> {
    Answered(T),
    Rejected(Rejected),
    Failed(Failure<E>),
}

/// How an attempt failed: with an error, or by taking too long.
pub(super) struct Failure<E> {
    error: Option<E>,
    pub(super) class: Class,
    pub(super) retry_after: Option<Duration>,
}

impl<E> Failure<E> {
    pub(super) const TIMED_OUT: Self = Self { error: None, class: Class::Transient, retry_after: None };

    /// The error of a call that makes no further attempt.
    pub(super) fn into_error(self, attempts: u32, gave_up: GiveUpReason) -> GuardError<E> {
        match self.error {
            Some(error) => GuardError::Failed { error, attempts, gave_up },
            None => GuardError::TimedOut { attempts },
        }
    }
}

/// A permit with the guard's clock.
pub(super) type GuardPermit<'a> = Permit<'a, &'a Guard>;

/// When an attempt is abandoned.
pub(super) struct Limit {
    pub(super) until: Moment,
    /// How that counts. An attempt that the call's own deadline cuts short had less time than it may take, so it proves
    /// nothing about the upstream.
    pub(super) too_slow: Verdict,
}

impl Guard {
    /// Makes one attempt; `made` counts it.
    pub(super) async fn attempt<T, E, F, Fut>(
        &self,
        deadline: &mut CallDeadline<'_>,
        made: &mut u32,
        charge: Option<Withdrawal<'_>>,
        classify: &impl Fn(&E) -> Disposition,
        operation: &mut F,
    ) -> Outcome<T, E>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let permit = match self.breaker.admit(self) {
            Ok(permit) => permit,
            Err(rejected) => return Outcome::Rejected(rejected),
        };
        if let Some(charge) = charge {
            charge.spend();
        }
        let Limit { until, too_slow } = self.limit(deadline);
        *made = made.saturating_add(1);
        let running = operation(Attempt { number: *made });
        if let Ok(result) = within(&*self.runtime, until, running).await {
            return self.settle(permit, result, classify);
        }
        permit.report(too_slow, self);
        Outcome::Failed(Failure::TIMED_OUT)
    }

    /// When an attempt that begins now is abandoned.
    pub(super) fn limit(&self, deadline: &mut CallDeadline<'_>) -> Limit {
        let deadline = deadline.moment();
        let timeout = self.runtime.now() + self.attempt_timeout();
        let too_slow = if deadline < timeout { Verdict::Ignored } else { Verdict::Failure };
        Limit { until: timeout.min(deadline), too_slow }
    }

    fn settle<T, E>(
        &self,
        permit: GuardPermit<'_>,
        result: Result<T, E>,
        classify: &impl Fn(&E) -> Disposition,
    ) -> Outcome<T, E> {
        match result {
            Ok(value) => {
                permit.success(self);
                Outcome::Answered(value)
            }
            Err(error) => {
                let (verdict, failure) = self.judge(error, classify);
                permit.report(verdict, self);
                Outcome::Failed(failure)
            }
        }
    }

    /// What a failure means to the breaker and to the retries. A 429 slows the limiter down as well.
    #[cold]
    pub(super) fn judge<E>(&self, error: E, classify: &impl Fn(&E) -> Disposition) -> (Verdict, Failure<E>) {
        let (verdict, class, retry_after) = match classify(&error) {
            Disposition::Transient { retry_after } => (Verdict::Failure, Class::Transient, retry_after),
            Disposition::Refused => (Verdict::Failure, Class::Permanent, None),
            Disposition::Invalid => (Verdict::Ignored, Class::Permanent, None),
            Disposition::RateLimited { retry_after } => {
                let pause = self.retry().pause(retry_after, &*self.entropy);
                let until = self.runtime.now() + pause;
                self.limiter.slow_down(until);
                (Verdict::RateLimited { retry_at: Some(until) }, Class::RateLimited, Some(pause))
            }
        };
        (verdict, Failure { error: Some(error), class, retry_after })
    }
}
