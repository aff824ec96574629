//! The composition: one call through limiter, breaker, timeout and retry.

mod attempt;
mod call;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use ttm_breaker::Breaker;
use ttm_kernel::{Entropy, Moment, Now, Runtime, within};
use ttm_retry::{Decision, GiveUpReason, Retry, RetryBudget, RetryPolicy, Withdrawal};

use crate::deadline::CallDeadline;
use crate::limiter::Limiter;
use crate::places::Places;
use crate::{Attempt, Disposition, GuardConfig, GuardError, Rate, SavedRate, Turn};
use attempt::{Failure, Outcome};
use call::Call;

/// Protects one upstream from us, and us from it. Share it: one per upstream.
pub struct Guard {
    /// Whether a first attempt needs no more than the breaker and a timeout.
    is_plain: AtomicBool,
    /// Whether retries are paid for.
    charges: AtomicBool,
    /// Nanoseconds that a call may take.
    deadline: AtomicU64,
    /// Nanoseconds that an attempt may take: the config's, until the owner sets another.
    attempt_timeout: AtomicU64,
    limiter: Limiter,
    places: Arc<Places>,
    breaker: Arc<Breaker>,
    retry: RwLock<RetryPolicy>,
    budget: RetryBudget,
    runtime: Arc<dyn Runtime>,
    entropy: Arc<dyn Entropy>,
    /// Locked while settings change. No call takes this lock.
    config: Mutex<GuardConfig>,
}

impl Guard {
    /// A guard for the upstream of `breaker`. `stream` names its stream of entropy.
    pub fn new(
        config: GuardConfig,
        breaker: Arc<Breaker>,
        retry: RetryPolicy,
        runtime: Arc<dyn Runtime>,
        stream: &'static str,
    ) -> Self {
        let settings = config.settings();
        Self {
            is_plain: AtomicBool::new(settings.is_plain()),
            charges: AtomicBool::new(settings.budget.is_some()),
            deadline: AtomicU64::new(nanos(settings.deadline)),
            attempt_timeout: AtomicU64::new(nanos(settings.attempt_timeout)),
            limiter: Limiter::new(&config, Arc::clone(&runtime)),
            places: Arc::new(Places::new(settings.max_concurrent)),
            breaker,
            retry: RwLock::new(retry),
            budget: RetryBudget::new(&settings.budget.clone().unwrap_or_default()),
            entropy: runtime.entropy(stream),
            runtime,
            config: Mutex::new(config),
        }
    }

    /// Replaces the settings. The breaker has its own: [`Breaker::reconfigure`].
    ///
    /// A call in flight keeps its deadline, and the retry policy from its first failure on; an attempt in flight keeps its
    /// timeout and its place. What was learnt is kept: the pause that the upstream asked for, the share of the rate that may be
    /// used, and the balance of the budget up to its new cap. An attempt timeout that was set by
    /// [`set_attempt_timeout`](Self::set_attempt_timeout) is kept unless the config's own differs from the one before, and cut
    /// to the new deadline.
    /// - When the rate rises, attempts that wait keep their turns; when it falls, each of them takes a new one.
    /// - A lower limit on concurrency applies from the next attempt on; a higher one admits those that wait.
    /// - A limit where there was none: the first turn comes after a full spacing, and attempts in flight are not counted.
    pub fn reconfigure(&self, config: GuardConfig, retry: RetryPolicy) {
        let mut current = self.config();
        let settings = config.settings();
        let kept = settings.attempt_timeout == current.settings().attempt_timeout;
        let timeout = if kept { self.attempt_timeout() } else { settings.attempt_timeout };
        self.attempt_timeout.store(nanos(timeout.min(settings.deadline)), Ordering::Relaxed);
        self.deadline.store(nanos(settings.deadline), Ordering::Relaxed);
        self.limiter.reconfigure(&config);
        self.places.reconfigure(settings.max_concurrent);
        if let Some(budget) = &settings.budget {
            self.budget.reconfigure(budget, self.runtime.now());
        }
        self.charges.store(settings.budget.is_some(), Ordering::Relaxed);
        *self.retry.write().unwrap_or_else(PoisonError::into_inner) = retry;
        self.is_plain.store(settings.is_plain(), Ordering::Relaxed);
        *current = config;
    }

    /// Its breaker.
    pub const fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// What its retries are paid from; none if they are free.
    #[inline]
    pub fn budget(&self) -> Option<&RetryBudget> {
        self.charges.load(Ordering::Relaxed).then_some(&self.budget)
    }

    /// How fast attempts are allowed; none if nothing limits them.
    pub fn rate(&self) -> Option<Rate> {
        self.limiter.rate()
    }

    /// The end of the last pause that the upstream asked for, which may be over. It costs one atomic load, so it can be polled
    /// after every call.
    #[inline]
    pub fn paused_until(&self) -> Moment {
        self.limiter.paused_until()
    }

    /// Continues the rate of another process, saved `elapsed` ago. The first turn comes after a full spacing, since that
    /// process may have made an attempt just before. Without a limit this does nothing.
    pub fn resume(&self, saved: SavedRate, elapsed: Duration) {
        self.limiter.resume(saved, elapsed);
    }

    /// The rate to save for the next process; none if nothing limits it.
    pub fn save(&self) -> Option<SavedRate> {
        self.limiter.save()
    }

    /// How long an attempt may take.
    #[inline]
    pub fn attempt_timeout(&self) -> Duration {
        Duration::from_nanos(self.attempt_timeout.load(Ordering::Relaxed))
    }

    /// Attempts that begin from now on may take this long, but not longer than the whole call.
    pub fn set_attempt_timeout(&self, timeout: Duration) {
        let config = self.config();
        let timeout = timeout.clamp(Duration::from_nanos(1), config.settings().deadline);
        self.attempt_timeout.store(nanos(timeout), Ordering::Relaxed);
    }

    /// Waits until an attempt may be made, for a caller that decides only then what to ask: [`Guard::call_on`] makes the call.
    /// A turn that is not used is lost; no other caller gets it.
    ///
    /// # Errors
    /// As [`Guard::call`] before its first attempt.
    pub async fn turn(&self, deadline: Moment) -> Result<Turn, GuardError<Infallible>> {
        let mut deadline = CallDeadline::new(&*self.runtime, Duration::MAX, deadline);
        self.queue(&mut deadline, 0).await
    }

    /// Makes a call whose first attempt has its turn already.
    ///
    /// # Errors
    /// As [`Guard::call`].
    pub async fn call_on<T, E, F, Fut>(
        &self,
        turn: Turn,
        deadline: Moment,
        classify: impl Fn(&E) -> Disposition,
        operation: F,
    ) -> Result<T, GuardError<E>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.deposit();
        self.rest(Some(turn), self.call_deadline(deadline), None, classify, operation).await
    }

    /// Makes a call: `operation` is made once for each attempt, and `classify` says what its errors mean.
    ///
    /// `deadline` can only shorten the configured one; [`Moment::MAX`] leaves it. Dropping the future cancels the call,
    /// which does not count, unless the breaker's config says otherwise.
    ///
    /// A call that works at the first poll allocates nothing and reads no clock, unless it has to queue first.
    ///
    /// # Errors
    /// [`GuardError`] says what the caller can do next. An open breaker and a turn that would come too late fail the call at
    /// once, not at the deadline.
    #[inline]
    pub fn call<T, E, F, Fut>(
        &self,
        deadline: Moment,
        classify: impl Fn(&E) -> Disposition,
        operation: F,
    ) -> impl Future<Output = Result<T, GuardError<E>>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        Call::new(self, deadline, classify, operation, Self::go_on)
    }

    /// A call from its beginning, or after its first attempt has failed.
    fn go_on<T, E, F, Fut>(
        &self,
        deadline: CallDeadline<'_>,
        failed: Option<Failure<E>>,
        classify: impl Fn(&E) -> Disposition,
        operation: F,
    ) -> impl Future<Output = Result<T, GuardError<E>>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.rest(None, deadline, failed, classify, operation)
    }

    /// The attempts of a call; the first of them may have its turn already.
    async fn rest<T, E, F, Fut>(
        &self,
        mut turn: Option<Turn>,
        mut deadline: CallDeadline<'_>,
        failed: Option<Failure<E>>,
        classify: impl Fn(&E) -> Disposition,
        mut operation: F,
    ) -> Result<T, GuardError<E>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut made = u32::from(failed.is_some());
        let policy = self.retry().clone();
        let mut retry = Retry::new(&policy, deadline.moment());
        let mut failed = failed;
        loop {
            let charge = match failed {
                None => None,
                Some(failure) => self.wait_to_retry(&mut retry, failure, made).await?,
            };
            let _turn = match turn.take() {
                Some(turn) => turn,
                None => self.queue(&mut deadline, made).await?,
            };
            match self.attempt(&mut deadline, &mut made, charge, &classify, &mut operation).await {
                Outcome::Answered(value) => return Ok(value),
                Outcome::Rejected(rejected) => return Err(GuardError::Rejected(rejected)),
                Outcome::Failed(failure) => failed = Some(failure),
            }
        }
    }

    /// Waits until a failed attempt may be followed by another, and pays for that one.
    ///
    /// It pays before the sleep, so that many sleepers cannot spend the same token. A call that is cancelled or rejected before
    /// the attempt is made gets its token back.
    async fn wait_to_retry<E>(
        &self,
        retry: &mut Retry<'_>,
        failure: Failure<E>,
        made: u32,
    ) -> Result<Option<Withdrawal<'_>>, GuardError<E>> {
        let now = self.runtime.now();
        let at = match retry.next(failure.class, failure.retry_after, now, &*self.entropy) {
            Decision::RetryAt(at) => at,
            Decision::GiveUp(reason) => return Err(failure.into_error(made, reason)),
        };
        let charge = match self.budget() {
            None => None,
            Some(budget) => match budget.withdraw(now) {
                Some(charge) => Some(charge),
                None => return Err(failure.into_error(made, GiveUpReason::BudgetExhausted)),
            },
        };
        self.runtime.sleep_until(at).await;
        Ok(charge)
    }

    /// Each first attempt pays for a part of a retry.
    #[inline]
    pub(crate) fn deposit(&self) {
        if let Some(budget) = self.budget() {
            budget.deposit();
        }
    }

    /// The deadline of a call that its caller wants to be over by `deadline`.
    pub(crate) fn call_deadline(&self, deadline: Moment) -> CallDeadline<'_> {
        let longest = Duration::from_nanos(self.deadline.load(Ordering::Relaxed));
        CallDeadline::new(&*self.runtime, longest, deadline)
    }

    /// Whether a first attempt needs no more than the breaker and a timeout.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    /// The policy for further attempts.
    pub(crate) fn retry(&self) -> RwLockReadGuard<'_, RetryPolicy> {
        self.retry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> MutexGuard<'_, GuardConfig> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for everything that an attempt needs but the breaker's permit.
    async fn queue<E>(&self, deadline: &mut CallDeadline<'_>, made: u32) -> Result<Turn, GuardError<E>> {
        let over = GuardError::TimedOut { attempts: made };
        if deadline.is_over() {
            return Err(over);
        }
        // Before anything that waits: a call that will be rejected should neither queue nor use up a turn.
        self.breaker.check(self).map_err(GuardError::Rejected)?;
        let place = if self.places.are_limited() {
            Some(within(&*self.runtime, deadline.moment(), self.places.take()).await.map_err(|_| over)?)
        } else {
            None
        };
        // Last, because a turn that is not used at once is one that comes bunched with the next.
        let throttled = |retry_at| GuardError::Throttled { retry_at };
        self.limiter.turn(deadline.moment()).await.map_err(throttled)?;
        Ok(Turn { _place: place })
    }
}

/// Whole nanoseconds, saturating at 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The guard's clock, read only when the breaker needs it.
impl Now for &Guard {
    fn now(&self) -> Moment {
        self.runtime.now()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("config", &*self.config())
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
