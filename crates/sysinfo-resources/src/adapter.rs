//! The source: one measurement at a time, on a blocking thread.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_health::{ResourceError, ResourceSample, ResourceSource};

use crate::file_system::used_percent;
use crate::process::ProcessMeter;

/// Measures this process and the file systems of its data, of which the fullest counts. Must be used inside a tokio runtime.
///
/// The figures come from procfs, which never blocks, and from the file systems of the data, which may hang with their disks. So
/// they are read on a blocking thread, and while one measurement hangs no other starts: at most one thread is ever
/// blocked.
#[derive(Clone, Debug)]
pub struct SysinfoResources {
    data_paths: Vec<PathBuf>,
    meter: Arc<Mutex<Option<ProcessMeter>>>,
}

impl SysinfoResources {
    /// Measures the file systems of `data_paths`, which need not exist yet.
    pub fn new(data_paths: Vec<PathBuf>) -> Self {
        Self { data_paths, meter: Arc::default() }
    }

    fn measure(&self) -> Result<ResourceSample, ResourceError> {
        // A panic while measuring leaves the previous figures, which the next measurement replaces.
        let Some(mut meter) = self.meter.try_lock() else {
            return Err(failed("the previous measurement is still blocked"));
        };
        let used = self.data_paths.iter().filter_map(|path| used_percent(path));
        let disk_usage_percent = used.max_by(f64::total_cmp);
        if meter.is_none() {
            *meter = ProcessMeter::new().ok();
        }
        let process = meter.as_mut().map(ProcessMeter::read).unwrap_or_default();
        let sample = ResourceSample { disk_usage_percent, ..process };
        if sample == ResourceSample::default() {
            return Err(failed("neither the process nor its file systems can be read"));
        }
        Ok(sample)
    }
}

fn failed(message: &str) -> ResourceError {
    ResourceError { message: message.to_owned() }
}

#[async_trait]
impl ResourceSource for SysinfoResources {
    #[expect(clippy::disallowed_methods, reason = "a file system of the data may hang")]
    async fn sample(&self) -> Result<ResourceSample, ResourceError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.measure())
            .await
            .unwrap_or_else(|error| Err(failed(&format!("the measurement failed: {error}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_one_measurement_hangs_the_next_fails_instead_of_waiting() {
        let resources = SysinfoResources::new(vec![PathBuf::from(".")]);
        let hanging = resources.meter.lock();
        let error = resources.measure().expect_err("one is in progress");
        assert_eq!(
            error.to_string(),
            "resources cannot be measured: the previous measurement is still blocked"
        );
        drop(hanging);
        assert!(resources.measure().is_ok());
    }
}
