//! What a process makes of what the ones before it left.

use std::time::Duration;

use ttm_kernel::{Epoch, TaskEnd};
use ttm_recovery::testing::{Ends, Incident, Shows, Stage, table};
use ttm_recovery::{Effect, Entry, EntryKey, Fact, Machine, Outcome, Past, RecoveryConfig, Step};

#[test]
fn a_past_that_is_read_late_counts_as_one_that_was_there_at_the_start() {
    let mut now = Stage::new(table(), RecoveryConfig::default()).now();
    let mut before =
        Machine::boot(vec![table()[11].clone()], RecoveryConfig::default(), Epoch::new(1), Past::none(), now);
    let part = before.find("event-writer").expect("it is there");
    let ends = |machine: &mut Machine, times: u32, now: &mut ttm_recovery::Now| {
        for _ in 0..times {
            now.moment += Duration::from_secs(20);
            machine.handle_ended(part, machine.incarnation(part), &TaskEnd::Finished, *now);
            now.moment += Duration::from_secs(10);
            machine.handle_timeout(*now);
        }
        let effects = std::iter::from_fn(|| machine.poll_effect()).collect::<Vec<_>>();
        let starts = effects.iter().filter(|effect| matches!(effect, Effect::Start { .. })).count();
        let entries = effects.into_iter().filter_map(|effect| match effect {
            Effect::Record(entry) => Some(entry),
            _ => None,
        });
        (starts, entries.collect::<Vec<_>>())
    };
    let (starts, entries) = ends(&mut before, 2, &mut now);
    assert_eq!(starts, 2);
    let config = RecoveryConfig::default();
    let mut late =
        Machine::boot(vec![table()[11].clone()], config, Epoch::new(2), Past::unreadable(now), now);
    assert_eq!(ends(&mut late, 1, &mut now).0, 0, "all counts as spent");
    late.recall(Past::replay(&entries, now).expect("it is legal"), now);
    let left = late.budgets(now.moment, now.wall);
    assert_eq!((left.parts[0].1.left, left.restarts.left), (1, 7), "two restarts and a death");
    // The process that died is told of, and what it had begun is over.
    let (starts, entries) = {
        now.moment += Duration::from_mins(5);
        late.handle_timeout(now);
        ends(&mut late, 0, &mut now)
    };
    assert_eq!(starts, 1, "what was given up is tried again");
    let died =
        |entry: &&Entry| matches!(&entry.fact, Fact::Began { cause, .. } if cause.contains("of epoch 1"));
    assert_eq!(entries.iter().filter(died).count(), 1, "{entries:#?}");
    assert!(entries.iter().any(|entry| entry.recovery.epoch == Epoch::new(1)), "{entries:#?}");
}

#[test]
fn what_the_process_was_ended_for_has_not_helped_if_the_part_fails_before_that_is_known() {
    for fails in [true, false] {
        let mut stage = Stage::new(table(), RecoveryConfig::default());
        let booted = |stage: &Stage| stage.ledger().iter().filter(|entry| entry.fact == Fact::Booted).count();
        stage.fault("work", Shows::Panics, Ends::WhenTold, None);
        while booted(&stage) < 2 {
            stage.pass(1);
        }
        if !fails {
            stage.heal("work");
        }
        stage.happens(&Incident::Unread);
        stage.pass(10);
        assert_eq!(stage.state("work"), if fails { "escalated" } else { "running" });
        stage.happens(&Incident::Recall);
        stage.pass(1);
        let step = Fact::Step { step: Step::EndProcess, charged: false };
        let end = stage.ledger().iter().find(|entry| entry.fact == step).expect("it was ended");
        let over = stage.ledger().iter().rfind(|entry| entry.recovery == end.recovery).expect("it is over");
        let Fact::Ended { outcome, .. } = over.fact else { panic!("{over:?}") };
        assert_eq!(outcome, if fails { Outcome::Failed } else { Outcome::Recovered });
    }
}

#[test]
fn a_ledger_that_cannot_be_read_counts_as_spent_for_an_hour() {
    let mut now = Stage::new(table(), RecoveryConfig::default()).now();
    let unreadable = Past::unreadable(now);
    let config = RecoveryConfig::default();
    let writer = vec![table()[11].clone()];
    let mut machine = Machine::boot(writer, config, Epoch::new(2), unreadable, now);
    let part = machine.find("event-writer").expect("it is there");
    let mut ends = |seconds, machine: &mut Machine| {
        now.moment += Duration::from_secs(seconds);
        machine.handle_ended(part, machine.incarnation(part), &TaskEnd::Finished, now);
        now.moment += Duration::from_mins(1);
        machine.handle_timeout(now);
        machine.views(now.moment)[part.0].state.as_str()
    };
    assert_eq!(ends(10, &mut machine), "escalated");
    now.moment += Duration::from_mins(58);
    machine.handle_timeout(now);
    assert_eq!(machine.views(now.moment)[part.0].state.as_str(), "escalated");
    now.moment += Duration::from_mins(1);
    machine.handle_timeout(now);
    assert_eq!(machine.views(now.moment)[part.0].state.as_str(), "starting");
}

#[test]
fn a_death_that_the_next_process_could_not_tell_of_is_told_by_the_one_after() {
    let now = Stage::new(table(), RecoveryConfig::default()).now();
    let booted = |epoch: u64| {
        let key = EntryKey { epoch: Epoch::new(epoch), number: 0 };
        Entry { key, recovery: key, at: now.wall, subject: Entry::PROCESS.to_owned(), fact: Fact::Booted }
    };
    let key = EntryKey { number: 1, ..booted(2).key };
    let closed = Entry { key, recovery: key, fact: Fact::Closed, ..booted(2) };
    // The entries that a process makes which boots after these.
    let told = |before: &[Entry], epoch: u64| {
        let past = Past::replay(before, now).expect("it is legal");
        let mut machine = Machine::boot(table(), RecoveryConfig::default(), Epoch::new(epoch), past, now);
        let effects = std::iter::from_fn(move || machine.poll_effect());
        effects
            .filter_map(|effect| if let Effect::Record(entry) = effect { Some(entry) } else { None })
            .collect::<Vec<Entry>>()
    };
    let charges = |entries: &[Entry]| {
        entries.iter().filter(|entry| matches!(entry.fact, Fact::Step { charged: true, .. })).count()
    };
    // The first one died. The second one could not read that, and stopped in order.
    let before = [booted(1), booted(2), closed];
    let third = told(&before, 3);
    assert_eq!(charges(&third), 1, "{third:#?}");
    let all: Vec<Entry> = before.into_iter().chain(third).collect();
    assert_eq!(charges(&told(&all, 4)), 1, "the third died, and the first was told of");
    assert_eq!(charges(&told(&[booted(1), booted(2)], 3)), 2, "both died");
}

#[test]
fn a_wall_clock_that_was_set_back_brings_no_end_of_the_process_closer() {
    let mut now = Stage::new(table(), RecoveryConfig::default()).now();
    let ends = |epoch: u64, at| {
        let key = |number| EntryKey { epoch: Epoch::new(epoch), number };
        let entry = |number, recovery, fact| Entry {
            key: key(number),
            recovery: key(recovery),
            at,
            subject: Entry::PROCESS.to_owned(),
            fact,
        };
        let (class, by) = (ttm_kernel::FailureClass::System, ttm_recovery::By::Service);
        let began = Fact::Began { cause: "it hangs".to_owned(), class, by, evidence: None };
        let step = Fact::Step { step: Step::EndProcess, charged: false };
        [entry(0, 0, Fact::Booted), entry(1, 1, began), entry(2, 1, step)]
    };
    // The clock was set back by half an hour between the two.
    let entries: Vec<Entry> =
        ends(1, now.wall).into_iter().chain(ends(2, now.wall - Duration::from_mins(30))).collect();
    let past = Past::replay(&entries, now).expect("it is legal");
    let mut machine = Machine::boot(table(), RecoveryConfig::default(), Epoch::new(3), past, now);
    let keeper = machine.find("lease-keeper").expect("it is there");
    for _ in 0..28 {
        now.moment += Duration::from_secs(10);
        machine.handle_ended(keeper, machine.incarnation(keeper), &TaskEnd::Finished, now);
        machine.handle_timeout(now);
    }
    let is_end = |effect: Effect| matches!(effect, Effect::EndProcess { .. });
    assert!(!std::iter::from_fn(|| machine.poll_effect()).any(is_end), "they are five minutes apart");
}

#[test]
fn a_ledger_that_was_lost_counts_as_spent_for_the_processes_after_as_well() {
    let mut now = Stage::new(table(), RecoveryConfig::default()).now();
    let boot = |past: Past, epoch: u64, now| {
        Machine::boot(table(), RecoveryConfig::default(), Epoch::new(epoch), past, now)
    };
    let entries = |machine: &mut Machine| {
        let effects = std::iter::from_fn(|| machine.poll_effect());
        effects
            .filter_map(|effect| if let Effect::Record(entry) = effect { Some(entry) } else { None })
            .collect::<Vec<Entry>>()
    };
    let mut first = boot(Past::unreadable(now), 1, now);
    first.close_all(now);
    let ledger = entries(&mut first);
    now.moment += Duration::from_mins(40);
    now.wall += Duration::from_mins(40);
    let left = |now: ttm_recovery::Now| {
        let past = Past::replay(&ledger, now).expect("it is legal");
        boot(past, 2, now).budgets(now.moment, now.wall).ends.left
    };
    assert_eq!(left(now), 0);
    now.moment += Duration::from_mins(21);
    now.wall += Duration::from_mins(21);
    assert_eq!(left(now), 3);
}
