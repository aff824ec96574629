//! The resources of the simulated process: plausible figures with a little noise, and a leak if there is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_health::{ResourceError, ResourceSample, ResourceSource};
use ttm_kernel::{Clock, Entropy, Moment};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::{FaultSchedule, SimRuntime};

const MIB: u64 = 1024 * 1024;
const LIMIT: u64 = 1024 * MIB;
/// A leak ends here: the kernel has not killed the process yet.
const LEAKED: u64 = LIMIT / 100 * 95;

/// The source.
#[derive(Debug)]
pub struct SimResources {
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    noise: Arc<SeededEntropy>,
    leak: Mutex<Option<Leak>>,
}

#[derive(Clone, Copy, Debug)]
struct Leak {
    process: u32,
    from: Moment,
    lasts: Duration,
}

impl SimResources {
    /// A source whose figures are all below their limits.
    pub fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        let noise = runtime.stream("resources");
        Self { runtime: runtime.clone(), faults: faults.clone(), noise, leak: Mutex::default() }
    }

    /// The memory of a process grows from now on, and has reached its end after this.
    pub fn leak(&self, process: u32, lasts: Duration) {
        *self.leak.lock() = Some(Leak { process, from: self.runtime.now(), lasts });
    }

    /// A process is gone, and its memory with it.
    pub fn process_gone(&self, process: u32) {
        self.leak.lock().take_if(|leak| leak.process == process);
    }

    /// Whether a process leaks.
    pub fn leaks(&self, process: u32) -> bool {
        self.leak.lock().is_some_and(|leak| leak.process == process)
    }

    fn leaked(&self) -> u64 {
        let process = self.runtime.process();
        let Some(leak) = self.leak.lock().filter(|leak| leak.process == process) else { return 0 };
        let (since, lasts) = (self.runtime.now() - leak.from, leak.lasts.max(Duration::from_secs(1)));
        LEAKED * since.min(lasts).as_secs() / lasts.as_secs()
    }
}

#[async_trait]
impl ResourceSource for SimResources {
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        self.runtime.yields().await;
        if self.faults.resources_unknown(self.runtime.now()) {
            return Err(ResourceError { message: "no such file or directory".to_owned() });
        }
        let usual = 60 * MIB + self.noise.below(8 * MIB);
        Ok(ResourceSample {
            memory_bytes: Some(usual.max(self.leaked())),
            memory_limit_bytes: Some(LIMIT),
            cpu_percent: Some(5.0 + 10.0 * self.noise.unit()),
            disk_usage_percent: Some(40.0),
            open_file_descriptors: Some(40 + self.noise.below(20)),
            file_descriptor_limit: Some(1024),
        })
    }
}
