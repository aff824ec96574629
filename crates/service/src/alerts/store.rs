//! What of alerts is stored, and read at the beginning.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::{Commit, Loaded, Now};
use ttm_kernel::{BoxFuture, StoreError, StoreErrorKind};

use super::{Alerts, Read};
use crate::bounded::bounded;
use crate::stores::StoreUse;

/// How soon a store that has failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

impl Alerts {
    pub(super) fn store(&self, commit: Arc<Commit>) -> BoxFuture<'static, Result<(), StoreError>> {
        let (resident, runtime, under) = (self.resident.clone(), self.runtime.clone(), self.under);
        Box::pin(async move {
            resident.board.stores.may_ask(StoreUse::Alerts, runtime.now(), runtime.wall())?;
            bounded("storing alerts", &*runtime, resident.ports.alerts.commit(under, &commit)).await
        })
    }

    /// Reads what the store has, and goes on with it once nothing is under way that the desk which has read it would not know of. While
    /// the store does not answer, what is CRITICAL goes out from memory.
    pub(super) fn go_on_reading(&mut self, now: Now) {
        if let Some(loaded) = self.loaded.take_if(|_| self.sends.is_empty()) {
            self.seat.read(&loaded, now);
            return;
        }
        if self.loaded.is_none() && self.load.is_none() && now.moment >= self.retry_at {
            let (resident, runtime) = (self.resident.clone(), self.runtime.clone());
            self.load = Some(Box::pin(async move {
                let stores = &resident.board.stores;
                let loaded = match stores.may_ask(StoreUse::Alerts, runtime.now(), runtime.wall()) {
                    Ok(()) => bounded("loading alerts", &*runtime, resident.ports.alerts.load()).await,
                    Err(error) => Err(error),
                };
                match resident.alerting.journal.read().await {
                    Ok(journal) => (loaded, journal),
                    Err(error) => {
                        (Err(StoreError::transient(format!("the file beside it: {error}"))), Vec::new())
                    }
                }
            }));
        }
        if self.seat.goes_unread && self.seat.desk.poll_commit(now).is_some() {
            self.seat.desk.handle_commit_failed();
        }
    }

    pub(super) fn loaded(&mut self, (loaded, journal): Read) {
        let now = self.runtime.now();
        let stores = &self.resident.board.stores;
        match loaded {
            Ok(loaded) => {
                stores.answered(StoreUse::Alerts, now);
                self.loaded = Some(Loaded { journal, ..loaded });
            }
            Err(error) if error.kind() == StoreErrorKind::Unexpected => {
                // A row that no process can have written. Scores matter more than what was told, and what is wrong now matters more as well.
                tracing::error!(%error, "what was told of alerts cannot be read: what fires is told anew");
                self.loaded = Some(Loaded { journal, ..Loaded::default() });
            }
            Err(error) => {
                stores.failed(StoreUse::Alerts, &error, now, self.runtime.wall());
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
                if !std::mem::replace(&mut self.seat.goes_unread, true) {
                    let (at, wall) = (now, self.runtime.wall());
                    let known = Loaded { journal, ..Loaded::default() };
                    self.seat.desk.restore(&known, Now { moment: at, wall, jitter: 0.0 });
                }
            }
        }
    }

    pub(super) fn stored(&mut self, answer: Result<(), StoreError>) {
        let (now, stores) = (self.runtime.now(), &self.resident.board.stores);
        match answer {
            Ok(()) => {
                stores.answered(StoreUse::Alerts, now);
                self.seat.desk.handle_committed();
                self.clear_journal();
            }
            Err(error) => {
                stores.failed(StoreUse::Alerts, &error, now, self.runtime.wall());
                self.seat.desk.handle_commit_failed();
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
                if let StoreErrorKind::Fenced { .. } = error.kind() {
                    self.resident.lease.fenced(&error);
                    self.is_fenced = true;
                }
            }
        }
    }

    /// The store has everything that was told from memory.
    pub(super) fn clear_journal(&self) {
        let journal = &self.resident.alerting.journal;
        if self.seat.under_way.is_empty() && self.seat.desk.is_saved() && !journal.is_empty() {
            // Read before anything else can be told: what is told from here on is not among it.
            let (journal, by) = (journal.clone(), journal.added());
            let clear = async move { journal.clear(by).await };
            drop(self.resident.clock.spawn("alert journal", Box::pin(clear)));
        }
    }
}
