//! Two groups that one task runs.

use ttm_recovery::testing::{API, Ends, Incident, Shows, Stage, table};
use ttm_recovery::{RecoveryConfig, RecoverySettings, State, Step};

fn stage() -> Stage {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

#[test]
fn one_group_that_is_stuck_is_restarted_alone() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(120);
    let story =
        ["160 hot-group began by service", "160 hot-group graceful, charged", "162 hot-group recovered"];
    assert_eq!(stage.story(), story);
}

#[test]
fn groups_that_are_both_stuck_are_restarted_once_with_the_task_that_runs_them() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Emergency));
    stage.fault("cold-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(105);
    stage.heal("hot-group");
    stage.pass(300);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "205 cold-group began by service",
        "205 hot-group failed",
        "205 cold-group failed",
        "205 work began by service",
        // The hot group has paid for it.
        "205 work graceful",
        "206 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_task_that_is_restarted_for_its_groups_goes_up_the_ladder_until_one_of_them_gets_on() {
    let mut stage = stage();
    for group in ["hot-group", "cold-group"] {
        stage.fault(group, Shows::Nothing, Ends::WhenTold, Some(Step::EndProcess));
    }
    stage.pass(900);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "205 cold-group began by service",
        "205 hot-group failed",
        "205 cold-group failed",
        "205 work began by service",
        "205 work graceful",
        "311 work emergency",
        "417 work rebuild_plane",
        "522 work end_process",
        "522 process closed",
        "527 process booted",
        "528 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_task_that_does_not_restart_its_group_is_aborted_and_the_restart_of_the_group_pays_for_it() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::Never, Some(Step::Emergency));
    stage.pass(200);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "190 hot-group emergency",
        "195 hot-group failed",
        "195 work began by service",
        "195 work emergency",
        "196 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_task_that_spins_is_left_behind_with_its_plane() {
    let mut stage = stage();
    stage.fault("work", Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    for group in ["hot-group", "cold-group"] {
        stage.fault(group, Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    }
    stage.pass(300);
    let story = [
        "160 work began by service",
        "160 work graceful, charged",
        "190 work emergency",
        "195 work rebuild_plane",
        "196 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_task_that_is_found_stuck_after_its_group_is_restarted_at_the_same_price() {
    let mut stage = stage();
    // The group got on last, then the task looked once more: it spins all the same.
    stage.fault("hot-group", Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    stage.pass(2);
    for part in ["work", "cold-group"] {
        stage.fault(part, Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    }
    stage.pass(300);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "162 work began by service",
        "162 hot-group failed",
        "162 work graceful",
        "192 work emergency",
        "197 work rebuild_plane",
        "198 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_group_that_waits_is_not_restarted_with_one_that_is_stuck() {
    let mut stage = stage();
    stage.fault("cold-group", Shows::Waits(API), Ends::WhenTold, None);
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(300);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "162 hot-group recovered",
        "205 cold-group withheld for dexscreener",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_task_that_ends_by_itself_is_started_again_with_its_groups() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(70);
    stage.fault("work", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(5);
    stage.heal("hot-group");
    stage.pass(5);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "171 hot-group failed",
        "171 work began by service",
        "172 work start, charged",
        "173 work recovered",
    ];
    assert_eq!(stage.story(), story);
    let views = stage.machine().views(stage.clone().now().moment);
    assert!(views.iter().all(|view| view.state == State::Running), "{views:?}");
}

#[test]
fn a_group_that_does_not_get_on_after_an_abort_is_what_the_restart_of_its_task_is_judged_by() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::EndProcess));
    stage.pass(500);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "221 hot-group emergency",
        "282 hot-group failed",
        "282 work began by service",
        "282 work emergency",
        "343 work rebuild_plane",
        "403 work end_process",
        "403 process closed",
        "408 process booted",
        "409 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn that_a_task_runs_does_not_show_that_ending_the_process_has_helped_its_group() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(309);
    let story = stage.story();
    assert_eq!(&story[story.len() - 2..], ["403 process closed", "408 process booted"]);
    stage.pass(60);
    let story = ["468 work failed", "468 hot-group began by service", "468 hot-group graceful, charged"];
    assert_eq!(stage.story(), story);
    let mut stage = self::stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(309);
    stage.story();
    stage.happens(&Incident::Stop);
    let story = stage.story();
    assert!(story.contains(&"414 work interrupted".to_owned()), "{story:?}");
}

#[test]
fn a_group_is_not_late_while_the_task_that_runs_it_drains() {
    let mut stage = stage();
    for group in ["hot-group", "cold-group"] {
        stage.fault(group, Shows::Nothing, Ends::WhenTold, Some(Step::Emergency));
    }
    stage.fault("work", Shows::Progress, Ends::WhenAborted, Some(Step::Emergency));
    stage.pass(400);
    let story = [
        "160 hot-group began by service",
        "160 hot-group graceful, charged",
        "205 cold-group began by service",
        "205 hot-group failed",
        "205 cold-group failed",
        "205 work began by service",
        "205 work graceful",
        "235 work emergency",
        "236 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_group_that_ends_by_itself_while_its_task_is_watched_is_started_again_at_a_price_of_its_own() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(185);
    stage.story();
    stage.fault("hot-group", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(10);
    let story = [
        "286 work failed",
        "286 hot-group began by service",
        "287 hot-group start, charged",
        "288 hot-group recovered",
    ];
    assert_eq!((stage.story(), stage.state("work")), (story.map(str::to_owned).to_vec(), "running"));
}

#[test]
fn what_a_person_ordered_for_a_group_does_not_pay_for_its_task() {
    let mut stage = stage();
    for group in ["hot-group", "cold-group"] {
        stage.fault(group, Shows::Nothing, Ends::WhenTold, None);
    }
    stage.restart("hot-group").expect("it can be");
    stage.pass(105);
    let story = stage.story();
    assert_eq!(story.last().map(String::as_str), Some("205 work graceful, charged"), "{story:?}");
}

#[test]
fn a_task_that_is_given_up_for_one_group_does_not_hide_the_other() {
    let settings = RecoverySettings { max_restart_attempts: 0, ..RecoverySettings::default() };
    let config = RecoveryConfig::try_new(settings).expect("possible settings");
    let mut stage = Stage::new(table(), config).with_jitter(0.5);
    stage.fault("hot-group", Shows::Nothing, Ends::Never, None);
    stage.fault("work", Shows::Progress, Ends::Never, None);
    stage.restart("hot-group").expect("it can be");
    stage.pass(60);
    assert_eq!((stage.state("work"), stage.state("cold-group")), ("escalated", "running"));
    stage.fault("cold-group", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(106);
    assert_eq!(stage.state("cold-group"), "escalated");
    stage.heal("cold-group");
    stage.heal("hot-group");
    stage.pass(2);
    for part in ["work", "hot-group", "cold-group"] {
        assert_eq!(stage.state(part), "running", "{part}");
    }
}

#[test]
fn a_task_that_is_given_up_for_its_group_is_tried_again_ever_later_although_it_gets_on_itself() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, None);
    // Less than an hour after the first end of the process, so that none is allowed again.
    stage.pass(4_400);
    let story = stage.story();
    let seconds = |line: &String| line.split(' ').next().and_then(|at| at.parse::<u64>().ok());
    let given_up: Vec<u64> =
        story.iter().filter(|line| line.ends_with("work escalated")).filter_map(seconds).collect();
    let apart: Vec<u64> = given_up.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Each try takes two minutes and a bit.
    assert_eq!(apart[..3], [422, 722, 1322], "{story:#?}");
}

#[test]
fn what_a_person_orders_of_a_group_goes_through_while_its_task_is_given_up_for_it() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenAborted, None);
    stage.pass(1_300);
    assert_eq!(stage.state("work"), "escalated");
    stage.story();
    stage.restart("hot-group").expect("it can be");
    stage.pass(40);
    assert_eq!(
        stage.story(),
        ["1415 hot-group began by operator", "1415 hot-group graceful", "1445 hot-group emergency"]
    );
}

#[test]
fn a_task_that_gets_on_after_all_takes_nothing_back() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::Never, Some(Step::Emergency));
    stage.pass(2);
    stage.fault("work", Shows::Nothing, Ends::Never, None);
    stage.pass(59);
    stage.heal("work");
    stage.pass(100);
    let story = stage.story();
    assert_eq!(story.iter().filter(|line| line.contains("charged")).count(), 1, "{story:#?}");
}
