//! The oracles of self-healing notice when its rules are broken: by settings that contradict the promise, by a ledger that breaks its
//! laws, by a table of parts that is wrong, and by a report that is false.

use std::time::Duration;

use ttm_guard::{GuardConfig, GuardSettings};
use ttm_health::{Report, Status};
use ttm_recovery::{RecoveryConfig, RecoverySettings};
use ttm_service::Progress;
use ttm_sim::Plan;
use ttm_sim::world::Defect;

/// Runs two hours, and asserts that `promise` is reported as broken.
fn check(faults: &str, mutate: impl Fn(&mut Plan), promise: &str) {
    let mut plan = Plan::new(2, Duration::from_hours(2), faults.parse().expect("a schedule"));
    mutate(&mut plan);
    let found = plan.run().broken;
    assert!(found.iter().any(|broken| broken.contains(promise)), "{promise:?} was not found in {found:#?}");
}

fn with(settings: RecoverySettings) -> impl Fn(&mut Plan) {
    let config = RecoveryConfig::try_new(settings).expect("valid settings");
    move |plan| plan.settings.recovery = config.clone()
}

const PANICS: &str = "at 30m for 10m part-panics-always=sample-writer";
const HANGS: &str = "at 30m for 0s part-hangs=work";

#[test]
fn a_restart_too_many_of_one_part_is_detected() {
    let eager = RecoverySettings { max_restart_attempts: 4, ..RecoverySettings::default() };
    check(PANICS, with(eager), "more than 3 restarts of sample-writer");
}

#[test]
fn a_restart_too_many_of_all_parts_is_detected() {
    let words = ["roster", "token-writer", "breaker-writer", "event-writer"];
    let each = |(minute, word): (u64, &str)| format!("at {}m for 0s part-panics={word}", 20 + 4 * minute);
    let faults: Vec<String> = (0..).zip(words.into_iter().cycle().take(12)).map(each).collect();
    let eager = RecoverySettings { max_restarts_per_hour: 100, ..RecoverySettings::default() };
    check(&faults.join("; "), with(eager), "more than 10 restarts between");
}

#[test]
fn a_budget_that_a_new_process_refills_is_detected() {
    let forgets = |plan: &mut Plan| plan.defects = vec![Defect::ForgetfulLedger];
    check("at 30m for 10m part-panics-always=lease-keeper", forgets, "more than 3 restarts of lease-keeper");
}

#[test]
fn a_ledger_that_no_process_can_replay_is_detected() {
    check(HANGS, |plan| plan.defects = vec![Defect::TornLedger], "the durable ledger makes no sense");
}

#[test]
fn a_group_that_is_restarted_late_is_detected() {
    let off = RecoverySettings { max_restart_attempts: 0, ..RecoverySettings::default() };
    check(HANGS, with(off), "no restart began in time");
}

#[test]
fn a_lease_that_runs_out_while_its_keeper_hangs_is_detected() {
    let patient = |plan: &mut Plan| {
        // Its lease is a row, which expires.
        plan.seed = 3;
        for part in plan.parts.iter_mut().filter(|part| part.name == "lease-keeper") {
            part.progress = Progress::Looks;
        }
    };
    check("at 30m for 0s part-hangs=lease-keeper", patient, "and the lease ran out at");
}

#[test]
fn an_outage_of_the_api_that_is_blamed_and_never_was_is_detected() {
    let secret = |plan: &mut Plan| {
        plan.lasts = Duration::from_mins(35);
        plan.defects = vec![Defect::SecretOutage];
    };
    // Requests that panic are no excuse.
    check("at 29m for 5m requests-panic=cold", secret, "dexscreener was blamed");
}

#[test]
fn a_group_whose_requests_panic_and_that_is_left_alone_is_detected() {
    let attempt_timeout = Duration::from_mins(10);
    let patient = GuardSettings { attempt_timeout, deadline: attempt_timeout, ..GuardSettings::default() };
    let patient = GuardConfig::try_new(patient).expect("valid settings");
    let panics = "at 30m for 20m requests-panic=hot";
    check(
        panics,
        |plan| plan.settings.guard = patient.clone(),
        "all requests of the hot group have panicked",
    );
}

#[test]
fn a_part_that_is_left_as_it_is_is_detected() {
    let patient = RecoverySettings {
        graceful_shutdown_timeout: Duration::from_hours(1),
        emergency_restart_threshold: Duration::from_hours(24),
        ..RecoverySettings::default()
    };
    check("at 30m for 0s part-hangs=sample-writer", with(patient), "was neither recovered nor escalated");
}

#[test]
fn a_restart_without_a_cause_is_detected() {
    let hasty = |plan: &mut Plan| {
        plan.lasts = Duration::from_secs(30);
        for part in plan.parts.iter_mut().filter(|part| part.name == "monitor") {
            // It looks less often than a plane must beat.
            part.progress = Progress::Beats;
        }
    };
    check("", hasty, "although nothing was wrong with it");
}

#[test]
fn a_health_that_hides_a_group_which_can_do_nothing_is_detected() {
    let healthy = |report: &mut Report| report.status = Status::Healthy;
    let mutate = |plan: &mut Plan| plan.misreport = Some(healthy);
    check("at 30m for 3m requests-hang=hot", mutate, "healthy, although the hot group could do nothing");
}
