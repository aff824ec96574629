//! What can happen to a service that heals itself, as plain data.

use super::Fault;
use crate::{PartId, RecoveryConfig};

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// So many seconds pass.
    Pass(u64),
    /// A part has a fault.
    Fault(PartId, Fault),
    /// It has none any more.
    Heal(PartId),
    /// Something is away, and all that depends on it says so.
    Outage(&'static str),
    /// It is back.
    Back(&'static str),
    /// The process is paused for so many seconds.
    Pause(u64),
    /// A person restarts a part.
    Restart(PartId),
    /// Something that was aborted keeps a thread of the work plane.
    StuckThread,
    /// Memory is short, or not any more.
    Memory(bool),
    /// An older incarnation of a part gets on, waits, and ends.
    Zombie(PartId),
    /// The wall clock is set by so many seconds.
    Wall(i64),
    /// The settings change.
    Reconfigure(RecoveryConfig),
    /// The process is killed, and another one boots.
    Crash,
    /// It is killed, and another one boots that cannot read the ledger yet.
    Unread,
    /// The ledger can be read.
    Recall,
    /// It stops in order, and another one boots.
    Stop,
}
