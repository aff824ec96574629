//! What is done, and not done, when what parts depend on is away.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment};
use ttm_recovery::testing::{API, Ends, Incident, STORE, Shows, Stage, table};
use ttm_recovery::{Effect, Entry, Fact, Machine, Now, PartId, Past, RecoveryConfig, Step};

fn stage() -> Stage {
    let mut stage = Stage::new(table(), RecoveryConfig::default()).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

#[test]
fn what_waits_is_degraded_and_that_its_restart_is_withheld_is_a_line_of_the_ledger() {
    let mut stage = stage();
    stage.happens(&Incident::Outage(API));
    stage.pass(8_000);
    assert_eq!(stage.state("hot-group"), "degraded");
    stage.happens(&Incident::Back(API));
    stage.pass(2);
    assert_eq!(stage.state("hot-group"), "running");
    let story = [
        "160 hot-group withheld for dexscreener",
        "205 cold-group withheld for dexscreener",
        "8101 hot-group withdrawn",
        "8101 cold-group withdrawn",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_store_that_is_away_restarts_nothing() {
    let mut stage = stage();
    stage.happens(&Incident::Outage(STORE));
    stage.pass(8_000);
    stage.happens(&Incident::Back(STORE));
    stage.pass(10);
    let story = stage.story();
    assert!(
        story.iter().all(|line| line.contains("withheld for store") || line.contains("withdrawn")),
        "{story:?}"
    );
}

#[test]
fn what_has_waited_and_falls_silent_is_stuck() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Waits(API), Ends::WhenTold, None);
    stage.pass(600);
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(70);
    let story = [
        "160 hot-group withheld for dexscreener",
        "760 hot-group failed",
        "760 hot-group began by service",
        "760 hot-group graceful, charged",
        "762 hot-group recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_says_that_it_waits_while_it_backs_off_is_not_restarted() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(65);
    stage.fault("hot-group", Shows::Nothing, Ends::WhenTold, Some(Step::Graceful));
    stage.pass(59);
    stage.story();
    stage.pass(1);
    assert_eq!(stage.story(), ["225 hot-group began by service"]);
    stage.fault("hot-group", Shows::Waits(API), Ends::WhenTold, None);
    stage.pass(30);
    assert_eq!(stage.story(), ["226 hot-group withdrawn", "226 hot-group withheld for dexscreener"]);
}

#[test]
fn three_parts_that_fail_within_a_minute_on_one_thing_are_held_back_but_for_a_probe() {
    let mut stage = stage();
    for (part, after) in
        [("sample-writer", 10), ("breaker-writer", 20), ("event-writer", 0), ("sources", 370)]
    {
        stage.fault(part, Shows::Nothing, Ends::WhenTold, Some(Step::Emergency));
        stage.pass(after);
    }
    let story = [
        "280 sample-writer began by service",
        "280 sample-writer graceful, charged",
        "290 breaker-writer began by service",
        "290 breaker-writer graceful, charged",
        "310 event-writer began by service",
        "310 event-writer withdrawn",
        "310 event-writer withheld for store",
        // What fails later is held back too.
        "430 sources began by service",
        "430 sources withdrawn",
        "430 sources withheld for store",
        "461 sample-writer emergency",
        "463 sample-writer recovered",
        // The probe has proved that the store is there, and has paid for them.
        "466 sources withdrawn",
        "466 sources began by service",
        "466 sources graceful",
        "466 event-writer withdrawn",
        "466 event-writer began by service",
        "466 event-writer graceful",
        // What had taken a step goes on.
        "471 breaker-writer emergency",
        "473 breaker-writer recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn what_was_restarted_and_does_not_get_on_is_held_back_while_another_part_probes() {
    let mut stage = stage();
    for (part, after) in [("sample-writer", 10), ("breaker-writer", 20), ("event-writer", 340)] {
        stage.fault(part, Shows::Nothing, Ends::WhenTold, None);
        stage.pass(after);
    }
    stage.story();
    stage.pass(20);
    let story = ["471 breaker-writer failed", "471 breaker-writer withheld for store"];
    assert_eq!(stage.story(), story);
}

#[test]
fn failures_that_are_more_than_a_minute_apart_are_not_one() {
    let mut stage = stage();
    for part in ["sample-writer", "breaker-writer", "event-writer"] {
        stage.fault(part, Shows::Nothing, Ends::WhenTold, None);
        stage.pass(61);
    }
    stage.pass(140);
    let story = [
        "280 sample-writer began by service",
        "280 sample-writer graceful, charged",
        "341 breaker-writer began by service",
        "341 breaker-writer graceful, charged",
        "402 event-writer began by service",
        "402 event-writer graceful, charged",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn two_of_two_are_enough() {
    let mut stage = stage();
    stage.fault("hot-group", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.fault("cold-group", Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(100);
    let story = [
        "101 hot-group began by service",
        "101 cold-group began by service",
        "101 cold-group withdrawn",
        "101 cold-group withheld for dexscreener",
        "102 hot-group start, charged",
        "103 hot-group recovered",
        // Spread over its interval, and paid for by the probe.
        "147 cold-group withdrawn",
        "147 cold-group began by service",
        "147 cold-group start",
        "148 cold-group recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_probe_has_its_budget_and_waits_for_it_for_as_long_as_the_emergency_threshold() {
    let mut stage = stage();
    for part in ["sample-writer", "breaker-writer", "event-writer"] {
        stage.fault(part, Shows::Panics, Ends::WhenTold, None);
    }
    stage.pass(305);
    let story = stage.story();
    let steps: Vec<&String> = story.iter().filter(|line| line.contains("charged")).collect();
    let probed = [
        "102 breaker-writer start, charged",
        "104 breaker-writer start, charged",
        "107 breaker-writer start, charged",
    ];
    assert_eq!(steps, probed);
    for part in ["sample-writer", "breaker-writer", "event-writer"] {
        stage.heal(part);
    }
    stage.pass(600);
    let story = stage.story();
    let steps: Vec<&String> = story.iter().filter(|line| line.contains(" start")).collect();
    // The others are paid for by the probe, and spread over ten seconds.
    let resumed = ["412 breaker-writer start, charged", "416 event-writer start", "420 sample-writer start"];
    assert_eq!(steps, resumed);
}

#[test]
fn an_escalated_probe_gives_its_place_to_the_next_one_which_pays_for_itself() {
    let mut stage = stage();
    for part in ["sample-writer", "breaker-writer", "event-writer"] {
        stage.fault(part, Shows::Nothing, Ends::WhenTold, None);
    }
    stage.pass(1_000);
    let story = [
        "280 breaker-writer began by service",
        "280 breaker-writer graceful, charged",
        "280 sample-writer began by service",
        "280 sample-writer graceful, charged",
        "280 event-writer began by service",
        "280 event-writer withdrawn",
        "280 event-writer withheld for store",
        "461 breaker-writer emergency",
        "461 sample-writer failed",
        "461 sample-writer withheld for store",
        "642 breaker-writer escalated",
        "643 sample-writer withdrawn",
        "643 sample-writer began by service",
        "643 sample-writer graceful, charged",
        "824 sample-writer emergency",
        "1005 sample-writer escalated",
        "1006 event-writer withdrawn",
        "1006 event-writer began by service",
        "1006 event-writer emergency, charged",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn why_something_gives_no_answers_is_said_where_it_is_known() {
    let now = |seconds| Now {
        moment: Moment::from_origin(Duration::from_secs(seconds)),
        wall: Timestamp::UNIX_EPOCH,
        jitter: 0.5,
    };
    let mut machine = Machine::boot(table(), RecoveryConfig::default(), Epoch::new(1), Past::none(), now(0));
    let id = machine.find("hot-group").expect("it is in the table");
    machine.handle_reason(API, Some("an operator holds its breaker open".to_owned()));
    let mut causes = Vec::new();
    for second in 1..=60 {
        let now = now(second);
        let at = now.moment;
        for other in (0..table().len()).map(PartId).filter(|other| *other != id) {
            machine.handle_progress(other, machine.incarnation(other), at, now);
        }
        machine.handle_waiting(id, machine.incarnation(id), API, Moment::ZERO, at);
        machine.handle_timeout(now);
        while let Some(effect) = machine.poll_effect() {
            if let Effect::Record(Entry { fact: Fact::Withheld { cause, .. }, .. }) = effect {
                causes.push(cause);
            }
        }
    }
    let problem = |machine: &Machine, second| machine.views(now(second).moment)[id.0].problem.clone();
    let held = "restart withheld: an operator holds its breaker open";
    assert_eq!(causes, [held]);
    assert_eq!(problem(&machine, 61).as_deref(), Some(held));
    machine.handle_reason(API, None);
    let away = "restart withheld: dexscreener has been away for 61 s";
    assert_eq!(problem(&machine, 61).as_deref(), Some(away), "it is not any more, and does not answer yet");
}

#[test]
fn what_waits_for_another_thing_that_it_heard_of_earlier_is_not_silent_since_then() {
    let now = |seconds| Now {
        moment: Moment::from_origin(Duration::from_secs(seconds)),
        wall: Timestamp::UNIX_EPOCH,
        jitter: 0.5,
    };
    let mut machine = Machine::boot(table(), RecoveryConfig::default(), Epoch::new(1), Past::none(), now(0));
    let id = machine.find("hot-group").expect("it is in the table");
    for second in 1..=230 {
        let at = now(second).moment;
        for other in (0..table().len()).map(PartId).filter(|other| *other != id) {
            machine.handle_progress(other, machine.incarnation(other), at, now(second));
        }
        let (on, said_at) = if second <= 200 { (STORE, at) } else { (API, now(20).moment) };
        machine.handle_waiting(id, machine.incarnation(id), on, now(20).moment, said_at);
        machine.handle_timeout(now(second));
        while let Some(effect) = machine.poll_effect() {
            assert!(
                !matches!(effect, Effect::Stop { .. }),
                "it waited until 200 s: {effect:?} at {second} s"
            );
        }
    }
}
