//! Assesses the resources that the process uses.

use std::time::Duration;

use super::figure::{BEGUN, measured, share};
use super::level::level;
use crate::found::{CPU, DESCRIPTORS, DISK, MEMORY};
use crate::{Facts, Findings, Reached, ResourceSample, ResourcesModel, Status, Thresholds};

const MIB: f64 = 1024.0 * 1024.0;

/// Connections are reported but not assessed: the pools of a store are small on purpose, and full for moments.
pub(super) fn assess(facts: &Facts, thresholds: &Thresholds, reached: &mut Reached) -> ResourcesModel {
    let sample = facts.resources.unwrap_or_default();
    let ResourceSample {
        memory_bytes, memory_limit_bytes, open_file_descriptors, file_descriptor_limit, ..
    } = sample;
    let percent = |part: Option<u64>, whole: Option<u64>| share(part? as f64 * 100.0, whole? as f64);
    let memory_usage_percent = percent(memory_bytes, memory_limit_bytes);
    let cpu_usage_percent = measured(sample.cpu_percent);
    let disk_usage_percent = measured(sample.disk_usage_percent);
    let descriptors = percent(open_file_descriptors, file_descriptor_limit);

    // The share of a CPU is the difference of two samples.
    let waits_for_cpu = cpu_usage_percent.is_none() && facts.measured_for < BEGUN;
    let figures = [
        (MEMORY, memory_usage_percent, &thresholds.memory, &mut reached.memory, false),
        (CPU, cpu_usage_percent, &thresholds.cpu, &mut reached.cpu, waits_for_cpu),
        (DISK, disk_usage_percent, &thresholds.disk, &mut reached.disk, false),
        (DESCRIPTORS, descriptors, &thresholds.descriptors, &mut reached.descriptors, false),
    ];
    let mut findings = Findings::default();
    let mut known = 0;
    for (resource, percent, levels, reached, waits) in figures {
        if let Some(percent) = percent {
            known += 1;
            let (status, limit) = level(percent, levels, Duration::ZERO, reached, facts.uptime);
            if status > Status::Healthy {
                findings.add(resource.in_use(percent, status, limit));
            }
        } else if !waits {
            findings.add(resource.not_measured());
        }
    }
    // Each figure stands alone: one that is missing does not make the others unknown.
    if known > 0 {
        findings = findings.into_optional();
    }
    ResourcesModel {
        status: findings.worst(),
        memory_usage_mb: memory_bytes.map(|bytes| bytes as f64 / MIB),
        memory_usage_percent,
        cpu_usage_percent,
        disk_usage_percent,
        database_connections: facts.database_connections,
        open_file_descriptors,
        file_descriptor_limit,
        findings: findings.worst_first(),
    }
}
