//! Oracles that have never seen a promise broken prove nothing: here each is broken on purpose, by a service that was
//! told to do other than what was promised, and some seed must see it.

use std::time::Duration;

use ttm_breaker::{BreakerConfig, BreakerSettings};
use ttm_health::{Phase, Report, Status, ThresholdSettings, Thresholds};
use ttm_retry::{RetryPolicy, RetrySettings};
use ttm_sim::Plan;
use ttm_sim::world::Defect;

/// Runs two hours under three seeds, and wants one of them to find `promise` broken.
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
fn a_breaker_that_opens_too_late_is_seen() {
    let late = breaker(BreakerSettings { failure_threshold: Some(20), ..BreakerSettings::default() });
    check("at 30m for 20m api-503", |plan| plan.settings.breaker = late.clone(), "while the breaker is open");
}

#[test]
fn a_breaker_that_looks_again_too_soon_is_seen() {
    let hasty = BreakerSettings { recovery_timeout: Duration::from_secs(20), ..BreakerSettings::default() };
    let hasty = breaker(hasty);
    check(
        "at 30m for 20m api-503",
        |plan| plan.settings.breaker = hasty.clone(),
        "while the breaker is open",
    );
}

#[test]
fn probes_too_many_are_seen() {
    let promised = |plan: &mut Plan| plan.promised.breaker.half_open_max_calls = 1;
    check("at 30m for 20m api-503", promised, "while the breaker is half-open");
}

#[test]
fn an_attempt_too_many_is_seen() {
    let stubborn = retry(RetrySettings { max_attempts: 8, ..RetrySettings::default() });
    // One token: many of them are asked by halves when they fail, and not again.
    let mutate = |plan: &mut Plan| {
        plan.settings.retry = stubborn.clone();
        plan.tokens = 1;
    };
    check("at 30m for 20m api-truncated", mutate, "attempt 4 at one call");
}

#[test]
fn a_pause_that_is_cut_short_is_seen() {
    let impatient =
        retry(RetrySettings { max_retry_after: Duration::from_secs(30), ..RetrySettings::default() });
    check("at 30m for 5m api-429=2m", |plan| plan.settings.retry = impatient.clone(), "a 429 asked to wait");
}

#[test]
fn more_requests_than_the_limit_are_seen() {
    check("", |plan| plan.promised.requests_per_minute = 20, "requests in one minute, 20 are allowed");
}

/// Runs with a second process and a store that breaks some rules.
fn check_store(defects: &[Defect], promise: &str) {
    let faults = "at 10m for 1h second-process; at 20m for 1m freeze; at 40m7s for 1m freeze";
    check(faults, |plan| plan.defects = defects.to_vec(), promise);
}

#[test]
fn a_lease_for_anybody_is_seen() {
    check_store(&[Defect::LeaseForAnybody], "has the lease that process");
}

#[test]
fn two_processes_that_score_side_by_side_are_seen() {
    // Nothing tells the first one: neither its lease, nor the store.
    check_store(&[Defect::LeaseForAnybody, Defect::NoFence], "took over");
}

#[test]
fn a_write_of_an_older_epoch_is_seen() {
    check_store(&[Defect::LeaseForAnybody, Defect::NoFence], "was accepted after");
}

#[test]
fn an_epoch_that_is_granted_twice_is_seen() {
    check_store(&[Defect::EpochTwice], "is granted to processes");
}

#[test]
fn a_state_that_was_acknowledged_and_is_lost_at_a_takeover_is_seen() {
    check_store(&[Defect::LaggingReplica], "is stored older than it was acknowledged");
}

#[test]
fn a_refusal_that_names_nobody_is_seen() {
    check_store(&[Defect::NamelessRefusal], "a refusal does not say");
}

#[test]
fn a_process_that_writes_before_it_has_the_lease_is_seen() {
    check_store(&[Defect::WriteBeforeLease], "touched a store that it was refused");
}

#[test]
fn a_stop_that_gives_up_with_work_in_hand_is_seen() {
    let hasty = |plan: &mut Plan| plan.promised.stop_within = Duration::from_millis(1);
    check("at 1h300ms for 5s terminate", hasty, "not everything was stored");
}

/// The same, of a report that lies.
fn check_lie(faults: &str, lie: fn(&mut Report), promise: &str) {
    check(faults, |plan| plan.misreport = Some(lie), promise);
}

fn shown<'a>(report: &'a mut Report, name: &str) -> Option<&'a mut ttm_health::StoreUseModel> {
    report.store.uses.iter_mut().find(|each| each.name == name)
}

const API_DOWN: &str = "at 30m for 20m api-503";
const STORE_GONE: &str = "at 30m for 20m store-gone";

#[test]
fn a_whole_that_is_always_healthy_is_seen() {
    check_lie(API_DOWN, |report| report.status = Status::Healthy, "the worst of its parts is degraded");
    check_lie(API_DOWN, |report| report.status = Status::Healthy, "healthy, and the API has been down");
}

#[test]
fn a_service_that_is_killed_for_an_outage_is_seen() {
    check_lie(API_DOWN, |report| report.live = report.apis.status == Status::Healthy, "not live");
    check_lie(API_DOWN, |report| report.apis.status = Status::Critical, "the API is critical");
}

#[test]
fn a_service_that_is_not_ready_while_the_store_is_away_is_seen() {
    let lie = |report: &mut Report| report.ready = report.store.status == Status::Healthy;
    check_lie(STORE_GONE, lie, "not ready, and nothing is being lost");
}

#[test]
fn a_service_that_is_ready_whatever_it_loses_is_seen() {
    check_lie("at 30m for 1m samples-corrupt", |report| report.ready = true, "health: ready");
    let lie = |report: &mut Report| {
        for samples in shown(report, "samples").into_iter().filter(|each| each.status == Status::Critical) {
            samples.status = Status::Degraded;
        }
    };
    check_lie("at 30m for 1m samples-corrupt", lie, "samples is degraded; gave up: true");
    check_lie("at 30m for 5m samples-rejects=50%", lie, "gave up: false, losing: Some(true)");
    let cried = |report: &mut Report| {
        if let Some(samples) = shown(report, "samples") {
            samples.status = Status::Critical;
        }
    };
    check_lie("", cried, "samples is critical; gave up: false, losing: Some(false)");
}

#[test]
fn one_use_of_the_store_that_hides_another_is_seen() {
    let silent = |report: &mut Report| {
        if let Some(writes) = shown(report, "token writes") {
            (writes.status, writes.last_error) = (Status::Healthy, None);
        }
    };
    check_lie("at 30m for 5m tokens-read-only", silent, "token writes was told Some");
    check_lie("at 30m for 5m tokens-read-only", silent, "no word of \"token writes\"");
    let gone = |report: &mut Report| report.store.uses.retain(|each| each.last_error.is_none());
    check_lie("at 30m for 5m tokens-busy", gone, "nothing of token writes");
    let healthy = |report: &mut Report| report.store.status = Status::Healthy;
    check_lie(STORE_GONE, healthy, "the store is healthy, the worst of its uses");
    let stuck = |report: &mut Report| {
        if let Some(samples) = shown(report, "samples") {
            (samples.status, samples.last_error) = (Status::Degraded, Some("connection refused".to_owned()));
        }
    };
    check_lie("", stuck, "samples is answered, shown is");
    check_lie("", stuck, "samples is degraded, and it is answered");
}

#[test]
fn an_api_that_fails_without_a_word_or_with_another_is_seen() {
    check_lie(API_DOWN, |report| report.apis.last_error = None, "the API said Some");
    let other = |report: &mut Report| {
        if let Some(error) = &mut report.apis.last_error {
            "403, an HTML page: the API refuses this client".clone_into(error);
        }
    };
    check_lie(API_DOWN, other, "the API said Some");
    check_lie("", |report| report.apis.last_error = Some("503".to_owned()), "the API answers, shown is");
    check_lie(API_DOWN, |report| report.apis.status = Status::Healthy, "no word of \"DexScreener\"");
}

#[test]
fn a_group_that_is_held_up_and_called_well_or_stuck_is_seen() {
    check_lie(
        API_DOWN,
        |report| report.scheduler.hot.status = Status::Healthy,
        "no word of \"the hot group\"",
    );
    let stuck = |report: &mut Report| report.scheduler.hot.status = Status::Critical;
    check_lie(API_DOWN, stuck, "the hot group is critical, and its plane has run");
    let unknown = |report: &mut Report| {
        if report.scheduler.hot.status == Status::Degraded {
            report.scheduler.hot.status = Status::Unknown;
        }
    };
    check_lie(API_DOWN, unknown, "the hot group is unknown, and only the API is away");
    let silent = |report: &mut Report| report.scheduler.status = Status::Healthy;
    check_lie(API_DOWN, silent, "the scheduler is healthy, the worst of its groups");
}

#[test]
fn a_stall_that_is_seen_late_is_seen() {
    let late = |floor, stall_after| {
        let settings =
            ThresholdSettings { progress_floor: floor, stall_after, ..ThresholdSettings::default() };
        Thresholds::try_new(settings).expect("valid settings")
    };
    let minutes = Duration::from_mins;
    let stalls = "at 30m for 15m plane-stalls=work";
    let slow = late(minutes(4), minutes(10));
    check(stalls, |plan| plan.settings.thresholds = slow.clone(), "no word of \"the hot group\"");
    check(stalls, |plan| plan.settings.thresholds = slow.clone(), "and its plane has been held for");
    let patient = late(minutes(1), minutes(60));
    check(stalls, |plan| plan.settings.thresholds = patient.clone(), "live, and the work has been held");
}

#[test]
fn a_status_that_flaps_is_seen() {
    let flaps = |report: &mut Report| {
        if report.uptime.as_secs() % 60 < 30 {
            report.status = Status::Degraded;
        }
    };
    check_lie("", flaps, "changes of the status within an hour");
}

#[test]
fn a_start_that_upsets_anything_is_seen() {
    let anxious = |report: &mut Report| {
        if report.uptime < Duration::from_mins(1) {
            (report.status, report.data.status) = (Status::Degraded, Status::Degraded);
        }
    };
    check_lie("", anxious, "everything healed long ago");
    check_lie("at 1h for 5s terminate", anxious, "everything healed long ago");
    let endless = |report: &mut Report| (report.phase, report.started) = (Phase::Starting, false);
    check_lie("", endless, "still starting");
    check_lie("", |report| report.started = false, "started is false");
    let silent = |report: &mut Report| {
        report.reasons.retain(|reason| report.phase != Phase::Starting || !reason.contains("waits for"));
    };
    check_lie("at 30m for 10m store-gone; at 31m for 5s kill", silent, "no word of \"connection refused");
    let hasty = |report: &mut Report| {
        if report.phase == Phase::Starting {
            report.status = Status::Healthy;
        }
    };
    check_lie("at 30m for 10m store-gone; at 31m for 5s kill", hasty, "healthy before the start is over");
}

#[test]
fn a_stop_that_nobody_sees_and_one_that_nobody_ordered_are_seen() {
    let stop = "at 30m for 10m store-gone; at 30m49s for 10m api-hang; at 30m50s600ms for 5s terminate";
    let hidden = |plan: &mut Plan| {
        plan.settings.report_interval = Duration::from_secs(1);
        plan.misreport = Some(|report| {
            if report.phase == Phase::Stopping {
                report.phase = Phase::Running;
            }
        });
    };
    check(stop, hidden, "nothing says that the process stops");
    check_lie("", |report| report.phase = Phase::Stopping, "stopping, and nobody told it to");
}

#[test]
fn resources_that_are_not_what_they_are_said_to_be_are_seen() {
    let unknown = "at 30m for 20m resources-unknown";
    check_lie(unknown, |report| report.resources.status = Status::Healthy, "the resources are healthy");
    let seldom = |plan: &mut Plan| plan.settings.resource_check_interval = Duration::from_mins(10);
    check("at 30m for 11m resources-unknown", seldom, "the resources are unknown");
}

#[test]
fn stale_data_and_lists_that_are_called_fresh_are_seen() {
    let fresh = |report: &mut Report| report.data.hot.stale = 0;
    check_lie(API_DOWN, fresh, "Hot tokens are stale, shown are 0");
    let fresh = |report: &mut Report| report.data.hot.status = Status::Healthy;
    check_lie(API_DOWN, fresh, "no word of \"hot\"");
    let follows = |lie| {
        move |plan: &mut Plan| {
            plan.profiles = true;
            plan.settings.source_poll_interval = Duration::from_secs(10);
            plan.misreport = Some(lie);
        }
    };
    check(API_DOWN, follows(|report| report.sources.status = Status::Healthy), "no word of \"source\"");
    check("", follows(|report| report.sources.status = Status::Degraded), "and can be read");
}

#[test]
fn a_report_of_another_time_is_seen() {
    let old = |report: &mut Report| report.uptime = report.uptime.min(Duration::from_mins(1));
    check_lie("", old, "is a report of");
    let later = |report: &mut Report| report.at += Duration::from_secs(1);
    check_lie("", later, "made at");
}
