//! A ledger that is away at the start, and what becomes of it once it is back.

use super::*;

/// A process before restarted a part and died, and the ledger is away at the start of this one.
fn unread(scene: &Scene) -> Ledger {
    let (class, by) = (FailureClass::System, By::Service);
    let began = Fact::Began { cause: "it panicked".to_owned(), class, by, evidence: None };
    let before = [
        scene.entry(1, 0, 0, Fact::Booted),
        scene.entry(1, 1, 1, began),
        scene.entry(1, 2, 1, Fact::Step { step: Step::Start, charged: true }),
    ];
    let under = FencingToken::first(Epoch::new(2));
    scene.runtime.block_on(scene.store.append(under, &before)).expect("it works");
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    let mut ledger = scene.ledger(2);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert!(found.is_unread);
    assert!(found.problem.as_ref().is_some_and(|problem| problem.contains("cannot be read yet")));
    assert!(!scene.may_restart(found), "nothing is known of what is left");
    ledger
}

/// Looks as often as the supervisor, for so long: what was found, and after how long.
fn look(scene: &Scene, ledger: &mut Ledger, seconds: u32) -> Option<(Found, Duration)> {
    let begun = scene.runtime.now();
    for _ in 0..seconds {
        let before = scene.runtime.now();
        let found = ledger.recall(scene.now());
        assert_eq!(scene.runtime.now(), before, "no look waits for it");
        if let Some(found) = found {
            return Some((found, before - begun));
        }
        scene.runtime.block_on(scene.runtime.sleep_until(before + Duration::from_secs(1)));
    }
    None
}

#[test]
fn a_ledger_that_is_away_at_the_start_is_read_once_it_is_back() {
    let scene = Scene::new();
    let mut ledger = unread(&scene);
    scene.runtime.block_on(ledger.record(scene.entry(2, 0, 0, Fact::Booted)));
    assert!(look(&scene, &mut ledger, 60).is_none(), "it is still away");
    scene.store.heal();
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    let (found, after) = look(&scene, &mut ledger, 60).expect("it is back");
    assert!(after <= RETRY + Duration::from_secs(2), "{after:?}");
    assert_eq!((found.problem.as_deref(), found.is_unread), (None, false));
    assert!(scene.may_restart(found), "one of three is spent");
    assert!(look(&scene, &mut ledger, 60).is_none(), "it is read once");
    let keys = scene.store.entries().iter().map(|entry| entry.key.epoch.number()).collect::<Vec<_>>();
    assert_eq!(keys, [1, 1, 1, 2]);
    assert_eq!(scene.store.aside(), []);
}

#[test]
fn a_reading_that_fails_keeps_nothing_from_being_stored() {
    let scene = Scene::new();
    let mut ledger = unread(&scene);
    scene.store.heal();
    ledger.port = Arc::new(NoLoad(scene.store.clone()));
    for number in 0..20 {
        // As the supervisor does it at every look.
        assert!(ledger.recall(scene.now()).is_none());
        let fact = if number == 0 { Fact::Booted } else { Fact::Closed };
        scene.runtime.block_on(ledger.record(scene.entry(2, number, number, fact)));
        assert_eq!(ledger.waiting.len(), 0, "{number}");
        scene.runtime.block_on(scene.runtime.sleep_until(scene.runtime.now() + Duration::from_secs(1)));
    }
}

#[test]
fn a_ledger_that_takes_seconds_to_be_read_is_read_all_the_same() {
    let scene = Scene::new();
    let mut ledger = unread(&scene);
    scene.store.heal();
    ledger.port = Arc::new(Late(scene.store.clone(), scene.runtime.clone(), Duration::from_secs(4)));
    let (found, _) = look(&scene, &mut ledger, 30).expect("four seconds are not too long");
    assert_eq!(found.problem, None);
}

#[test]
fn a_ledger_that_turns_out_to_be_damaged_is_set_aside_and_told() {
    let scene = Scene::new();
    let mut ledger = unread(&scene);
    scene.store.heal();
    scene.store.spoil("a row without a key");
    let (found, _) = look(&scene, &mut ledger, 30).expect("it answers");
    assert!(!found.is_unread, "it was");
    assert!(found.problem.as_ref().is_some_and(|problem| problem.contains("a row without a key")));
    assert!(!scene.may_restart(found));
    assert_eq!(scene.store.aside().len(), 3, "kept for a person");
    assert!(look(&scene, &mut ledger, 30).is_none());
}

#[test]
fn what_the_local_file_has_stays_there_until_it_was_read() {
    let scene = Scene::new();
    let before = scene.end(1);
    scene.words.write(&before[2..]).expect("it works");
    scene.runtime.block_on(async {
        scene.store.append(FencingToken::first(Epoch::new(2)), &before[..2]).await.expect("it works");
    });
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    let mut ledger = scene.ledger(2);
    assert!(scene.runtime.block_on(ledger.read(scene.now())).is_unread);
    scene.runtime.block_on(async {
        ledger.record(scene.entry(2, 0, 0, Fact::Booted)).await;
        ledger.close(PATIENCE).await;
    });
    assert_eq!(scene.words.entries().len(), 2, "its own beside that of the process before");
    scene.store.heal();
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!(scene.words.entries().len(), 2, "the ledger does not have the step yet");
    let (found, _) = look(&scene, &mut ledger, 30).expect("it is back");
    assert_eq!(found.problem, None);
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!((scene.words.entries(), scene.store.entries().len()), (Vec::new(), 4));
}

/// A ledger that cannot be read, and can be written.
struct NoLoad(FakeRecoveryLedger);

#[async_trait::async_trait]
impl RecoveryLedger for NoLoad {
    async fn load(&self, _: Timestamp, _: usize) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::transient("the query was cancelled"))
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        self.0.append(under, entries).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.0.set_aside(under).await
    }
}

/// A ledger that takes its time to be read.
struct Late(FakeRecoveryLedger, ManualRuntime, Duration);

#[async_trait::async_trait]
impl RecoveryLedger for Late {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.1.sleep_until(self.1.now() + self.2).await;
        self.0.load(since, limit).await
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        self.0.append(under, entries).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.0.set_aside(under).await
    }
}
