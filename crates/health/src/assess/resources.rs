//! Assesses the resources that the process uses.

use std::time::Duration;

use super::finding::{BEGUN, Findings, limit_in_words, measured, share};
use super::level::level;
use crate::{Facts, Reached, ResourceSample, ResourcesModel, Status, Thresholds};

const CPU: &str = "CPU in use";
const MIB: f64 = 1024.0 * 1024.0;

/// Connections are reported but not assessed: the pools of a store are small on purpose, and full for moments.
pub(super) fn assess(
    facts: &Facts,
    thresholds: &Thresholds,
    reached: &mut Reached,
) -> (ResourcesModel, Findings) {
    let sample = facts.resources.unwrap_or_default();
    let ResourceSample {
        memory_bytes, memory_limit_bytes, open_file_descriptors, file_descriptor_limit, ..
    } = sample;
    let percent = |part: Option<u64>, whole: Option<u64>| share(part? as f64 * 100.0, whole? as f64);
    let memory_usage_percent = percent(memory_bytes, memory_limit_bytes);
    let cpu_usage_percent = measured(sample.cpu_percent);
    let disk_usage_percent = measured(sample.disk_usage_percent);
    let descriptors = percent(open_file_descriptors, file_descriptor_limit);

    let figures = [
        ("memory in use", "of its limit", memory_usage_percent, &thresholds.memory, &mut reached.memory),
        (CPU, "of what this process may use", cpu_usage_percent, &thresholds.cpu, &mut reached.cpu),
        (
            "disk in use",
            "of the data path's file system",
            disk_usage_percent,
            &thresholds.disk,
            &mut reached.disk,
        ),
        (
            "open file descriptors",
            "of their limit",
            descriptors,
            &thresholds.descriptors,
            &mut reached.descriptors,
        ),
    ];
    let mut findings = Findings::default();
    let mut known = 0;
    for (what, whole, percent, levels, reached) in figures {
        match percent {
            Some(percent) => {
                known += 1;
                let (status, limit) = level(percent, levels, Duration::ZERO, reached, facts.uptime);
                if status > Status::Healthy {
                    let limit = limit_in_words(limit, Duration::ZERO, |percent| format!("{percent} %"));
                    findings.add(status, format!("{what}: {percent:.1} % {whole}; {limit}"));
                }
            }
            // The share of a CPU is the difference of two samples.
            None if what == CPU && facts.measured_for < BEGUN => {}
            None => findings.add(Status::Unknown, format!("{what}: not measured")),
        }
    }
    // Each figure stands alone: one that is missing does not make the others unknown.
    if known > 0 {
        findings = findings.into_optional();
    }
    let model = ResourcesModel {
        status: findings.worst(),
        memory_usage_mb: memory_bytes.map(|bytes| bytes as f64 / MIB),
        memory_usage_percent,
        cpu_usage_percent,
        disk_usage_percent,
        database_connections: facts.database_connections,
        open_file_descriptors,
        file_descriptor_limit,
    };
    (model, findings)
}
