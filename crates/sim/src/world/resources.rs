//! The resources of the simulated process: plausible figures with a little noise.

use std::sync::Arc;

use async_trait::async_trait;
use ttm_health::{ResourceError, ResourceSample, ResourceSource};
use ttm_kernel::{Clock, Entropy};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::{FaultSchedule, SimRuntime};

const MIB: u64 = 1024 * 1024;

/// The source.
#[derive(Debug)]
pub struct SimResources {
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    noise: Arc<SeededEntropy>,
}

impl SimResources {
    /// A source whose figures are all below their limits.
    pub fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self { runtime: runtime.clone(), faults: faults.clone(), noise: runtime.stream("resources") }
    }
}

#[async_trait]
impl ResourceSource for SimResources {
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        self.runtime.yields().await;
        if self.faults.resources_unknown(self.runtime.now()) {
            return Err(ResourceError { message: "no such file or directory".to_owned() });
        }
        Ok(ResourceSample {
            memory_bytes: Some(60 * MIB + self.noise.below(8 * MIB)),
            memory_limit_bytes: Some(1024 * MIB),
            cpu_percent: Some(5.0 + 10.0 * self.noise.unit()),
            disk_usage_percent: Some(40.0),
            open_file_descriptors: Some(40 + self.noise.below(20)),
            file_descriptor_limit: Some(1024),
        })
    }
}
