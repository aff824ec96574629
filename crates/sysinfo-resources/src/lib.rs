//! The [`ResourceSource`](ttm_health::ResourceSource) port on `sysinfo`, for the process, and on `statvfs`, for the
//! file systems of its data.
//!
//! `sysinfo` takes the memory limits of the cgroup of the process and of its ancestors into account, for versions 1 and 2.
//! Its list of disks is not used: creating it queries every mount of the machine, and blocks if one of them hangs.
//!
//! The adapter has neither thresholds nor a schedule.

mod adapter;
mod file_system;
mod process;
mod quota;

pub use adapter::SysinfoResources;
