//! The level that each figure has reached, kept from one report to the next for hysteresis.

use std::time::Duration;

/// The level that each figure has reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Memory in use.
    pub memory: LastLevel,
    /// CPU in use.
    pub cpu: LastLevel,
    /// Disk in use.
    pub disk: LastLevel,
    /// Open file descriptors.
    pub descriptors: LastLevel,
    /// The share of the API's calls that fail.
    pub api_errors: LastLevel,
    /// The 95th percentile of the API's response time.
    pub api_slow: LastLevel,
}

/// The level of a figure when it was last measured. It matters only while the figure is still measured: an old value
/// says nothing about the current one. Times are uptimes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastLevel {
    /// The level.
    pub level: Level,
    /// When that was.
    pub at: Duration,
    /// When the figure was last at or above the exit of the level.
    pub reached: Duration,
    /// Since when it has been at or above the entry of the warning; `None` while it is below.
    pub warning_since: Option<Duration>,
    /// Since when it has been at or above the entry of the critical level; `None` while it is below.
    pub critical_since: Option<Duration>,
}

/// A level of [`Levels`](crate::Levels).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None of them.
    #[default]
    None,
    /// Degraded.
    Warning,
    /// Critical.
    Critical,
}
