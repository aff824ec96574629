//! The [`ResourceSource`](ttm_health::ResourceSource) port on `sysinfo`, for the process, and on `statvfs`, for the
//! file system of its data.
//!
//! `sysinfo` finds the memory limit of the process's cgroup, whether of version 1 or 2, and of every cgroup above it.
//! Its list of disks is not used: making it asks every mount of the machine, and one that hangs hangs them all.
//!
//! It judges nothing, and knows neither thresholds nor intervals.

mod adapter;
mod file_system;
mod process;

pub use adapter::SysinfoResources;
