//! The port's implementation: one measurement at a time, on a thread where it may wait. It holds no figures of its own.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_health::{ResourceError, ResourceSample, ResourceSource};

use crate::file_system::used_percent;
use crate::process::ProcessMeter;

/// Measures this process and the file system of its data. Needs a tokio runtime around it.
///
/// Figures come from files of the kernel, which answer at once, and from the data's file system, which may hang with
/// the disk under it. So the reading is done on a blocking thread, and while one hangs no other is begun: at most one
/// thread is ever lost.
#[derive(Clone, Debug)]
pub struct SysinfoResources {
    data_path: PathBuf,
    meter: Arc<Mutex<Option<ProcessMeter>>>,
}

impl SysinfoResources {
    /// Measures the file system that holds `data_path`, which need not be there yet.
    pub fn new(data_path: PathBuf) -> Self {
        Self { data_path, meter: Arc::default() }
    }

    fn measure(&self) -> Result<ResourceSample, ResourceError> {
        // A panic while reading leaves the figures of the reading before, which the next one replaces.
        let Some(mut meter) = self.meter.try_lock() else {
            return Err(failed("the measurement before has not come back"));
        };
        let disk_usage_percent = used_percent(&self.data_path);
        if meter.is_none() {
            *meter = ProcessMeter::new().ok();
        }
        let process = meter.as_mut().map(ProcessMeter::read).unwrap_or_default();
        let sample = ResourceSample { disk_usage_percent, ..process };
        if sample == ResourceSample::default() {
            return Err(failed("neither the process nor its file system can be read"));
        }
        Ok(sample)
    }
}

fn failed(message: &str) -> ResourceError {
    ResourceError { message: message.to_owned() }
}

#[async_trait]
impl ResourceSource for SysinfoResources {
    #[expect(
        clippy::disallowed_methods,
        reason = "an adapter may block, and the data's file system may hang"
    )]
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.measure())
            .await
            .unwrap_or_else(|error| Err(failed(&format!("the measurement ended early: {error}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_one_measurement_hangs_the_next_is_refused_instead_of_waiting_for_it() {
        let resources = SysinfoResources::new(PathBuf::from("."));
        let hanging = resources.meter.lock();
        let error = resources.measure().expect_err("one is under way");
        assert_eq!(
            error.to_string(),
            "resources cannot be measured: the measurement before has not come back"
        );
        drop(hanging);
        assert!(resources.measure().is_ok());
    }
}
