//! The ports of health: the source of resource samples, and the view of the last report.

use std::sync::Arc;

use async_trait::async_trait;
use ttm_kernel::FailureClass;

use crate::{Report, ResourceSample};

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

impl ResourceError {
    /// What kind of answer it wants: the next sample is a new attempt, and nothing depends on one.
    pub fn class(&self) -> FailureClass {
        let Self { message: _ } = self;
        FailureClass::Transient
    }
}

/// The last report, as published by the supervision plane; never waits.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait HealthView: Send + Sync {
    /// The last report.
    fn report(&self) -> Arc<Report>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_failed_passes() {
        let error = ResourceError { message: "no /proc".to_owned() };
        assert_eq!(error.class(), FailureClass::Transient);
    }
}
