//! A store that is away for so long that not all can wait for it, or that not all of it is stored in one go.

use std::io;

use parking_lot::Mutex;
use ttm_recovery::Past;

use super::*;

impl Scene {
    /// What a process does that restarts a part again and again: each recovery has `length` entries, the last one is open.
    fn long(&self, recoveries: u64, evidence: usize) -> Vec<Entry> {
        let mut entries = vec![self.entry(2, 0, 0, Fact::Booted)];
        let (class, by) = (FailureClass::System, By::Service);
        for at in 0..recoveries {
            let (number, evidence) = (at * 3 + 1, Some("x".repeat(evidence)));
            let began = Fact::Began { cause: "it spins".to_owned(), class, by, evidence };
            entries.push(self.entry(2, number, number, began));
            entries.push(self.entry(2, number + 1, number, Fact::Step { step: Step::Start, charged: true }));
            if at + 1 < recoveries {
                let over = Fact::Ended { outcome: Outcome::Recovered, took: Duration::ZERO };
                entries.push(self.entry(2, number + 2, number, over));
            }
        }
        entries
    }

    fn legal(&self, entries: &[Entry]) {
        Past::replay(entries, self.now()).expect("a process may have left this");
    }
}

#[test]
fn what_waits_beyond_its_bound_is_a_legal_past_without_the_oldest_recoveries() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    let quiet = Fact::Withheld { cause: "it is late".to_owned(), dependency: "the API".to_owned() };
    let entries = scene.long(LEDGER_KEEPS as u64 / 3 + 9, 0);
    let last = entries[entries.len() - 1].key.number;
    for entry in entries.clone() {
        ledger.add(entry);
    }
    ledger.add(scene.entry(2, last + 1, last + 1, quiet));
    let over = Fact::Ended { outcome: Outcome::Withdrawn, took: Duration::ZERO };
    ledger.add(scene.entry(2, last + 2, last + 1, over));
    let waiting: Vec<Entry> = ledger.waiting.iter().cloned().collect();
    scene.legal(&waiting);
    assert!((LEDGER_KEEPS - 5..=LEDGER_KEEPS).contains(&waiting.len()), "{}", waiting.len());
    assert_eq!(waiting[0].fact, Fact::Booted);
    assert!(waiting[1].key > entries[1].key, "the oldest recovery went first");
    assert!(waiting.iter().any(|entry| entry.key.number == last), "what is under way stays");
    assert_eq!(waiting[waiting.len() - 1].key.number, last, "what restarted nothing goes before what did");
}

#[test]
fn a_file_with_room_for_little_takes_the_end_of_the_process_and_of_the_stop() {
    // In the second case hardly more than the end.
    for room in [100_000, 1_000] {
        let scene = Scene::new();
        scene.store.fail_with(|| StoreError::transient("connection refused"));
        let file = Small { entries: Arc::default(), room };
        let ports = Ports {
            ledger: Arc::new(scene.store.clone()),
            last_words: Some(Arc::new(file.clone())),
            ..fakes::ports(&FakeTokenStore::new())
        };
        let io = Arc::new(scene.runtime.clone()) as Arc<dyn Runtime>;
        let mut ledger =
            Ledger::new(&ports, &fakes::board(&scene.runtime), &io, &Disk::new(&io), Epoch::new(2));
        for entry in scene.long(1_000, Entry::MAX_EVIDENCE) {
            ledger.add(entry);
        }
        let open = 999 * 3 + 1;
        let step = Fact::Step { step: Step::EndProcess, charged: true };
        scene.runtime.block_on(ledger.record(scene.entry(2, open + 2, open, step)));
        ledger.add(scene.entry(2, open + 3, open + 3, Fact::Closed));
        scene.runtime.block_on(ledger.close(PATIENCE));
        let kept = file.entries.lock().clone();
        scene.legal(&kept);
        let kinds: Vec<&str> = kept.iter().map(|entry| entry.fact.kind()).collect();
        assert_eq!(kinds[0], "booted", "{room}");
        assert_eq!(kinds[kinds.len() - 4..], ["began", "step", "step", "closed"], "{room}");
        let evidence = |entry: &&Entry| matches!(&entry.fact, Fact::Began { evidence: Some(_), .. });
        let seen: Vec<u64> = kept.iter().filter(evidence).map(|entry| entry.recovery.number).collect();
        assert_eq!(seen, if room > 1_000 { vec![open] } else { vec![] }, "of what ended the process");
    }
}

#[test]
fn what_waited_long_is_stored_piece_by_piece() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    ledger.port = Arc::new(Slowly(scene.store.clone(), scene.runtime.clone()));
    let entries = scene.long(1_000, 0);
    for entry in entries.clone() {
        ledger.add(entry);
    }
    let mut stored = 0;
    for _ in 0..20 {
        scene.runtime.block_on(ledger.tend());
        let now = scene.store.entries().len();
        assert!(now > stored || now == entries.len(), "{now} after {stored}");
        stored = now;
        scene.legal(&scene.store.entries());
    }
    assert_eq!(scene.store.entries(), entries);
}

#[test]
fn what_the_store_refuses_is_stored_without_its_words_and_nothing_else_is_lost() {
    for at in [1, 700, 1_498] {
        let scene = Scene::new();
        let mut ledger = scene.ledger(2);
        ledger.port = Arc::new(Picky(scene.store.clone()));
        let mut entries = scene.long(500, 10);
        let at = (at..entries.len()).find(|at| entries[*at].fact.kind() == "began").expect("there is one");
        if let Fact::Began { cause, .. } = &mut entries[at].fact {
            "a word that it does not know".clone_into(cause);
        }
        for entry in entries.clone() {
            ledger.add(entry);
        }
        assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
        let stored = scene.store.entries();
        scene.legal(&stored);
        assert_eq!(stored.len(), entries.len());
        let differ = stored.iter().zip(&entries).filter(|(stored, told)| stored != told);
        let differ: Vec<Entry> = differ.map(|(stored, _)| stored.clone()).collect();
        assert_eq!(differ, [without_words(&entries[at])], "the one that it refused");
    }
}

#[test]
fn an_entry_that_no_store_takes_is_dropped_alone_and_is_in_no_file() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    let mut entries = scene.long(100, 0);
    let last = entries.len() - 1;
    entries[last].subject = "heiß".to_owned();
    for entry in entries.clone() {
        ledger.add(entry);
    }
    scene.store.fail_with(|| StoreError::transient("connection refused"));
    scene.runtime.block_on(ledger.close(PATIENCE));
    assert_eq!(scene.words.entries().len(), last);
    scene.store.heal();
    assert!(scene.runtime.block_on(ledger.store(PATIENCE)));
    assert_eq!(scene.store.entries(), entries[..last]);
}

#[test]
fn no_more_evidence_waits_than_there_is_room_for_and_the_oldest_goes_first() {
    let scene = Scene::new();
    let mut ledger = scene.ledger(2);
    let entries = scene.long(1_000, Entry::MAX_EVIDENCE);
    for entry in entries.clone() {
        ledger.add(entry);
    }
    assert_eq!(ledger.waiting.len(), entries.len(), "no entry is lost");
    let evidence = |entry: &Entry| match &entry.fact {
        Fact::Began { evidence, .. } => evidence.clone(),
        _ => None,
    };
    let waiting: Vec<String> = ledger.waiting.iter().filter_map(evidence).collect();
    let (dropped, kept): (Vec<_>, Vec<_>) = waiting.iter().partition(|text| text.contains("dropped"));
    assert_eq!((dropped.len(), kept.len()), (1_000 - 256, 256));
    assert!(waiting[..dropped.len()].iter().all(|text| text.contains("no room")), "the oldest");
    let bytes: usize = kept.iter().map(|text| text.len()).sum();
    assert_eq!(bytes, EVIDENCE_WAITS);
}

/// A ledger that refuses a word.
struct Picky(FakeRecoveryLedger);

#[async_trait::async_trait]
impl RecoveryLedger for Picky {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.load(since, limit).await
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        let is_refused =
            |entry: &Entry| matches!(&entry.fact, Fact::Began { cause, .. } if cause.contains("a word"));
        if entries.iter().any(is_refused) {
            return Err(StoreError::rejected("invalid byte sequence"));
        }
        self.0.append(under, entries).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.0.set_aside(under).await
    }
}

/// A file that has room for so many bytes, of texts and a hundred for each entry.
#[derive(Clone)]
struct Small {
    entries: Arc<Mutex<Vec<Entry>>>,
    room: usize,
}

impl LastWords for Small {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let mut all = self.entries.lock().clone();
        all.extend_from_slice(entries);
        let size = |entry: &Entry| match &entry.fact {
            Fact::Began { evidence: Some(evidence), .. } => 100 + evidence.len(),
            _ => 100,
        };
        if all.iter().map(size).sum::<usize>() > self.room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        *self.entries.lock() = all;
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        Ok(self.entries.lock().clone())
    }

    fn clear(&self) -> io::Result<()> {
        self.entries.lock().clear();
        Ok(())
    }

    fn set_aside(&self) -> io::Result<()> {
        self.clear()
    }
}

/// A ledger that takes a millisecond for each entry.
struct Slowly(FakeRecoveryLedger, ManualRuntime);

#[async_trait::async_trait]
impl RecoveryLedger for Slowly {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.load(since, limit).await
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        self.1.sleep_until(self.1.now() + Duration::from_millis(entries.len() as u64)).await;
        self.0.append(under, entries).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.0.set_aside(under).await
    }
}
