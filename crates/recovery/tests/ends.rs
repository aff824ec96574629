//! The process is ended for a part: how often, when, and when not.

use ttm_recovery::testing::{Ends, Incident, STORE, Shows, Stage, table};
use ttm_recovery::{RecoveryConfig, Step};

fn stage() -> Stage {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

/// The lines of a story that are about the process, and those that say how a part came to its end.
fn ends(stage: &mut Stage) -> Vec<String> {
    let is_end = |line: &String| line.contains("end_process") || line.contains("escalated");
    stage.story().into_iter().filter(is_end).collect()
}

#[test]
fn what_panics_at_each_start_for_a_while_is_started_again_and_costs_one_process() {
    let mut stage = stage();
    stage.fault("lease-keeper", Shows::Panics, Ends::WhenTold, None);
    stage.pass(42);
    stage.heal("lease-keeper");
    stage.pass(30);
    assert_eq!(ends(&mut stage), ["112 lease-keeper end_process"]);
    assert_eq!((stage.state("lease-keeper"), stage.machine().needs_a_person()), ("running", None));
}

#[test]
fn what_panics_for_ever_ends_the_process_with_growing_distance_and_then_never_again() {
    let mut stage = stage();
    stage.fault("lease-keeper", Shows::Panics, Ends::WhenTold, None);
    // Then it is only tried once more, five minutes later.
    stage.pass(1_200);
    let story = ends(&mut stage);
    let seconds = |line: &String| line.split(' ').next().and_then(|at| at.parse().ok());
    let at: Vec<u64> = story.iter().filter_map(seconds).collect();
    assert_eq!(at.len(), 5, "{story:?}");
    assert!((60..=95).contains(&(at[1] - at[0])), "{story:?}");
    assert!((300..=335).contains(&(at[2] - at[1])), "{story:?}");
    assert!((300..=335).contains(&(at[4] - at[3])), "{story:?}");
    assert!(story[3..].iter().all(|line| line.ends_with("lease-keeper escalated")), "{story:?}");
}

#[test]
fn the_process_is_not_ended_while_what_the_part_depends_on_is_away() {
    let mut stage = stage();
    stage.fault("sample-writer", Shows::Waits(STORE), Ends::WhenTold, None);
    stage.fault("token-writer", Shows::Panics, Ends::WhenTold, None);
    stage.pass(36_000);
    let story = stage.story();
    let count = |what: &str| story.iter().filter(|line| line.contains(what)).count();
    // It is given up instead, and tried after 5, 10, 20 and 40 minutes and then each hour.
    assert_eq!((count("end_process"), count("token-writer escalated")), (0, 13), "{story:#?}");
    assert_eq!(count("token-writer start, charged"), 3 + 12, "nobody else's budget is taken");
    stage.heal("token-writer");
    stage.pass(3_700);
    assert_eq!((ends(&mut stage), stage.state("token-writer")), (vec![], "running"));
    stage.heal("sample-writer");
    stage.pass(200);
    stage.story();
    stage.fault("token-writer", Shows::Panics, Ends::WhenTold, None);
    stage.pass(120);
    assert!(!ends(&mut stage).is_empty(), "the store is back");
}

#[test]
fn what_hangs_until_the_process_ends_waits_for_that_and_says_so() {
    let mut stage = stage();
    stage.fault("monitor", Shows::Nothing, Ends::Never, None);
    // The third process has it as well, and may not be ended before five minutes have passed.
    stage.pass(350);
    assert_eq!(ends(&mut stage), ["195 monitor end_process", "295 monitor end_process"]);
    let now = stage.now().moment;
    let told = stage.machine().views(now)[stage.part("monitor").0].problem.clone();
    let rest = "the process was ended a short while ago, and is not ended again for 135 s";
    assert_eq!(told, Some(format!("it has not got on for 60 s; {rest}")));
    stage.heal("monitor");
    stage.pass(300);
    assert_eq!((ends(&mut stage), stage.state("monitor")), (Vec::new(), "running"));
}

/// Something that was aborted keeps a thread of the work plane for so many seconds.
fn keep_a_thread(stage: &mut Stage, seconds: u64) {
    for _ in 0..seconds {
        stage.happens(&Incident::StuckThread);
        stage.pass(1);
    }
}

#[test]
fn a_thread_that_is_kept_costs_a_plane_and_is_not_forgotten_when_none_is_left() {
    let mut stage = stage();
    for _ in 0..2 {
        stage.happens(&Incident::StuckThread);
        stage.pass(10);
    }
    let story = [
        "100 work-plane began by service",
        "100 work-plane rebuild_plane, charged",
        "101 work-plane recovered",
        "110 work-plane began by service",
        "110 work-plane rebuild_plane, charged",
        "111 work-plane recovered",
    ];
    assert_eq!(stage.story(), story);
    keep_a_thread(&mut stage, 400);
    let story = [
        "120 work-plane end_process",
        "180 work-plane withdrawn",
        "180 work-plane end_process",
        "480 work-plane withdrawn",
        "480 work-plane end_process",
        "487 work-plane escalated",
    ];
    let ends =
        |line: &String| ["end_process", "withdrawn", "escalated"].iter().any(|end| line.ends_with(end));
    assert_eq!(stage.story().into_iter().filter(ends).collect::<Vec<_>>(), story);
    keep_a_thread(&mut stage, 100);
    assert_eq!(stage.story(), [""; 0]);
}

#[test]
fn a_thread_that_is_given_back_before_the_process_may_be_ended_again_ends_none() {
    let mut stage = stage();
    keep_a_thread(&mut stage, 30);
    let story = stage.story();
    assert!(story.iter().any(|line| line == "102 work-plane end_process"), "{story:?}");
    stage.pass(60);
    assert_eq!(stage.story(), ["162 work-plane withdrawn"]);
}

#[test]
fn a_canary_that_ends_while_its_plane_is_given_up_is_started_again() {
    let mut stage = stage();
    keep_a_thread(&mut stage, 400);
    assert_eq!(stage.state("pulse"), "escalated");
    stage.fault("pulse", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(5);
    assert_eq!(stage.state("pulse"), "running");
}
