//! What outlives every incarnation of a part: a part is dropped and started again, and finds here what it needs to go on.
//!
//! A part that hangs holds no lock of this state: under one there is no await, no I/O and no call of a port, only steps of
//! bounded length over collections. Decisions are made outside, on values that were taken out. What a part can compute again it keeps to itself.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use tokio::sync::SetOnce;
use ttm_breaker::Snapshot;
use ttm_guard::Guard;
use ttm_kernel::{Epoch, FencingToken, Runtime};

use crate::alerting::Alerting;
use crate::board::Board;
use crate::breakers::BreakerLog;
use crate::events::EventLog;
use crate::flights::Flights;
use crate::groups::Groups;
use crate::lease::Lease;
use crate::life::{Author, Life};
use crate::local_file::Disk;
use crate::outbox::{OutboxCounts, SampleOutbox, TokenOutbox};
use crate::pause::{Excuses, Pulse};
use crate::sources::Sources;
use crate::{Ports, ServiceSettings, edits};

/// The state of a service that has started.
pub(crate) struct Resident {
    pub(crate) settings: ServiceSettings,
    /// Of the io plane: its timers outlive every work plane, so the guards of calls run on them. Every other deadline is measured
    /// on its caller's plane.
    pub(crate) clock: Arc<dyn Runtime>,
    pub(crate) disk: Disk,
    pub(crate) ports: Ports,
    pub(crate) board: Arc<Board>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) epoch: Epoch,
    /// Limits, breaker and retries of the API that scoring depends on.
    pub(crate) guard: Arc<Guard>,
    /// That one, and those of everything else that is called.
    pub(crate) guards: Vec<Arc<Guard>>,
    pub(crate) breakers: BreakerLog,
    pub(crate) tokens: Arc<TokenOutbox>,
    pub(crate) samples: Arc<SampleOutbox>,
    pub(crate) events: EventLog,
    pub(crate) edits: edits::Edits,
    /// The newest edit of the store that is on its way to the work.
    pub(crate) revision: AtomicU64,
    pub(crate) groups: Groups,
    pub(crate) flights: Arc<Flights>,
    pub(crate) sources: Sources,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) excuses: Mutex<Excuses>,
    pub(crate) alerting: Alerting,
}

impl Resident {
    /// Refuses from now on what older incarnations of this author post and put into outboxes. The board first: what is on it is what a
    /// work goes on from, and must not be what no outbox took.
    pub(crate) fn admit(&self, author: Author) {
        self.board.admit(author);
        self.tokens.admit(author);
        self.samples.admit(author);
        self.events.outbox.admit(author);
        self.breakers.changed.admit(author);
    }

    /// Puts nothing into outboxes any more.
    pub(crate) fn close(&self) {
        self.tokens.close();
        self.samples.close();
        self.events.outbox.close();
        self.breakers.changed.close();
    }

    /// What a part writes to a store under.
    pub(crate) fn token_of(&self, life: &Life) -> FencingToken {
        FencingToken::new(self.epoch, life.author.incarnation)
    }
}

/// Figures of a service, from outside: there are none before it has started, and they outlive it.
#[derive(Clone)]
pub struct Figures(pub(crate) Arc<SetOnce<Arc<Resident>>>);

impl Figures {
    /// Completes when the service has started.
    pub async fn started(&self) {
        self.0.wait().await;
    }

    /// The breaker of the API that scoring depends on, as it is now.
    pub fn breaker(&self) -> Option<Snapshot> {
        self.0.get().map(|resident| resident.guard.breaker().snapshot(resident.clock.now()))
    }

    /// Where the samples are.
    pub fn samples(&self) -> Option<OutboxCounts> {
        self.0.get().map(|resident| resident.samples.counts())
    }

    /// Where the events are.
    pub fn events(&self) -> Option<OutboxCounts> {
        self.0.get().map(|resident| resident.events.counts())
    }
}
