//! The resource usage of this process, by `sysinfo`.

use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use ttm_health::ResourceSample;

use crate::quota;

/// Measures this process; keeps the previous measurement, since CPU usage is the difference of two.
#[derive(Debug)]
pub(crate) struct ProcessMeter {
    pid: Pid,
    system: System,
    read_before: bool,
}

impl ProcessMeter {
    pub(crate) fn new() -> Result<Self, sysinfo::Error> {
        Ok(Self { pid: sysinfo::get_current_pid()?, system: System::new()?, read_before: false })
    }

    /// Measures everything but the disk.
    pub(crate) fn read(&mut self) -> ResourceSample {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), false, what);
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let Some(process) = self.system.process(self.pid) else { return ResourceSample::default() };
        let read_before = std::mem::replace(&mut self.read_before, true);
        let machine_memory = Some(self.system.total_memory()).filter(|bytes| *bytes > 0);
        ResourceSample {
            memory_bytes: Some(process.memory()).filter(|bytes| *bytes > 0),
            memory_limit_bytes: process.cgroup_limits().map(|limits| limits.total_memory).or(machine_memory),
            cpu_percent: read_before
                .then(|| f64::from(process.cpu_usage()) / quota::processors().unwrap_or(1.0))
                .filter(|percent| percent.is_finite() && *percent >= 0.0),
            disk_usage_percent: None,
            open_file_descriptors: process.open_files().map(count),
            file_descriptor_limit: process.open_files_limit().map(count),
        }
    }
}

/// A `usize` fits into a `u64` on all platforms.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
