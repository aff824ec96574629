//! The fakes of the ports obey their laws, and the suites find implementations that break one: each of those is the fake with one
//! law broken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_alert::testing::notifier_conformance::{self, Answer, Receiver};
use ttm_alert::testing::{FakeAlertStore, FakeNotifier, conformance};
use ttm_alert::{AlertStore, Attempt, Commit, DeadLetter, Loaded, Notifier, Outcome, Receipt};
use ttm_kernel::{Epoch, FencingToken, Incarnation, StoreError};
use ttm_testkit::ManualRuntime;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsOnReopening,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptyCommitsFenceNothing,
    StoresBeforeItFences,
    CutsPeriodsToMilliseconds,
    CutsTimesToMilliseconds,
    ForgetsValues,
    ForgetsAcks,
    ForgetsRefusals,
    ForgetsChanges,
    ForgetsRemoteIds,
    ForgetsCovers,
    ForgetsFailingSince,
    ForgetsSecondCases,
    KeepsTheFirstRecord,
    KeepsTheFirstRow,
    ForgetsOthers,
    KeepsWhatIsForgotten,
    KeepsWhatIsSettled,
    KeepsWhatIsDead,
    LosesDeadLetters,
    KeepsSilences,
    OrdersRecordsBackwards,
    ReturnsOldestReceipts,
    ReturnsReceiptsBackwards,
    ReturnsOldestDeadLetters,
    KeepsTooFewReceipts,
    DoublesReceipts,
}

const BUGS: [Bug; 30] = [
    Bug::ForgetsOnReopening,
    Bug::IgnoresEpochs,
    Bug::IgnoresIncarnations,
    Bug::CountsIncarnationsOverClaims,
    Bug::LetsEmptyCommitsFenceNothing,
    Bug::StoresBeforeItFences,
    Bug::CutsPeriodsToMilliseconds,
    Bug::CutsTimesToMilliseconds,
    Bug::ForgetsValues,
    Bug::ForgetsAcks,
    Bug::ForgetsRefusals,
    Bug::ForgetsChanges,
    Bug::ForgetsRemoteIds,
    Bug::ForgetsCovers,
    Bug::ForgetsFailingSince,
    Bug::ForgetsSecondCases,
    Bug::KeepsTheFirstRecord,
    Bug::KeepsTheFirstRow,
    Bug::ForgetsOthers,
    Bug::KeepsWhatIsForgotten,
    Bug::KeepsWhatIsSettled,
    Bug::KeepsWhatIsDead,
    Bug::LosesDeadLetters,
    Bug::KeepsSilences,
    Bug::OrdersRecordsBackwards,
    Bug::ReturnsOldestReceipts,
    Bug::ReturnsReceiptsBackwards,
    Bug::ReturnsOldestDeadLetters,
    Bug::KeepsTooFewReceipts,
    Bug::DoublesReceipts,
];

struct Broken {
    store: FakeAlertStore,
    bug: Bug,
    known: Mutex<Incarnation>,
}

fn millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("in range")
}

impl Broken {
    fn newest(&self) -> FencingToken {
        FencingToken::new(self.store.newest(), Incarnation::new(u32::MAX))
    }

    fn changed(&self, commit: &Commit) -> Commit {
        let mut commit = commit.clone();
        let memory = self.store.memory();
        for record in &mut commit.records {
            if let Some(life) = &mut record.life {
                match self.bug {
                    Bug::CutsPeriodsToMilliseconds => {
                        life.held =
                            Duration::from_millis(u64::try_from(life.held.as_millis()).expect("small"));
                    }
                    Bug::ForgetsValues => life.value = life.value.filter(|value| *value > 0.0),
                    _ => {}
                }
            }
            match self.bug {
                Bug::CutsTimesToMilliseconds => record.changes.iter_mut().for_each(|at| *at = millis(*at)),
                Bug::ForgetsChanges => record.changes.truncate(1),
                Bug::ForgetsSecondCases => record.cases.truncate(1),
                Bug::KeepsTheFirstRecord => {
                    if let Some(first) = memory.records.get(&record.key) {
                        record.clone_from(first);
                    }
                }
                _ => {}
            }
            for case in &mut record.cases {
                match self.bug {
                    Bug::ForgetsAcks => case.ack = None,
                    Bug::ForgetsRefusals => case.told.iter_mut().for_each(|told| told.refused = None),
                    Bug::ForgetsRemoteIds => case.told.iter_mut().for_each(|told| told.remote_id = None),
                    _ => {}
                }
            }
        }
        for row in &mut commit.rows {
            match self.bug {
                Bug::ForgetsCovers => Arc::make_mut(&mut row.covers).truncate(1),
                Bug::ForgetsFailingSince => row.failing_since = None,
                Bug::KeepsTheFirstRow => {
                    if let Some(first) = memory.rows.get(&row.key) {
                        row.clone_from(first);
                    }
                }
                _ => {}
            }
        }
        match self.bug {
            Bug::KeepsWhatIsForgotten => commit.forgotten.clear(),
            Bug::KeepsWhatIsSettled => commit.settled.clear(),
            Bug::LosesDeadLetters => {
                let dead = std::mem::take(&mut commit.dead);
                commit.settled.extend(dead.into_iter().map(|dead| dead.row.key));
            }
            Bug::KeepsSilences => commit.ended_quiets.clear(),
            Bug::ForgetsOthers if !commit.records.is_empty() => {
                let named =
                    |key: &ttm_alert::AlertKey| commit.records.iter().any(|record| record.key == *key);
                let others: Vec<_> = memory.records.keys().filter(|key| !named(key)).cloned().collect();
                commit.forgotten.extend(others);
            }
            _ => {}
        }
        commit
    }
}

#[async_trait]
impl AlertStore for Broken {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let mut loaded = self.store.load().await?;
        match self.bug {
            Bug::OrdersRecordsBackwards => loaded.records.reverse(),
            Bug::KeepsTooFewReceipts => {
                loaded.receipts.drain(..loaded.receipts.len().saturating_sub(990));
            }
            Bug::KeepsWhatIsDead => {
                let dead = self.store.memory().dead.into_iter().map(|dead| dead.row);
                loaded.rows.extend(dead);
            }
            _ => {}
        }
        Ok(loaded)
    }

    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError> {
        let commit = self.changed(commit);
        let under = match self.bug {
            Bug::IgnoresEpochs => self.newest(),
            Bug::IgnoresIncarnations => FencingToken::new(under.epoch(), self.newest().incarnation()),
            Bug::CountsIncarnationsOverClaims => {
                let mut known = self.known.lock().expect("nothing panics with it");
                *known = under.incarnation().max(*known);
                if under.incarnation() < *known {
                    return Err(StoreError::fenced_by_incarnation(under, *known));
                }
                under
            }
            Bug::LetsEmptyCommitsFenceNothing if commit.is_empty() => return Ok(()),
            Bug::StoresBeforeItFences => {
                let outcome = self.store.commit(under, &commit).await;
                if outcome.is_err() {
                    self.store.commit(self.newest(), &commit).await?;
                }
                return outcome;
            }
            _ => under,
        };
        self.store.commit(under, &commit).await
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        let mut receipts = self.store.receipts(usize::MAX).await?;
        match self.bug {
            Bug::ReturnsOldestReceipts => receipts.truncate(limit),
            Bug::ReturnsReceiptsBackwards => receipts.reverse(),
            Bug::DoublesReceipts => receipts = receipts.iter().chain(&receipts).cloned().collect(),
            _ => {}
        }
        Ok(receipts.split_off(receipts.len().saturating_sub(limit)))
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let mut dead = self.store.dead_letters(usize::MAX).await?;
        if self.bug == Bug::ReturnsOldestDeadLetters {
            dead.truncate(limit);
        }
        Ok(dead.split_off(dead.len().saturating_sub(limit)))
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    ManualRuntime::new(0).block_on(future)
}

fn run(bug: Bug) {
    let memory = FakeAlertStore::new();
    let open = async || {
        let store = if bug == Bug::ForgetsOnReopening { FakeAlertStore::new() } else { memory.clone() };
        Box::new(Broken { store, bug, known: Mutex::default() }) as Box<dyn AlertStore>
    };
    block_on(conformance::check(open, async || memory.claim()));
}

#[test]
fn the_fake_store_obeys_every_law() {
    let memory = FakeAlertStore::new();
    let open = async || Box::new(memory.clone()) as Box<dyn AlertStore>;
    block_on(conformance::check(open, async || memory.claim()));
}

#[test]
fn the_suite_refuses_every_broken_store() {
    run(Bug::None);
    for bug in BUGS {
        assert!(catch_unwind(AssertUnwindSafe(|| run(bug))).is_err(), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_fake_store_fails_on_request_and_keeps_what_it_had() {
    let store = FakeAlertStore::new();
    let under = FencingToken::first(store.claim());
    block_on(store.commit(under, &Commit::default())).expect("works");
    store.fail_with(|| StoreError::transient("gone"));
    assert!(block_on(store.commit(under, &Commit::default())).is_err());
    assert!(block_on(store.load()).is_err());
    assert!(block_on(store.receipts(1)).is_err() && block_on(store.dead_letters(1)).is_err());
    store.heal();
    assert_eq!(block_on(store.load()).expect("works"), Loaded::default());
    assert_eq!((store.commits(), under.epoch()), (1, Epoch::new(1)));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    Retries,
    Stops,
    TakesBusyForRefused,
    ForgetsRetryAfter,
    TakesRefusalForFailure,
    TakesAnythingForDelivered,
    MakesNewKeys,
    TellsTheSecret,
}

struct Flawed(FakeNotifier, Flaw, Mutex<Vec<String>>);

#[async_trait]
impl Notifier for Flawed {
    fn patience(&self) -> Duration {
        self.0.patience()
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let Self(fake, flaw, keys) = self;
        if *flaw == Flaw::Stops && fake.requests().len() > 2 {
            return Outcome::Retry { after: None, why: "open".to_owned() };
        }
        let count = fake.requests().len();
        keys.lock().expect("nothing panics with it").push(match flaw {
            Flaw::MakesNewKeys => count.to_string(),
            _ => attempt.row.key.idempotency_key(),
        });
        let outcome = fake.send(attempt).await;
        match (flaw, outcome) {
            (Flaw::Retries, Outcome::Retry { .. }) => {
                keys.lock().expect("nothing panics with it").push(attempt.row.key.idempotency_key());
                fake.send(attempt).await
            }
            (Flaw::TakesBusyForRefused, Outcome::Retry { after: Some(_), why }) => Outcome::Refused { why },
            (Flaw::ForgetsRetryAfter, Outcome::Retry { why, .. })
            | (Flaw::TakesRefusalForFailure, Outcome::Refused { why }) => Outcome::Retry { after: None, why },
            (Flaw::TakesAnythingForDelivered, _) => Outcome::Delivered { remote_id: None },
            (Flaw::TellsTheSecret, Outcome::Refused { why }) => {
                Outcome::Refused { why: format!("{why}: hunter2") }
            }
            (_, outcome) => outcome,
        }
    }
}

impl Receiver for Flawed {
    fn answers(&self, answer: Answer) {
        self.0.answers(answer);
    }

    fn requests(&self) -> Vec<String> {
        self.2.lock().expect("nothing panics with it").clone()
    }

    fn secret(&self) -> Option<String> {
        Some("hunter2".to_owned())
    }
}

#[test]
fn the_fake_channel_obeys_every_law_and_the_suite_refuses_every_flawed_one() {
    let fake = FakeNotifier::new();
    block_on(notifier_conformance::check(&fake, &fake));
    assert!(!fake.taken().is_empty());
    let run = |flaw| {
        let flawed = Flawed(FakeNotifier::new(), flaw, Mutex::default());
        catch_unwind(AssertUnwindSafe(|| block_on(notifier_conformance::check(&flawed, &flawed)))).is_ok()
    };
    assert!(run(Flaw::None));
    for flaw in [
        Flaw::Retries,
        Flaw::Stops,
        Flaw::TakesBusyForRefused,
        Flaw::ForgetsRetryAfter,
        Flaw::TakesRefusalForFailure,
        Flaw::TakesAnythingForDelivered,
        Flaw::MakesNewKeys,
        Flaw::TellsTheSecret,
    ] {
        assert!(!run(flaw), "{flaw:?} goes unnoticed");
    }
}
