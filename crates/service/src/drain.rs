//! Empties an outbox into a store. A store that is away only makes the outbox grow; it never stops scoring.
//!
//! What makes a writer safe to leave alone: every failure but two leaves the batch in its outbox and is tried again
//! for ever, at a pace that the failure sets. The two are a store that is damaged, which waits for an operator, and a newer
//! writer, which ends this one. The outbox keeps what was taken, so a drain may be dropped at any point.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::{Moment, StoreError, StoreErrorKind};
use ttm_retry::RetryPolicy;

use crate::board::Board;
use crate::bounded::{STORE_DEADLINE, timed_out, while_awake};
use crate::lease::Lease;
use crate::life::Life;
use crate::outbox::{Batch, Outbox, Shelf};
use crate::settings::LEASE;
use crate::stores::StoreUse;

/// The first write gathers for a tenth of the time of others: a process that lives for less than a second still stores what
/// it did, and what is stored before something else stays so.
const FIRST_GATHERS: u32 = 10;
/// A writer with nothing to write looks again after this, to show that it is alive.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a stop waits before it tries again.
const RETRY_AT_STOP: Duration = Duration::from_secs(1);

/// What a drain does with what waits.
#[async_trait]
pub(crate) trait Sink<T>: Send + Sync {
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

/// A writer: empties one outbox until it is stopped.
pub(crate) struct Drain {
    pub(crate) life: Life,
    pub(crate) board: Arc<Board>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) backoff: RetryPolicy,
}

/// What became of a write, as what the writer does next.
enum Written {
    /// Done with this batch: the next.
    Done,
    /// The batch is back in its outbox: wait, then again.
    Later(Option<Duration>),
    /// The store is damaged: leave it alone until the stop.
    Never,
    /// A newer writer took over: end.
    Fenced,
}

impl Drain {
    /// Until the stop is ordered; then until the outbox is empty. Who ordered it ends what is not over by its deadline, and alone knows
    /// of pauses.
    pub(crate) async fn run<S: Shelf, K: Sink<S::Entry>>(self, outbox: &Outbox<S>, sink: &K) {
        let Life { runtime, stop, vital, .. } = &self.life;
        outbox.open(self.life.author.incarnation);
        let entropy = runtime.entropy("writer");
        let mut failures = 0;
        let mut gather = K::GATHER / FIRST_GATHERS;
        while outbox.is_open_to(self.life.author.incarnation) {
            if outbox.is_empty() {
                if stop.deadline().is_some() {
                    return;
                }
                vital.got_on();
                tokio::select! {
                    biased;
                    _ = stop.ordered() => {}
                    () = outbox.filled() => self.pause(runtime.now() + gather).await,
                    () = runtime.sleep_until(runtime.now() + LOOK_AGAIN) => {}
                }
                continue;
            }
            if self.lease.lost().is_some() {
                // Nothing is written any more: what waits is left, and counted.
                return;
            }
            if !self.lease.holds() {
                // After a pause of the process renewing comes before any write.
                vital.waits_for(LEASE);
                runtime.sleep_until(runtime.now() + Lease::LOOK_AGAIN).await;
                continue;
            }
            match self.write(outbox, sink).await {
                Written::Done => {
                    vital.got_on();
                    (failures, gather) = (0, K::GATHER);
                }
                Written::Fenced => return,
                Written::Never => {
                    // What comes is kept as far as the outbox goes, and scoring goes on.
                    vital.leaves_alone(K::USE.store());
                    stop.ordered().await;
                    return;
                }
                Written::Later(_) if stop.deadline().is_some() => {
                    // A stop has no time for long pauses.
                    runtime.sleep_until(runtime.now() + RETRY_AT_STOP).await;
                }
                Written::Later(retry_after) => {
                    vital.waits_for(K::USE.store());
                    // Full jitter, as everywhere: writers that failed together do not come back together.
                    let backoff = self.backoff.backoff(failures).mul_f64(entropy.unit());
                    failures += 1;
                    self.pause(runtime.now() + backoff.max(retry_after.unwrap_or_default())).await;
                }
            }
        }
        outbox.pass_on();
    }

    /// Writes one batch. What the store refuses is halved, the front first, until the entries that it refuses are alone.
    async fn write<S: Shelf, K: Sink<S::Entry>>(&self, outbox: &Outbox<S>, sink: &K) -> Written {
        let runtime = &*self.life.runtime;
        let stores = &self.board.stores;
        if stores.may_ask(K::USE, runtime.now(), runtime.wall()).is_err() {
            return Written::Never;
        }
        let Some(batch) = outbox.take(self.life.author.incarnation, K::BATCH) else { return Written::Done };
        let mut parts = vec![&*batch.entries];
        while let Some(part) = parts.pop() {
            let answer = while_awake(runtime, runtime.now() + STORE_DEADLINE, sink.store(part)).await;
            let now = runtime.now();
            let Err(error) = answer.unwrap_or_else(|_| Err(timed_out(STORE_DEADLINE))) else {
                outbox.stored(&batch, part.len());
                stores.answered(K::USE, now);
                metrics::counter!(K::STORED).increment(part.len() as u64);
                tracing::debug!(store = K::USE.as_str(), entries = part.len(), "stored");
                continue;
            };
            match error.kind() {
                StoreErrorKind::Rejected if part.len() > 1 => {
                    let (front, back) = part.split_at(part.len() / 2);
                    parts.extend([back, front]);
                }
                StoreErrorKind::Rejected => Self::drop_rejected::<S, K>(outbox, &batch, part, &error),
                StoreErrorKind::Fenced { .. } => {
                    outbox.give_back(&batch);
                    self.lease.fenced(&error);
                    return Written::Fenced;
                }
                StoreErrorKind::Corrupt => {
                    outbox.give_back(&batch);
                    stores.failed(K::USE, &error, now, runtime.wall());
                    return Written::Never;
                }
                StoreErrorKind::Transient { .. }
                | StoreErrorKind::Missing
                | StoreErrorKind::Unauthenticated
                | StoreErrorKind::Unexpected => {
                    outbox.give_back(&batch);
                    stores.failed(K::USE, &error, now, runtime.wall());
                    return Written::Later(error.retry_after());
                }
            }
        }
        Written::Done
    }

    fn drop_rejected<S: Shelf, K: Sink<S::Entry>>(
        outbox: &Outbox<S>,
        batch: &Batch<S::Entry>,
        entries: &[S::Entry],
        error: &StoreError,
    ) {
        let (store, message, code) = (K::USE.as_str(), error.said(), error.code());
        let entry = entries.first().map(K::name).unwrap_or_default();
        tracing::error!(store, entry, message, code, "the store refuses this entry; it is dropped");
        metrics::counter!("ttm_refused_total", "store" => store).increment(1);
        outbox.refused(batch, entries.len());
    }

    /// Waits until then, or until the stop is ordered.
    async fn pause(&self, until: Moment) {
        tokio::select! {
            biased;
            _ = self.life.stop.ordered() => {}
            () = self.life.runtime.sleep_until(until) => {}
        }
    }
}

#[cfg(test)]
mod tests;
