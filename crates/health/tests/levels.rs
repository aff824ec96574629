//! Levels over many reports, of figures that are not measured all the time.

use std::time::Duration;

use ttm_health::testing::healthy_facts;
use ttm_health::{Reached, ResourceSample, Status, Thresholds, assess};

/// The status of the resources by the disk's share at each second, where it is measured.
fn states(measures: &[(u64, Option<f64>)]) -> Vec<Status> {
    let mut reached = Reached::default();
    let judge = |(second, disk): &(u64, Option<f64>)| {
        let mut facts = healthy_facts();
        facts.uptime = Duration::from_secs(3_600 + second);
        facts.resources =
            facts.resources.map(|sample| ResourceSample { disk_usage_percent: *disk, ..sample });
        facts.reached = reached;
        let report = assess(&facts, &Thresholds::default());
        reached = report.reached;
        report.resources.status
    };
    measures.iter().map(judge).collect()
}

#[test]
fn a_figure_is_reported_with_the_limit_that_it_crossed_and_the_one_that_clears_it() {
    let mut reached = Reached::default();
    for (disk, said) in [
        (89.9, "89.9 % of the data path's file system; limit 80 %, clears below 75 %"),
        (100.0, "100.0 % of the data path's file system; limit 90 %, clears below 85 %"),
        (100.0, "100.0 % of the data path's file system; limit 90 %, clears below 85 %"),
        (85.0, "85.0 % of the data path's file system; limit 90 %, clears below 85 %"),
        (84.9, "84.9 % of the data path's file system; limit 80 %, clears below 75 %"),
    ] {
        let mut facts = healthy_facts();
        facts.resources =
            facts.resources.map(|sample| ResourceSample { disk_usage_percent: Some(disk), ..sample });
        facts.reached = reached;
        let report = assess(&facts, &Thresholds::default());
        reached = report.reached;
        assert_eq!(report.reasons(), [format!("disk in use: {said}")]);
    }
}

#[test]
fn a_cpu_in_use_is_reported_once_it_is_for_long() {
    let mut reached = Reached::default();
    let mut status = |(second, cpu): (u64, f64)| {
        let mut facts = healthy_facts();
        facts.uptime = Duration::from_secs(3_600 + second);
        facts.resources = facts.resources.map(|sample| ResourceSample { cpu_percent: Some(cpu), ..sample });
        facts.reached = reached;
        let report = assess(&facts, &Thresholds::default());
        reached = report.reached;
        report.resources.status
    };
    let (well, degraded, critical) = (Status::Healthy, Status::Degraded, Status::Critical);
    let seen = [(0, 96.0), (60, 81.0), (119, 96.0), (120, 96.0), (238, 96.0), (239, 96.0), (240, 74.0)];
    assert_eq!(seen.map(&mut status), [well, well, well, degraded, degraded, critical, well]);
}

#[test]
fn a_level_is_forgotten_when_its_figure_was_not_measured_for_long() {
    let (well, worse) = (Status::Healthy, Status::Degraded);
    let hour = 3_600;
    // Not measured is degraded too, which ends with the first measure.
    assert_eq!(
        states(&[(0, Some(81.0)), (1, None), (hour, None), (hour + 1, Some(79.0))]),
        [worse, worse, worse, well]
    );
    assert_eq!(states(&[(0, Some(81.0)), (60, None), (120, Some(79.0))]), [worse; 3], "a sample was missed");
    assert_eq!(
        states(&[(0, Some(81.0)), (hour, Some(79.0))]),
        [worse, well],
        "it was not measured in between"
    );
}

#[test]
fn what_is_said_of_calls_stays_true_while_their_level_is_held() {
    let mut reached = Reached::default();
    let mut said = |second: u64, calls, errors, p95| {
        let mut facts = healthy_facts();
        facts.uptime = Duration::from_secs(3_600 + second);
        (facts.api.calls, facts.api.errors) = (calls, errors);
        facts.api.p95_response_time = Some(Duration::from_millis(p95));
        facts.reached = reached;
        let report = assess(&facts, &Thresholds::default());
        reached = report.reached;
        report.reasons().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let share = "the limit of 20 % was reached, clears once below 15 % for 5m";
    let slow = "the limit of 2s was reached, clears once below 1s 500ms for 5m";
    for (second, calls, errors, p95, figures, took) in [
        (0, 500, 150, 2_500, "150 of 500 calls failed (30.0 %)", "2s 500ms"),
        (100, 612, 0, 300, "0 of 612 calls failed (0.0 %)", "300ms"),
        (200, 3_000, 1, 300, "1 of 3000 calls failed (0.0 %)", "300ms"),
        (299, 2, 2, 300, "2 of 2 calls failed (100.0 %), too few to judge", "300ms"),
    ] {
        let expected = [
            format!("DexScreener: {figures}; {share}"),
            format!("DexScreener: 95 % of calls took up to {took}; {slow}"),
        ];
        assert_eq!(said(second, calls, errors, p95), expected);
    }
    assert_eq!(said(300, 612, 0, 300), Vec::<String>::new());
}
