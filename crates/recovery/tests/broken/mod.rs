//! A ledger with one fault: the fake behind a decorator.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Epoch, FencingToken, Incarnation, StoreError, StoreErrorKind};
use ttm_recovery::testing::FakeRecoveryLedger;
use ttm_recovery::{Entry, EntryKey, Fact, RecoveryLedger};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bug {
    None,
    ForgetsOnReopening,
    ForgetsEpochsOnReopening,
    ForgetsIncarnationsOnReopening,
    BringsBackWhatWasSetAside,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptyAppendsFenceNothing,
    RefusesEmptyAppends,
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

pub(crate) struct Broken {
    ledger: FakeRecoveryLedger,
    bug: Bug,
    last: Arc<Mutex<BTreeMap<EntryKey, Entry>>>,
    known: Mutex<Incarnation>,
    /// What was there when it was opened.
    before: Vec<Entry>,
    newest: Epoch,
    appends: u64,
}

impl Broken {
    pub(crate) fn open(
        ledger: &FakeRecoveryLedger,
        bug: Bug,
        last: &Arc<Mutex<BTreeMap<EntryKey, Entry>>>,
    ) -> Self {
        Self {
            ledger: ledger.clone(),
            bug,
            last: Arc::clone(last),
            known: Mutex::default(),
            before: if bug == Bug::BringsBackWhatWasSetAside { ledger.aside() } else { ledger.entries() },
            newest: ledger.newest(),
            appends: ledger.appends(),
        }
    }

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
            Bug::ForgetsOnReopening => entries.retain(|entry| !self.before.contains(entry)),
            Bug::BringsBackWhatWasSetAside if entries.is_empty() => entries.extend_from_slice(&self.before),
            _ => {}
        }
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
            Bug::ForgetsEpochsOnReopening if self.ledger.newest() == self.newest => {
                FencingToken::new(self.newest, under.incarnation())
            }
            Bug::ForgetsIncarnationsOnReopening
                if self.ledger.appends() == self.appends && under.epoch() == self.newest =>
            {
                return Ok(());
            }
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
            Bug::RefusesEmptyAppends if entries.is_empty() => return Err(StoreError::rejected("empty")),
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
