//! Rules of the simulated world that can be broken on purpose, to prove that the oracles notice.

use std::sync::Arc;

use parking_lot::Mutex;

/// A rule that the world breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The lease is granted to every process that requests it.
    LeaseForAll,
    /// A write under an older epoch is accepted.
    NoFencing,
    /// An epoch is granted twice.
    DuplicateEpoch,
    /// A claim loses what was saved since the previous one, as a failover to a lagging replica does.
    LaggingReplica,
    /// A refusal does not name the holder of the lease.
    AnonymousRefusal,
    /// A process writes to the store before it is refused the lease, as if it ran migrations first.
    WriteBeforeLease,
    /// The ledger of recoveries shows a process nothing of those before.
    ForgetfulLedger,
    /// It loses the beginnings of recoveries.
    TornLedger,
    /// The table of alerts shows a process nothing of those before.
    ForgetfulAlerts,
    /// It acknowledges what it does not store.
    LyingAlerts,
    /// From half an hour on calls of the API fail for two minutes although no fault says so: for the oracles it is the process that
    /// fails them.
    SecretOutage,
}

/// The rules that a world breaks.
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
