//! The fake of the ledger obeys its laws, and the suite finds ledgers that break one: each of those is the fake with one
//! law broken.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use proptest::prelude::*;
use ttm_kernel::{Epoch, FencingToken, Incarnation, StoreError, StoreErrorKind};
use ttm_recovery::testing::{FakeRecoveryLedger, any_entry, conformance};
use ttm_recovery::{Entry, EntryKey, Fact, RecoveryLedger};
use ttm_testkit::ManualRuntime;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsOnReopening,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptyAppendsFenceNothing,
    StoresBeforeItFences,
    TakesTheLastOfAKey,
    CutsPeriodsToMilliseconds,
    CutsTimesToMilliseconds,
    RoundsTimesUp,
    ForgetsEvidence,
    ForgetsEmptyEvidence,
    ForgetsCharges,
    ForgetsTheRecovery,
    CutsLongTexts,
    TakesWhatIsOutOfBounds,
    StoresTheRestOfARejectedCall,
    OrdersByTime,
    OrdersKeysAsText,
    ReturnsTheNewestFirst,
    ReturnsTheOldest,
    LimitsBeforeItLooksAtTimes,
    IgnoresTheTime,
    LeavesOutTheTimeItself,
    RefusesEarlierEpochs,
    KeepsTooFew,
    KeepsTheNewestTimes,
    SetsNothingAside,
    SetsAsideBeforeItFences,
}

const BUGS: [Bug; 29] = [
    Bug::ForgetsOnReopening,
    Bug::IgnoresEpochs,
    Bug::IgnoresIncarnations,
    Bug::CountsIncarnationsOverClaims,
    Bug::LetsEmptyAppendsFenceNothing,
    Bug::StoresBeforeItFences,
    Bug::TakesTheLastOfAKey,
    Bug::CutsPeriodsToMilliseconds,
    Bug::CutsTimesToMilliseconds,
    Bug::RoundsTimesUp,
    Bug::ForgetsEvidence,
    Bug::ForgetsEmptyEvidence,
    Bug::ForgetsCharges,
    Bug::ForgetsTheRecovery,
    Bug::CutsLongTexts,
    Bug::TakesWhatIsOutOfBounds,
    Bug::StoresTheRestOfARejectedCall,
    Bug::OrdersByTime,
    Bug::OrdersKeysAsText,
    Bug::ReturnsTheNewestFirst,
    Bug::ReturnsTheOldest,
    Bug::LimitsBeforeItLooksAtTimes,
    Bug::IgnoresTheTime,
    Bug::LeavesOutTheTimeItself,
    Bug::RefusesEarlierEpochs,
    Bug::KeepsTooFew,
    Bug::KeepsTheNewestTimes,
    Bug::SetsNothingAside,
    Bug::SetsAsideBeforeItFences,
];

struct Broken {
    ledger: FakeRecoveryLedger,
    bug: Bug,
    last: Arc<Mutex<BTreeMap<EntryKey, Entry>>>,
    known: Mutex<Incarnation>,
}

impl Broken {
    fn changed(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        match (self.bug, &mut entry.fact) {
            (Bug::CutsPeriodsToMilliseconds, Fact::Ended { took, .. }) => {
                *took = Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            }
            (Bug::CutsTimesToMilliseconds, _) => entry.at = micros(entry.at, 1_000, 0),
            (Bug::RoundsTimesUp, _) => entry.at = micros(entry.at, 1, 1),
            (Bug::ForgetsEvidence, Fact::Began { evidence, .. }) => *evidence = None,
            (Bug::ForgetsEmptyEvidence, Fact::Began { evidence, .. }) => {
                evidence.take_if(|evidence| evidence.is_empty());
            }
            (Bug::ForgetsCharges, Fact::Step { charged, .. }) => *charged = true,
            (Bug::ForgetsTheRecovery, _) => entry.recovery = entry.key,
            (Bug::CutsLongTexts, Fact::Withheld { cause, .. } | Fact::Began { cause, .. }) => {
                *cause = cause.chars().take(255).collect();
            }
            (Bug::TakesWhatIsOutOfBounds, fact) if entry.subject.is_empty() => {
                "nobody".clone_into(&mut entry.subject);
                *fact = Fact::Booted;
            }
            _ => {}
        }
        entry
    }

    /// A token that is never refused.
    fn newest(&self) -> FencingToken {
        FencingToken::new(self.ledger.newest(), Incarnation::new(u32::MAX))
    }

    async fn everything(&self) -> Result<Vec<Entry>, StoreError> {
        self.ledger.load(Timestamp::MIN, usize::MAX).await
    }
}

/// The time in units of so many microseconds, and so many more.
fn micros(at: Timestamp, unit: i64, more: i64) -> Timestamp {
    Timestamp::from_microsecond((at.as_microsecond() / unit + more) * unit).expect("in range")
}

#[async_trait]
impl RecoveryLedger for Broken {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.everything().await?;
        match self.bug {
            Bug::IgnoresTheTime => {}
            Bug::LimitsBeforeItLooksAtTimes => {
                entries.drain(..entries.len().saturating_sub(limit));
                entries.retain(|entry| entry.at >= since);
            }
            Bug::LeavesOutTheTimeItself => entries.retain(|entry| entry.at > since),
            _ => entries.retain(|entry| entry.at >= since),
        }
        match self.bug {
            Bug::KeepsTheNewestTimes if entries.len() > 9_999 => {
                let mut times: Vec<Timestamp> = entries.iter().map(|entry| entry.at).collect();
                times.sort_unstable();
                let oldest = times[times.len() - 9_000];
                entries.retain(|entry| entry.at >= oldest);
            }
            Bug::KeepsTooFew => {
                entries.drain(..entries.len().saturating_sub(9_999));
            }
            Bug::ReturnsTheOldest => entries.truncate(limit),
            _ => {}
        }
        entries.drain(..entries.len().saturating_sub(limit));
        match self.bug {
            Bug::OrdersByTime => entries.sort_by_key(|entry| entry.at),
            Bug::OrdersKeysAsText => entries.sort_by_key(|entry| entry.key.to_string()),
            Bug::ReturnsTheNewestFirst => entries.reverse(),
            Bug::TakesTheLastOfAKey => {
                let last = self.last.lock().expect("nothing panics with it");
                for entry in &mut entries {
                    if let Some(last) = last.get(&entry.key) {
                        entry.clone_from(last);
                    }
                }
            }
            _ => {}
        }
        Ok(entries)
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        let mut entries: Vec<Entry> = entries.iter().map(|entry| self.changed(entry)).collect();
        if self.bug == Bug::TakesTheLastOfAKey {
            let mut last = self.last.lock().expect("nothing panics with it");
            last.extend(entries.iter().map(|entry| (entry.key, entry.clone())));
        }
        match self.bug {
            Bug::StoresBeforeItFences => {
                let outcome = self.ledger.append(under, &entries).await;
                if outcome.as_ref().is_err_and(|error| error.kind() != StoreErrorKind::Rejected) {
                    self.ledger.append(self.newest(), &entries).await?;
                }
                return outcome;
            }
            Bug::RefusesEarlierEpochs => entries.retain(|entry| entry.key.epoch == under.epoch()),
            Bug::StoresTheRestOfARejectedCall if entries.iter().any(|entry| entry.check().is_err()) => {
                entries.retain(|entry| entry.check().is_ok());
                self.ledger.append(under, &entries).await?;
                return Err(StoreError::rejected("one was out of bounds"));
            }
            _ => {}
        }
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
            Bug::LetsEmptyAppendsFenceNothing if entries.is_empty() => return Ok(()),
            _ => under,
        };
        self.ledger.append(under, &entries).await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        match self.bug {
            Bug::SetsNothingAside => self.ledger.append(under, &[]).await,
            Bug::SetsAsideBeforeItFences => {
                let outcome = self.ledger.set_aside(under).await;
                if outcome.is_err() {
                    self.ledger.set_aside(self.newest()).await?;
                }
                outcome
            }
            _ => self.ledger.set_aside(under).await,
        }
    }
}

/// Whether the suite passes a ledger with this bug.
fn passes(bug: Bug) -> bool {
    let memory = FakeRecoveryLedger::new();
    let last = Arc::default();
    let open = async || {
        let ledger = if bug == Bug::ForgetsOnReopening { FakeRecoveryLedger::new() } else { memory.clone() };
        Box::new(Broken { ledger, bug, last: Arc::clone(&last), known: Mutex::default() })
            as Box<dyn RecoveryLedger>
    };
    let suite = conformance::check(open, async || memory.claim());
    catch_unwind(AssertUnwindSafe(|| block_on(suite))).is_ok()
}

fn block_on<F: Future>(future: F) -> F::Output {
    ManualRuntime::new(0).block_on(future)
}

#[test]
fn the_fake_ledger_obeys_every_law() {
    let memory = FakeRecoveryLedger::new();
    let open = async || Box::new(memory.clone()) as Box<dyn RecoveryLedger>;
    block_on(conformance::check(open, async || memory.claim()));
}

#[test]
fn the_suite_refuses_every_broken_ledger() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in BUGS {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_fake_ledger_fails_on_request_and_keeps_what_it_had() {
    let ledger = FakeRecoveryLedger::new();
    let under = FencingToken::first(ledger.claim());
    let key = EntryKey { epoch: under.epoch(), number: 0 };
    let (at, subject) = (Timestamp::UNIX_EPOCH, Entry::PROCESS.to_owned());
    let booted = Entry { key, recovery: key, at, subject, fact: Fact::Booted };
    block_on(ledger.append(under, std::slice::from_ref(&booted))).expect("works");
    let load = || block_on(ledger.load(Timestamp::MIN, 9));
    ledger.fail_with(|| StoreError::transient("gone"));
    assert_eq!(load().expect_err("fails").to_string(), "the store is unavailable: gone");
    assert!(block_on(ledger.append(under, &[])).is_err());
    assert!(block_on(ledger.set_aside(under)).is_err());
    ledger.heal();
    assert_eq!(load().expect("works"), std::slice::from_ref(&booted));
    ledger.spoil("the entry 1-0 has an unknown fact");
    let error = load().expect_err("it cannot be read");
    assert_eq!(
        (error.kind(), &*error.said()),
        (StoreErrorKind::Unexpected, "the entry 1-0 has an unknown fact")
    );
    block_on(ledger.set_aside(under)).expect("works");
    assert_eq!((load().expect("works"), ledger.aside()), (vec![], vec![booted]));
    assert_eq!(ledger.appends(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_that_the_strategy_draws_is_kept(entry in any_entry()) {
        prop_assert_eq!(entry.check(), Ok(()));
        let ledger = FakeRecoveryLedger::new();
        let under = FencingToken::first(ledger.claim());
        block_on(ledger.append(under, std::slice::from_ref(&entry))).expect("append works");
        prop_assert_eq!(ledger.entries(), [entry]);
    }
}

#[test]
fn a_refused_entry_says_which_one_it_is_and_what_is_wrong() {
    let key = EntryKey { epoch: Epoch::new(12), number: 3 };
    let entry = Entry {
        key,
        recovery: key,
        at: Timestamp::UNIX_EPOCH,
        subject: "hot group".to_owned(),
        fact: Fact::Withheld { cause: "x".repeat(1_025), dependency: String::new() },
    };
    let said = |entry: &Entry| entry.check().expect_err("it is refused").to_string();
    assert_eq!(said(&entry), "the entry 12-3 has a cause of 1025 bytes, and the longest one has 1024");
    let later = Entry { recovery: EntryKey { number: 4, ..key }, ..entry.clone() };
    assert_eq!(said(&later), "the entry 12-3 has a recovery, 12-4, that began after it");
    let nul =
        Entry { fact: Fact::Withheld { cause: String::new(), dependency: "\0".to_owned() }, ..entry.clone() };
    assert_eq!(said(&nul), "the entry 12-3 has a dependency that contains NUL");
    let nobody = Entry { subject: String::new(), ..entry };
    assert_eq!(said(&nobody), "the entry 12-3 has a subject that is not 1 to 64 bytes of printable ASCII");
}
