//! Rules of the simulated store that can be broken on purpose, so that an oracle sees what it is there for.

use std::sync::Arc;

use parking_lot::Mutex;

/// A rule that the store breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The lease is granted to anybody who asks.
    LeaseForAnybody,
    /// A write under an older epoch is accepted.
    NoFence,
    /// An epoch is granted twice.
    EpochTwice,
    /// What was saved since the last claim is gone with the next one, as when a replica that lags takes over.
    LaggingReplica,
    /// A refusal does not say who holds the lease.
    NamelessRefusal,
    /// A process that is refused has written something by then, as when it migrates before it looks.
    WriteBeforeLease,
}

/// What is wrong with a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Defects(Arc<Mutex<Vec<Defect>>>);

impl Defects {
    pub(super) fn add(&self, defects: &[Defect]) {
        self.0.lock().extend(defects);
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.0.lock().contains(&defect)
    }
}
