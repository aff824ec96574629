//! Where the drains put what waits: one sink for each outbox, over the port that stores it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_breaker::{BreakerStore, StoredBreaker, StoredRate};
use ttm_guard::{Guard, SavedRate};
use ttm_kernel::{FencingToken, Runtime, StoreError};
use ttm_market::{Token, TokenStore};
use ttm_perf::{Event, EventStore, MetricStore, Sample};

use crate::breakers::BreakerLog;
use crate::drain::Sink;
use crate::stores::StoreUse;

/// The newest states of tokens.
pub(crate) struct TokenSink {
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) under: FencingToken,
}

#[async_trait]
impl Sink<Arc<Token>> for TokenSink {
    const USE: StoreUse = StoreUse::TokenWrites;
    const STORED: &'static str = "ttm_token_states_stored_total";
    const BATCH: usize = 1_000;

    async fn store(&self, batch: &[Arc<Token>]) -> Result<(), StoreError> {
        let tokens: Vec<Token> = batch.iter().map(|token| Token::clone(token)).collect();
        self.store.save(self.under, &tokens).await
    }

    fn name(token: &Arc<Token>) -> String {
        token.mint.to_string()
    }
}

/// Samples.
pub(crate) struct SampleSink(pub(crate) Arc<dyn MetricStore>);

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

/// Events. They are gathered for less long than states of tokens, so that mostly the reason of a new state is stored before it.
pub(crate) struct EventSink(pub(crate) Arc<dyn EventStore>);

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

/// The states of the breakers, and of the rates behind them, as they are at the time of the write: those are the newest, whatever
/// asked for the write.
pub(crate) struct BreakerSink {
    pub(crate) guards: Vec<Arc<Guard>>,
    pub(crate) store: Arc<dyn BreakerStore>,
    pub(crate) under: FencingToken,
    pub(crate) clock: Arc<dyn Runtime>,
    pub(crate) log: BreakerLog,
}

#[async_trait]
impl Sink<()> for BreakerSink {
    const USE: StoreUse = StoreUse::Breakers;
    const STORED: &'static str = "ttm_breaker_states_stored_total";
    const BATCH: usize = 1;
    /// Changes are rare, and a process that is killed right after one should not have forgotten it.
    const GATHER: Duration = Duration::ZERO;

    async fn store(&self, _: &[()]) -> Result<(), StoreError> {
        let ordered = self.log.orders.given();
        let stored = |guard: &Arc<Guard>| StoredBreaker {
            name: guard.breaker().name().to_owned(),
            saved: guard.breaker().save(self.clock.now()),
            at: self.clock.wall(),
            since: self.log.last_change(guard.breaker().name()).map(|change| change.at),
            rate: guard.save().map(|SavedRate { share, paused_for }| StoredRate { share, paused_for }),
        };
        let stored: Vec<StoredBreaker> = self.guards.iter().map(stored).collect();
        self.store.save(self.under, &stored).await?;
        self.log.orders.stored(ordered);
        Ok(())
    }

    fn name((): &()) -> String {
        "the breakers".to_owned()
    }
}
