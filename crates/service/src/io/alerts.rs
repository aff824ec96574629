//! The ports of alerts, with every call a task on the io plane.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_alert::{
    AlertStore, Attempt, Commit, DeadLetter, Feed, Heartbeat, Item, Loaded, Notifier, Outcome, Receipt,
};
use ttm_kernel::{FencingToken, StoreError};

use super::OnIo;

#[async_trait]
impl AlertStore for OnIo<dyn AlertStore> {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.call(|port| async move { port.load().await }).await
    }

    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError> {
        let commit = commit.clone();
        self.call(|port| async move { port.commit(under, &commit).await }).await
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        self.call(|port| async move { port.receipts(limit).await }).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.call(|port| async move { port.dead_letters(limit).await }).await
    }
}

#[async_trait]
impl Notifier for OnIo<dyn Notifier> {
    fn patience(&self) -> Duration {
        self.port.patience()
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let attempt = attempt.clone();
        self.call(|port| async move { port.send(&attempt).await }).await
    }
}

#[async_trait]
impl Heartbeat for OnIo<dyn Heartbeat> {
    fn patience(&self) -> Duration {
        self.port.patience()
    }

    async fn beat(&self) -> Outcome {
        self.call(|port| async move { port.beat().await }).await
    }
}

#[async_trait]
impl Feed for OnIo<dyn Feed> {
    fn every(&self) -> Duration {
        self.port.every()
    }

    fn patience(&self, alerts: usize) -> Duration {
        self.port.patience(alerts)
    }

    async fn tell(&self, alerts: &[Item], now: Timestamp) -> Outcome {
        let alerts = alerts.to_vec();
        self.call(|port| async move { port.tell(&alerts, now).await }).await
    }
}
