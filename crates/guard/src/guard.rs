//! The composition itself: one call through limiter, breaker, timeout and retry. It decides nothing that they decide.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{Breaker, Outcome, Rejected};
use ttm_kernel::{DeadlineExceeded, Entropy, Moment, Runtime, within};
use ttm_retry::{Class, Decision, Retry, RetryPolicy};

use crate::limiter::Limiter;
use crate::{Disposition, GuardConfig, GuardError};

/// Protects one outside target, and protects us from it. Share it: one per target.
pub struct Guard {
    config: GuardConfig,
    limiter: Limiter,
    breaker: Arc<Breaker>,
    retry: RetryPolicy,
    runtime: Arc<dyn Runtime>,
    entropy: Arc<dyn Entropy>,
}

/// One attempt of a call, as its operation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it will be abandoned.
    pub deadline: Moment,
}

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The operation's value.
    pub value: T,
    /// Attempts that were made.
    pub attempts: u32,
}

/// How an attempt failed: with an error, or by taking too long.
struct Failure<E> {
    error: Option<E>,
    class: Class,
    retry_after: Option<Duration>,
}

impl Guard {
    /// A guard for the target of `breaker`. `stream` names its source of chance.
    pub fn new(
        config: GuardConfig,
        breaker: Arc<Breaker>,
        retry: RetryPolicy,
        runtime: Arc<dyn Runtime>,
        stream: &'static str,
    ) -> Self {
        let limiter = Limiter::new(config.spacing(), Arc::clone(&runtime));
        let entropy = runtime.entropy(stream);
        Self { config, limiter, breaker, retry, runtime, entropy }
    }

    /// Its breaker.
    pub const fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Makes a call: `operation` is made once for each attempt, and `classify` says what its errors mean.
    ///
    /// `deadline` can only shorten the configured one; [`Moment::MAX`] leaves it. Dropping the future cancels the call,
    /// which counts neither for nor against the target.
    ///
    /// # Errors
    /// [`GuardError`] says what the caller can do next. An open breaker and a turn that would come too late are told at
    /// once, not at the deadline.
    pub async fn call<T, E, F, Fut>(
        &self,
        deadline: Moment,
        classify: impl Fn(&E) -> Disposition,
        mut operation: F,
    ) -> Result<Answer<T>, GuardError<E>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let deadline = deadline.min(self.now() + self.config.settings().deadline);
        let mut retry = Retry::new(&self.retry, deadline);
        loop {
            let attempts = retry.failures();
            if self.now() >= deadline {
                return Err(GuardError::TimedOut { attempts });
            }
            // Asked before the limiter too: a call that will be rejected should neither queue nor use up a turn.
            self.breaker.check(self.now()).map_err(GuardError::Rejected)?;
            self.limiter.turn(deadline).await.map_err(|retry_at| GuardError::Throttled { retry_at })?;

            let attempts = attempts.saturating_add(1);
            let answer = self.attempt(attempts, deadline, &classify, &mut operation).await;
            let failure = match answer.map_err(GuardError::Rejected)? {
                Ok(value) => return Ok(Answer { value, attempts }),
                Err(failure) => failure,
            };
            match retry.next(failure.class, failure.retry_after, self.now(), &*self.entropy) {
                Decision::RetryAt(at) => self.runtime.sleep_until(at).await,
                Decision::GiveUp(gave_up) => {
                    return Err(match failure.error {
                        Some(error) => GuardError::Failed { error, attempts, gave_up },
                        None => GuardError::TimedOut { attempts },
                    });
                }
            }
        }
    }

    /// Asks the breaker, makes one attempt, and tells the breaker and the limiter how it went.
    async fn attempt<T, E, F, Fut>(
        &self,
        number: u32,
        deadline: Moment,
        classify: &impl Fn(&E) -> Disposition,
        operation: &mut F,
    ) -> Result<Result<T, Failure<E>>, Rejected>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let permit = self.breaker.admit(self.now())?;
        let timeout = self.now() + self.config.settings().attempt_timeout;
        let attempt = Attempt { number, deadline: timeout.min(deadline) };
        let result = within(&*self.runtime, attempt.deadline, operation(attempt)).await;
        let now = self.now();
        let error = match result {
            Ok(Ok(value)) => {
                permit.success(now);
                return Ok(Ok(value));
            }
            Ok(Err(error)) => error,
            Err(DeadlineExceeded) => {
                // An attempt that our own deadline cut short had less time than it may take: no word against the target.
                let outcome = if deadline < timeout { Outcome::Ignored } else { Outcome::Failure };
                permit.report(outcome, now);
                return Ok(Err(Failure { error: None, class: Class::Transient, retry_after: None }));
            }
        };
        let (outcome, class, retry_after) = match classify(&error) {
            Disposition::Transient { retry_after } => (Outcome::Failure, Class::Transient, retry_after),
            Disposition::Refused => (Outcome::Failure, Class::Permanent, None),
            Disposition::Invalid => (Outcome::Ignored, Class::Permanent, None),
            Disposition::RateLimited { retry_after } => {
                let pause = self.retry.pause(retry_after, &*self.entropy);
                self.limiter.pause_until(now + pause);
                (Outcome::RateLimited { retry_at: Some(now + pause) }, Class::RateLimited, Some(pause))
            }
        };
        permit.report(outcome, now);
        Ok(Err(Failure { error: Some(error), class, retry_after }))
    }

    fn now(&self) -> Moment {
        self.runtime.now()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("config", &self.config)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
