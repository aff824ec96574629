//! What may be spent, and that nothing refills a budget but time.

use std::time::Duration;

use ttm_kernel::Epoch;
use ttm_recovery::testing::{Ends, Incident, Shows, Stage, table};
use ttm_recovery::{
    Effect, Entry, EntryKey, Fact, Machine, PartId, Past, RecoveryConfig, RecoverySettings, Step,
};

fn stage_with(settings: RecoverySettings) -> Stage {
    let config = RecoveryConfig::try_new(settings).expect("possible settings");
    let mut stage = Stage::new(table(), config).with_jitter(0.5);
    stage.pass(100);
    stage.story();
    stage
}

fn stage() -> Stage {
    stage_with(RecoverySettings::default())
}

/// Has a part panic once, and waits until it runs again.
fn crash(stage: &mut Stage, part: &str) {
    stage.fault(part, Shows::Panics, Ends::WhenTold, Some(Step::Start));
    stage.pass(20);
}

fn charges(stage: &Stage) -> usize {
    stage.ledger().iter().filter(|entry| matches!(entry.fact, Fact::Step { charged: true, .. })).count()
}

#[test]
fn a_part_is_restarted_three_times_in_five_minutes_and_a_fourth_time_escalates_it() {
    let mut stage = stage();
    for _ in 0..3 {
        crash(&mut stage, "event-writer");
    }
    assert_eq!((charges(&stage), stage.state("event-writer")), (3, "running"));
    crash(&mut stage, "event-writer");
    assert_eq!((charges(&stage), stage.state("event-writer")), (3, "escalated"));
    stage.pass(3_600);
    assert_eq!((charges(&stage), stage.state("event-writer")), (4, "running"));
}

#[test]
fn the_window_slides() {
    let mut stage = stage();
    crash(&mut stage, "event-writer");
    stage.pass(260);
    crash(&mut stage, "event-writer");
    crash(&mut stage, "event-writer");
    // The first one is more than five minutes ago.
    crash(&mut stage, "event-writer");
    assert_eq!((charges(&stage), stage.state("event-writer")), (4, "running"));
    crash(&mut stage, "event-writer");
    assert_eq!((charges(&stage), stage.state("event-writer")), (4, "escalated"));
}

#[test]
fn all_parts_together_are_restarted_ten_times_in_an_hour() {
    let mut stage = stage();
    for part in ["sources", "roster", "event-writer", "sample-writer", "breaker-writer"] {
        crash(&mut stage, part);
        stage.pass(400);
        crash(&mut stage, part);
        stage.pass(100);
    }
    assert_eq!(charges(&stage), 10);
    crash(&mut stage, "event-writer");
    assert_eq!((charges(&stage), stage.state("event-writer")), (10, "escalated"));
}

#[test]
fn what_a_critical_part_may_not_do_any_more_is_done_to_the_plane_and_then_to_the_process() {
    let mut stage = stage_with(RecoverySettings {
        max_restart_attempts: 1,
        restart_cooldown: Duration::from_hours(2),
        ..RecoverySettings::default()
    });
    crash(&mut stage, "token-writer");
    stage.story();
    stage.fault("token-writer", Shows::Nothing, Ends::WhenTold, Some(Step::EndProcess));
    stage.pass(500);
    let story = [
        "300 token-writer began by service",
        "301 token-writer rebuild_plane",
        "481 token-writer end_process",
        "481 process closed",
        "486 process booted",
        "487 token-writer recovered",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_plane_is_built_anew_twice_an_hour_then_the_process_ends_three_times_and_then_it_stays_up() {
    let mut stage = stage();
    stage.fault("pulse", Shows::Nothing, Ends::Never, None);
    stage.pass(600);
    let story = [
        "110 work-plane began by service",
        "110 work-plane rebuild_plane, charged",
        "120 work-plane end_process",
        "120 process closed",
        "125 process booted",
        "135 work-plane failed",
        "135 work-plane began by service",
        "135 work-plane rebuild_plane, charged",
        "180 work-plane end_process",
        "180 process closed",
        "185 process booted",
        "195 work-plane failed",
        "195 work-plane began by service",
        "480 work-plane end_process",
        "480 process closed",
        "485 process booted",
        "495 work-plane failed",
        "495 work-plane began by service",
        "495 work-plane escalated",
    ];
    assert_eq!((stage.story(), stage.state("pulse")), (story.map(str::to_owned).to_vec(), "escalated"));
    stage.heal("pulse");
    stage.pass(2);
    assert_eq!(stage.state("pulse"), "running");
}

#[test]
fn a_process_that_died_is_one_charge_and_one_that_stopped_in_order_is_none() {
    let mut stage = stage();
    stage.happens(&Incident::Crash);
    stage.pass(5);
    stage.happens(&Incident::Stop);
    stage.pass(5);
    let story = [
        "105 process booted",
        "105 process began by service",
        "105 process start, charged",
        "105 process recovered",
        "110 process closed",
        "115 process booted",
    ];
    assert_eq!(stage.story(), story);
}

#[test]
fn a_restart_of_the_process_refills_no_budget() {
    for incident in [Incident::Crash, Incident::Stop] {
        let mut stage = stage();
        for _ in 0..3 {
            crash(&mut stage, "event-writer");
        }
        stage.happens(&incident);
        crash(&mut stage, "event-writer");
        assert_eq!(stage.state("event-writer"), "escalated");
    }
}

#[test]
fn a_backoff_has_full_jitter_up_to_a_second_that_doubles_up_to_a_minute() {
    let settings = RecoverySettings {
        max_restart_attempts: 1_000,
        max_restarts_per_hour: 1_000,
        ..RecoverySettings::default()
    };
    for (jitter, waits) in [(0.0, [1; 9]), (0.999_999, [2, 3, 5, 9, 17, 33, 61, 61, 61])] {
        let config = RecoveryConfig::try_new(settings.clone()).expect("possible settings");
        let mut stage = Stage::new(table(), config).with_jitter(jitter);
        stage.fault("event-writer", Shows::Panics, Ends::WhenTold, None);
        stage.pass(300);
        let starts: Vec<i64> = starts_of(&stage, "event-writer");
        let gaps: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).take(8).collect();
        assert_eq!(gaps, waits[1..], "with {jitter}");
    }
}

#[test]
fn a_backoff_begins_anew_after_two_minutes_of_running_with_progress() {
    for (runs_for, waits) in [(119, 2), (125, 1)] {
        let mut stage = stage().with_jitter(0.999_999);
        stage.fault("event-writer", Shows::Panics, Ends::WhenTold, Some(Step::Start));
        stage.pass(2 + runs_for);
        let at = stage.seconds();
        stage.fault("event-writer", Shows::Panics, Ends::WhenTold, Some(Step::Start));
        stage.pass(5);
        let starts = starts_of(&stage, "event-writer");
        assert_eq!(starts[1] - i64::try_from(at).expect("small"), 1 + waits, "after {runs_for} s");
    }
}

#[test]
fn with_no_attempts_nothing_is_done_but_by_hand() {
    let mut stage = stage_with(RecoverySettings { max_restart_attempts: 0, ..RecoverySettings::default() });
    stage.fault("event-writer", Shows::Panics, Ends::WhenTold, None);
    for part in ["pulse", "work", "hot-group", "cold-group", "token-writer", "monitor"] {
        stage.fault(part, Shows::Nothing, Ends::Never, None);
    }
    stage.happens(&Incident::StuckThread);
    stage.happens(&Incident::Memory(true));
    stage.pass(8_000);
    let is_done = |effect: &Effect| !matches!(effect, Effect::Record(_));
    assert_eq!(stage.effects().iter().filter(|effect| is_done(effect)).count(), 0);
    for part in ["event-writer", "pulse", "work", "token-writer", "monitor"] {
        assert_eq!(stage.state(part), "escalated", "{part}");
    }
    stage.heal("event-writer");
    stage.restart("event-writer").expect("it can be");
    stage.pass(2);
    assert_eq!(stage.state("event-writer"), "running");
    stage.restart("token-writer").expect("it can be");
    stage.pass(300);
    assert_eq!(stage.state("token-writer"), "escalated");
}

#[test]
fn what_is_left_of_a_ledger_is_a_legal_past_and_a_foreign_one_is_not() {
    let mut stage = stage();
    for part in ["event-writer", "roster", "work"] {
        crash(&mut stage, part);
        stage.happens(&Incident::Crash);
    }
    let now = stage.now();
    let ledger = stage.ledger();
    for begin in 0..ledger.len() {
        for end in begin..=ledger.len() {
            Past::replay(&ledger[begin..end], now).expect("a machine recorded these");
        }
    }
    let replay = |entries: &[Entry]| Past::replay(entries, now).map(drop).map_err(|error| error.to_string());
    let mut twice = ledger.to_vec();
    twice.extend_from_slice(&ledger[..1]);
    assert_eq!(replay(&twice), Err("entry 1-0 comes after a later one".to_owned()));
    let orphan = ledger.iter().position(|entry| matches!(entry.fact, Fact::Began { .. })).expect("one began");
    let mut without = ledger.to_vec();
    without.remove(orphan);
    assert_eq!(replay(&without), Err("entry 1-2 belongs to recovery 1-1, which is not under way".to_owned()));
    let mut down = ledger.to_vec();
    let again = Entry { key: EntryKey { number: 99, ..down[2].key }, ..down[2].clone() };
    down.insert(3, again);
    down.truncate(4);
    assert_eq!(replay(&down), Err("entry 1-99 takes a step down the ladder".to_owned()));
    let boot = ledger.iter().rposition(|entry| entry.fact == Fact::Booted).expect("it booted");
    let mut unborn = ledger.to_vec();
    unborn.remove(boot);
    assert_eq!(replay(&unborn), Err("entry 4-1 was made by a process that was not running".to_owned()));
}

fn starts_of(stage: &Stage, part: &str) -> Vec<i64> {
    let of_part =
        |entry: &&Entry| entry.subject == part && matches!(entry.fact, Fact::Step { step: Step::Start, .. });
    stage.ledger().iter().filter(of_part).map(|entry| entry.at.as_second() - 1_800_000_000).collect()
}

#[test]
fn the_table_is_like_that_of_the_service() {
    assert_eq!(table()[2].name, "work");
    assert!(table().iter().all(|part| part.within.is_none_or(|outer| outer == PartId(2))));
}

/// What is left of the budget of a part, of all of them, and when there is one more, in seconds from now.
fn left(stage: &mut Stage, part: &str) -> [(u32, Option<i64>); 2] {
    let now = stage.now();
    let budgets = stage.machine().budgets(now.moment, now.wall);
    let of = budgets.parts.iter().find(|(name, _)| name == part).expect("it is in the table").1;
    [of, budgets.restarts]
        .map(|budget| (budget.left, budget.more_at.map(|at| at.duration_since(now.wall).as_secs())))
}

#[test]
fn what_the_work_plane_and_the_process_cost_is_told_beside_the_parts() {
    let mut stage = stage();
    let left = |stage: &mut Stage| {
        let now = stage.now();
        let budgets = stage.machine().budgets(now.moment, now.wall);
        (budgets.work_plane.left, budgets.process.left, budgets.restarts.left)
    };
    assert_eq!(left(&mut stage), (3, 3, 10));
    stage.fault("pulse", Shows::Nothing, Ends::Never, Some(Step::RebuildPlane));
    stage.pass(15);
    assert_eq!(left(&mut stage), (2, 3, 9));
    stage.happens(&Incident::Crash);
    assert_eq!(left(&mut stage), (2, 2, 8));
}

#[test]
fn ends_without_an_order_are_counted_for_an_hour_though_no_budget_is_charged() {
    for attempts in [0, 3] {
        let mut stage = stage();
        let config = RecoverySettings { max_restart_attempts: attempts, ..RecoverySettings::default() };
        stage.happens(&Incident::Reconfigure(RecoveryConfig::try_new(config).expect("possible settings")));
        let ended = |stage: &mut Stage| {
            let now = stage.now();
            stage.machine().budgets(now.moment, now.wall).unordered_ends
        };
        assert_eq!(ended(&mut stage), 0);
        for crashes in 1..=5 {
            stage.happens(&Incident::Crash);
            stage.pass(5);
            assert_eq!(ended(&mut stage), crashes);
        }
        stage.pass(3_500);
        assert_eq!(ended(&mut stage), 5);
        stage.pass(200);
        assert_eq!(ended(&mut stage), 0);
    }
}

#[test]
fn what_is_left_of_a_budget_and_when_there_is_more_is_told() {
    let mut stage = stage();
    assert_eq!(left(&mut stage, "event-writer"), [(3, None), (10, None)]);
    // Charged within two seconds, and the look comes twenty seconds after the fault.
    crash(&mut stage, "event-writer");
    let [own, all] = left(&mut stage, "event-writer");
    assert_eq!((own.0, all.0), (2, 9));
    assert!((280..=283).contains(&own.1.expect("one was spent")), "{own:?}");
    assert!((3_580..=3_583).contains(&all.1.expect("one was spent")), "{all:?}");
    crash(&mut stage, "event-writer");
    crash(&mut stage, "event-writer");
    assert_eq!(left(&mut stage, "event-writer").map(|(left, _)| left), [0, 7]);
    assert_eq!(left(&mut stage, "roster"), [(3, None), left(&mut stage, "event-writer")[1]]);
    stage.pass(300);
    assert_eq!(left(&mut stage, "event-writer").map(|(left, _)| left), [3, 7]);
    // It is spent, and one more is there once as many are over as are too many.
    let config =
        RecoverySettings { max_restarts_per_hour: 1, max_restart_attempts: 1, ..RecoverySettings::default() };
    stage.happens(&Incident::Reconfigure(RecoveryConfig::try_new(config).expect("possible settings")));
    let [_, (left_of_all, more)] = left(&mut stage, "event-writer");
    let now = stage.now().wall;
    let last =
        stage.ledger().iter().rev().find(|entry| matches!(entry.fact, Fact::Step { charged: true, .. }));
    let age = now.duration_since(last.expect("there were three").at).as_secs();
    assert_eq!((left_of_all, more), (0, Some(3_600 - age)));
}

#[test]
fn a_ledger_that_cannot_be_read_leaves_nothing_for_an_hour() {
    let now = stage().now();
    let machine =
        Machine::boot(table(), RecoveryConfig::default(), Epoch::new(2), Past::unreadable(now), now);
    let budgets = machine.budgets(now.moment, now.wall);
    let all = budgets.parts.iter().map(|(_, budget)| *budget);
    for budget in all.chain([budgets.restarts, budgets.rebuilds, budgets.ends]) {
        let hour = now.wall.checked_add(Duration::from_hours(1)).expect("in range");
        assert_eq!((budget.left, budget.more_at), (0, Some(hour)));
    }
}
