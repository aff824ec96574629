//! Empties the outboxes into the stores. A store that is away only makes the outboxes grow; it never stops scoring.
//!
//! What makes a writer safe to leave alone: every failure but two brings the batch back into its outbox and is tried again
//! for ever, at a pace that the failure sets. The two are a store that is damaged, which waits for a person, and a newer
//! writer, which ends the service in order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::{FencingToken, Moment, Runtime, StoreError, StoreErrorKind, Task, within};
use ttm_market::{Token, TokenStore};
use ttm_perf::{Event, EventStore, MetricStore, Sample};
use ttm_retry::RetryPolicy;

use super::board::Board;
use super::lease::Lease;
use super::outbox::Waiting;
use super::shutdown::Shutdown;
use super::stores::StoreUse;

/// What the caller of a store waits at most: a frozen server cannot enforce its own limit.
pub(super) const STORE_DEADLINE: Duration = Duration::from_secs(5);
/// The first write gathers for a tenth of the time of others: a process that does not live for a second has not worked in
/// vain, and what is stored before something else still is.
const FIRST_GATHERS: u32 = 10;
/// How long a stop waits before it tries again.
const RETRY_AT_STOP: Duration = Duration::from_secs(1);

/// What a writer does with what waits.
#[async_trait]
pub(super) trait Sink<T>: Send + Sync {
    /// What the store is used for.
    const USE: StoreUse;
    /// The counter of what the store acknowledged.
    const STORED: &'static str;
    /// Entries of one write: enough to amortise a commit, few enough for its deadline.
    const BATCH: usize;
    /// How long what comes is gathered before it is written.
    const GATHER: Duration = Duration::from_secs(1);

    /// Stores a batch, all of it or nothing.
    async fn store(&self, batch: &[T]) -> Result<(), StoreError>;
    /// Says which entry is meant, for the log.
    fn name(entry: &T) -> String;
}

/// What all writers share.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) board: Arc<Board>,
    pub(super) lease: Arc<Lease>,
    pub(super) backoff: RetryPolicy,
    pub(super) shutdown: Shutdown,
}

/// What became of a write, as what the writer does next.
enum Written {
    /// Done with this batch: the next.
    Done,
    /// The batch is back in its outbox: wait, then again.
    Later(Option<Duration>),
    /// The store is damaged: leave it alone until the stop.
    Never,
    /// A newer writer took over: end, so that the service ends.
    Fenced,
}

impl Writing {
    /// Starts the task that empties an outbox.
    pub(super) fn start<T, W, S>(&self, name: &'static str, outbox: Arc<W>, sink: S) -> (&'static str, Task)
    where
        T: Clone + Send + Sync + 'static,
        W: Waiting<T> + 'static,
        S: Sink<T> + 'static,
    {
        let writing = self.clone();
        let body = async move { writing.empty(&*outbox, &sink).await };
        (name, self.runtime.spawn(name, Box::pin(body)))
    }

    /// Until the stop is ordered; then until the outbox is empty or the deadline has come.
    async fn empty<T, W, S>(mut self, outbox: &W, sink: &S)
    where
        T: Clone + Send + Sync,
        W: Waiting<T>,
        S: Sink<T>,
    {
        let runtime = self.runtime.clone();
        let entropy = runtime.entropy("writer");
        let mut failures = 0;
        let mut gather = S::GATHER / FIRST_GATHERS;
        loop {
            if outbox.is_empty() {
                if self.shutdown.deadline().is_some() {
                    return;
                }
                tokio::select! {
                    biased;
                    _ = self.shutdown.ordered() => {}
                    () = outbox.filled() => self.pause(runtime.now() + gather).await,
                }
                continue;
            }
            if self.shutdown.deadline().is_some_and(|deadline| runtime.now() >= deadline) {
                return;
            }
            if self.lease.lost().is_some() {
                // Nothing is written any more: what waits is left, and counted.
                return;
            }
            if !self.lease.holds() {
                // After a pause of the process renewing comes before any write.
                runtime.sleep_until(runtime.now() + Lease::LOOK_AGAIN).await;
                continue;
            }
            match self.write(outbox, sink).await {
                Written::Done => (failures, gather) = (0, S::GATHER),
                Written::Fenced => return,
                Written::Never => {
                    // What comes is kept as far as the outbox goes, and scoring goes on.
                    self.shutdown.ordered().await;
                    return;
                }
                Written::Later(_) if self.shutdown.deadline().is_some() => {
                    // A stop has no time for long pauses; the deadline above ends this.
                    runtime.sleep_until(runtime.now() + RETRY_AT_STOP).await;
                }
                Written::Later(retry_after) => {
                    // Full jitter, as everywhere: writers that failed together do not come back together.
                    let backoff = self.backoff.backoff(failures).mul_f64(entropy.unit());
                    failures += 1;
                    self.pause(runtime.now() + backoff.max(retry_after.unwrap_or_default())).await;
                }
            }
        }
    }

    /// Writes one batch. What the store refuses is halved until the entries that it refuses are alone.
    async fn write<T: Clone, W: Waiting<T>, S: Sink<T>>(&self, outbox: &W, sink: &S) -> Written {
        if self.board.stores.may_ask(S::USE, self.runtime.now(), self.runtime.wall()).is_err() {
            return Written::Never;
        }
        let mut batches = vec![outbox.take(S::BATCH)];
        while let Some(batch) = batches.pop() {
            let deadline = self.runtime.now() + STORE_DEADLINE;
            let stored = within(&*self.runtime, deadline, sink.store(&batch)).await;
            let now = self.runtime.now();
            let Err(error) = stored.unwrap_or_else(|_| Err(StoreError::transient(timed_out()))) else {
                outbox.settle(batch.len());
                self.board.stores.answered(S::USE, now);
                metrics::counter!(S::STORED).increment(batch.len() as u64);
                tracing::debug!(store = S::USE.as_str(), entries = batch.len(), "stored");
                continue;
            };
            match error.kind() {
                StoreErrorKind::Rejected if batch.len() > 1 => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    batches.extend([right.to_vec(), left.to_vec()]);
                    continue;
                }
                StoreErrorKind::Rejected => {
                    let message = error.said();
                    let entry = batch.first().map(S::name).unwrap_or_default();
                    tracing::error!(
                        store = S::USE.as_str(),
                        entry,
                        message,
                        code = error.code(),
                        "the store refuses this entry; it is dropped"
                    );
                    metrics::counter!("ttm_refused_total", "store" => S::USE.as_str()).increment(1);
                    outbox.refuse(batch.len());
                    continue;
                }
                StoreErrorKind::Transient { .. }
                | StoreErrorKind::Missing
                | StoreErrorKind::Unauthenticated
                | StoreErrorKind::Unexpected
                | StoreErrorKind::Fenced { .. }
                | StoreErrorKind::Corrupt => {}
            }
            batches.push(batch);
            batches.reverse();
            outbox.give_back(batches.concat());
            let wall = self.runtime.wall();
            return match error.kind() {
                StoreErrorKind::Fenced { .. } => {
                    self.lease.fenced(&error);
                    Written::Fenced
                }
                StoreErrorKind::Corrupt => {
                    self.board.stores.failed(S::USE, &error, now, wall);
                    Written::Never
                }
                StoreErrorKind::Transient { .. }
                | StoreErrorKind::Missing
                | StoreErrorKind::Unauthenticated
                | StoreErrorKind::Unexpected => {
                    self.board.stores.failed(S::USE, &error, now, wall);
                    Written::Later(error.retry_after())
                }
                StoreErrorKind::Rejected => Written::Later(None),
            };
        }
        Written::Done
    }

    /// Waits until then, or until the stop is ordered.
    async fn pause(&mut self, until: Moment) {
        tokio::select! {
            biased;
            _ = self.shutdown.ordered() => {}
            () = self.runtime.sleep_until(until) => {}
        }
    }
}

/// The newest states of tokens.
pub(super) struct TokenSink {
    pub(super) store: Arc<dyn TokenStore>,
    pub(super) under: FencingToken,
}

#[async_trait]
impl Sink<Token> for TokenSink {
    const USE: StoreUse = StoreUse::TokenWrites;
    const STORED: &'static str = "ttm_token_states_stored_total";
    const BATCH: usize = 1_000;

    async fn store(&self, batch: &[Token]) -> Result<(), StoreError> {
        self.store.save(self.under, batch).await
    }

    fn name(token: &Token) -> String {
        token.mint.to_string()
    }
}

/// Samples.
pub(super) struct SampleSink(pub(super) Arc<dyn MetricStore>);

#[async_trait]
impl Sink<Sample> for SampleSink {
    const USE: StoreUse = StoreUse::Samples;
    const STORED: &'static str = "ttm_samples_stored_total";
    const BATCH: usize = 10_000;

    async fn store(&self, batch: &[Sample]) -> Result<(), StoreError> {
        self.0.append(batch).await.map(|_| ())
    }

    fn name(sample: &Sample) -> String {
        sample.series().to_string()
    }
}

/// Events. A burst shares a commit, and the reason of a token's new state is still stored before the state itself.
pub(super) struct EventSink(pub(super) Arc<dyn EventStore>);

#[async_trait]
impl Sink<Event> for EventSink {
    const USE: StoreUse = StoreUse::Events;
    const STORED: &'static str = "ttm_events_stored_total";
    const BATCH: usize = 500;
    const GATHER: Duration = Duration::from_millis(100);

    async fn store(&self, batch: &[Event]) -> Result<(), StoreError> {
        self.0.append(batch).await.map(|_| ())
    }

    fn name(event: &Event) -> String {
        format!("{} of {}", event.kind(), event.subject())
    }
}

pub(super) fn timed_out() -> String {
    format!("no answer within {} s", STORE_DEADLINE.as_secs())
}

#[cfg(test)]
mod tests;
