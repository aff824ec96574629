//! The ladder, sentence by sentence: what is done to a part that has ended, or does not get on.

use std::time::Duration;

use ttm_recovery::testing::{Ends, Shows, Stage, table};
use ttm_recovery::{Effect, Machine, RecoveryConfig, RecoverySettings, Step};

fn stage() -> Stage {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

#[test]
fn what_gets_on_is_left_alone() {
    let mut stage = stage();
    stage.pass(10_000);
    assert_eq!(stage.story(), [""; 0]);
}

#[test]
fn what_is_stuck_is_restarted_gracefully_and_progress_ends_the_recovery() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(59);
    assert_eq!((stage.story(), stage.state("roster")), (vec![], "running"));
    stage.pass(1);
    assert_eq!(stage.state("roster"), "stopping");
    stage.pass(1);
    assert_eq!(stage.state("roster"), "starting");
    stage.pass(1);
    assert_eq!(stage.state("roster"), "running");
    let story = ["160 roster began by service", "160 roster graceful, charged", "162 roster recovered"];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_has_not_ended_in_time_is_aborted() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenAborted, Some(Step::Emergency));
    stage.pass(120);
    let story = [
        "160 roster began by service",
        "160 roster graceful, charged",
        "190 roster emergency",
        "192 roster recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_does_not_get_on_as_its_next_incarnation_is_aborted_then_the_plane_is_built_anew_then_the_process_ends()
 {
    let mut stage = stage();
    stage.fault("token-writer", Shows::Nothing, Ends::WhenTold, Some(Step::EndProcess));
    stage.pass(900);
    let story = [
        "280 token-writer began by service",
        "280 token-writer graceful, charged",
        "461 token-writer emergency",
        "642 token-writer rebuild_plane",
        "822 token-writer end_process",
        "822 process closed",
        "827 process booted",
        "828 token-writer recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_plane_is_built_anew_for_what_does_not_end_even_if_it_is_not_critical() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    stage.pass(120);
    let story = [
        "160 roster began by service",
        "160 roster graceful, charged",
        "190 roster emergency",
        "195 roster rebuild_plane",
        "196 roster recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_is_not_critical_and_does_not_get_on_after_an_abort_is_escalated_and_tried_once_more_after_ever_longer()
 {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(7_600);
    let story = [
        "160 roster began by service",
        "160 roster graceful, charged",
        "221 roster emergency",
        "282 roster escalated",
        "582 roster began by service",
        "582 roster graceful, charged",
        "643 roster emergency",
        "704 roster escalated",
        "1304 roster began by service",
        // Silent for longer than the emergency threshold by now.
        "1304 roster emergency, charged",
        "1365 roster escalated",
        "2565 roster began by service",
        "2565 roster emergency, charged",
        "2626 roster escalated",
        "5026 roster began by service",
        "5026 roster emergency, charged",
        "5087 roster escalated",
    ];
    assert_eq!((stage.story(), stage.state("roster")), (story.map(str::to_owned).to_vec(), "escalated"));
    stage.heal("roster");
    stage.pass(4_000);
    assert_eq!((stage.story(), stage.state("roster")), (vec![], "running"));
}

#[test]
fn a_critical_part_of_the_supervision_plane_ends_the_process_after_an_abort_that_did_not_help() {
    let mut stage = stage();
    stage.fault("monitor", Shows::Nothing, Ends::Never, Some(Step::EndProcess));
    stage.pass(120);
    let story = [
        "160 monitor began by service",
        "160 monitor graceful, charged",
        "190 monitor emergency",
        "195 monitor end_process",
        "195 process closed",
        "200 process booted",
        "201 monitor recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_has_shown_nothing_for_the_emergency_threshold_is_aborted_whatever_the_graceful_restart_is_at() {
    let settings = RecoverySettings {
        emergency_restart_threshold: Duration::from_secs(70),
        ..RecoverySettings::default()
    };
    let config = RecoveryConfig::try_new(settings).expect("possible settings");
    let mut stage = Stage::new(table(), config).with_jitter(0.5);
    stage.fault("roster", Shows::Nothing, Ends::WhenAborted, Some(Step::Emergency));
    stage.fault("sources", Shows::Nothing, Ends::WhenAborted, Some(Step::Emergency));
    stage.pass(310);
    let story = [
        "0 process booted",
        "60 roster began by service",
        "60 roster graceful, charged",
        "70 roster emergency",
        "72 roster recovered",
        "300 sources began by service",
        "300 sources emergency, charged",
        "302 sources recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_has_ended_is_started_again_after_a_backoff_and_each_end_costs_a_restart() {
    let mut stage = stage();
    stage.fault("event-writer", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(10);
    let story = [
        "101 event-writer began by service",
        "102 event-writer start, charged",
        "103 event-writer recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_plane_whose_canary_is_late_by_ten_seconds_is_built_anew_at_once() {
    let mut stage = stage();
    stage.fault("pulse", Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    stage.pass(20);
    let story = [
        "110 work-plane began by service",
        "110 work-plane rebuild_plane, charged",
        "111 work-plane recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn the_patience_of_a_part_can_change_while_it_runs() {
    let mut machine = stage().machine().clone();
    let mut now = stage().now();
    let monitor = machine.find("monitor").expect("it is in the table");
    machine.set_patience(monitor, Duration::from_secs(90));
    now.moment += Duration::from_secs(89);
    assert_eq!(machine.views(now.moment)[monitor.0].since_progress, Some(Duration::from_secs(89)));
    let is_stopped = |machine: &mut Machine| {
        std::iter::from_fn(|| machine.poll_effect())
            .any(|effect| matches!(effect, Effect::Stop { part, .. } if part == monitor))
    };
    machine.handle_timeout(now);
    assert!(!is_stopped(&mut machine));
    now.moment += Duration::from_secs(1);
    machine.handle_timeout(now);
    assert!(is_stopped(&mut machine));
}

#[test]
fn what_was_given_up_is_started_once_at_a_time_until_it_runs_well_or_a_person_acts() {
    let mut stage = stage();
    stage.fault("roster", Shows::Panics, Ends::WhenTold, None);
    stage.pass(1_200);
    let story = [
        "101 roster began by service",
        "102 roster start, charged",
        "103 roster failed",
        "103 roster began by service",
        "104 roster start, charged",
        "105 roster failed",
        "105 roster began by service",
        "107 roster start, charged",
        "108 roster failed",
        "108 roster began by service",
        "112 roster escalated",
        "412 roster began by service",
        "412 roster start, charged",
        "413 roster failed",
        "413 roster began by service",
        "413 roster escalated",
        "1013 roster began by service",
        "1013 roster start, charged",
        "1014 roster failed",
        "1014 roster began by service",
        "1014 roster escalated",
    ];
    assert_eq!(stage.story(), story);
    stage.restart("roster").expect("it can be");
    stage.pass(5);
    let story = [
        "1300 roster began by operator",
        "1300 roster start",
        "1301 roster failed",
        "1301 roster began by service",
    ];
    assert_eq!(stage.story()[..4], story, "a person has a whole ladder");
}

#[test]
fn what_ends_after_it_was_given_up_is_started_again_if_the_budget_allows_it() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(200);
    assert_eq!(stage.state("roster"), "escalated");
    stage.story();
    stage.fault("roster", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(10);
    let story = ["301 roster began by service", "302 roster start, charged", "303 roster recovered"];
    assert_eq!(stage.story(), story);
}

#[test]
fn an_order_on_what_has_not_got_on_yet_replaces_the_recovery_before() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.restart("roster").expect("it can be");
    stage.pass(2);
    assert_eq!(stage.state("roster"), "starting");
    stage.heal("roster");
    stage.restart("roster").expect("it can be");
    stage.pass(3);
    let story = [
        "100 roster began by operator",
        "100 roster graceful",
        "102 roster replaced",
        "102 roster began by operator",
        "102 roster graceful",
        "104 roster recovered",
    ];
    assert_eq!(stage.story(), story);
}
