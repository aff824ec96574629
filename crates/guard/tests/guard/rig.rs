//! A guard on a manual runtime, and a scripted upstream.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{Breaker, BreakerConfig, BreakerSettings, Counts};
use ttm_guard::{Attempt, Disposition, Guard, GuardConfig, GuardError, GuardSettings};
use ttm_kernel::{BoxFuture, Clock, Moment, Runtime};
use ttm_retry::{RetryPolicy, RetrySettings};
use ttm_testkit::{ManualRuntime, Recorder, SeededEntropy};

/// What the upstream does with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Answers after this many milliseconds.
    Ok(u64),
    /// Fails after this many milliseconds.
    Fails(u64, Disposition),
    /// Never answers.
    Hangs,
    /// Panics after this many milliseconds.
    Panics(u64),
}

/// Fails at once, and may be tried again.
pub(crate) const DOWN: Reply = Reply::Fails(0, Disposition::Transient { retry_after: None });

/// The operation's error: what it means is what it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream failed")]
pub(crate) struct Failed(pub Disposition);

pub(crate) struct Rig {
    pub(crate) runtime: ManualRuntime,
    pub(crate) guard: Arc<Guard>,
    /// When each attempt was made.
    pub(crate) attempts: Arc<Recorder<(Moment, Attempt)>>,
}

pub(crate) fn at_ms(ms: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(ms))
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(1, GuardSettings::default(), BreakerSettings::default(), RetrySettings::default())
    }

    pub(crate) fn with(
        seed: u64,
        guard: GuardSettings,
        breaker: BreakerSettings,
        retry: RetrySettings,
    ) -> Self {
        let runtime = ManualRuntime::new(seed);
        let breaker = BreakerConfig::try_new(breaker).expect("valid settings");
        let breaker = Arc::new(Breaker::new("upstream", breaker, Arc::new(SeededEntropy::new(seed))));
        let guard = GuardConfig::try_new(guard).expect("valid settings");
        let retry = RetryPolicy::try_new(retry).expect("valid settings");
        let guard = Arc::new(Guard::new(guard, breaker, retry, Arc::new(runtime.clone()), "guard"));
        Self { runtime, guard, attempts: Arc::default() }
    }

    /// A call whose attempts get these replies one after the other, the last of them for ever.
    pub(crate) fn call(
        &self,
        deadline: Moment,
        replies: &[Reply],
    ) -> impl Future<Output = Result<u32, GuardError<Failed>>> + Send + use<> {
        let (guard, operation) = (Arc::clone(&self.guard), self.operation(replies));
        async move { guard.call(deadline, |Failed(disposition)| *disposition, operation).await }
    }

    /// An operation whose attempts get these replies one after the other, the last of them for ever; it gives the number of
    /// its attempt.
    pub(crate) fn operation(
        &self,
        replies: &[Reply],
    ) -> impl FnMut(Attempt) -> BoxFuture<'static, Result<u32, Failed>> + Send + use<> {
        let (runtime, attempts, replies) =
            (self.runtime.clone(), Arc::clone(&self.attempts), replies.to_vec());
        move |attempt| {
            attempts.record((runtime.now(), attempt));
            let index = usize::try_from(attempt.number - 1).expect("few attempts").min(replies.len() - 1);
            let answer = answer(runtime.clone(), replies[index]);
            Box::pin(async move { answer.await.map(|()| attempt.number) })
        }
    }

    /// Runs one call to its end.
    pub(crate) fn run(&self, replies: &[Reply]) -> Result<u32, GuardError<Failed>> {
        self.runtime.block_on(self.call(Moment::MAX, replies))
    }

    /// What its breaker counted.
    pub(crate) fn counts(&self) -> Counts {
        self.guard.breaker().snapshot(self.now()).counts
    }

    pub(crate) fn now(&self) -> Moment {
        self.runtime.now()
    }
}

async fn answer(runtime: ManualRuntime, reply: Reply) -> Result<(), Failed> {
    let started = runtime.now();
    match reply {
        Reply::Ok(ms) => {
            runtime.sleep_until(started + Duration::from_millis(ms)).await;
            Ok(())
        }
        Reply::Fails(ms, disposition) => {
            runtime.sleep_until(started + Duration::from_millis(ms)).await;
            Err(Failed(disposition))
        }
        Reply::Hangs => std::future::pending().await,
        Reply::Panics(ms) => {
            // Only a wait that is one yields.
            if ms > 0 {
                runtime.sleep_until(started + Duration::from_millis(ms)).await;
            }
            panic!("the operation panicked")
        }
    }
}
