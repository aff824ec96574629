//! What of alerts is stored, and read at the beginning.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::{Commit, Loaded, Now};
use ttm_kernel::{BoxFuture, StoreError, StoreErrorKind};

use super::{Alerts, Read};
use crate::bounded::bounded;
use crate::stores::StoreUse;

/// What is under way when the store was read may take so long to be answered.
const ANSWER: Duration = Duration::from_secs(10);
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
        // What was under way until now is in the journal as it ended, or is sent again under the same key.
        if self.loaded.is_some() && now.moment >= self.retry_at && !self.sends.is_empty() {
            self.sends.clear();
            self.seat.give_up_what_is_under_way(now);
        }
        if self.sends.is_empty()
            && let Some(journal) = self.resident.alerting.journal.sent()
            && let Some(loaded) = self.loaded.take()
        {
            self.seat.read(&Loaded { journal, ..loaded }, now);
            self.retry_at = now.moment;
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
                (loaded, resident.alerting.journal.read().await)
            }));
        }
        if self.seat.goes_unread {
            self.seat.desk.handle_store_away();
        }
    }

    pub(super) fn loaded(&mut self, (loaded, goes_on): Read, now: Now) {
        let stores = &self.resident.board.stores;
        match &loaded {
            Ok(_) => stores.answered(StoreUse::Alerts, now.moment),
            Err(error) => stores.failed(StoreUse::Alerts, error, now.moment, now.wall),
        }
        if !goes_on || loaded.is_err() {
            let wait = loaded.as_ref().err().and_then(StoreError::retry_after).unwrap_or_default();
            self.retry_at = now.moment + RETRY.max(wait);
        }
        if !goes_on {
            return;
        }
        match loaded {
            Ok(loaded) => {
                stores.unreadable(StoreUse::Alerts, &loaded.unreadable);
                self.loaded = Some(loaded);
                self.retry_at = now.moment + ANSWER;
            }
            Err(_) if self.seat.goes_unread => {}
            Err(_) => {
                // Nothing has been sent yet, so nobody keeps anything in the journal.
                let journal = self.resident.alerting.journal.sent().unwrap_or_default();
                self.seat.desk.restore(&Loaded { journal, ..Loaded::default() }, now);
                self.seat.goes_unread = true;
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
        if self.seat.under_way.is_empty() && self.seat.desk.is_saved() && journal.is_to_be_cleared() {
            // Read before anything else can be told: what is told from here on is not among it.
            let (journal, by) = (journal.clone(), journal.added());
            let clear = async move { journal.clear(by).await };
            drop(self.resident.clock.spawn("alert journal", Box::pin(clear)));
        }
    }
}
