//! An oracle that never reported a broken promise proves nothing: here each promise is broken on purpose, by a
//! service whose settings contradict it, and some seed must detect it.

use std::time::Duration;

use ttm_breaker::{BreakerConfig, BreakerSettings};
use ttm_health::{Kind, Phase, ProgressThresholds, Report, Status};
use ttm_retry::{RetryPolicy, RetrySettings};
use ttm_sim::Plan;
use ttm_sim::world::Defect;

/// Runs two hours under three seeds, and asserts that one of them reports `promise` as broken.
fn check(faults: &str, mutate: impl Fn(&mut Plan), promise: &str) {
    let found: Vec<String> = (1..4)
        .flat_map(|seed| {
            let mut plan = Plan::new(seed, Duration::from_hours(2), faults.parse().expect("a schedule"));
            mutate(&mut plan);
            plan.run().broken
        })
        .collect();
    assert!(found.iter().any(|broken| broken.contains(promise)), "{promise:?} was not found in {found:#?}");
}

fn breaker(settings: BreakerSettings) -> BreakerConfig {
    BreakerConfig::try_new(settings).expect("valid settings")
}

fn retry(settings: RetrySettings) -> RetryPolicy {
    RetryPolicy::try_new(settings).expect("valid settings")
}

#[test]
fn a_breaker_that_opens_too_late_is_detected() {
    let late = breaker(BreakerSettings { failure_threshold: Some(20), ..BreakerSettings::default() });
    check("at 30m for 20m api-503", |plan| plan.settings.breaker = late.clone(), "while the breaker is open");
}

#[test]
fn a_breaker_that_probes_too_soon_is_detected() {
    let hasty = BreakerSettings { recovery_timeout: Duration::from_secs(20), ..BreakerSettings::default() };
    let hasty = breaker(hasty);
    check(
        "at 30m for 20m api-503",
        |plan| plan.settings.breaker = hasty.clone(),
        "while the breaker is open",
    );
}

#[test]
fn too_many_probes_are_detected() {
    let promised = |plan: &mut Plan| plan.promised.breaker.half_open_max_calls = 1;
    check("at 30m for 20m api-503", promised, "while the breaker is half-open");
}

#[test]
fn an_attempt_too_many_is_detected() {
    let stubborn = retry(RetrySettings { max_attempts: 8, ..RetrySettings::default() });
    // One token, because failed batches of several are requested in halves instead of retried.
    let mutate = |plan: &mut Plan| {
        plan.settings.retry = stubborn.clone();
        plan.tokens = 1;
    };
    check("at 30m for 20m api-truncated", mutate, "attempt 4 of one call");
}

#[test]
fn a_pause_that_is_cut_short_is_detected() {
    let impatient =
        retry(RetrySettings { max_retry_after: Duration::from_secs(30), ..RetrySettings::default() });
    check(
        "at 30m for 5m api-429=2m",
        |plan| plan.settings.retry = impatient.clone(),
        "a pause that a 429 requested",
    );
}

#[test]
fn more_requests_than_the_limit_are_detected() {
    check("", |plan| plan.promised.requests_per_minute = 20, "requests in one minute, 20 are allowed");
}

/// Runs with a second process and a store that breaks some rules.
fn check_store(defects: &[Defect], promise: &str) {
    let faults = "at 10m for 1h second-process; at 20m for 1m freeze; at 40m7s for 1m freeze";
    check(faults, |plan| plan.defects = defects.to_vec(), promise);
}

#[test]
fn a_lease_for_all_is_detected() {
    check_store(&[Defect::LeaseForAll], "has the lease that process");
}

#[test]
fn two_processes_that_score_side_by_side_are_detected() {
    // Neither its lease nor the store informs the first one.
    check_store(&[Defect::LeaseForAll, Defect::NoFencing], "took over");
}

#[test]
fn a_write_under_an_older_epoch_is_detected() {
    check_store(&[Defect::LeaseForAll, Defect::NoFencing], "was accepted after");
}

#[test]
fn an_epoch_that_is_granted_twice_is_detected() {
    check_store(&[Defect::DuplicateEpoch], "is granted to processes");
}

#[test]
fn an_acknowledged_state_that_a_takeover_loses_is_detected() {
    check_store(&[Defect::LaggingReplica], "is stored older than it was acknowledged");
}

#[test]
fn a_refusal_that_names_no_holder_is_detected() {
    check_store(&[Defect::AnonymousRefusal], "a refusal does not name");
}

#[test]
fn a_process_that_writes_before_it_holds_the_lease_is_detected() {
    check_store(&[Defect::WriteBeforeLease], "touched the store although it was refused");
}

#[test]
fn a_stop_that_drops_unstored_work_is_detected() {
    let hasty = |plan: &mut Plan| plan.promised.stop_within = Duration::from_millis(1);
    check("at 1h300ms for 5s terminate", hasty, "not everything was stored");
}

/// The same for a falsified report.
fn check_report(faults: &str, misreport: fn(&mut Report), promise: &str) {
    check(faults, |plan| plan.misreport = Some(misreport), promise);
}

fn use_model<'a>(report: &'a mut Report, name: &str) -> Option<&'a mut ttm_health::StoreUseModel> {
    report.store.uses.iter_mut().find(|each| each.name == name)
}

const API_DOWN: &str = "at 30m for 20m api-503";
const STORE_GONE: &str = "at 30m for 20m store-gone";

#[test]
fn a_status_that_is_always_healthy_is_detected() {
    check_report(API_DOWN, |report| report.status = Status::Healthy, "the worst of its parts is degraded");
    check_report(
        API_DOWN,
        |report| report.status = Status::Healthy,
        "healthy, although the API has been down",
    );
}

#[test]
fn a_liveness_that_fails_in_an_outage_is_detected() {
    check_report(API_DOWN, |report| report.live = report.apis.status == Status::Healthy, "not live");
    check_report(API_DOWN, |report| report.apis.status = Status::Critical, "the API is critical");
}

#[test]
fn a_readiness_that_fails_while_the_store_is_down_is_detected() {
    let misreport = |report: &mut Report| report.ready = report.store.status == Status::Healthy;
    check_report(STORE_GONE, misreport, "not ready, although nothing is being lost");
}

#[test]
fn a_readiness_that_ignores_losses_is_detected() {
    check_report("at 30m for 1m samples-corrupt", |report| report.ready = true, "health: ready");
    let mild = |report: &mut Report| {
        for samples in use_model(report, "samples").into_iter().filter(|each| each.status == Status::Critical)
        {
            samples.status = Status::Degraded;
        }
    };
    check_report("at 30m for 1m samples-corrupt", mild, "samples is degraded; gave up: true");
    check_report("at 30m for 5m samples-rejects=50%", mild, "gave up: false, losing: Some(true)");
    let false_alarm = |report: &mut Report| {
        if let Some(samples) = use_model(report, "samples") {
            samples.status = Status::Critical;
        }
    };
    check_report("", false_alarm, "samples is critical; gave up: false, losing: Some(false)");
}

#[test]
fn a_use_of_the_store_that_hides_another_is_detected() {
    let silent = |report: &mut Report| {
        if let Some(writes) = use_model(report, "token writes") {
            (writes.status, writes.last_error) = (Status::Healthy, None);
        }
    };
    check_report("at 30m for 5m tokens-read-only", silent, "token writes last failed with Some");
    check_report("at 30m for 5m tokens-read-only", silent, "no reason mentions \"token writes\"");
    let gone = |report: &mut Report| report.store.uses.retain(|each| each.last_error.is_none());
    check_report("at 30m for 5m tokens-busy", gone, "token writes is missing");
    let healthy = |report: &mut Report| report.store.status = Status::Healthy;
    check_report(STORE_GONE, healthy, "the store is healthy, but the worst of its uses");
    let stuck = |report: &mut Report| {
        if let Some(samples) = use_model(report, "samples") {
            (samples.status, samples.last_error) = (Status::Degraded, Some("connection refused".to_owned()));
        }
    };
    check_report("", stuck, "samples is answered, but reports");
    check_report("", stuck, "samples is degraded, although it is answered");
}

#[test]
fn an_api_error_that_is_missing_or_wrong_is_detected() {
    check_report(API_DOWN, |report| report.apis.last_error = None, "the API last failed with Some");
    let other = |report: &mut Report| {
        if let Some(error) = &mut report.apis.last_error {
            "403, an HTML page: the API refuses this client".clone_into(error);
        }
    };
    check_report(API_DOWN, other, "the API last failed with Some");
    check_report(
        "",
        |report| report.apis.last_error = Some("503".to_owned()),
        "the API answers, but reports",
    );
    check_report(
        API_DOWN,
        |report| report.apis.status = Status::Healthy,
        "no reason mentions \"DexScreener\"",
    );
}

#[test]
fn a_group_without_an_api_that_reports_healthy_or_critical_is_detected() {
    check_report(
        API_DOWN,
        |report| report.scheduler.hot.status = Status::Healthy,
        "no reason mentions \"the hot group\"",
    );
    let stuck = |report: &mut Report| report.scheduler.hot.status = Status::Critical;
    check_report(API_DOWN, stuck, "the hot group is critical, although its plane has run");
    let unknown = |report: &mut Report| {
        if report.scheduler.hot.status == Status::Degraded {
            report.scheduler.hot.status = Status::Unknown;
        }
    };
    check_report(API_DOWN, unknown, "the hot group is unknown, although only the API is down");
    let silent = |report: &mut Report| report.scheduler.status = Status::Healthy;
    check_report(API_DOWN, silent, "the scheduler is healthy, but the worst of its groups");
}

#[test]
fn a_stall_that_is_reported_late_is_detected() {
    let late =
        |floor, stall_after| ProgressThresholds { floor, stall_after, ..ProgressThresholds::default() };
    let minutes = Duration::from_mins;
    let stalls = "at 30m for 15m plane-stalls=work";
    let slow = late(minutes(4), minutes(10));
    // Self-healing would build the plane anew before anything is late.
    let mutate = |plan: &mut Plan| {
        *plan = plan.clone().without_healing();
        plan.settings.progress = slow;
    };
    check(stalls, mutate, "no reason mentions \"the hot group\"");
    check(stalls, mutate, "although its plane has been suspended for");
}

#[test]
fn a_status_that_flaps_is_detected() {
    let flaps = |report: &mut Report| {
        if report.uptime.as_secs() % 60 < 30 {
            report.status = Status::Degraded;
        }
    };
    check_report("", flaps, "changes of the status within an hour");
}

#[test]
fn a_false_report_about_a_start_is_detected() {
    let anxious = |report: &mut Report| {
        if report.uptime < Duration::from_mins(1) {
            (report.status, report.data.status) = (Status::Degraded, Status::Degraded);
        }
    };
    check_report("", anxious, "all faults were over long ago");
    check_report("at 1h for 5s terminate", anxious, "all faults were over long ago");
    let endless = |report: &mut Report| (report.phase, report.started) = (Phase::Starting, false);
    check_report("", endless, "still starting");
    check_report("", |report| report.started = false, "started is false");
    let silent = |report: &mut Report| {
        report.findings.0.retain(|it| report.phase != Phase::Starting || it.kind != Kind::StartWaits);
    };
    check_report(
        "at 30m for 10m store-gone; at 31m for 5s kill",
        silent,
        "no reason mentions \"connection refused",
    );
    let hasty = |report: &mut Report| {
        if report.phase == Phase::Starting {
            report.status = Status::Healthy;
        }
    };
    check_report("at 30m for 10m store-gone; at 31m for 5s kill", hasty, "healthy before the start is over");
}

#[test]
fn an_unreported_stop_and_a_stop_without_an_order_are_detected() {
    let stop = "at 30m for 10m store-gone; at 30m49s for 10m api-hang; at 30m50s600ms for 5s terminate";
    let hidden = |plan: &mut Plan| {
        plan.settings.report_interval = Duration::from_secs(1);
        plan.misreport = Some(|report| {
            if report.phase == Phase::Stopping {
                report.phase = Phase::Running;
            }
        });
    };
    check(stop, hidden, "not reported as stopping");
    check_report("", |report| report.phase = Phase::Stopping, "stopping without an order");
}

#[test]
fn a_false_status_of_the_resources_is_detected() {
    let unknown = "at 30m for 20m resources-unknown";
    check_report(unknown, |report| report.resources.status = Status::Healthy, "the resources are healthy");
    let rare = |plan: &mut Plan| plan.settings.resource_check_interval = Duration::from_mins(10);
    check("at 30m for 11m resources-unknown", rare, "the resources are unknown");
}

#[test]
fn unreported_stale_data_and_failing_sources_are_detected() {
    let fresh = |report: &mut Report| report.data.hot.stale = 0;
    check_report(API_DOWN, fresh, "Hot tokens are stale, but 0 are reported");
    let fresh = |report: &mut Report| report.data.hot.status = Status::Healthy;
    check_report(API_DOWN, fresh, "no reason mentions \"hot\"");
    let follows = |misreport| {
        move |plan: &mut Plan| {
            plan.profiles = true;
            plan.settings.source_poll_interval = Duration::from_secs(10);
            plan.misreport = Some(misreport);
        }
    };
    check(
        API_DOWN,
        follows(|report| report.sources.status = Status::Healthy),
        "no reason mentions \"source\"",
    );
    check("", follows(|report| report.sources.status = Status::Degraded), "although they can be read");
}

#[test]
fn a_report_of_another_time_is_detected() {
    let old = |report: &mut Report| report.uptime = report.uptime.min(Duration::from_mins(1));
    check_report("", old, "was made at");
    let later = |report: &mut Report| report.at += Duration::from_secs(1);
    check_report("", later, "stamped");
}

/// Runs with a table of alerts that breaks a rule.
fn check_alerts(defect: Defect, faults: &str, promise: &str) {
    check(faults, |plan| plan.defects = vec![defect], promise);
}

#[test]
fn a_store_that_forgets_what_was_told_is_detected() {
    check_alerts(
        Defect::ForgetfulAlerts,
        "at 20m for 20m api-503; at 30m for 5s kill",
        "is believed to fire",
    );
}

#[test]
fn a_store_that_does_not_keep_what_it_acknowledged_is_detected() {
    let faults =
        "at 20m for 5m leaks; at 19m for 30m ops-down; at 19m for 30m phone-down; at 35m for 5s kill";
    check_alerts(Defect::LyingAlerts, faults, "which was CRITICAL");
}
