//! What the supervisor wants of the two groups, which one task runs: it is told the state that each should be in, and says when one
//! has ended. A task that replaces it finds the same wishes.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use ttm_kernel::{Incarnation, Lane, PerLane};

/// The wishes, and what became of them.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    wanted: watch::Sender<PerLane<Wanted>>,
    /// The last incarnation of each group that has ended as it was told to.
    ended: Arc<Mutex<PerLane<Option<Incarnation>>>>,
}

/// What a group should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) incarnation: Incarnation,
    pub(crate) mode: Mode,
}

/// How.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Run.
    #[default]
    Run,
    /// Ask for nothing more, and end when nothing is in flight.
    Drain,
    /// End now; what is in flight is asked for again.
    Abort,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self { wanted: watch::Sender::new(PerLane::default()), ended: Arc::default() }
    }

    /// Wants something else of a group.
    pub(crate) fn want(&self, lane: Lane, wanted: Wanted) {
        self.wanted.send_if_modified(|known| std::mem::replace(&mut known[lane], wanted) != wanted);
    }

    /// A group has ended, as this incarnation.
    pub(crate) fn has_ended(&self, lane: Lane, incarnation: Incarnation) {
        self.ended.lock()[lane] = Some(incarnation);
    }

    /// Whether a group has ended as this incarnation.
    pub(crate) fn ended(&self, lane: Lane, incarnation: Incarnation) -> bool {
        self.ended.lock()[lane] == Some(incarnation)
    }

    /// For the task that runs them. It has seen no wish yet.
    pub(crate) fn reader(&self) -> GroupReader {
        let mut reader = self.wanted.subscribe();
        reader.mark_changed();
        GroupReader(reader)
    }
}

/// Reads the wishes.
pub(crate) struct GroupReader(watch::Receiver<PerLane<Wanted>>);

impl GroupReader {
    /// Completes when there is another wish. Never completes once the supervisor is gone.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is wanted now.
    pub(crate) fn wanted(&mut self) -> PerLane<Wanted> {
        *self.0.borrow_and_update()
    }
}
