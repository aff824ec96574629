//! A ledger, or a local file, that is damaged: what counts of the other one, and for how long that is told.

use super::*;

#[test]
fn a_ledger_that_an_earlier_process_lost_is_a_problem_until_the_hour_is_over() {
    let scene = Scene::new();
    let under = FencingToken::first(Epoch::new(2));
    let lost = [scene.entry(1, 0, 0, Fact::Booted), scene.entry(1, 1, 1, Fact::Spent)];
    scene.runtime.block_on(scene.store.append(under, &lost)).expect("it works");
    let pass = |minutes| {
        let until = scene.runtime.now() + Duration::from_mins(minutes);
        scene.runtime.block_on(scene.runtime.sleep_until(until));
    };
    let over = scene.runtime.now() + Duration::from_hours(1);
    pass(20);
    let found = scene.runtime.block_on(scene.ledger(2).read(scene.now()));
    let problem = found.problem.clone().unwrap_or_default();
    assert!(problem.contains("every budget counts as spent for an hour from then"), "{problem}");
    assert_eq!(found.past.spent_until(scene.runtime.now()), Some(over));
    assert!(!found.past.is_lost(), "that was told then");
    assert!(!scene.may_restart(found));
    pass(41);
    let found = scene.runtime.block_on(scene.ledger(2).read(scene.now()));
    assert_eq!((found.problem, found.past.spent_until(scene.runtime.now())), (None, None));
}

#[test]
fn what_the_local_file_has_counts_when_the_ledger_is_damaged() {
    let scene = Scene::new();
    let ended = scene.end(1);
    scene.words.write(&ended).expect("it works");
    scene.store.spoil("a row without a key");
    let mut ledger = scene.ledger(2);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert!(found.past.is_lost());
    assert!(found.problem.as_ref().is_some_and(|problem| problem.contains("a row without a key")));
    let shown = ledger.shown.lock().newest(1);
    assert_eq!(shown[0].steps.first().map(|taken| taken.step), Some(Step::EndProcess));
    let said = charges(&scene, found, 2);
    let kinds: Vec<&str> = said.iter().map(|entry| entry.fact.kind()).collect();
    assert_eq!(kinds, ["booted", "spent", "ended"], "it did not die, and why it ended is over");
    for entry in said {
        ledger.add(entry);
    }
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!((scene.store.entries()[..3].to_vec(), scene.store.entries().len()), (ended.to_vec(), 6));
    assert_eq!((scene.words.entries(), scene.words.aside()), (Vec::new(), Vec::new()), "the ledger has it");
}

#[test]
fn what_the_ledger_has_counts_when_the_local_file_is_damaged() {
    let scene = Scene::new();
    let under = FencingToken::first(Epoch::new(2));
    scene.runtime.block_on(scene.store.append(under, &scene.end(1))).expect("it works");
    scene.words.spoil("no header");
    let mut ledger = scene.ledger(2);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert!(found.past.is_lost());
    assert!(found.problem.as_ref().is_some_and(|problem| problem.contains("no header")));
    assert_eq!((ledger.shown.lock().newest(9).len(), scene.store.aside()), (1, Vec::new()));
    let kinds: Vec<&str> = charges(&scene, found, 2).iter().map(|entry| entry.fact.kind()).collect();
    assert_eq!(kinds, ["booted", "spent", "ended"]);
}

#[test]
fn a_ledger_and_a_local_file_that_are_both_damaged_are_both_set_aside_and_told() {
    let scene = Scene::new();
    scene.words.spoil("no header");
    scene.store.spoil("a row without a key");
    let found = scene.runtime.block_on(scene.ledger(2).read(scene.now()));
    let problem = found.problem.clone().unwrap_or_default();
    let both = ["a row without a key", "; the local file: no header"];
    assert!(both.iter().all(|what| problem.contains(what)), "{problem}");
    assert!(!scene.may_restart(found));
    assert_eq!(scene.runtime.block_on(scene.ledger(2).read(scene.now())).problem, None);
}

#[test]
fn a_local_file_on_a_disk_that_takes_its_time_is_read_later_and_not_set_aside() {
    let scene = Scene::new();
    scene.words.write(&scene.end(1)).expect("it works");
    scene.words.fail_with(io::ErrorKind::TimedOut);
    let mut ledger = scene.ledger(2);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert!(found.is_unread && !found.past.is_lost());
    scene.words.heal();
    let until = scene.runtime.now() + 2 * RETRY;
    let found = loop {
        assert!(scene.runtime.now() < until, "it is read");
        scene.runtime.block_on(scene.runtime.sleep_until(scene.runtime.now() + Duration::from_secs(1)));
        if let Some(found) = ledger.recall(scene.now()) {
            break found;
        }
    };
    assert_eq!((found.problem, scene.words.aside()), (None, Vec::new()));
    assert_eq!(ledger.shown.lock().newest(9).len(), 1);
}
