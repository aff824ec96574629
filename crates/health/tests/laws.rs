//! What holds for any facts.

use std::time::Duration;

use proptest::prelude::*;
use ttm_health::testing::{
    FakeResourceSource, Worsening, any_facts, any_worsening, conformance, healthy_facts,
};
use ttm_health::{Finding, Kind, Phase, Status, StoreCall, StoreUseFacts, Thresholds, assess};

proptest! {
    #[test]
    fn any_facts_give_a_report_and_the_same_facts_give_the_same_one(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        prop_assert_eq!(&report, &assess(&facts, &Thresholds::default()));
    }

    #[test]
    fn one_fact_that_gets_worse_never_improves_the_whole(facts in any_facts(), worsening in any_worsening()) {
        let mut worse = facts.clone();
        worsening.apply(&mut worse);
        let [before, after] = [facts, worse].map(|facts| assess(&facts, &Thresholds::default()));
        prop_assert!(after.status >= before.status, "{:?} became {:?}", before.reasons(), after.reasons());
        // What is beyond help is not helped by whoever kills what is not live.
        prop_assert!(after.live <= before.live || matches!(worsening, Worsening::Escalated));
        prop_assert!(after.ready <= before.ready);
    }

    #[test]
    fn a_part_of_healthy_facts_that_gets_worse_is_the_whole(worsening in any_worsening()) {
        let mut facts = healthy_facts();
        worsening.apply(&mut facts);
        let report = assess(&facts, &Thresholds::default());
        let parts = [
            report.scheduler.status,
            report.store.status,
            report.resources.status,
            report.apis.status,
            report.data.status,
            report.sources.status,
            report.recovery.status,
        ];
        prop_assert_eq!(Some(report.status), parts.into_iter().max());
    }

    #[test]
    fn the_whole_is_healthy_exactly_when_every_part_is_known_and_healthy(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        let parts = [
            report.scheduler.status,
            report.store.status,
            report.resources.status,
            report.apis.status,
            report.data.status,
            report.sources.status,
            report.recovery.status,
        ];
        prop_assert_eq!(report.status == Status::Healthy, parts.iter().all(|part| *part == Status::Healthy));
        prop_assert_eq!(report.status == Status::Healthy, report.reasons().is_empty());
        prop_assert_eq!(report.status == Status::Critical, parts.contains(&Status::Critical));
    }

    #[test]
    fn what_is_unknown_is_never_healthy(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        if facts.resources.is_none() {
            prop_assert_eq!(report.resources.status, Status::Unknown);
        }
        let begun = facts.measured_for < Duration::from_secs(30) && facts.phase != Phase::Starting;
        if facts.api.calls == 0 && !begun {
            prop_assert_ne!(report.apis.status, Status::Healthy);
        }
        let late = facts.uptime > Duration::from_hours(1) && facts.hot.interval < Duration::from_mins(10);
        if facts.hot.since_progress.is_none() && (facts.phase == Phase::Starting || late) {
            prop_assume!(facts.phase != Phase::Stopping);
            let held_up = facts.phase == Phase::Starting && facts.hot.withheld_for.is_some();
            prop_assert!(held_up || report.scheduler.hot.status != Status::Healthy);
        }
        let is_known = |each: &StoreUseFacts| {
            let is_called = match each.call {
                Some(StoreCall::Unauthenticated) => true,
                Some(StoreCall::Unguarded) => each.down_for.is_some_and(|down| down >= Duration::from_secs(5)),
                None => false,
            };
            is_called || each.gave_up || each.losing
        };
        let needs_a_person = facts.waiting_for.as_ref().is_some_and(|waiting| waiting.needs_a_person);
        if facts.store.uses.iter().all(|each| each.answers.is_none() && !is_known(each)) && !needs_a_person {
            prop_assert_eq!(report.store.status, Status::Unknown);
            prop_assert!(report.status >= Status::Unknown);
        }
    }

    /// A restart does not help when the API is unavailable, so no fault of the API may ask for one: not for as long as it
    /// lasts, and whatever the runs made of it.
    #[test]
    fn no_fault_of_the_api_makes_the_service_critical_or_not_live_however_long_it_lasts(
        api in any_facts().prop_map(|facts| facts.api),
        outage in (60_u64..400_000).prop_map(Duration::from_secs),
        tick in (0_u64..45).prop_map(Duration::from_secs),
        probed in proptest::bool::ANY,
    ) {
        let mut facts = healthy_facts();
        facts.api = api;
        for group in [&mut facts.hot, &mut facts.cold] {
            group.since_progress = Some(outage);
            group.withheld_for = Some(outage);
            group.since_tick = Some(tick);
            // Most runs end with nothing attempted; one with a probe ends with what failed.
            (group.attempted, group.failed) = if probed { (30, 30) } else { (0, 0) };
        }
        facts.data.hot.stale = facts.data.hot.tokens;
        facts.data.hot.expired = facts.data.hot.tokens;
        let report = assess(&facts, &Thresholds::default());
        prop_assert!(report.live && report.ready);
        prop_assert_eq!(report.status, Status::Degraded, "{:?}", report.reasons());
        prop_assert_eq!(report.scheduler.hot.status, Status::Degraded);
        prop_assert_eq!(report.scheduler.error_rate, probed.then_some(1.0), "nothing attempted is no success");
    }

    #[test]
    fn figures_of_a_report_are_numbers(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        let figures = [
            report.scheduler.tokens_processed_per_minute,
            report.scheduler.error_rate,
            report.resources.memory_usage_mb,
            report.resources.memory_usage_percent,
            report.resources.cpu_usage_percent,
            report.resources.disk_usage_percent,
            report.apis.error_rate,
            report.apis.cache_hit_rate,
            report.apis.requests_per_minute,
        ];
        for figure in figures.into_iter().flatten() {
            prop_assert!(figure.is_finite() && figure >= 0.0, "{figure}");
        }
        for finding in report.findings.0 {
            prop_assert!(finding.value.is_none_or(|value| value.is_finite() && value >= 0.0), "{finding:?}");
            prop_assert_eq!(finding.unit.is_none(), finding.value.is_none(), "{:?}", finding);
        }
    }

    #[test]
    fn the_findings_of_the_whole_are_those_of_its_parts_and_add_up_to_its_status(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        let parts = [
            (&report.scheduler.findings, report.scheduler.status),
            (&report.store.findings, report.store.status),
            (&report.resources.findings, report.resources.status),
            (&report.apis.findings, report.apis.status),
            (&report.data.findings, report.data.status),
            (&report.sources.findings, report.sources.status),
            (&report.recovery.findings, report.recovery.status),
        ];
        for (findings, status) in parts {
            prop_assert_eq!(findings.worst(), status);
        }
        prop_assert_eq!(report.findings.worst(), report.status);
        for findings in parts.map(|(findings, _)| findings).into_iter().chain([&report.findings]) {
            let statuses: Vec<Status> = findings.0.iter().map(|finding| finding.status).collect();
            prop_assert!(statuses.is_sorted_by(|one, next| one >= next), "{findings:?}");
        }
        let is_start = |finding: &&Finding| finding.kind == Kind::StartWaits && finding.status == Status::Unknown;
        let mut of_parts: Vec<&str> = parts.iter().flat_map(|(findings, _)| findings.sentences()).collect();
        of_parts.extend(report.findings.0.iter().filter(is_start).map(|finding| finding.sentence.as_str()));
        let mut of_whole = report.reasons();
        of_parts.sort_unstable();
        of_whole.sort_unstable();
        prop_assert_eq!(of_parts, of_whole);
    }

    #[test]
    fn only_a_running_process_is_ready_or_late(facts in any_facts()) {
        let report = assess(&facts, &Thresholds::default());
        if facts.phase != Phase::Running {
            prop_assert!(!report.ready);
            prop_assert!(report.live);
        }
        prop_assert_eq!(report.started, facts.phase != Phase::Starting);
    }
}

#[test]
fn the_fake_source_obeys_the_laws_of_the_port() {
    let source = FakeResourceSource::new(healthy_facts().resources.expect("healthy facts have them"));
    let mut check = std::pin::pin!(conformance::check(&source));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(check.as_mut().poll(&mut context).is_ready(), "the fake never waits");
}
