//! The composition itself: one call through limiter, breaker, timeout and retry. It decides nothing that they decide.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use ttm_breaker::Breaker;
use ttm_kernel::{Entropy, Moment, Now, Runtime, within};
use ttm_retry::{Decision, GiveUpReason, Retry, RetryBudget, RetryPolicy, Withdrawal};

use crate::attempt::{Failure, Outcome};
use crate::call::Call;
use crate::lapse::Lapse;
use crate::limiter::Limiter;
use crate::places::Places;
use crate::{Attempt, Disposition, GuardConfig, GuardError, Rate, SavedRate, Turn};

/// Protects one outside target, and protects us from it. Share it: one per target.
pub struct Guard {
    /// All that there is to a first attempt is the breaker and a timeout.
    is_plain: AtomicBool,
    /// Whether retries are paid for.
    charges: AtomicBool,
    /// Nanoseconds that a call may take.
    deadline: AtomicU64,
    /// Nanoseconds that an attempt may take: the config's, until the owner sets another.
    attempt_timeout: AtomicU64,
    pub(crate) limiter: Limiter,
    places: Arc<Places>,
    pub(crate) breaker: Arc<Breaker>,
    retry: RwLock<RetryPolicy>,
    budget: RetryBudget,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Held while any of the above is set. No call takes it.
    config: Mutex<GuardConfig>,
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

    /// Goes on with other settings. The breaker has its own: [`Breaker::reconfigure`].
    ///
    /// A call that has begun keeps its deadline, and its retries their policy; an attempt under way keeps its timeout and its
    /// place. What was learnt is kept: the pause that the upstream asked for, the share of the rate that it left, the
    /// balance of the budget up to its new cap, and the attempt timeout that was set last, unless the config has another
    /// than before; it is never longer than the new deadline.
    /// - Turns that attempts wait for are kept when the rate rises; when it falls, each of them takes another.
    /// - A lower limit on concurrency holds from the next attempt on; a higher one lets those in that wait.
    /// - Where there was no limit before, the first turn comes after a spacing, and attempts under way are not counted.
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

    /// What its retries are paid from; none while they are free.
    #[inline]
    pub fn budget(&self) -> Option<&RetryBudget> {
        self.charges.load(Ordering::Relaxed).then_some(&self.budget)
    }

    /// How fast attempts get their turns; none when nothing limits them.
    pub fn rate(&self) -> Option<Rate> {
        self.limiter.rate()
    }

    /// The end of the last pause that the upstream asked for, which may be over. One load, for callers that look after
    /// each of their calls.
    #[inline]
    pub fn paused_until(&self) -> Moment {
        self.limiter.paused_until()
    }

    /// Goes on where another process was so long ago; the first attempt has its turn after a whole spacing, since that
    /// process may have made one just before. Without a limit there is nothing to go on with.
    pub fn resume(&self, saved: SavedRate, elapsed: Duration) {
        self.limiter.resume(saved, elapsed);
    }

    /// What the next process should know of the rate; none when nothing limits it.
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

    /// Waits until an attempt may be made, for a caller that decides only then what it asks: [`Guard::call_on`] makes it.
    /// A turn that is not used soon is lost, and no other caller gets it.
    ///
    /// # Errors
    /// As [`Guard::call`] before its first attempt.
    pub async fn turn(&self, deadline: Moment) -> Result<Turn, GuardError<Infallible>> {
        let mut lapse = Lapse::new(&*self.runtime, Duration::MAX, deadline);
        self.queue(&mut lapse, 0).await
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
        self.rest(Some(turn), self.lapse(deadline), None, classify, operation).await
    }

    /// Makes a call: `operation` is made once for each attempt, and `classify` says what its errors mean.
    ///
    /// `deadline` can only shorten the configured one; [`Moment::MAX`] leaves it. Dropping the future cancels the call,
    /// which counts neither for nor against the target, unless the breaker's config says otherwise.
    ///
    /// A call that works at the first poll allocates nothing and reads no clock, unless it has to queue first.
    ///
    /// # Errors
    /// [`GuardError`] says what the caller can do next. An open breaker and a turn that would come too late are told at
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
        lapse: Lapse<'_>,
        failed: Option<Failure<E>>,
        classify: impl Fn(&E) -> Disposition,
        operation: F,
    ) -> impl Future<Output = Result<T, GuardError<E>>>
    where
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.rest(None, lapse, failed, classify, operation)
    }

    /// The attempts of a call; the first of them may have its turn already.
    async fn rest<T, E, F, Fut>(
        &self,
        mut turn: Option<Turn>,
        mut lapse: Lapse<'_>,
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
        let mut retry = Retry::new(&policy, lapse.deadline());
        let mut failed = failed;
        loop {
            let charge = match failed {
                None => None,
                Some(failure) => self.wait_to_retry(&mut retry, failure, made).await?,
            };
            let _turn = match turn.take() {
                Some(turn) => turn,
                None => self.queue(&mut lapse, made).await?,
            };
            match self.attempt(&mut lapse, &mut made, charge, &classify, &mut operation).await {
                Outcome::Answered(value) => return Ok(value),
                Outcome::Rejected(rejected) => return Err(GuardError::Rejected(rejected)),
                Outcome::Failed(failure) => failed = Some(failure),
            }
        }
    }

    /// Waits until a failed attempt may be followed by another, and pays for that one.
    ///
    /// Before the sleep, so that many sleepers cannot spend what only one may. Whoever is cancelled or rejected before
    /// the attempt is made gets it back.
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

    /// A call that works without a retry pays for a part of one.
    #[inline]
    pub(crate) fn deposit(&self) {
        if let Some(budget) = self.budget() {
            budget.deposit();
        }
    }

    /// The time of a call that its caller wants to be over by `deadline`.
    pub(crate) fn lapse(&self, deadline: Moment) -> Lapse<'_> {
        let longest = Duration::from_nanos(self.deadline.load(Ordering::Relaxed));
        Lapse::new(&*self.runtime, longest, deadline)
    }

    /// Whether a first attempt needs no more than the breaker and a timeout.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    /// When an attempt that failed is tried again.
    pub(crate) fn retry(&self) -> RwLockReadGuard<'_, RetryPolicy> {
        self.retry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> MutexGuard<'_, GuardConfig> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until an attempt may be made, as far as that is ours to say.
    async fn queue<E>(&self, lapse: &mut Lapse<'_>, made: u32) -> Result<Turn, GuardError<E>> {
        let over = GuardError::TimedOut { attempts: made };
        if lapse.is_over() {
            return Err(over);
        }
        // Asked before anything that waits: a call that will be rejected should neither queue nor use up a turn.
        self.breaker.check(self).map_err(GuardError::Rejected)?;
        let place = if self.places.are_limited() {
            Some(within(&*self.runtime, lapse.deadline(), self.places.take()).await.map_err(|_| over)?)
        } else {
            None
        };
        // Last, because a turn that is not used at once is one that comes bunched with the next.
        let throttled = |retry_at| GuardError::Throttled { retry_at };
        self.limiter.turn(lapse.deadline()).await.map_err(throttled)?;
        Ok(Turn { _place: place })
    }
}

/// Whole nanoseconds; 584 years are as good as for ever.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The guard's own clock, read when a breaker asks for it.
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
