//! Parts that are dropped and restarted from the resident state, also under faults: nothing is lost, nothing is
//! scored twice for one instant, and requests stay within the budget.

use std::time::Duration;

use ttm_recovery::{RecoveryConfig, RecoverySettings};
use ttm_sim::Plan;

const PART_WORDS: [&str; 9] = [
    "work",
    "roster",
    "token-writer",
    "breaker-writer",
    "sample-writer",
    "event-writer",
    "pulse",
    "monitor",
    "lease-keeper",
];

fn restarted(seed: u64, hours: u64, faults: &str) -> Plan {
    let lasts = Duration::from_hours(hours);
    let mut plan = Plan { tokens: 200, ..Plan::new(seed, lasts, faults.parse().expect("a schedule")) };
    // More often than any budget allows: what is looked at is that nothing is lost.
    let often = RecoverySettings {
        max_restart_attempts: 1_000,
        max_restarts_per_hour: 1_000,
        ..RecoverySettings::default()
    };
    plan.settings.recovery = RecoveryConfig::try_new(often).expect("valid settings");
    (plan.promised.recovery.restarts, plan.promised.recovery.per_hour) = (1_000, 1_000);
    plan
}

#[test]
fn every_part_that_a_fault_can_end_can_be_restarted_at_any_time() {
    for (seed, kind) in [(1, "panics"), (2, "ends")] {
        let mut faults = Vec::new();
        for (minute, part) in (10..).step_by(3).zip(PART_WORDS.into_iter().cycle().take(40)) {
            faults.push(format!("at {minute}m for 0s part-{kind}={part}"));
        }
        let outcome = restarted(seed, 4, &faults.join("; ")).run_and_check();
        assert_eq!(outcome.boots, 1, "the process kept running");
    }
}

#[test]
fn parts_can_be_restarted_while_api_and_store_fail() {
    let mut faults = vec![
        "at 20m for 10m store-gone".to_owned(),
        "at 40m for 5m api-503".to_owned(),
        "at 50m for 2m api-429=30s".to_owned(),
        "at 70m for 10m store-hang".to_owned(),
        "at 90m for 10m store-full".to_owned(),
    ];
    for (second, part) in (1_190..).step_by(37).zip(PART_WORDS.into_iter().cycle().take(140)) {
        faults.push(format!("at {second}s for 0s part-panics={part}"));
    }
    let outcome = restarted(3, 4, &faults.join("; ")).run_and_check();
    assert_eq!(outcome.boots, 1, "the process kept running");
}
