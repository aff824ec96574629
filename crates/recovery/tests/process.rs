//! What ends the process as a whole, pauses of it, and what a person orders.

use std::time::Duration;

use ttm_kernel::{Epoch, Moment, TaskEnd};
use ttm_recovery::testing::{API, Ends, Incident, Shows, Stage, table};
use ttm_recovery::{Effect, Fact, Machine, PartId, Past, RecoveryConfig, RestartRefused, State, Step};

fn stage() -> Stage {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

#[test]
fn memory_that_is_short_for_five_minutes_ends_the_process_once() {
    let mut stage = stage();
    stage.happens(&Incident::Memory(true));
    stage.pass(299);
    stage.happens(&Incident::Memory(false));
    stage.pass(1);
    stage.happens(&Incident::Memory(true));
    stage.pass(700);
    let story = [
        "701 process began by service",
        "701 process end_process, charged",
        "701 process closed",
        "706 process booted",
        "706 process recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_process_that_may_not_be_ended_any_more_stays_up_and_says_that_a_person_is_needed() {
    let mut stage = stage();
    for _ in 0..3 {
        stage.happens(&Incident::Memory(true));
        stage.pass(310);
    }
    stage.story();
    stage.happens(&Incident::Memory(true));
    stage.pass(600);
    assert_eq!(stage.machine().needs_a_person(), Some("memory is short"));
    assert_eq!(stage.story().len(), 2, "it says so once");
    stage.happens(&Incident::Memory(false));
    stage.pass(1);
    assert_eq!(stage.machine().needs_a_person(), None);
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

#[test]
fn when_nothing_critical_has_got_on_for_ten_minutes_the_process_ends_whatever_is_being_done() {
    let mut table = table();
    for part in &mut table {
        part.patience *= 5;
    }
    let mut stage = Stage::new(table, RecoveryConfig::default()).with_jitter(0.5);
    for part in ["work", "hot-group", "cold-group", "token-writer"] {
        stage.fault(part, Shows::Nothing, Ends::WhenAborted, Some(Step::EndProcess));
    }
    stage.pass(700);
    let story = [
        "0 process booted",
        "300 work began by service",
        "300 work graceful, charged",
        "330 work emergency",
        "600 process began by service",
        "600 process end_process, charged",
        "600 work interrupted",
        "600 process closed",
        "605 process booted",
        "605 process recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_pause_gives_each_part_its_time_anew_and_restarts_nothing() {
    let mut stage = stage();
    for _ in 0..50 {
        stage.happens(&Incident::Pause(400));
        stage.pass(5);
    }
    assert_eq!(stage.story(), [""; 0]);
}

#[test]
fn a_pause_while_a_part_backs_off_withdraws_its_restart() {
    let mut stage = stage();
    stage.fault("roster", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(4);
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(60);
    stage.story();
    stage.happens(&Incident::Pause(10));
    stage.pass(59);
    assert_eq!(stage.story(), ["175 roster withdrawn"]);
}

#[test]
fn a_second_pause_without_progress_in_between_gives_only_what_it_lasted() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    for _ in 0..6 {
        stage.pass(10);
        stage.happens(&Incident::Pause(7));
    }
    stage.pass(20);
    let story = ["212 roster began by service", "212 roster graceful, charged", "214 roster recovered"];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_pause_prolongs_what_is_being_done() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenAborted, Some(Step::Emergency));
    stage.pass(70);
    stage.happens(&Incident::Pause(400));
    stage.pass(25);
    let story = [
        "160 roster began by service",
        "160 roster graceful, charged",
        "590 roster emergency",
        "592 roster recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn an_older_incarnation_is_not_heard() {
    let mut stage = stage();
    for part in ["roster", "work"] {
        stage.fault(part, Shows::Panics, Ends::WhenTold, Some(Step::Start));
    }
    stage.pass(10);
    for part in ["roster", "work", "hot-group"] {
        let part = stage.part(part);
        stage.happens(&Incident::Zombie(part));
    }
}

#[test]
fn a_person_restarts_a_part_whatever_was_spent_and_it_costs_nothing() {
    let mut stage = stage();
    for _ in 0..8 {
        stage.restart("event-writer").expect("it can be");
        assert_eq!(stage.restart("event-writer"), Err(RestartRefused::UnderWay("event-writer".to_owned())));
        stage.pass(3);
    }
    let story = stage.story();
    let first =
        ["100 event-writer began by operator", "100 event-writer graceful", "102 event-writer recovered"];
    assert_eq!(story[..3], first);
    assert!(!story.iter().any(|line| line.contains("charged")), "{story:?}");
    stage.fault("event-writer", Shows::Panics, Ends::WhenTold, None);
    stage.pass(60);
    assert_eq!(stage.state("event-writer"), "escalated");
    stage.heal("event-writer");
    stage.restart("event-writer").expect("it can be");
    stage.pass(2);
    assert_eq!(stage.state("event-writer"), "running");
}

#[test]
fn a_person_wins_over_a_restart_that_is_withheld() {
    let mut stage = stage();
    stage.happens(&Incident::Outage(API));
    stage.pass(200);
    stage.story();
    stage.restart("hot-group").expect("it can be");
    stage.pass(100);
    let story = ["300 hot-group withdrawn", "300 hot-group began by operator", "300 hot-group graceful"];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_group_whose_task_does_not_run_is_restarted_with_it() {
    let mut stage = stage().with_jitter(0.999_999);
    stage.fault("work", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(1);
    stage.restart("hot-group").expect("it can be");
    stage.pass(2);
    let story = [
        "101 work began by service",
        "101 work withdrawn",
        "101 work began by operator",
        "101 work start",
        "102 work recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_a_person_ordered_never_ends_the_process() {
    let mut stage = stage();
    stage.fault("monitor", Shows::Nothing, Ends::Never, None);
    stage.restart("monitor").expect("it can be");
    stage.pass(120);
    let story = [
        "100 monitor began by operator",
        "100 monitor graceful",
        "130 monitor emergency",
        "135 monitor escalated",
    ];
    assert_eq!(stage.story(), story);
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

#[test]
fn nothing_is_decided_once_the_process_stops() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(61);
    stage.happens(&Incident::Stop);
    let story = [
        "160 roster began by service",
        "160 roster graceful, charged",
        "161 roster interrupted",
        "161 process closed",
        "166 process booted",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_was_done_before_a_start_is_no_progress_of_what_was_started() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.pass(60);
    let before = stage.now().moment;
    stage.pass(1);
    let (roster, now) = (stage.part("roster"), stage.now());
    let mut machine = stage.machine().clone();
    let incarnation = machine.incarnation(roster);
    machine.handle_progress(roster, incarnation, before, now);
    assert_eq!(machine.views(now.moment)[roster.0].state, State::Starting);
    machine.handle_progress(roster, incarnation, now.moment, now);
    assert_eq!(machine.views(now.moment)[roster.0].state, State::Running);
}

#[test]
fn times_at_the_ends_of_the_clock_and_periods_without_end_break_nothing() {
    let mut table = table();
    for part in &mut table {
        (part.patience, part.interval) = (Duration::MAX, Duration::MAX);
    }
    let mut now = Stage::new(table.clone(), RecoveryConfig::default()).now();
    let ids = || (0..13).map(PartId);
    for moment in [Moment::ZERO, Moment::from_nanos(1), Moment::MAX] {
        let mut machine =
            Machine::boot(table.clone(), RecoveryConfig::default(), Epoch::new(1), Past::none(), now);
        now.moment = moment;
        for id in ids() {
            machine.handle_ended(id, machine.incarnation(id), &TaskEnd::Panicked("\0".repeat(5_000)), now);
        }
        machine.handle_pause(Duration::MAX, now);
        machine.handle_stuck_thread("a thread", now);
        machine.handle_timeout(now);
        for id in ids() {
            machine.handle_waiting(id, machine.incarnation(id), API, Moment::MAX, Moment::MAX);
            drop(machine.restart(id, now));
        }
        now.moment = Moment::MAX;
        machine.handle_timeout(now);
        machine.close_all(now);
        machine.close_all(now);
        while let Some(effect) = machine.poll_effect() {
            if let Effect::Record(entry) = effect {
                assert_eq!(entry.check(), Ok(()));
            }
        }
    }
}

#[test]
fn a_recovery_that_spans_two_processes_took_from_its_own_beginning() {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.fault("monitor", Shows::Nothing, Ends::Never, Some(Step::EndProcess));
    stage.pass(120);
    let took = stage.ledger().iter().rev().find_map(|entry| match entry.fact {
        Fact::Ended { took, .. } if entry.subject == "monitor" => Some(took),
        _ => None,
    });
    // From 160 on; the process ended at 195, and the next one booted at 200.
    assert_eq!(took, Some(Duration::from_secs(41)));
}
