//! Reports of the situations that the service gets into, starting from facts that are as they should be.

use std::time::Duration;

use jiff::SignedDuration;
use ttm_health::testing::healthy_facts;
use ttm_health::{
    BreakerState, DataFacts, Facts, LaneFacts, PanicFacts, Phase, Reached, Report, ResourceSample, Status,
    Thresholds, Waiting, assess,
};
use ttm_kernel::Quantiles;

fn report(change: impl FnOnce(&mut Facts)) -> Report {
    let mut facts = healthy_facts();
    change(&mut facts);
    assess(&facts, &Thresholds::default())
}

fn quiet(seconds: u64) -> Report {
    report(|facts| facts.hot.since_progress = Some(Duration::from_secs(seconds)))
}

#[test]
fn a_service_without_problems_is_healthy_live_ready_and_started() {
    let report = report(|_| {});
    assert_eq!(report.status, Status::Healthy);
    assert_eq!(report.reasons(), Vec::<String>::new());
    assert!(report.live && report.ready && report.started);
}

#[test]
fn a_share_that_hovers_at_its_level_changes_the_status_once() {
    let mut reached = Reached::default();
    let mut status = |second: u64, errors: u64, disk: f64| {
        let report = report(|facts| {
            facts.uptime = Duration::from_secs(3_600 + second);
            (facts.api.calls, facts.api.errors) = (100, errors);
            facts.resources =
                facts.resources.map(|sample| ResourceSample { disk_usage_percent: Some(disk), ..sample });
            facts.reached = reached;
        });
        reached = report.reached;
        (report.apis.status, report.resources.status)
    };
    let (well, worse) = ((Status::Healthy, Status::Healthy), (Status::Degraded, Status::Degraded));
    assert_eq!(status(0, 9, 79.9), well);
    assert_eq!(status(1, 10, 80.0), worse);
    for (second, errors, disk) in [(60, 9, 79.0), (120, 11, 81.0), (130, 0, 80.0), (180, 5, 75.0)] {
        assert_eq!(status(second, errors, disk), worse, "{errors} and {disk}");
    }
    // Of the API a whole window has to be well; of the disk every measure counts by itself.
    assert_eq!(status(479, 4, 74.9), (Status::Degraded, Status::Healthy));
    assert_eq!(status(480, 4, 74.9), well);
    assert_eq!(status(481, 9, 79.9), well);
}

#[test]
fn a_quiet_group_is_first_degraded_then_critical_and_at_last_takes_the_process_down() {
    let states = [59, 60, 119, 120, 599, 600]
        .map(|seconds| (quiet(seconds).scheduler.hot.status, quiet(seconds).live));
    assert_eq!(
        states,
        [
            (Status::Healthy, true),
            (Status::Degraded, true),
            (Status::Degraded, true),
            (Status::Critical, true),
            (Status::Critical, true),
            (Status::Critical, false),
        ]
    );
    assert_eq!(quiet(125).reasons(), ["the hot group has made no progress for 2m 5s"]);
    assert_eq!(quiet(125).scheduler.findings.sentences(), quiet(125).reasons());
    assert!(quiet(600).ready, "a stall is for the one who restarts, not for the one who routes");
}

#[test]
fn a_group_whose_runs_all_fail_is_degraded_and_never_takes_the_process_down() {
    let report = report(|facts| {
        facts.hot.since_progress = Some(Duration::from_hours(1));
        facts.hot.failed = facts.hot.attempted;
    });
    assert_eq!((report.status, report.live), (Status::Degraded, true));
    assert_eq!(
        report.reasons(),
        ["the hot group has made no progress for 1h: its runs end, and refresh none of their tokens"]
    );
}

#[test]
fn tokens_that_one_run_could_not_refresh_do_not_change_health() {
    let report = report(|facts| (facts.cold.attempted, facts.cold.failed) = (15, 15));
    assert_eq!((report.status, report.reasons()), (Status::Healthy, Vec::new()));
    assert_eq!(report.scheduler.error_rate, Some(15.0 / 115.0));
}

#[test]
fn a_withheld_group_has_its_whole_time_again_once_the_api_is_back() {
    let after = |seconds| {
        let facts = |facts: &mut Facts| {
            facts.hot.since_progress = Some(Duration::from_hours(1));
            facts.hot.since_held_up = Some(Duration::from_secs(seconds));
        };
        (report(facts).scheduler.hot.status, report(facts).live)
    };
    assert_eq!(after(119), (Status::Degraded, true), "its run was held up, and the next one is under way");
    assert_eq!(after(120), (Status::Critical, true));
    assert_eq!(after(600), (Status::Critical, false));
}

#[test]
fn a_run_that_hangs_after_failed_ones_is_still_a_stall() {
    let report = report(|facts| {
        facts.hot.since_progress = Some(Duration::from_hours(1));
        facts.hot.failed = facts.hot.attempted;
        facts.hot.last_run = facts.at.checked_sub(SignedDuration::from_mins(10)).ok();
    });
    assert_eq!((report.status, report.live), (Status::Critical, false));
}

#[test]
fn a_group_that_never_started_is_late_from_the_start_of_the_process_on() {
    let after = |seconds| {
        report(|facts| {
            facts.uptime = Duration::from_secs(seconds);
            facts.hot.since_progress = None;
            facts.hot.last_run = None;
        })
    };
    assert_eq!(after(59).status, Status::Healthy, "what has just begun has the time that any group has");
    assert_eq!(after(90).reasons(), ["the hot group has made no progress since the start, for 1m 30s"]);
    assert!(!after(600).live);
}

fn waiting(needs_a_person: bool) -> Waiting {
    Waiting { what: "the store: connection refused".to_owned(), needs_a_person }
}

#[test]
fn a_start_that_needs_an_operator_is_critical_and_live() {
    let start = |needs_a_person| {
        report(|facts| (facts.phase, facts.waiting_for) = (Phase::Starting, Some(waiting(needs_a_person))))
    };
    assert_ne!(start(false).status, Status::Critical, "a server that is away comes back by itself");
    let start = start(true);
    assert_eq!((start.status, start.live, start.ready), (Status::Critical, true, false));
    assert_eq!(
        start.reasons()[0],
        "the start waits until an operator has repaired the store: connection refused"
    );
}

#[test]
fn starting_and_stopping_are_not_ready_and_nothing_is_late() {
    let starting = report(|facts| {
        facts.phase = Phase::Starting;
        facts.waiting_for = Some(waiting(false));
        facts.uptime = Duration::from_hours(1);
        facts.hot.since_progress = None;
        facts.data.hot = LaneFacts::default();
    });
    assert!(starting.live && !starting.ready && !starting.started);
    assert_eq!(
        starting.reasons(),
        [
            "the start waits for the store: connection refused",
            "the hot group has not made progress yet",
            "the hot tokens are not loaded yet",
        ]
    );
    let stopping = report(|facts| {
        facts.phase = Phase::Stopping;
        facts.cold.since_progress = Some(Duration::from_hours(1));
    });
    assert!(stopping.live && !stopping.ready && stopping.started);
}

#[test]
fn an_api_that_is_down_is_a_warning() {
    let report = report(|facts| {
        facts.api.breaker = Some(BreakerState::Open);
        facts.api.errors = 125;
        facts.api.last_error = Some("403, an HTML page: the API refuses this client".to_owned());
        facts.api.p95_response_time = Some(Duration::from_millis(5250));
    });
    assert_eq!((report.status, report.apis.status), (Status::Degraded, Status::Degraded));
    assert!(report.ready);
    assert_eq!(
        report.reasons(),
        [
            "DexScreener: the circuit breaker is open (403, an HTML page: the API refuses this client)",
            "DexScreener: 125 of 500 calls failed (25.0 %); the limit of 20 % was reached, clears once below 15 % for 5m (403, an HTML page: the API refuses this client)",
            "DexScreener: 95 % of calls took up to 5s 250ms; the limit of 5s was reached, clears once below 4s for 5m",
        ]
    );
}

#[test]
fn an_api_whose_calls_all_fail_is_degraded_however_few_there_are() {
    let after = |seconds| {
        report(|facts| {
            facts.api.errors = 3;
            facts.api.last_error = Some("429: the API limits this client's rate".to_owned());
            facts.api.failing_for = Some(Duration::from_secs(seconds));
        })
    };
    assert_eq!(after(29).status, Status::Healthy, "one call that failed, or two");
    assert_eq!((after(400_000).status, after(400_000).ready), (Status::Degraded, true));
    let told = "DexScreener: nothing but errors for 30s (429: the API limits this client's rate)";
    assert_eq!(after(30).reasons(), [told]);
}

#[test]
fn tokens_of_which_the_api_knows_none_are_reported() {
    let report = report(|facts| {
        facts.data = DataFacts { unlisted: 31, archived: 2, ..DataFacts::default() };
    });
    assert_eq!((report.status, report.data.status), (Status::Degraded, Status::Degraded));
    assert_eq!(report.reasons(), ["the API knows none of the 31 tokens"]);
}

#[test]
fn an_api_without_calls_is_unknown_unless_the_breaker_is_open() {
    let report = |breaker| {
        report(|facts| {
            facts.api.calls = 0;
            facts.api.p95_response_time = None;
            facts.api.breaker = breaker;
        })
    };
    assert_eq!(report(None).apis.status, Status::Unknown);
    assert_eq!(report(None).status, Status::Degraded, "an optional part that is unknown");
    assert_eq!(report(Some(BreakerState::Open)).apis.status, Status::Degraded);
}

#[test]
fn the_first_seconds_of_a_service_do_not_flap() {
    let report = report(|facts| {
        // The start took long.
        (facts.uptime, facts.measured_for) = (Duration::from_mins(2), Duration::from_secs(3));
        facts.resources.iter_mut().for_each(|sample| sample.cpu_percent = None);
        (facts.api.calls, facts.api.errors) = (3, 1);
        facts.cold.since_progress = None;
        facts.cold.last_run = None;
        facts.data.cold.never_observed = 400;
    });
    assert_eq!((report.status, report.reasons()), (Status::Healthy, vec![]));
}

#[test]
fn a_service_without_tokens_says_so() {
    let report = report(|facts| facts.data = DataFacts::default());
    assert_eq!(report.status, Status::Degraded);
    assert_eq!(report.reasons(), ["there are no tokens to score; `ttm tokens import` brings some"]);
}

#[test]
fn tokens_that_were_never_observed_are_not_stale_and_degraded_once_they_are_overdue() {
    let report = |overdue| {
        report(|facts| {
            facts.data.cold.never_observed = 4;
            facts.data.cold.overdue = overdue;
        })
    };
    assert_eq!(report(0).status, Status::Healthy);
    assert_eq!(
        report(4).reasons(),
        ["4 of 500 cold tokens were never observed, and should have been by now"]
    );
}

#[test]
fn resources_are_judged_against_their_limits() {
    let with = |change: fn(&mut ResourceSample)| report(|facts| facts.resources.iter_mut().for_each(change));
    let memory =
        with(|sample| sample.memory_bytes = sample.memory_limit_bytes.map(|limit| limit * 9 / 10 + 1));
    assert_eq!(memory.status, Status::Critical);
    assert_eq!(memory.reasons(), ["memory in use: 90.0 % of its limit; limit 90 %, clears below 85 %"]);
    assert_eq!(with(|sample| sample.cpu_percent = Some(100.0)).status, Status::Healthy, "for a moment");
    assert_eq!(with(|sample| sample.disk_usage_percent = Some(95.0)).status, Status::Critical);
    assert_eq!(with(|sample| sample.open_file_descriptors = Some(800)).status, Status::Degraded);
    let unlimited = with(|sample| sample.memory_limit_bytes = Some(0));
    assert_eq!(unlimited.resources.memory_usage_percent, None);
    assert_eq!(unlimited.reasons(), ["memory in use: not measured"]);
    assert_eq!(unlimited.status, Status::Degraded);
}

#[test]
fn resources_are_unknown_only_if_every_figure_is_missing() {
    let one = report(|facts| facts.resources.iter_mut().for_each(|sample| sample.cpu_percent = None));
    assert_eq!(one.resources.status, Status::Degraded);
    let all = report(|facts| facts.resources = None);
    assert_eq!((all.resources.status, all.status), (Status::Unknown, Status::Degraded));
}

#[test]
fn stale_tokens_are_a_warning_with_their_number_and_the_age_of_the_oldest() {
    let report = report(|facts| {
        facts.data.cold.stale = 3;
        facts.data.cold.ages = Some(Quantiles { max: Duration::from_secs(7230), ..Quantiles::default() });
    });
    assert_eq!((report.status, report.data.hot.status), (Status::Degraded, Status::Healthy));
    assert_eq!(report.reasons(), ["3 of 500 cold tokens are older than they may be, the oldest 2h 30s"]);
}

#[test]
fn reasons_of_all_parts_come_worst_first() {
    let report = report(|facts| {
        facts.cold.since_progress = Some(Duration::from_secs(140));
        facts.data.hot.stale = 1;
        facts.resources.iter_mut().for_each(|sample| sample.disk_usage_percent = Some(91.0));
    });
    let first: Vec<&str> =
        report.reasons().iter().map(|reason| reason.split(' ').next().unwrap_or("")).collect();
    assert_eq!(first, ["disk", "the", "1"]);
}

#[test]
fn a_list_of_tokens_that_cannot_be_read_is_a_warning_with_its_first_line() {
    let report =
        report(|facts| facts.sources[0].problem = Some("mints.txt:3: bad\nmints.txt: 1 bad line".to_owned()));
    assert_eq!((report.status, report.sources.status), (Status::Degraded, Status::Degraded));
    assert_eq!(
        report.reasons(),
        ["the tokens of source file are those of its last good list: mints.txt:3: bad"]
    );
    assert!(report.ready);
}

#[test]
fn requests_that_panic_make_their_group_degraded_and_say_what_they_said() {
    let message = "index out of bounds".to_owned();
    let (lasts, since_last) = (Duration::from_mins(4), Duration::from_mins(1));
    let panics = PanicFacts { requests: 17, lasts, since_last, message };
    let report = report(|facts| facts.cold.panics = Some(panics));
    assert_eq!((report.status, report.scheduler.cold.status), (Status::Degraded, Status::Degraded));
    assert_eq!(report.scheduler.hot.status, Status::Healthy);
    let sentence = "requests of the cold group panicked: 17 within 3m, the last 1m ago: index out of bounds; this is a defect, please report it";
    assert_eq!(report.reasons(), [sentence]);
}
