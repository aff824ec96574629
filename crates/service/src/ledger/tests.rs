//! What waits for a store that is away, and what a start makes of what the processes before left.

use jiff::Timestamp;
use ttm_kernel::{Clock as _, FailureClass, Incarnation};
use ttm_market::testing::FakeTokenStore;
use ttm_recovery::testing::{FakeLastWords, FakeRecoveryLedger};
use ttm_recovery::{By, LastWords, Machine, Outcome, PartSpec, RecoveryConfig};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;
use crate::local_file::Disk;

mod lost;
mod outage;
mod recall;

struct Scene {
    runtime: ManualRuntime,
    store: FakeRecoveryLedger,
    words: FakeLastWords,
}

impl Scene {
    /// Two epochs were claimed: that of a process before, and that of this one.
    fn new() -> Self {
        let store = FakeRecoveryLedger::new();
        store.claim();
        store.claim();
        Self { runtime: ManualRuntime::new(1), store, words: FakeLastWords::new() }
    }

    fn now(&self) -> Now {
        Now { moment: self.runtime.now(), wall: self.runtime.wall(), jitter: 0.5 }
    }

    /// The ledger of the process of this epoch.
    fn ledger(&self, epoch: u64) -> Ledger {
        let ports = Ports {
            ledger: Arc::new(self.store.clone()),
            last_words: Some(Arc::new(self.words.clone())),
            ..fakes::ports(&FakeTokenStore::new())
        };
        let io = Arc::new(self.runtime.clone()) as Arc<dyn Runtime>;
        Ledger::new(&ports, &fakes::board(&self.runtime), &io, &Disk::new(&io), Epoch::new(epoch))
    }

    fn entry(&self, epoch: u64, number: u64, recovery: u64, fact: Fact) -> Entry {
        let key = |number| EntryKey { epoch: Epoch::new(epoch), number };
        Entry {
            key: key(number),
            recovery: key(recovery),
            at: self.runtime.wall(),
            subject: "work".to_owned(),
            fact,
        }
    }

    /// The beginning of a process that ends itself.
    fn end(&self, epoch: u64) -> [Entry; 3] {
        let (class, by) = (FailureClass::System, By::Service);
        let began = Fact::Began { cause: "it spins".to_owned(), class, by, evidence: None };
        let step = Fact::Step { step: Step::EndProcess, charged: false };
        [self.entry(epoch, 0, 0, Fact::Booted), self.entry(epoch, 1, 1, began), self.entry(epoch, 2, 1, step)]
    }

    /// Whether a part that ends may be started again by what was found.
    fn may_restart(&self, found: Found) -> bool {
        let spec = PartSpec {
            name: "work",
            critical: true,
            on_work_plane: false,
            within: None,
            depends_on: &[],
            patience: Duration::from_mins(1),
            interval: Duration::from_secs(10),
            is_canary: false,
        };
        let config = RecoveryConfig::default();
        let mut machine = Machine::boot(vec![spec], config, Epoch::new(9), found.past, self.now());
        let (id, end) = (ttm_recovery::PartId(0), ttm_kernel::TaskEnd::Finished);
        machine.handle_ended(id, Incarnation::FIRST, &end, self.now());
        let later = Now { moment: self.runtime.now() + Duration::from_mins(1), ..self.now() };
        machine.handle_timeout(later);
        std::iter::from_fn(|| machine.poll_effect())
            .any(|effect| matches!(effect, ttm_recovery::Effect::Start { .. }))
    }
}

#[test]
fn what_a_store_that_is_away_did_not_take_is_stored_in_its_order_when_it_is_back() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    let [booted, began, _] = scene.end(2);
    scene.runtime.block_on(async {
        ledger.record(booted.clone()).await;
        ledger.record(began.clone()).await;
        assert_eq!(scene.store.entries(), []);
        assert_eq!(ledger.shown.lock().newest(9).len(), 1, "readers see it all the same");
        scene.store.heal();
        ledger.tend().await;
        assert_eq!(scene.store.entries(), [], "it is not asked again at once");
        scene.runtime.sleep_until(scene.runtime.now() + RETRY).await;
        ledger.tend().await;
    });
    assert_eq!(scene.store.entries(), [booted, began]);
}

#[test]
fn that_another_process_took_over_is_known_from_the_store_s_refusal() {
    let scene = Scene::new();
    let [booted, ..] = scene.end(1);
    let mut older = scene.ledger(1);
    scene.runtime.block_on(async {
        scene.ledger(2).record(scene.entry(2, 0, 0, Fact::Booted)).await;
        assert!(older.fenced().is_none());
        older.record(booted).await;
    });
    let said = older.fenced().map(|error| error.said().clone());
    assert!(said.as_ref().is_some_and(|said| said.contains("fenced off by epoch 2")), "{said:?}");
}

#[test]
fn a_store_that_hangs_is_waited_for_once_and_not_with_each_entry() {
    let scene = Scene::new();
    let slow = Slow(scene.runtime.clone());
    let ports = Ports { ledger: Arc::new(slow), ..fakes::ports(&FakeTokenStore::new()) };
    let io = Arc::new(scene.runtime.clone()) as Arc<dyn Runtime>;
    let mut ledger = Ledger::new(&ports, &fakes::board(&scene.runtime), &io, &Disk::new(&io), Epoch::new(2));
    let begun = scene.runtime.now();
    scene.runtime.block_on(async {
        for entry in scene.end(2) {
            ledger.record(entry).await;
        }
    });
    assert_eq!(scene.runtime.now() - begun, PATIENCE);
}

#[test]
fn a_step_that_ends_the_process_is_found_by_the_next_whatever_became_of_the_store() {
    let scene = Scene::new();
    let ended = scene.end(1);
    scene.store.fail_with(|| StoreError::transient("the disk is full"));
    let mut before = scene.ledger(1);
    scene.runtime.block_on(async {
        for entry in ended.clone() {
            before.record(entry).await;
        }
    });
    assert_eq!(scene.words.entries(), ended);
    scene.store.heal();
    let mut ledger = scene.ledger(2);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert_eq!(found.problem, None);
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!(scene.store.entries(), ended);
    assert_eq!(scene.words.entries(), [], "the ledger has them");
    let shown = ledger.shown.lock().newest(1);
    assert_eq!(shown[0].steps.first().map(|taken| taken.step), Some(Step::EndProcess));
    // Once more, as after a crash between the two.
    scene.words.write(&ended).expect("it works");
    let mut again = scene.ledger(2);
    assert_eq!(scene.runtime.block_on(again.read(scene.now())).problem, None);
    assert!(scene.runtime.block_on(again.store(PATIENCE)));
    assert_eq!(scene.store.entries(), ended, "each is there once");
}

/// A process stops while its store is away, and the next one claims its epoch. Returns what is stored.
fn stopped(scene: &Scene) -> Vec<Entry> {
    let [booted, began, _] = scene.end(2);
    let mut ledger = scene.ledger(2);
    scene.runtime.block_on(async {
        ledger.record(booted.clone()).await;
        ledger.record(began.clone()).await;
        scene.store.fail_with(|| StoreError::transient("connection refused"));
        let over = Fact::Ended { outcome: Outcome::Interrupted, took: Duration::ZERO };
        ledger.add(scene.entry(2, 2, 1, over));
        ledger.add(scene.entry(2, 3, 3, Fact::Closed));
        ledger.close(PATIENCE).await;
    });
    scene.store.heal();
    scene.store.claim();
    vec![booted, began]
}

/// What a process records at its start about the one before.
fn charges(scene: &Scene, found: Found, epoch: u64) -> Vec<Entry> {
    let config = RecoveryConfig::default();
    let mut machine = Machine::boot(Vec::new(), config, Epoch::new(epoch), found.past, scene.now());
    let recorded = std::iter::from_fn(|| machine.poll_effect()).filter_map(|effect| match effect {
        ttm_recovery::Effect::Record(entry) => Some(entry),
        _ => None,
    });
    recorded.collect()
}

#[test]
fn a_stop_in_order_that_cannot_reach_its_store_is_no_death_for_the_next_process() {
    let scene = Scene::new();
    let stored = stopped(&scene);
    assert_eq!(scene.store.entries(), stored);
    let mut ledger = scene.ledger(3);
    let found = scene.runtime.block_on(ledger.read(scene.now()));
    assert_eq!(found.problem, None);
    let said: Vec<&str> = charges(&scene, found, 3).iter().map(|entry| entry.fact.kind()).collect();
    assert_eq!(said, ["booted"]);
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!(scene.store.entries().last().map(|entry| entry.fact.kind()), Some("closed"));
    assert_eq!(scene.words.entries(), [], "the ledger has it");
}

#[test]
fn a_stop_whose_store_works_leaves_no_file() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    scene.runtime.block_on(async {
        ledger.add(scene.entry(2, 0, 0, Fact::Booted));
        ledger.add(scene.entry(2, 1, 1, Fact::Closed));
        ledger.close(PATIENCE).await;
    });
    assert_eq!((scene.store.entries().len(), scene.words.entries()), (2, Vec::new()));
}

#[test]
fn what_could_not_be_written_into_the_file_is_written_with_what_comes_after() {
    let scene = Scene::new();
    scene.store.fail_with(|| StoreError::transient("the disk is full"));
    scene.words.fail_with(std::io::ErrorKind::StorageFull);
    let ended = scene.end(1);
    let mut ledger = scene.ledger(1);
    scene.runtime.block_on(async {
        for entry in ended.clone() {
            ledger.record(entry).await;
        }
        scene.words.heal();
        ledger.add(scene.entry(1, 3, 3, Fact::Closed));
        ledger.close(PATIENCE).await;
    });
    assert_eq!(scene.words.entries()[..3], ended);
    assert_eq!(scene.words.entries().len(), 4);
}

#[test]
fn a_file_that_another_process_has_booted_without_takes_nothing_back() {
    let scene = Scene::new();
    drop(stopped(&scene));
    // On another host, which does not have the file.
    let kept = scene.words.entries();
    scene.words.clear().expect("it works");
    let mut other = scene.ledger(3);
    let found = scene.runtime.block_on(other.read(scene.now()));
    let said = charges(&scene, found, 3);
    let kinds: Vec<&str> = said.iter().map(|entry| entry.fact.kind()).collect();
    assert_eq!(kinds, ["booted", "ended", "began", "step", "ended"], "it knows of no stop in order");
    for entry in said {
        other.add(entry);
    }
    assert!(scene.runtime.block_on(other.store(PATIENCE)));
    // And then on the first one again.
    scene.words.write(&kept).expect("it works");
    scene.store.claim();
    let found = scene.runtime.block_on(scene.ledger(4).read(scene.now()));
    assert_eq!(found.problem, None);
}

type Spoil<'a> = &'a dyn Fn(&Scene);

#[test]
fn what_cannot_be_read_is_set_aside_and_every_budget_counts_as_spent() {
    let foreign = |scene: &Scene| scene.words.write(&scene.end(7)).expect("it works");
    let spoilt_file = |scene: &Scene| scene.words.spoil("no header");
    let spoilt_ledger = |scene: &Scene| scene.store.spoil("a row without a key");
    let illegal = |scene: &Scene| {
        let under = FencingToken::first(Epoch::new(2));
        let over = Fact::Ended { outcome: Outcome::Recovered, took: Duration::ZERO };
        let entries = [scene.entry(1, 0, 0, Fact::Booted), scene.entry(1, 5, 3, over)];
        scene.runtime.block_on(scene.store.append(under, &entries)).expect("it works");
    };
    let cases: [(&str, Spoil<'_>); 4] = [
        ("entries of epoch 7, and this is 2", &foreign),
        ("no header", &spoilt_file),
        ("a row without a key", &spoilt_ledger),
        ("is not under way", &illegal),
    ];
    for (expected, spoil) in cases {
        let scene = Scene::new();
        spoil(&scene);
        let found = scene.runtime.block_on(scene.ledger(2).read(scene.now()));
        let problem = found.problem.clone().unwrap_or_default();
        assert!(problem.contains(expected), "{problem}");
        assert!(!scene.may_restart(found), "{expected}");
        let again = scene.runtime.block_on(scene.ledger(2).read(scene.now()));
        assert_eq!(again.problem, None, "it is kept elsewhere");
        assert!(scene.may_restart(again));
    }
}

#[test]
fn a_ledger_that_does_not_answer_at_once_is_asked_again() {
    let scene = Scene::new();
    let runtime = scene.runtime.clone();
    let healed_at = runtime.now() + Duration::from_secs(2);
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    let (store, clock) = (scene.store.clone(), runtime.clone());
    drop(runtime.spawn(
        "heals",
        Box::pin(async move {
            clock.sleep_until(healed_at).await;
            store.heal();
        }),
    ));
    let found = runtime.block_on(scene.ledger(2).read(scene.now()));
    assert_eq!(found.problem, None);
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    let found = runtime.block_on(scene.ledger(2).read(scene.now()));
    assert!(found.problem.is_some_and(|problem| problem.contains("connection refused")));
    assert_eq!(scene.store.aside(), [], "nothing is wrong with what it has");
}

/// A ledger that never answers.
struct Slow(ManualRuntime);

#[async_trait::async_trait]
impl RecoveryLedger for Slow {
    async fn load(&self, _: Timestamp, _: usize) -> Result<Vec<Entry>, StoreError> {
        std::future::pending().await
    }

    async fn append(&self, _: FencingToken, _: &[Entry]) -> Result<(), StoreError> {
        self.0.sleep_until(Moment::MAX).await;
        Ok(())
    }

    async fn set_aside(&self, _: FencingToken) -> Result<(), StoreError> {
        std::future::pending().await
    }
}
