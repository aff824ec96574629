//! What is said of a group that the API holds up.

use std::time::Duration;

use ttm_health::testing::healthy_facts;
use ttm_health::{BreakerState, Facts, LanePlan, PlanFacts, Report, Status, Thresholds, assess};

fn report(change: impl FnOnce(&mut Facts)) -> Report {
    let mut facts = healthy_facts();
    change(&mut facts);
    assess(&facts, &Thresholds::default())
}

fn plan(paused_for: Option<Duration>) -> PlanFacts {
    let lane = LanePlan {
        requests_per_minute: 147.0,
        cycle: Duration::from_secs(10),
        deferred: 0,
        comes_within: Some(Duration::ZERO),
    };
    PlanFacts {
        requests_per_minute: 294.0,
        paused_for,
        hot: lane,
        cold: lane,
        resting: 0,
        lists_waiting: 0,
        in_flight: 0,
        max_in_flight: 8,
        tokens_per_batch: None,
        attempt_timeout: Duration::from_secs(5),
    }
}

#[test]
fn a_pause_that_the_api_asked_for_is_reported_with_its_length_and_is_not_an_outage() {
    let held_up = |pause: Option<u64>| {
        report(|facts| {
            (facts.hot.withheld_for, facts.hot.since_tick) =
                (Some(Duration::from_secs(3)), Some(Duration::from_secs(1)));
            facts.plan = Some(plan(pause.map(Duration::from_secs)));
        })
    };
    assert_eq!(
        held_up(Some(57)).scheduler.findings.sentences(),
        ["the hot group has been blocked for 3s: the API is rate limiting for another 57s"]
    );
    assert_eq!(held_up(Some(57)).scheduler.status, Status::Degraded);
    assert_eq!(
        held_up(None).scheduler.findings.sentences(),
        ["the hot group has been blocked for 3s: the API is unavailable"]
    );
}

#[test]
fn groups_without_a_lease_are_blocked_and_not_stuck() {
    let lapsed = |seconds| {
        report(|facts| {
            facts.lease_lapsed_for = Some(Duration::from_secs(seconds));
            facts.hot.since_progress = Some(Duration::from_secs(seconds));
        })
    };
    let blocked = lapsed(3_000);
    assert_eq!(
        blocked.scheduler.findings.sentences(),
        ["hot", "cold"].map(|name| format!(
            "the {name} group has been blocked for 50m: this process could not renew its lease on the store"
        ))
    );
    assert_eq!((blocked.scheduler.status, blocked.live), (Status::Degraded, true));
    assert!(lapsed(2).scheduler.findings.sentences().is_empty(), "after a pause it is renewed at once");
    let over = report(|facts| {
        facts.hot.since_progress = Some(Duration::from_mins(50));
        facts.hot.since_held_up = Some(Duration::from_secs(2));
    });
    assert_eq!((over.scheduler.status, over.live), (Status::Degraded, true), "it has its time from then on");
}

#[test]
fn a_breaker_that_an_operator_holds_open_is_degraded_for_as_long_as_it_lasts_and_says_how_to_end_it() {
    let report = report(|facts| {
        facts.api.breaker = Some(BreakerState::ForcedOpen);
        // An hour of it: no calls, what went wrong before is still known, and nothing was scored.
        (facts.api.calls, facts.api.errors) = (0, 0);
        facts.api.last_error = Some("403, an HTML page".to_owned());
        facts.api.failing_for = Some(Duration::from_hours(1));
        for group in [&mut facts.hot, &mut facts.cold] {
            (group.withheld_for, group.since_progress) =
                (Some(Duration::from_hours(1)), Some(Duration::from_hours(1)));
            group.since_tick = Some(Duration::from_secs(1));
        }
    });
    assert_eq!((report.status, report.live, report.ready), (Status::Degraded, true, true));
    assert_eq!(report.apis.status, Status::Degraded);
    assert_eq!(
        report.reasons(),
        [
            "the hot group has been blocked for 1h: an operator holds the circuit breaker open; `ttm breaker dexscreener reset` ends that",
            "the cold group has been blocked for 1h: an operator holds the circuit breaker open; `ttm breaker dexscreener reset` ends that",
            "DexScreener: the circuit breaker is held open by an operator; `ttm breaker dexscreener reset` ends that",
        ]
    );
}

#[test]
fn a_withheld_group_is_degraded_with_that_reason_unless_the_scheduler_hangs_too() {
    let held_up = |outage, tick| {
        report(|facts| {
            facts.api.breaker = Some(BreakerState::Open);
            facts.hot.since_progress = Some(Duration::from_secs(outage));
            facts.hot.withheld_for = Some(Duration::from_secs(outage));
            facts.hot.since_tick = Some(Duration::from_secs(tick));
            (facts.hot.attempted, facts.hot.failed) = (0, 0);
        })
    };
    let first_seconds = held_up(3, 3);
    assert_eq!((first_seconds.scheduler.status, first_seconds.live), (Status::Degraded, true));
    assert_eq!(
        first_seconds.scheduler.findings.sentences(),
        ["the hot group has been blocked for 3s: the API is unavailable"]
    );
    assert_eq!((held_up(86_400, 9).scheduler.status, held_up(86_400, 9).live), (Status::Degraded, true));
    let states =
        [59, 119, 120, 600].map(|tick| (held_up(86_400, tick).scheduler.status, held_up(86_400, tick).live));
    assert_eq!(
        states,
        [
            (Status::Degraded, true),
            (Status::Degraded, true),
            (Status::Critical, true),
            (Status::Critical, false),
        ],
        "a scheduler that hangs during an outage is seen as soon as any other"
    );
}
