//! What the oracle detects in a report, rule by rule.

use jiff::Timestamp;
use ttm_health::testing::healthy_facts;
use ttm_health::{BreakerState, Facts, PanicFacts, SilenceFacts, StoreUseFacts, Thresholds, assess};
use ttm_kernel::Moment;
use ttm_market::{Basis, Components, Mint, Score, ScoreState, Smoothed, TokenStatus};

use super::*;

const WRITES: &str = "token writes";
const GONE: &str = "connection refused";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn token(mint: Mint, status: TokenStatus) -> Arc<Token> {
    Arc::new(Token { status, ..Token::new(mint, Timestamp::UNIX_EPOCH) })
}

/// A world without any fault for a day.
fn healthy() -> Truth {
    let day = seconds(86_400);
    let answered = |name| UseTruth {
        name,
        failing_for: None,
        error: None,
        unchanged_for: day,
        damage: None,
        gave_up: false,
        is_losing: Some(false),
    };
    Truth {
        wall: None,
        stopping_for: None,
        could_start_for: day,
        work_held_for: None,
        work_runs_for: day,
        is_well: true,
        hot_ill_for: None,
        panicked: 0,
        last_panic: None,
        lease_lapsed_for: None,
        runs_for: day,
        api_down_for: None,
        api_fails_for: None,
        api_silent_for: None,
        api_unreadable_for: None,
        pools: ResponseTruth { error: None, answer: Some(seconds(2)), answering_for: Some(day) },
        profiles: None,
        resources: (true, day),
        uses: vec![answered(WRITES), answered("samples")],
        tokens: (
            vec![token(Mint::WSOL, TokenStatus::Active), token(Mint::USDC, TokenStatus::Monitored)],
            0.1,
        ),
        ended: 0,
        is_calm: false,
    }
}

/// The violations in the report on `facts`, falsified by `misreport`, in this world.
fn violations(
    truth: &Truth,
    facts: impl FnOnce(&mut Facts),
    misreport: impl FnOnce(&mut Report),
) -> Vec<String> {
    let mut all = healthy_facts();
    facts(&mut all);
    let mut report = assess(&all, &Thresholds::default());
    misreport(&mut report);
    judge(truth, &report)
}

#[track_caller]
fn check(truth: &Truth, facts: impl FnOnce(&mut Facts), misreport: impl FnOnce(&mut Report), promise: &str) {
    let found = violations(truth, facts, misreport);
    assert!(found.iter().any(|found| found.contains(promise)), "{promise:?} was not found in {found:#?}");
}

fn nothing<T>(_: &mut T) {}

/// The API has answered 503 for this many seconds.
fn api_down(down: u64) -> Truth {
    Truth {
        api_down_for: Some(seconds(down)),
        api_fails_for: Some(seconds(down)),
        pools: ResponseTruth {
            error: Some((seconds(1), Some("503".to_owned()))),
            answer: Some(seconds(down + 1)),
            answering_for: None,
        },
        ..healthy()
    }
}

/// The first use of the store has failed for this many seconds.
fn store_gone(gone: u64) -> Truth {
    let mut truth = healthy();
    let first = &mut truth.uses[0];
    (first.failing_for, first.error) = (Some(seconds(gone)), Some(GONE.to_owned()));
    truth
}

fn gone(facts: &mut Facts) {
    facts.store.uses[0] = StoreUseFacts {
        name: WRITES.to_owned(),
        answers: Some(false),
        down_for: Some(seconds(60)),
        last_error: Some(GONE.to_owned()),
        ..StoreUseFacts::default()
    };
}

/// The facts of a service whose API is down.
fn withheld(facts: &mut Facts) {
    facts.api.breaker = Some(BreakerState::Open);
    facts.api.last_error = Some("503".to_owned());
    for group in [&mut facts.hot, &mut facts.cold] {
        (group.withheld_for, group.since_tick) = (Some(seconds(300)), Some(seconds(5)));
    }
}

#[test]
fn a_true_report_has_no_violation() {
    let none = Vec::<String>::new();
    assert_eq!(violations(&Truth { is_calm: true, ..healthy() }, nothing, nothing), none);
    assert_eq!(violations(&api_down(300), withheld, nothing), none);
    assert_eq!(violations(&store_gone(60), gone, nothing), none);
}

#[test]
fn a_healthy_status_over_an_unhealthy_part_is_detected() {
    check(&api_down(300), withheld, |report| report.status = Status::Healthy, "the worst of its parts");
    check(&api_down(60), nothing, nothing, "healthy, although the API has been down");
    assert!(
        violations(&api_down(59), |facts| facts.api.last_error = Some("503".to_owned()), nothing).is_empty()
    );
}

#[test]
fn a_service_must_be_healthy_long_after_all_faults() {
    let calm = Truth { is_calm: true, ..healthy() };
    check(&calm, |facts| facts.data.hot.stale = 1, nothing, "over long ago");
}

#[test]
fn a_process_that_ends_too_often_is_told_of_and_one_that_does_not_is_not() {
    let ends = |facts: &mut Facts| facts.recovery.process_ended = Some(3);
    let calm = |ended| Truth { ended, is_calm: true, ..healthy() };
    assert_eq!(violations(&calm(3), ends, nothing), [""; 0]);
    check(&calm(2), ends, nothing, "2 processes ended without an order");
}

#[test]
fn an_api_error_that_is_missing_or_wrong_is_detected() {
    check(
        &api_down(300),
        withheld,
        |report| report.apis.status = Status::Healthy,
        "no reason mentions \"DexScreener\"",
    );
    check(
        &api_down(300),
        withheld,
        |report| report.apis.last_error = None,
        "the API last failed with Some(\"503\")",
    );
    let other = |report: &mut Report| report.apis.last_error = Some("403".to_owned());
    check(&api_down(300), withheld, other, "the API last failed with Some(\"503\")");
    check(&healthy(), nothing, other, "the API answers");
    check(&healthy(), nothing, |report| report.apis.status = Status::Critical, "the API is critical");
}

#[test]
fn a_group_without_an_api_is_degraded_with_a_reason_and_never_critical() {
    let status = |status| move |report: &mut Report| report.scheduler.hot.status = status;
    check(&api_down(60), withheld, status(Status::Healthy), "no reason mentions \"the hot group\"");
    check(&api_down(60), withheld, status(Status::Critical), "the hot group is critical");
    check(&api_down(300), withheld, status(Status::Unknown), "only the API is down");
    let silent =
        |report: &mut Report| report.findings.0.retain(|finding| finding.subject.as_deref() != Some("cold"));
    check(&api_down(300), withheld, silent, "no reason mentions \"the cold group\"");
    check(&healthy(), nothing, status(Status::Degraded), "the scheduler is healthy");
}

#[test]
fn a_suspended_plane_is_reported_in_time_and_finally_ends_liveness() {
    let held = |seconds_| Truth {
        work_held_for: Some(seconds(seconds_)),
        work_runs_for: Duration::ZERO,
        runs_for: Duration::ZERO,
        ..healthy()
    };
    let quiet = |quiet| move |facts: &mut Facts| facts.hot.since_progress = Some(seconds(quiet));
    assert!(violations(&held(59), nothing, nothing).is_empty());
    check(&held(60), nothing, nothing, "no reason mentions \"the hot group\"");
    check(&held(120), quiet(60), nothing, "the hot group is degraded, although its plane has been suspended");
    check(&held(600), quiet(599), nothing, "live, although the work plane has been suspended");
    check(&healthy(), quiet(120), nothing, "the hot group is critical, although its plane has run");
    check(&healthy(), nothing, |report| report.live = false, "not live");
}

#[test]
fn each_use_of_the_store_is_reported_as_its_calls_went() {
    check(&store_gone(60), nothing, nothing, "token writes last failed with Some");
    check(
        &store_gone(60),
        gone,
        |report| report.store.uses[0].status = Status::Healthy,
        "no reason mentions \"token writes\"",
    );
    check(&store_gone(60), gone, |report| drop(report.store.uses.remove(0)), "token writes is missing");
    let mut damaged = store_gone(60);
    damaged.uses[0].damage = Some("malformed".to_owned());
    let reports = |error: &'static str| {
        move |report: &mut Report| report.store.uses[0].last_error = Some(error.to_owned())
    };
    assert!(
        violations(&damaged, gone, reports("samples: malformed")).is_empty(),
        "the damage is reported instead"
    );
    check(&damaged, gone, reports("something else"), "token writes last failed with Some");
    check(&store_gone(60), gone, reports("samples: malformed"), "token writes last failed with Some");
    check(&healthy(), gone, nothing, "token writes is answered");
    check(
        &healthy(),
        nothing,
        |report| report.store.uses[1].status = Status::Degraded,
        "samples is degraded",
    );
    check(&store_gone(60), gone, |report| report.store.status = Status::Healthy, "the store is healthy");
    let mut truth = healthy();
    truth.uses[0].gave_up = true;
    check(&truth, nothing, nothing, "token writes is healthy; gave up: true");
    check(&truth, nothing, nothing, "health: ready");
    check(&store_gone(60), gone, |report| report.ready = false, "not ready, although nothing is being lost");
}

#[test]
fn a_start_and_a_stop_are_reported() {
    let is = |phase| move |facts: &mut Facts| facts.phase = phase;
    check(&healthy(), is(Phase::Stopping), nothing, "without an order");
    check(
        &Truth { stopping_for: Some(seconds(1)), ..healthy() },
        nothing,
        nothing,
        "not reported as stopping",
    );
    check(&healthy(), is(Phase::Starting), nothing, "still starting");
    check(&healthy(), nothing, |report| report.started = false, "started is false");
    let young = Truth { could_start_for: seconds(5), ..healthy() };
    check(&young, is(Phase::Starting), |report| report.status = Status::Healthy, "before the start is over");
    check(&young, is(Phase::Starting), |report| report.ready = true, "health: ready");
    let mut waits = store_gone(60);
    waits.could_start_for = Duration::ZERO;
    let nothing_asked = |facts: &mut Facts| (facts.phase, facts.store.uses) = (Phase::Starting, Vec::new());
    check(&waits, nothing_asked, nothing, "no reason mentions \"connection refused");
}

#[test]
fn resources_data_and_sources_are_reported_as_they_are() {
    let unknown = Truth { resources: (false, seconds(65)), ..healthy() };
    check(&unknown, nothing, nothing, "the resources are healthy");
    check(&healthy(), |facts| facts.resources = None, nothing, "the resources are unknown");
    let failed =
        ResponseTruth { error: Some((seconds(30), None)), answer: Some(seconds(60)), answering_for: None };
    check(&Truth { profiles: Some(failed), ..healthy() }, nothing, nothing, "no reason mentions \"source\"");
    let answered = ResponseTruth { error: None, answer: Some(seconds(30)), answering_for: None };
    let down = |facts: &mut Facts| facts.sources[0].problem = Some("gone".to_owned());
    check(&Truth { profiles: Some(answered), ..healthy() }, down, nothing, "although they can be read");
    let wall = Some(Timestamp::UNIX_EPOCH + seconds(1));
    check(&Truth { wall, ..healthy() }, nothing, nothing, "stamped");
    let mut old = Truth { wall: Some(Timestamp::UNIX_EPOCH + seconds(180)), ..healthy() };
    let (components, value) =
        (Components { tx_accel: 0.0, vol_momentum: 0.0, freshness: 0.0, orderflow: 0.0 }, 0.0);
    let (raw, smoothed) = (Score { components, value }, Smoothed { components, value });
    let at = Timestamp::UNIX_EPOCH;
    let score = Some(ScoreState { raw, smoothed, basis: Basis::Primary, pools: 1, at });
    old.tokens.0 =
        old.tokens.0.iter().map(|token| Arc::new(Token { score, ..Token::clone(token) })).collect();
    check(&old, nothing, nothing, "1 Hot tokens are stale, but 0 are reported");
}

#[test]
fn more_changes_than_causes_are_flapping() {
    let mut flapping = Flapping::default();
    let mut observe = |minute: u64, status, causes: usize| {
        let report = Report { status, ..assess(&healthy_facts(), &Thresholds::default()) };
        flapping.observe(Moment::from_origin(seconds(60 * minute)), &report, |_, _| causes)
    };
    assert_eq!(observe(0, Status::Healthy, 0), Ok(()));
    assert_eq!(observe(1, Status::Degraded, 1), Ok(()));
    assert_eq!(observe(2, Status::Healthy, 1), Ok(()));
    assert_eq!(observe(3, Status::Healthy, 0), Ok(()), "no change");
    assert!(observe(4, Status::Degraded, 1).expect_err("a third one").contains("3 changes"));
    assert_eq!(observe(90, Status::Healthy, 1), Ok(()), "the others were more than an hour ago");
}

#[test]
fn requests_that_panic_are_reported_while_they_do() {
    let panics = || PanicFacts {
        requests: 3,
        lasts: seconds(60),
        since_last: seconds(10),
        message: "boom".to_owned(),
    };
    let panicked = Truth { panicked: 3, last_panic: Some(seconds(10)), ..healthy() };
    check(&panicked, nothing, nothing, "no reason mentions \"panic\"");
    assert_eq!(
        violations(&panicked, |facts| facts.cold.panics = Some(panics()), nothing),
        Vec::<String>::new()
    );
    let long_ago = Truth { last_panic: Some(seconds(700)), ..healthy() };
    check(&long_ago, |facts| facts.hot.panics = Some(panics()), nothing, "no request has panicked lately");
}

#[test]
fn groups_without_a_lease_say_so() {
    let lapsed = Truth { lease_lapsed_for: Some(seconds(10)), ..healthy() };
    check(&lapsed, nothing, nothing, "no reason mentions \"the hot group has been blocked\"");
    let blocked = |facts: &mut Facts| facts.lease_lapsed_for = Some(seconds(8));
    assert_eq!(violations(&lapsed, blocked, nothing), Vec::<String>::new());
}

#[test]
fn an_api_that_answers_without_scorable_pairs_is_reported_with_the_reason() {
    let long = Some(seconds(120));
    for (truth, words) in [
        (Truth { api_silent_for: long, ..healthy() }, "listed none of"),
        (Truth { api_unreadable_for: long, ..healthy() }, "cannot be read, e.g. "),
    ] {
        check(&truth, nothing, nothing, &format!("no reason mentions {words:?}"));
    }
    let silence = Some(SilenceFacts { tokens: 31, lasts: seconds(90) });
    let silent = Truth { api_silent_for: long, ..healthy() };
    let no_alert = "no alert of the API mentions \"listed none of\"";
    check(&silent, |facts| facts.api.silence = silence, |report| report.apis.findings.0.clear(), no_alert);
    let found = violations(&silent, |facts| facts.api.silence = silence, nothing);
    assert!(!found.iter().any(|violation| violation.contains("listed none")), "{found:?}");
}
