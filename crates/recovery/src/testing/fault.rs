//! How a part on the stage misbehaves, as plain data.

use crate::Step;

/// How a part misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it shows.
    pub shows: Shows,
    /// What makes it end.
    pub ends: Ends,
    /// The mildest step after which it has no fault any more. `None` if none helps.
    pub helped_by: Option<Step>,
}

/// What a part shows each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// It gets on.
    Progress,
    /// Nothing.
    Nothing,
    /// It waits for something that is away.
    Waits(&'static str),
    /// It panics.
    Panics,
}

/// What makes a part end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It stops when it is told to.
    WhenTold,
    /// It has to be aborted.
    WhenAborted,
    /// Nothing.
    Never,
}
