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
    pub file_descriptors: LastLevel,
    /// The share of the API's calls that fail.
    pub api_errors: LastLevel,
    /// The 95th percentile of the API's response time.
    pub api_p95: LastLevel,
}

/// The level of a figure when it was last measured. It matters only while the figure is still measured: an old value
/// says nothing about the current one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastLevel {
    /// The level.
    pub level: Level,
    /// The uptime at that time.
    pub at: Duration,
    /// The uptime when the figure was last at or above the exit of the level.
    pub reached: Duration,
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
