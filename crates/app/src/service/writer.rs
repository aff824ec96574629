//! Empties the outboxes into the stores. A store that is away only makes the outboxes grow; it never stops scoring.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::{Epoch, Moment, Runtime, StoreError, Task, within};
use ttm_market::{Token, TokenStore};
use ttm_perf::{MetricStore, Sample};
use ttm_retry::RetryPolicy;

use super::board::Board;
use super::outbox::{SampleOutbox, TokenOutbox};
use super::shutdown::Shutdown;

/// Rows of one write: large enough to amortise a commit, small enough for its deadline.
const TOKENS_PER_WRITE: usize = 1_000;
const SAMPLES_PER_WRITE: usize = 10_000;
/// What comes within a second shares a commit; and how long a stop waits before it tries again.
const GATHER: Duration = Duration::from_secs(1);
/// What the caller of a store waits at most: a frozen server cannot enforce its own limit.
pub(super) const STORE_DEADLINE: Duration = Duration::from_secs(5);

/// What became of a write, as what the writer does next.
pub(super) enum Written {
    /// Done with this batch: the next.
    Done,
    /// The batch is back in its outbox: wait, then again.
    Later,
    /// The store is corrupt: leave it alone until the stop.
    Never,
    /// A newer writer took over: end, so that the service ends.
    Fenced,
}

/// An outbox and the store behind it.
#[async_trait]
pub(super) trait Drain: Send + Sync {
    /// How long what comes is gathered before it is written.
    const GATHER: Duration = GATHER;

    /// Completes when there may be something to write.
    async fn filled(&self);
    /// Whether nothing waits.
    fn is_empty(&self) -> bool;
    /// Writes one batch.
    async fn write(&self) -> Written;
}

/// Starts the task that empties an outbox.
pub(super) fn start(
    name: &'static str,
    outbox: impl Drain + 'static,
    backoff: &RetryPolicy,
    runtime: &Arc<dyn Runtime>,
    shutdown: &Shutdown,
) -> (&'static str, Task) {
    let body = drain(outbox, backoff.clone(), runtime.clone(), shutdown.clone());
    (name, runtime.spawn(name, Box::pin(body)))
}

/// Writes until it is told to stop, then until the outbox is empty or the deadline has come.
async fn drain<D: Drain>(outbox: D, backoff: RetryPolicy, runtime: Arc<dyn Runtime>, mut shutdown: Shutdown) {
    let entropy = runtime.entropy("writer");
    let mut failures = 0;
    loop {
        if outbox.is_empty() {
            if shutdown.deadline().is_some() {
                return;
            }
            tokio::select! {
                biased;
                _ = shutdown.ordered() => {}
                () = outbox.filled() => pause(&*runtime, &mut shutdown, runtime.now() + D::GATHER).await,
            }
            continue;
        }
        if shutdown.deadline().is_some_and(|deadline| runtime.now() >= deadline) {
            return;
        }
        match outbox.write().await {
            Written::Done => failures = 0,
            Written::Fenced => return,
            Written::Never => {
                // What comes is kept as far as the outbox goes, and scoring goes on.
                shutdown.ordered().await;
                return;
            }
            Written::Later if shutdown.deadline().is_some() => {
                // A stop has no time for long pauses; the deadline above ends this.
                runtime.sleep_until(runtime.now() + GATHER).await;
            }
            Written::Later => {
                // Full jitter, as everywhere: writers that failed together do not come back together.
                let until = runtime.now() + backoff.backoff(failures).mul_f64(entropy.unit());
                failures += 1;
                pause(&*runtime, &mut shutdown, until).await;
            }
        }
    }
}

/// Waits until then, or until the stop is ordered.
async fn pause(runtime: &dyn Runtime, shutdown: &mut Shutdown, until: Moment) {
    tokio::select! {
        biased;
        _ = shutdown.ordered() => {}
        () = runtime.sleep_until(until) => {}
    }
}

/// Drains states of tokens.
pub(super) struct TokenDrain {
    pub(super) outbox: Arc<TokenOutbox>,
    pub(super) store: Arc<dyn TokenStore>,
    pub(super) epoch: Epoch,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) board: Arc<Board>,
}

impl TokenDrain {
    async fn save(&self, tokens: &[Token]) -> Result<(), StoreError> {
        let deadline = self.runtime.now() + STORE_DEADLINE;
        within(&*self.runtime, deadline, self.store.save(self.epoch, tokens))
            .await
            .unwrap_or_else(|_| Err(StoreError::transient(timed_out())))
    }
}

#[async_trait]
impl Drain for TokenDrain {
    async fn filled(&self) {
        self.outbox.filled().await;
    }

    fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    async fn write(&self) -> Written {
        let mut batches = vec![self.outbox.take(TOKENS_PER_WRITE)];
        while let Some(batch) = batches.pop() {
            let Err(error) = self.save(&batch).await else {
                self.outbox.settle(batch.len());
                self.board.post_store_answered();
                continue;
            };
            match error {
                StoreError::Rejected { .. } if batch.len() > 1 => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    batches.extend([left.to_vec(), right.to_vec()]);
                }
                StoreError::Rejected { message } => {
                    self.outbox.settle(batch.len());
                    tracing::error!(mint = %batch[0].mint, message, "the store refuses this token; its newest state is lost");
                }
                error => {
                    self.board.post_store_failed(&error);
                    batches.push(batch);
                    self.outbox.give_back(batches.concat());
                    return match error {
                        StoreError::Transient { .. } => Written::Later,
                        StoreError::Fenced { .. } => Written::Fenced,
                        StoreError::Corrupt { .. } | StoreError::Rejected { .. } => leave_alone(&error),
                    };
                }
            }
        }
        Written::Done
    }
}

/// Drains samples.
pub(super) struct SampleDrain {
    pub(super) outbox: Arc<SampleOutbox>,
    pub(super) store: Arc<dyn MetricStore>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) board: Arc<Board>,
}

impl SampleDrain {
    async fn append(&self, samples: &[Sample]) -> Result<(), StoreError> {
        let deadline = self.runtime.now() + STORE_DEADLINE;
        within(&*self.runtime, deadline, self.store.append(samples))
            .await
            .unwrap_or_else(|_| Err(StoreError::transient(timed_out())))
            .map(|_| ())
    }
}

#[async_trait]
impl Drain for SampleDrain {
    async fn filled(&self) {
        self.outbox.filled().await;
    }

    fn is_empty(&self) -> bool {
        self.outbox.counts().waiting == 0
    }

    async fn write(&self) -> Written {
        let mut batches = vec![self.outbox.take(SAMPLES_PER_WRITE)];
        while let Some(batch) = batches.pop() {
            let Err(error) = self.append(&batch).await else {
                self.outbox.settle(batch.len());
                self.board.post_store_answered();
                metrics::counter!("ttm_samples_stored_total").increment(batch.len() as u64);
                continue;
            };
            match error {
                StoreError::Rejected { .. } if batch.len() > 1 => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    batches.extend([right.to_vec(), left.to_vec()]);
                }
                StoreError::Rejected { message } => {
                    tracing::error!(series = %batch[0].series(), message, "the store refuses this sample; it is counted as lost");
                    self.outbox.refuse(batch.len());
                }
                error => {
                    self.board.post_store_failed(&error);
                    batches.push(batch);
                    batches.reverse();
                    self.outbox.give_back(batches.concat());
                    return match error {
                        StoreError::Transient { .. } => Written::Later,
                        StoreError::Fenced { .. } => Written::Fenced,
                        StoreError::Corrupt { .. } | StoreError::Rejected { .. } => leave_alone(&error),
                    };
                }
            }
        }
        Written::Done
    }
}

pub(super) fn leave_alone(error: &(dyn std::error::Error + 'static)) -> Written {
    tracing::error!(error, "nothing more is written; restart the process once the store is whole");
    Written::Never
}

pub(super) fn timed_out() -> String {
    format!("no answer within {} s", STORE_DEADLINE.as_secs())
}
