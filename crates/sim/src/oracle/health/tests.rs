//! What the oracle holds against a report, rule by rule.

use jiff::Timestamp;
use ttm_health::testing::healthy_facts;
use ttm_health::{BreakerState, Facts, SilenceFacts, StoreUseFacts, Thresholds, assess};
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

/// A world in which everything has been well for a day.
fn well() -> Truth {
    let day = seconds(86_400);
    let asked = |name| UseTruth {
        name,
        failing_for: None,
        error: None,
        told_for: day,
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
        runs_for: day,
        api_down_for: None,
        api_fails_for: None,
        api_silent_for: None,
        api_unreadable_for: None,
        pools: HeardTruth { error: None, answer: Some(seconds(2)), answering_for: Some(day) },
        profiles: None,
        resources: (true, day),
        uses: vec![asked(WRITES), asked("samples")],
        tokens: (
            vec![token(Mint::WSOL, TokenStatus::Active), token(Mint::USDC, TokenStatus::Monitored)],
            0.1,
        ),
        is_calm: false,
    }
}

/// What the oracle holds against the report on `facts`, changed by `lie`, in this world.
fn lies(truth: &Truth, facts: impl FnOnce(&mut Facts), lie: impl FnOnce(&mut Report)) -> Vec<String> {
    let mut all = healthy_facts();
    facts(&mut all);
    let mut report = assess(&all, &Thresholds::default());
    lie(&mut report);
    judge(truth, &report)
}

#[track_caller]
fn check(truth: &Truth, facts: impl FnOnce(&mut Facts), lie: impl FnOnce(&mut Report), promise: &str) {
    let found = lies(truth, facts, lie);
    assert!(found.iter().any(|found| found.contains(promise)), "{promise:?} was not found in {found:#?}");
}

fn nothing<T>(_: &mut T) {}

/// The API has answered 503 for so long.
fn api_down(down: u64) -> Truth {
    Truth {
        api_down_for: Some(seconds(down)),
        api_fails_for: Some(seconds(down)),
        pools: HeardTruth {
            error: Some((seconds(1), Some("503".to_owned()))),
            answer: Some(seconds(down + 1)),
            answering_for: None,
        },
        ..well()
    }
}

/// The first use of the store has failed for so long.
fn store_gone(gone: u64) -> Truth {
    let mut truth = well();
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

/// What the service makes of an API that is down.
fn withheld(facts: &mut Facts) {
    facts.api.breaker = Some(BreakerState::Open);
    facts.api.last_error = Some("503".to_owned());
    for group in [&mut facts.hot, &mut facts.cold] {
        (group.withheld_for, group.since_tick) = (Some(seconds(300)), Some(seconds(5)));
    }
}

#[test]
fn a_report_that_says_what_is_true_has_no_lie() {
    let none = Vec::<String>::new();
    assert_eq!(lies(&Truth { is_calm: true, ..well() }, nothing, nothing), none);
    assert_eq!(lies(&api_down(300), withheld, nothing), none);
    assert_eq!(lies(&store_gone(60), gone, nothing), none);
}

#[test]
fn a_healthy_whole_over_a_part_that_is_not_is_a_lie() {
    check(&api_down(300), withheld, |report| report.status = Status::Healthy, "the worst of its parts");
    check(&api_down(60), nothing, nothing, "healthy, and the API has been down");
    assert!(lies(&api_down(59), |facts| facts.api.last_error = Some("503".to_owned()), nothing).is_empty());
}

#[test]
fn what_healed_long_ago_must_be_healthy() {
    let calm = Truth { is_calm: true, ..well() };
    check(&calm, |facts| facts.data.hot.stale = 1, nothing, "healed long ago");
}

#[test]
fn a_part_of_the_api_that_fails_in_silence_is_a_lie() {
    check(
        &api_down(300),
        withheld,
        |report| report.apis.status = Status::Healthy,
        "no word of \"DexScreener\"",
    );
    check(
        &api_down(300),
        withheld,
        |report| report.apis.last_error = None,
        "the API said Some(\"503\") last",
    );
    let other = |report: &mut Report| report.apis.last_error = Some("403".to_owned());
    check(&api_down(300), withheld, other, "the API said Some(\"503\") last");
    check(&well(), nothing, other, "the API answers");
    check(&well(), nothing, |report| report.apis.status = Status::Critical, "the API is critical");
}

#[test]
fn a_group_that_the_api_holds_up_is_degraded_with_its_reason_and_no_more() {
    let status = |status| move |report: &mut Report| report.scheduler.hot.status = status;
    check(&api_down(60), withheld, status(Status::Healthy), "no word of \"the hot group\"");
    check(&api_down(60), withheld, status(Status::Critical), "the hot group is critical");
    check(&api_down(300), withheld, status(Status::Unknown), "only the API is away");
    let silent = |report: &mut Report| report.reasons.retain(|reason| !reason.contains("the cold group"));
    check(&api_down(300), withheld, silent, "no word of \"the cold group\"");
    check(&well(), nothing, status(Status::Degraded), "the scheduler is healthy");
}

#[test]
fn a_plane_that_is_held_is_seen_in_time_and_takes_the_process_down_at_last() {
    let held = |seconds_| Truth {
        work_held_for: Some(seconds(seconds_)),
        work_runs_for: Duration::ZERO,
        runs_for: Duration::ZERO,
        ..well()
    };
    let quiet = |quiet| move |facts: &mut Facts| facts.hot.since_progress = Some(seconds(quiet));
    assert!(lies(&held(59), nothing, nothing).is_empty());
    check(&held(60), nothing, nothing, "no word of \"the hot group\"");
    check(&held(120), quiet(60), nothing, "the hot group is degraded, and its plane has been held");
    check(&held(600), quiet(599), nothing, "live, and the work has been held");
    check(&well(), quiet(120), nothing, "the hot group is critical, and its plane has run");
    check(&well(), nothing, |report| report.live = false, "not live");
}

#[test]
fn each_use_of_the_store_is_as_it_was_told() {
    check(&store_gone(60), nothing, nothing, "token writes was told Some");
    check(
        &store_gone(60),
        gone,
        |report| report.store.uses[0].status = Status::Healthy,
        "no word of \"token writes\"",
    );
    check(&store_gone(60), gone, |report| drop(report.store.uses.remove(0)), "nothing of token writes");
    let mut damaged = store_gone(60);
    damaged.uses[0].damage = Some("malformed".to_owned());
    let shows = |error: &'static str| {
        move |report: &mut Report| report.store.uses[0].last_error = Some(error.to_owned())
    };
    assert!(lies(&damaged, gone, shows("samples: malformed")).is_empty(), "the damage is shown instead");
    check(&damaged, gone, shows("something else"), "token writes was told Some");
    check(&store_gone(60), gone, shows("samples: malformed"), "token writes was told Some");
    check(&well(), gone, nothing, "token writes is answered");
    check(&well(), nothing, |report| report.store.uses[1].status = Status::Degraded, "samples is degraded");
    check(&store_gone(60), gone, |report| report.store.status = Status::Healthy, "the store is healthy");
    let mut truth = well();
    truth.uses[0].gave_up = true;
    check(&truth, nothing, nothing, "token writes is healthy; gave up: true");
    check(&truth, nothing, nothing, "health: ready");
    check(&store_gone(60), gone, |report| report.ready = false, "not ready, and nothing is being lost");
}

#[test]
fn a_start_and_a_stop_are_said() {
    let is = |phase| move |facts: &mut Facts| facts.phase = phase;
    check(&well(), is(Phase::Stopping), nothing, "nobody told it to");
    check(
        &Truth { stopping_for: Some(seconds(1)), ..well() },
        nothing,
        nothing,
        "nothing says that the process stops",
    );
    check(&well(), is(Phase::Starting), nothing, "still starting");
    check(&well(), nothing, |report| report.started = false, "started is false");
    let young = Truth { could_start_for: seconds(5), ..well() };
    check(&young, is(Phase::Starting), |report| report.status = Status::Healthy, "before the start is over");
    check(&young, is(Phase::Starting), |report| report.ready = true, "health: ready");
    let mut waits = store_gone(60);
    waits.could_start_for = Duration::ZERO;
    let nothing_asked = |facts: &mut Facts| (facts.phase, facts.store.uses) = (Phase::Starting, Vec::new());
    check(&waits, nothing_asked, nothing, "no word of \"connection refused");
}

#[test]
fn resources_data_and_sources_are_as_they_are() {
    let unknown = Truth { resources: (false, seconds(65)), ..well() };
    check(&unknown, nothing, nothing, "the resources are healthy");
    check(&well(), |facts| facts.resources = None, nothing, "the resources are unknown");
    let failed =
        HeardTruth { error: Some((seconds(30), None)), answer: Some(seconds(60)), answering_for: None };
    check(&Truth { profiles: Some(failed), ..well() }, nothing, nothing, "no word of \"source\"");
    let answered = HeardTruth { error: None, answer: Some(seconds(30)), answering_for: None };
    let down = |facts: &mut Facts| facts.sources[0].problem = Some("gone".to_owned());
    check(&Truth { profiles: Some(answered), ..well() }, down, nothing, "and can be read");
    let wall = Some(Timestamp::UNIX_EPOCH + seconds(1));
    check(&Truth { wall, ..well() }, nothing, nothing, "made at");
    let mut old = Truth { wall: Some(Timestamp::UNIX_EPOCH + seconds(180)), ..well() };
    let (components, value) =
        (Components { tx_accel: 0.0, vol_momentum: 0.0, freshness: 0.0, orderflow: 0.0 }, 0.0);
    let (raw, smoothed) = (Score { components, value }, Smoothed { components, value });
    let at = Timestamp::UNIX_EPOCH;
    let score = Some(ScoreState { raw, smoothed, basis: Basis::Primary, pools: 1, at });
    old.tokens.0 =
        old.tokens.0.iter().map(|token| Arc::new(Token { score, ..Token::clone(token) })).collect();
    check(&old, nothing, nothing, "1 Hot tokens are stale, shown are 0");
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
    assert_eq!(observe(90, Status::Healthy, 1), Ok(()), "those were more than an hour ago");
}

#[test]
fn an_api_that_answers_and_brings_nothing_to_score_is_told_with_the_reason() {
    let long = Some(seconds(120));
    for (truth, words) in [
        (Truth { api_silent_for: long, ..well() }, "listed none of"),
        (Truth { api_unreadable_for: long, ..well() }, "cannot be read, e.g. "),
    ] {
        check(&truth, nothing, nothing, &format!("no word of {words:?}"));
    }
    let silence = Some(SilenceFacts { tokens: 31, lasts: seconds(90) });
    let silent = Truth { api_silent_for: long, ..well() };
    let on_its_page = "no word of \"listed none of\" on the API's own page";
    check(&silent, |facts| facts.api.silence = silence, |report| report.apis.alerts.clear(), on_its_page);
    let is_told = lies(&silent, |facts| facts.api.silence = silence, nothing);
    assert!(!is_told.iter().any(|lie| lie.contains("listed none")), "{is_told:?}");
}
