//! Findings as data: what each is about, with its figure, its limit and its unit. The sentences are in the other tests.

use std::time::Duration;

use ttm_health::testing::healthy_facts;
use ttm_health::{
    BreakerState, DataFacts, Facts, Finding, Kind, LaneFacts, Limit, OverruledBreaker, PanicFacts, PartFacts,
    Phase, ResourceSample, SilenceFacts, Status, StoreCall, StoreUseFacts, Thresholds, Unit, UnreadableFacts,
    Waiting, assess,
};

use Status::{Critical, Degraded, Unknown};
use Unit::{Percent, Requests, Seconds, Tokens};

type Data<'a> = (Kind, Option<&'a str>, Status, Option<(f64, Unit)>, Option<[f64; 2]>);

fn data(finding: &Finding) -> Data<'_> {
    let limit = finding.limit.map(|Limit { enter, exit }| [enter, exit]);
    (finding.kind, finding.subject.as_deref(), finding.status, finding.value.zip(finding.unit), limit)
}

/// Of facts as they should be, with this change.
#[track_caller]
fn check(change: impl FnOnce(&mut Facts), expected: &[Data<'_>]) {
    let mut facts = healthy_facts();
    change(&mut facts);
    let report = assess(&facts, &Thresholds::default());
    let found: Vec<Data<'_>> = report.findings.0.iter().map(data).collect();
    assert_eq!(found, expected, "{:#?}", report.findings);
}

fn part(name: &str) -> PartFacts {
    PartFacts { name: name.to_owned(), critical: false, problem: "boom".to_owned() }
}

#[test]
fn resources_have_their_share_and_the_limit_that_they_reached() {
    let sample = |change: fn(&mut ResourceSample)| {
        move |facts: &mut Facts| facts.resources.iter_mut().for_each(change)
    };
    check(sample(|_| {}), &[]);
    check(
        sample(|sample| sample.memory_bytes = sample.memory_limit_bytes.map(|limit| limit / 8 * 7)),
        &[(Kind::Memory, None, Degraded, Some((87.5, Percent)), Some([75.0, 70.0]))],
    );
    check(
        sample(|sample| sample.disk_usage_percent = Some(91.5)),
        &[(Kind::Disk, None, Critical, Some((91.5, Percent)), Some([90.0, 85.0]))],
    );
    check(
        sample(|sample| sample.open_file_descriptors = Some(768)),
        &[(Kind::Descriptors, None, Degraded, Some((75.0, Percent)), Some([70.0, 65.0]))],
    );
    check(sample(|sample| sample.cpu_percent = None), &[(Kind::Cpu, None, Degraded, None, None)]);
}

#[test]
fn the_api_is_called_as_its_breaker_is() {
    let api = Some("dexscreener");
    check(
        |facts| {
            facts.api.breaker = Some(BreakerState::Open);
            (facts.api.errors, facts.api.calls) = (29, 100);
            facts.api.p95_response_time = Some(Duration::from_millis(2_500));
            facts.api.failing_for = Some(Duration::from_secs(45));
        },
        &[
            (Kind::BreakerOpen, api, Degraded, None, None),
            (Kind::ApiDown, api, Degraded, Some((45.0, Seconds)), None),
            (Kind::ApiErrors, api, Degraded, Some((29.0, Percent)), Some([20.0, 15.0])),
            (Kind::ApiSlow, api, Degraded, Some((2.5, Seconds)), Some([2.0, 1.5])),
        ],
    );
    check(
        |facts| (facts.api.calls, facts.api.p95_response_time) = (0, None),
        &[(Kind::ApiUnused, api, Degraded, None, None)],
    );
    check(
        |facts| {
            facts.api.silence = Some(SilenceFacts { tokens: 31, lasts: Duration::from_mins(5) });
            facts.api.unreadable = Some(UnreadableFacts { tokens: 600, example: "priceUsd".to_owned() });
        },
        &[
            (Kind::ApiSilent, api, Degraded, Some((31.0, Tokens)), None),
            (Kind::ApiUnreadable, api, Degraded, Some((600.0, Tokens)), None),
        ],
    );
    let overruled = |name: &str, is_open| OverruledBreaker { name: name.to_owned(), is_open };
    check(
        |facts| facts.api.overruled = vec![overruled("profiles", true), overruled("dexscreener", false)],
        &[
            (Kind::BreakerOpen, Some("profiles"), Degraded, None, None),
            (Kind::BreakerDisabled, api, Degraded, None, None),
        ],
    );
}

#[test]
fn groups_are_named_with_the_time_that_they_have_lost() {
    let (hot, cold) = (Some("hot"), Some("cold"));
    check(
        |facts| {
            facts.hot.since_progress = Some(Duration::from_secs(119));
            facts.cold.since_progress = Some(Duration::from_secs(270));
        },
        &[
            (Kind::ProcessingStopped, cold, Critical, Some((270.0, Seconds)), Some([270.0; 2])),
            (Kind::ProcessingStopped, hot, Degraded, Some((119.0, Seconds)), Some([60.0; 2])),
        ],
    );
    check(
        |facts| {
            facts.hot.since_progress = Some(Duration::from_hours(1));
            facts.hot.failed = facts.hot.attempted;
            (facts.cold.withheld_for, facts.cold.since_tick) =
                (Some(Duration::from_secs(3)), Some(Duration::ZERO));
        },
        &[
            (Kind::NothingRefreshed, hot, Degraded, Some((3_600.0, Seconds)), Some([60.0; 2])),
            (Kind::GroupWithheld, cold, Degraded, Some((3.0, Seconds)), None),
        ],
    );
    let lasts = Duration::from_mins(4);
    let panics = PanicFacts { requests: 17, lasts, since_last: Duration::ZERO, message: "boom".to_owned() };
    check(
        |facts| {
            facts.lease_lapsed_for = Some(Duration::from_mins(1));
            facts.hot.panics = Some(panics);
        },
        &[
            (Kind::LeaseLapsed, hot, Degraded, Some((60.0, Seconds)), None),
            (Kind::RequestsPanicked, hot, Degraded, Some((17.0, Requests)), None),
            (Kind::LeaseLapsed, cold, Degraded, Some((60.0, Seconds)), None),
        ],
    );
}

#[test]
fn uses_of_stores_are_named_with_the_time_that_they_have_failed() {
    let of = |name: &str| StoreUseFacts {
        name: name.to_owned(),
        answers: Some(false),
        down_for: Some(Duration::from_secs(75)),
        ..StoreUseFacts::default()
    };
    check(
        |facts| {
            facts.store.uses = vec![
                StoreUseFacts { gave_up: true, ..of("token writes") },
                StoreUseFacts { losing: true, down_for: None, ..of("samples") },
                StoreUseFacts { call: Some(StoreCall::Unauthenticated), ..of("ledger") },
                StoreUseFacts { call: Some(StoreCall::Unguarded), ..of("lease") },
                of("events"),
                StoreUseFacts {
                    unreadable: Some((2, "the silence 1 has no end".to_owned())),
                    answers: Some(true),
                    down_for: None,
                    ..of("alerts")
                },
            ];
        },
        &[
            (Kind::StoreCorrupt, Some("token writes"), Critical, Some((75.0, Seconds)), None),
            (Kind::SamplesLost, Some("samples"), Critical, None, None),
            (Kind::CredentialsRefused, Some("ledger"), Critical, Some((75.0, Seconds)), None),
            (Kind::LeaseUnguarded, Some("lease"), Critical, Some((75.0, Seconds)), None),
            (Kind::StoreDown, Some("events"), Degraded, Some((75.0, Seconds)), None),
            (Kind::RowsUnreadable, Some("alerts"), Degraded, Some((2.0, Unit::Rows)), None),
        ],
    );
    check(|facts| facts.store.uses = Vec::new(), &[(Kind::StoreUnused, None, Unknown, None, None)]);
    check(
        |facts| facts.sources[0].problem = Some("it is gone".to_owned()),
        &[(Kind::SourceFailing, Some("file"), Degraded, None, None)],
    );
}

#[test]
fn parts_are_named_and_the_process_is_one_of_them() {
    check(
        |facts| {
            facts.recovery.needs_a_person = Some("it leaks".to_owned());
            facts.recovery.set_aside = Some("the ledger cannot be used".to_owned());
            facts.recovery.escalated = vec![part("work")];
            facts.recovery.restarting = vec![part("roster")];
        },
        &[
            (Kind::RestartBudgetSpent, Some("process"), Critical, None, None),
            (Kind::RestartBudgetSpent, Some("work"), Critical, None, None),
            (Kind::LedgerUnusable, None, Degraded, None, None),
            (Kind::PartRestarting, Some("roster"), Degraded, None, None),
        ],
    );
}

#[test]
fn data_is_counted_in_tokens_of_a_lane() {
    let (hot, cold) = (Some("hot"), Some("cold"));
    check(
        |facts| (facts.data.hot.stale, facts.data.cold.overdue) = (3, 4),
        &[
            (Kind::DataStale, hot, Degraded, Some((3.0, Tokens)), None),
            (Kind::NeverObserved, cold, Degraded, Some((4.0, Tokens)), None),
        ],
    );
    check(
        |facts| (facts.data.hot.tokens, facts.data.cold.tokens) = (0, 0),
        &[(Kind::AllUnlisted, None, Degraded, Some((3.0, Tokens)), None)],
    );
    check(|facts| facts.data = DataFacts::default(), &[(Kind::NoTokens, None, Degraded, None, None)]);
}

#[test]
fn a_start_says_what_it_waits_for_and_what_has_not_begun() {
    let starting = |needs_a_person| {
        move |facts: &mut Facts| {
            facts.phase = Phase::Starting;
            facts.waiting_for = Some(Waiting { what: "the store".to_owned(), needs_a_person });
            facts.hot.since_progress = None;
            facts.data.cold = LaneFacts::default();
        }
    };
    let begun = (Kind::NotBegun, Some("hot"), Unknown, None, None);
    let loaded = (Kind::NotLoaded, Some("cold"), Degraded, None, None);
    check(starting(false), &[(Kind::StartWaits, None, Unknown, None, None), begun, loaded]);
    check(starting(true), &[(Kind::StartWaits, None, Critical, None, None), begun, loaded]);
}

#[test]
fn a_report_that_nobody_makes_anew_and_a_process_that_ends_are_findings() {
    let report = assess(&healthy_facts(), &Thresholds::default());
    let outdated = report.clone().outdated(Duration::from_secs(31));
    let found: Vec<Data<'_>> = outdated.findings.0.iter().map(data).collect();
    assert_eq!(found, [(Kind::NoReport, None, Critical, Some((31.0, Seconds)), None)]);
    assert!(!outdated.is_ending());
    let ending = report.ending("the lease is lost");
    let found: Vec<Data<'_>> = ending.findings.0.iter().map(data).collect();
    assert_eq!(found, [(Kind::Ending, None, Critical, None, None)]);
    assert!(ending.is_ending());
    assert_eq!(ending.reasons(), ["stopping because the lease is lost"]);
}
