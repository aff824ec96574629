//! What the supervisor wants of the two groups, which one task runs: it is told the state that each should be in, and says when one
//! has ended, or has started and has nothing to do before its next run. A task that replaces it finds the same wishes.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use ttm_kernel::{Incarnation, Lane, Moment, PerLane};

/// The wishes, and what became of them.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    wanted: watch::Sender<PerLane<Wanted>>,
    /// The last incarnation of each group that has ended as it was told to.
    ended: Arc<Mutex<PerLane<Option<Incarnation>>>>,
    /// The last incarnation of each group that has found nothing due, and when it did first.
    idle: Arc<Mutex<PerLane<Idle>>>,
}

/// An incarnation that has found nothing due, and when.
type Idle = Option<(Incarnation, Moment)>;

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
        Self { wanted: watch::Sender::new(PerLane::default()), ended: Arc::default(), idle: Arc::default() }
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

    /// A group runs as this incarnation, and nothing is due. Said again, it says nothing new: that no time is wasted on nothing shows
    /// that a group has started, and not that it goes on.
    pub(crate) fn is_idle(&self, lane: Lane, incarnation: Incarnation, now: Moment) {
        let known = &mut self.idle.lock()[lane];
        if known.is_none_or(|(known, _)| known != incarnation) {
            *known = Some((incarnation, now));
        }
    }

    /// When this incarnation of a group first found nothing due.
    pub(crate) fn idle_since(&self, lane: Lane, incarnation: Incarnation) -> Option<Moment> {
        self.idle.lock()[lane].filter(|(known, _)| *known == incarnation).map(|(_, at)| at)
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

#[cfg(test)]
mod tests;
