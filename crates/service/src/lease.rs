//! Keeps the lease on the store: one process at a time works on it.
//!
//! Renewing does not depend on whether there is anything to write, so a writer that is down disables no fence. While the
//! store cannot be reached the holder goes on: scores stay fresh, and what waits is fenced by the epoch later. A process
//! that was paused for longer than its lease lasts sends no request and writes nothing before it has renewed, or has at
//! least heard that the store is away.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_kernel::{FencedBy, LeaseError, Moment, Runtime, StoreError, StoreErrorKind, StoreLease};
use ttm_market::{Listing, Origin, TokenSource, TokenSourceError};

use crate::board::Board;
use crate::bounded::{STORE_DEADLINE, timed_out, while_awake};
use crate::life::Life;
use crate::settings::STORE;
use crate::stores::StoreUse;

/// The lease as the service's parts see it.
pub(crate) struct Lease {
    port: Arc<dyn StoreLease>,
    runtime: Arc<dyn Runtime>,
    /// An attempt to renew failed because of the store: until then the holder may go on without.
    excused_until: Mutex<Moment>,
    lapse: Mutex<Lapse>,
    /// Why this process may not go on, once another took over.
    lost: OnceLock<String>,
}

/// What was seen of a lease that had run out.
#[derive(Clone, Copy, Debug, Default)]
struct Lapse {
    /// Since when; `None` while it stands.
    since: Option<Moment>,
    /// When that was seen last.
    seen: Option<Moment>,
}

impl Lease {
    /// What finds the lease not renewed looks again after this.
    pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

    pub(crate) fn new(port: Arc<dyn StoreLease>, runtime: &Arc<dyn Runtime>) -> Self {
        let excused_until = Mutex::new(Moment::ZERO);
        let (lapse, lost) = (Mutex::default(), OnceLock::new());
        Self { port, runtime: runtime.clone(), excused_until, lapse, lost }
    }

    /// Whether requests and writes may be made now. Never waits.
    pub(crate) fn holds(&self) -> bool {
        self.lapsed_since().is_none()
    }

    /// Since when requests and writes may not be made, because the lease was not renewed in time or is lost: from when that was first
    /// noticed. Never waits.
    pub(crate) fn lapsed_since(&self) -> Option<Moment> {
        let now = self.runtime.now();
        let excused_until = *self.excused_until.lock();
        let holds = self.lost.get().is_none() && (self.port.stands() || now < excused_until);
        let mut lapse = self.lapse.lock();
        if holds {
            lapse.since = None;
        } else {
            lapse.since.get_or_insert(now);
            lapse.seen = Some(now);
        }
        lapse.since
    }

    /// Until when the last lapse lasted, as far as was noticed.
    pub(crate) fn lapsed_until(&self) -> Option<Moment> {
        self.lapse.lock().seen
    }

    /// The store refused a write because of its token. Only an epoch ends the process: a writer's older incarnation ends by
    /// itself, and the newer one goes on.
    pub(crate) fn fenced(&self, error: &StoreError) {
        if error.kind() == (StoreErrorKind::Fenced { by: FencedBy::Incarnation }) {
            return;
        }
        self.superseded(&format!("another process took over the store: {}", error.said()));
    }

    /// Another process took over, or may have: nothing is written any more.
    fn superseded(&self, reason: &str) {
        // The first reason is the one that counts.
        drop(self.lost.set(reason.to_owned()));
    }

    /// Why this process may not go on, once another took over.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Completes once requests and writes may be made.
    pub(crate) async fn held(&self) {
        while !self.holds() {
            self.runtime.sleep_until(self.runtime.now() + Self::LOOK_AGAIN).await;
        }
    }

    /// A source that asks nothing while the lease is not renewed.
    pub(crate) fn guards(self: &Arc<Self>, source: Arc<dyn TokenSource>) -> Arc<dyn TokenSource> {
        Arc::new(Leased { lease: self.clone(), source })
    }

    /// Takes the lease, or renews the one that this process has.
    pub(crate) async fn acquire(&self) -> Result<(), LeaseError> {
        let acquired = self.bounded(self.port.acquire()).await;
        acquired.map_err(|error| error.while_doing("taking the lease"))
    }

    /// Gives the lease up.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        self.port.release().await
    }

    async fn bounded(&self, call: impl Future<Output = Result<(), LeaseError>>) -> Result<(), LeaseError> {
        let answer = while_awake(&*self.runtime, self.runtime.now() + STORE_DEADLINE, call).await;
        answer.unwrap_or_else(|_| Err(timed_out(STORE_DEADLINE).into()))
    }

    /// Renews until the lease is lost: then it ends, so that the service does.
    pub(crate) async fn keep(self: Arc<Self>, life: Life, board: Arc<Board>) {
        let Life { runtime, vital, .. } = life;
        let every = self.port.renew_every();
        let mut is_away = false;
        loop {
            // At the beginning as well: the lease lasts from then on, if it is renewed.
            if is_away {
                vital.waits_for(STORE);
            } else {
                vital.got_on();
            }
            let begun = runtime.now();
            let next = begun + every;
            let mut renewed = self.bounded(self.port.renew()).await;
            if matches!(renewed, Err(LeaseError::Store(_))) && !self.holds() {
                // The session in which that was asked may have ended during a pause of this process, which says nothing about the
                // store: another process may have taken it over.
                renewed = self.bounded(self.port.renew()).await;
            }
            let now = runtime.now();
            is_away = renewed.is_err();
            match renewed {
                Ok(()) => {
                    vital.got_on();
                    board.stores.answered(StoreUse::Lease, now);
                    *self.excused_until.lock() = Moment::ZERO;
                }
                Err(LeaseError::Store(error)) => {
                    vital.waits_for(STORE);
                    board.stores.failed(StoreUse::Lease, &error, now, runtime.wall());
                    // Until the attempt after the next has been made: a pause of the process ends the excuse.
                    let until = next + every + 2 * STORE_DEADLINE;
                    *self.excused_until.lock() = until;
                }
                Err(lost @ (LeaseError::Lost { .. } | LeaseError::Gone { .. } | LeaseError::Held { .. })) => {
                    return self.superseded(&lost.to_string());
                }
            }
            runtime.sleep_until(next).await;
            if self.lost().is_some() {
                return;
            }
        }
    }
}

/// A source that is asked under the lease alone. The wait is outside whatever guards the call: a lapse of ours is no
/// failure of the API.
pub(crate) struct Leased {
    lease: Arc<Lease>,
    source: Arc<dyn TokenSource>,
}

#[async_trait]
impl TokenSource for Leased {
    fn origin(&self) -> Origin {
        self.source.origin()
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        self.lease.held().await;
        self.source.list().await
    }
}

#[cfg(test)]
mod tests;
