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
fn a_part_that_a_person_restarted_has_all_its_time_before_anything_is_wrong_with_it() {
    let mut stage = stage();
    stage.fault("roster", Shows::Nothing, Ends::WhenTold, None);
    stage.restart("roster").expect("it can be");
    let roster = stage.part("roster").0;
    let mut problem = |seconds| {
        stage.pass(seconds);
        let now = stage.now().moment;
        let view = stage.machine().views(now).swap_remove(roster);
        (view.state.as_str(), view.problem)
    };
    assert_eq!(problem(58), ("starting", None));
    let said = Some("it has not got on since a person ordered its restart".to_owned());
    assert_eq!(problem(10), ("starting", said), "it had its time, and was aborted");
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
    let shown = |stage: &mut Stage| {
        let now = stage.now().moment;
        let view = stage.machine().views(now).into_iter().find(|view| view.name == "monitor");
        view.map(|view| (view.given_up, view.problem)).expect("it is in the table")
    };
    let problem = Some("it has not got on since a person ordered its restart".to_owned());
    assert_eq!(shown(&mut stage), (true, problem.clone()), "that somebody ordered it is no reason");
    stage.pass(220);
    assert_eq!(stage.story(), ["435 monitor began by service", "435 monitor graceful, charged"]);
    assert_eq!(shown(&mut stage), (true, problem), "that it is tried once more helps nobody yet");
    stage.heal("monitor");
    stage.pass(60);
    assert_eq!(shown(&mut stage), (false, None));
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
