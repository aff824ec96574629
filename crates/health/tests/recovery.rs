//! Health follows self-healing, and what operators overrule.

use std::time::Duration;

use ttm_health::testing::healthy_facts;
use ttm_health::{
    BreakerState, Commands, Facts, OverruledBreaker, PartFacts, RecoveryFacts, Report, Status, Thresholds,
    assess,
};

fn part(name: &str, critical: bool) -> PartFacts {
    PartFacts { name: name.to_owned(), critical, problem: "it ended by itself: it panicked: boom".to_owned() }
}

fn report(recovery: RecoveryFacts) -> Report {
    assess(&Facts { recovery, ..healthy_facts() }, &Thresholds::default())
}

#[test]
fn a_part_that_is_being_restarted_makes_the_whole_degraded_and_nothing_worse() {
    let report =
        report(RecoveryFacts { restarting: vec![part("hot-group", true)], ..RecoveryFacts::default() });
    assert_eq!((report.status, report.live, report.ready), (Status::Degraded, true, true));
    assert_eq!(report.recovery.status, Status::Degraded);
    assert_eq!(
        report.reasons(),
        ["the part hot-group does not get on: it ended by itself: it panicked: boom"]
    );
    assert_eq!(report.recovery.findings.sentences(), report.reasons());
}

#[test]
fn a_critical_part_that_is_given_up_is_critical_and_not_ready_and_stays_live() {
    let escalated = vec![part("work", true)];
    let mut facts =
        Facts { recovery: RecoveryFacts { escalated, ..RecoveryFacts::default() }, ..healthy_facts() };
    for group in [&mut facts.hot, &mut facts.cold] {
        group.since_progress = Some(Duration::from_hours(9));
    }
    let report = assess(&facts, &Thresholds::default());
    assert_eq!((report.status, report.live, report.ready), (Status::Critical, true, false));
    let first = "the part work is given up for now, since no restart that may be tried helps: it ended by itself: it panicked: boom; once \
                 it is mended, `ttm restart work`";
    assert_eq!(report.reasons().first(), Some(&first));
    facts.recovery = RecoveryFacts::default();
    assert!(
        !assess(&facts, &Thresholds::default()).live,
        "nothing is done about a group that is stalled for hours"
    );
}

#[test]
fn a_part_that_the_service_can_do_without_calls_a_person_and_keeps_it_ready() {
    let report =
        report(RecoveryFacts { escalated: vec![part("sources", false)], ..RecoveryFacts::default() });
    assert_eq!((report.status, report.live, report.ready), (Status::Critical, true, true));
    let told = "the part sources is given up for now, since no restart that may be tried helps: it ended by itself: it panicked: boom; \
                once it is mended, `ttm restart sources`";
    assert_eq!(report.reasons(), [told], "a name may be a plural");
}

#[test]
fn a_process_that_was_ended_too_often_calls_a_person_and_is_not_ready() {
    let needs_a_person = Some("it leaks".to_owned());
    let report = report(RecoveryFacts { needs_a_person, ..RecoveryFacts::default() });
    assert_eq!((report.status, report.live, report.ready), (Status::Critical, true, false));
    assert!(report.reasons()[0].contains("it leaks"), "{:?}", report.reasons());
}

#[test]
fn a_process_that_ends_again_and_again_calls_a_person_and_is_ready() {
    let report = report(RecoveryFacts { process_ended: Some(3), ..RecoveryFacts::default() });
    assert_eq!((report.status, report.live, report.ready), (Status::Degraded, true, true));
    assert!(report.reasons()[0].contains("ended 3 times within an hour"), "{:?}", report.reasons());
}

#[test]
fn budgets_that_count_as_spent_are_told_while_they_do() {
    let set_aside = Some("the ledger of recoveries cannot be used".to_owned());
    let report = report(RecoveryFacts { set_aside, ..RecoveryFacts::default() });
    assert_eq!((report.status, report.live, report.ready), (Status::Degraded, true, true));
    assert_eq!(report.reasons(), ["the ledger of recoveries cannot be used"]);
}

#[test]
fn a_breaker_that_an_operator_overrules_is_told_with_what_ends_it() {
    let mut facts = healthy_facts();
    let breaker = |name: &str, is_open| OverruledBreaker { name: name.to_owned(), is_open };
    facts.api.overruled = vec![breaker("profiles", true), breaker("dexscreener", false)];
    let report = assess(&facts, &Thresholds::default());
    assert_eq!((report.status, report.apis.status), (Status::Degraded, Status::Degraded));
    let told = [
        "profiles: an operator holds the circuit breaker open; `ttm breaker profiles reset` ends that",
        "dexscreener: an operator has disabled the circuit breaker; `ttm breaker dexscreener reset` ends that",
    ];
    assert_eq!(report.reasons(), told);
}

#[test]
fn a_command_names_the_config_that_the_service_was_started_with() {
    let mut facts = healthy_facts();
    facts.commands = Commands::with_config("/etc/ttm/ttm.toml");
    facts.recovery.escalated = vec![part("sources", false)];
    facts.api.breaker = Some(BreakerState::ForcedOpen);
    facts.api.overruled = vec![OverruledBreaker { name: "profiles".to_owned(), is_open: false }];
    (facts.hot.withheld_for, facts.hot.since_tick) =
        (Some(Duration::from_mins(1)), Some(Duration::from_secs(1)));
    (facts.data.hot.tokens, facts.data.cold.tokens, facts.data.unlisted, facts.data.archived) = (0, 0, 0, 0);
    let report = assess(&facts, &Thresholds::default());
    let commands: Vec<&str> = report.reasons().iter().filter_map(|reason| reason.split('`').nth(1)).collect();
    let expected = [
        "ttm restart sources --config /etc/ttm/ttm.toml",
        "ttm breaker dexscreener reset --config /etc/ttm/ttm.toml",
        "ttm breaker dexscreener reset --config /etc/ttm/ttm.toml",
        "ttm breaker profiles reset --config /etc/ttm/ttm.toml",
        "ttm tokens import --config /etc/ttm/ttm.toml",
    ];
    assert_eq!(commands, expected, "{:#?}", report.reasons());
}
