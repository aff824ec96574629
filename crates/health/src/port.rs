//! The ports of health: where resources are measured, and who may read the report.

use std::sync::Arc;

use async_trait::async_trait;

use crate::Report;

/// What the process uses. `None` is "could not be measured", which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceSample {
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// What memory may grow to: the cgroup's limit, else the machine's memory.
    pub memory_limit_bytes: Option<u64>,
    /// Share of one core since the last sample; above 100 with several cores busy.
    pub cpu_percent: Option<f64>,
    /// Share of the data path's file system that is in use.
    pub disk_usage_percent: Option<f64>,
    /// Open descriptors.
    pub open_file_descriptors: Option<u64>,
    /// How many may be open.
    pub file_descriptor_limit: Option<u64>,
}

/// Measures this process.
///
/// Laws: (1) a figure that cannot be measured is `None`, and the others are still given; (2) shares are finite and ≥ 0;
/// (3) the first sample has no CPU share: it needs two.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait ResourceSource: Send + Sync {
    /// Measures now.
    async fn sample(&self) -> Result<ResourceSample, ResourceError>;
}

/// Nothing could be measured.
#[derive(Debug, thiserror::Error)]
#[error("resources cannot be measured: {message}")]
pub struct ResourceError {
    /// Why.
    pub message: String,
}

/// The last report, as published by the supervision plane; never waits.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait HealthView: Send + Sync {
    /// The last report.
    fn report(&self) -> Arc<Report>;
}
