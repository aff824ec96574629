//! Adapter code runs on a plane of its own: each call of a port is a task there.
//!
//! A tokio runtime with a stuck worker never finishes its shutdown, and the sockets and database connections that were made
//! on it die with its driver. So the work plane, which may have to be left behind, owns none: a call is spawned on the io
//! plane, and its caller waits for the answer wherever it runs. A caller that gives up, at its deadline or because it was
//! aborted, aborts the call.

mod alerts;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::oneshot;
use ttm_alert::{Feed, Heartbeat, Notifier};
use ttm_breaker::{BreakerStore, StoredBreaker};
use ttm_health::{ResourceError, ResourceSample, ResourceSource};
use ttm_kernel::{
    Connections, Epoch, FencingToken, LeaseError, Runtime, StoreError, StoreLease, Task, TaskEnd,
};
use ttm_market::{
    Added, Followed, Listing, Mint, Origin, PairBatch, PairSource, PairSourceError, ProfileSource, Token,
    TokenSource, TokenSourceError, TokenStore,
};
use ttm_perf::{
    Appended, Event, EventPage, EventQuery, EventStore, MetricStore, Point, RangeQuery, Sample, SeriesKey,
};
use ttm_recovery::{Entry, RecoveryLedger};

use crate::Ports;

/// A task that ends with its owner.
pub(crate) struct Owned(pub(crate) Task);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for Owned {
    type Output = TaskEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Makes a call as a task on `runtime`, which ends when this future is dropped. Never completes if that runtime is gone.
///
/// # Panics
/// With the message of the call, if that panics.
pub async fn run_on<T: Send + 'static>(
    runtime: &dyn Runtime,
    call: impl Future<Output = T> + Send + 'static,
) -> T {
    let (sender, answer) = oneshot::channel();
    // The receiver is dropped with this future, and the task aborted: then the answer is of no use.
    let task = Box::pin(async move { drop(sender.send(call.await)) });
    let mut task = Owned(runtime.spawn("port call", task));
    if let Ok(answer) = answer.await {
        return answer;
    }
    match (&mut task).await {
        TaskEnd::Panicked(message) => panic!("{message}"),
        TaskEnd::Finished | TaskEnd::Aborted => std::future::pending().await,
    }
}

/// A port whose calls run on another plane.
struct OnIo<P: ?Sized> {
    port: Arc<P>,
    io: Arc<dyn Runtime>,
}

impl<P: ?Sized + Send + Sync + 'static> OnIo<P> {
    async fn call<T, F>(&self, call: impl FnOnce(Arc<P>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        run_on(&*self.io, call(self.port.clone())).await
    }
}

impl Ports {
    /// The same ports, with every call a task on the io plane.
    pub(crate) fn on(self, io: &Arc<dyn Runtime>) -> Self {
        fn on<P: ?Sized>(port: Arc<P>, io: &Arc<dyn Runtime>) -> Arc<OnIo<P>> {
            Arc::new(OnIo { port, io: io.clone() })
        }
        let source = |source| on::<dyn TokenSource>(source, io) as Arc<dyn TokenSource>;
        Self {
            pairs: on(self.pairs, io),
            tokens: on(self.tokens, io),
            sources: self.sources.into_iter().map(source).collect(),
            profiles: self.profiles.map(|profiles| on(profiles, io) as Arc<dyn ProfileSource>),
            breakers: on(self.breakers, io),
            ledger: on(self.ledger, io),
            // Called on the io plane, where they may block for as long as a disk takes.
            last_words: self.last_words,
            threads: self.threads,
            history: on(self.history, io),
            events: on(self.events, io),
            resources: on(self.resources, io),
            alerts: on(self.alerts, io),
            // Called on the io plane, where it may block for as long as a disk takes.
            alert_journal: self.alert_journal,
            heartbeat: self.heartbeat.map(|heartbeat| on(heartbeat, io) as Arc<dyn Heartbeat>),
            channels: self
                .channels
                .into_iter()
                .map(|(id, it)| (id, on(it, io) as Arc<dyn Notifier>))
                .collect(),
            feeds: self.feeds.into_iter().map(|(id, it)| (id, on(it, io) as Arc<dyn Feed>)).collect(),
        }
    }
}

/// The lease, with every call a task on the io plane.
pub(crate) fn lease_on(port: Arc<dyn StoreLease>, io: &Arc<dyn Runtime>) -> Arc<dyn StoreLease> {
    Arc::new(OnIo { port, io: io.clone() })
}

#[async_trait]
impl StoreLease for OnIo<dyn StoreLease> {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.call(|port| async move { port.acquire().await }).await
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.call(|port| async move { port.renew().await }).await
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.call(|port| async move { port.release().await }).await
    }

    fn stands(&self) -> bool {
        self.port.stands()
    }

    fn renew_every(&self) -> Duration {
        self.port.renew_every()
    }
}

#[async_trait]
impl PairSource for OnIo<dyn PairSource> {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        let mints = mints.to_vec();
        self.call(|port| async move { port.primary_pairs(&mints).await }).await
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        self.call(|port| async move { port.all_pairs(mint).await }).await
    }
}

#[async_trait]
impl ProfileSource for OnIo<dyn ProfileSource> {
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError> {
        self.call(|port| async move { port.latest_profiles().await }).await
    }
}

#[async_trait]
impl TokenSource for OnIo<dyn TokenSource> {
    fn origin(&self) -> Origin {
        self.port.origin()
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        self.call(|port| async move { port.list().await }).await
    }
}

#[async_trait]
impl TokenStore for OnIo<dyn TokenStore> {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        self.call(|port| async move { port.claim().await }).await
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        self.call(|port| async move { port.load(after, limit).await }).await
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        let tokens = tokens.to_vec();
        self.call(|port| async move { port.save(under, &tokens).await }).await
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        let mints = mints.to_vec();
        self.call(|port| async move { port.add(&mints, at).await }).await
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        let mints = mints.to_vec();
        self.call(|port| async move { port.remove(&mints).await }).await
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let mints = mints.to_vec();
        self.call(|port| async move { port.follow(under, origin, &mints, at).await }).await
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.call(|port| async move { port.owned(origin).await }).await
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        self.call(|port| async move { port.revision(epoch).await }).await
    }

    async fn close(&self) {
        self.call(|port| async move { port.close().await }).await;
    }

    fn connections(&self) -> Option<Connections> {
        self.port.connections()
    }
}

#[async_trait]
impl BreakerStore for OnIo<dyn BreakerStore> {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.call(|port| async move { port.load().await }).await
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        let breakers = breakers.to_vec();
        self.call(|port| async move { port.save(under, &breakers).await }).await
    }
}

#[async_trait]
impl RecoveryLedger for OnIo<dyn RecoveryLedger> {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.call(|port| async move { port.load(since, limit).await }).await
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        self.call(|port| async move { port.append(under, &entries).await }).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.call(|port| async move { port.set_aside(under).await }).await
    }
}

#[async_trait]
impl MetricStore for OnIo<dyn MetricStore> {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let samples = samples.to_vec();
        self.call(|port| async move { port.append(&samples).await }).await
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        let query = query.clone();
        self.call(|port| async move { port.range(&query).await }).await
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        let prefix = prefix.to_owned();
        self.call(|port| async move { port.series(&prefix, after, limit).await }).await
    }

    async fn close(&self) {
        self.call(|port| async move { port.close().await }).await;
    }

    fn connections(&self) -> Option<Connections> {
        self.port.connections()
    }
}

#[async_trait]
impl EventStore for OnIo<dyn EventStore> {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let events = events.to_vec();
        self.call(|port| async move { port.append(&events).await }).await
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let query = query.clone();
        self.call(|port| async move { port.list(&query).await }).await
    }
}

#[async_trait]
impl ResourceSource for OnIo<dyn ResourceSource> {
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        self.call(|port| async move { port.sample().await }).await
    }
}

#[cfg(test)]
mod tests {
    use ttm_kernel::Clock as _;
    use ttm_testkit::ManualRuntime;

    use super::*;

    #[test]
    fn a_caller_that_gives_up_ends_its_call() {
        let runtime = ManualRuntime::new(1);
        let (sender, mut answered) = oneshot::channel::<()>();
        let clock = runtime.clone();
        let call = async move {
            clock.sleep_until(clock.now() + Duration::from_secs(9)).await;
            let _ = sender.send(());
        };
        runtime.block_on(async {
            let deadline = runtime.now() + Duration::from_secs(1);
            ttm_kernel::within(&runtime, deadline, run_on(&runtime, call))
                .await
                .expect_err("it takes longer");
            runtime.sleep_until(runtime.now() + Duration::from_mins(1)).await;
        });
        assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Closed), "it was dropped");
    }

    #[test]
    #[should_panic(expected = "the adapter is broken")]
    fn a_call_that_panics_panics_in_its_caller() {
        let runtime = ManualRuntime::new(1);
        runtime.block_on(run_on(&runtime, async { panic!("the adapter is broken") }));
    }
}
