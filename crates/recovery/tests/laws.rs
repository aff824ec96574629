//! Laws that hold whatever happens: the judge watches every effect of histories at random.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ttm_kernel::Epoch;
use ttm_recovery::testing::{API, Incident, STORE, Stage, any_config, any_history, table};
use ttm_recovery::{Entry, Machine, PartId, PartView, Past, RecoveryConfig, State};

fn after(config: &RecoveryConfig, history: &[Incident]) -> Stage {
    let mut stage = Stage::new(table(), config.clone());
    for incident in history {
        stage.happens(incident);
    }
    stage
}

/// What does not run as it should.
fn problems(stage: &mut Stage) -> Vec<String> {
    let now = stage.now().moment;
    let views = stage.machine().views(now);
    let is_well = |view: &PartView| view.state == State::Running && view.problem.is_none();
    views.iter().filter(|view| !is_well(view)).map(|view| format!("{view:?}")).collect()
}

proptest! {
    // The same histories each time; others by PROPTEST_RNG_SEED and PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// No effect but those that the judge allows, nothing forgotten, and all parts run once nothing is wrong any more.
    #[test]
    fn every_effect_may_be_and_every_part_comes_back(config in any_config(), history in any_history(1..40)) {
        let mut stage = after(&config, &history);
        for part in 0..table().len() {
            stage.happens(&Incident::Heal(PartId(part)));
        }
        for what in [Incident::Back(API), Incident::Back(STORE), Incident::Memory(false), Incident::Recall] {
            stage.happens(&what);
        }
        stage.happens(&Incident::Reconfigure(RecoveryConfig::default()));
        // An escalated part is tried again within an hour, and then may wait for a budget for another.
        for _ in 0..80 {
            if problems(&mut stage).is_empty() {
                return Ok(());
            }
            stage.pass(100);
        }
        prop_assert_eq!(problems(&mut stage), [""; 0]);
    }

    #[test]
    fn the_same_history_has_the_same_effects(config in any_config(), history in any_history(1..20)) {
        let (one, other) = (after(&config, &history), after(&config, &history));
        prop_assert_eq!(one.effects(), other.effects());
    }

    /// Killed at any entry, with any number of the oldest entries dropped, the next process boots on what is left, and so does
    /// the one after that.
    #[test]
    fn every_piece_of_a_ledger_is_a_legal_past(history in any_history(1..30), cut in any::<prop::sample::Index>()) {
        let config = RecoveryConfig::default();
        let mut stage = after(&config, &history);
        let now = stage.now();
        let ledger = stage.ledger();
        let begin = cut.index(ledger.len());
        for end in begin..=ledger.len() {
            let mut kept = ledger[begin..end].to_vec();
            for epoch in [1_000, 1_001] {
                let past = Past::replay(&kept, now).expect("a machine recorded these");
                let mut machine = Machine::boot(table(), config.clone(), Epoch::new(epoch), past, now);
                while let Some(effect) = machine.poll_effect() {
                    if let ttm_recovery::Effect::Record(entry) = effect {
                        kept.push(entry);
                    }
                }
            }
        }
    }

    /// Nobody gains anything by reading the ledger late.
    #[test]
    fn a_past_that_is_read_late_counts_as_one_that_was_there(history in any_history(1..30), later in 0_u64..4_000) {
        let config = RecoveryConfig::default();
        let mut stage = after(&config, &history);
        stage.pass(later);
        let now = stage.now();
        let past = || Past::replay(stage.ledger(), now).expect("a machine recorded these");
        let epoch = Epoch::new(1_000);
        let boot = |past| Machine::boot(table(), config.clone(), epoch, past, now);
        let (known, mut late) = (boot(past()), boot(Past::unread()));
        let none = late.budgets(now.moment, now.wall);
        prop_assert!(none.parts.iter().all(|(_, budget)| budget.left == 0) && none.ends.left == 0);
        late.recall(past(), now);
        prop_assert_eq!(late.budgets(now.moment, now.wall), known.budgets(now.moment, now.wall));
        prop_assert_eq!(late.views(now.moment), known.views(now.moment));
    }

    /// The wall clock may be set to any time in between: everything stays legal.
    #[test]
    fn a_wall_clock_that_is_set_breaks_nothing(history in any_history(1..20), by in -1_000_000_i64..1_000_000, when in 0_usize..20) {
        let mut history = history;
        history.insert(when.min(history.len()), Incident::Wall(by));
        history.push(Incident::Crash);
        let stage = after(&RecoveryConfig::default(), &history);
        prop_assert!(stage.ledger().iter().map(Entry::check).all(|checked| checked.is_ok()));
    }
}
