//! A record of events with one fault: the fake behind a decorator.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::testing::yield_now;
use ttm_kernel::{Severity, StoreError};
use ttm_perf::testing::FakeEventStore;
use ttm_perf::{Appended, Event, EventCursor, EventId, EventPage, EventQuery, EventStore};

use super::{OnDrop, block_on};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    // What outlives a process.
    ForgetsOnReopening,
    ForgetsDuplicatesOnReopening,
    TakesTheLastAfterReopening,
    // Counts and identities.
    CountsDuplicatesAsStored,
    CountsNoDuplicates,
    TakesTheLastOfABatch,
    TakesTheLast,
    TakesTheIdForTheIdentity,
    TakesTheTimeForTheIdentity,
    RefusesEmptyBatches,
    // What is kept of an event.
    CutsTimesToMilliseconds,
    CutsIds,
    RewritesPayloads,
    CutsPayloads,
    ForgetsSeverities,
    StoresSubjectsInLowerCase,
    CutsKinds,
    CutsSubjects,
    // Batches.
    StoresTheBeginOfALargeBatch,
    StoresPartOfARefusedBatch,
    RefusesABatchAfterARefusal,
    StoresHalfOfADroppedBatch,
    StoresChunksOfADroppedBatch,
    LeavesALockWhenDropped,
    // Beside one another.
    ShowsABatchInParts,
    RemembersThatThereWasNothing,
    CountsBeforeItInserts,
    FailsOnARace,
    LosesARace,
    TakesOneWriterAtATime,
    // Questions.
    LeavesOutTheBegin,
    HoldsTheEnd,
    FindsSubjectsByTheirBegin,
    FindsSubjectsByTheirEnd,
    FindsSubjectsWithoutCase,
    TakesUnderscoresForAnything,
    TakesPercentForAnything,
    TakesStarsForAnything,
    TakesUnderscoresOfKindsForAnything,
    FindsKindsByAnyPart,
    FindsWholeKinds,
    FindsNothingWithoutASubject,
    IgnoresKindsWithoutASubject,
    // Pages.
    TakesIdsForSigned,
    TakesHalvesOfIdsForSigned,
    OrdersIdsAscending,
    TakesIdsForText,
    IgnoresTheLimit,
    EndsAfterOnePage,
    PromisesAnEmptyPage,
    SkipsTheRestOfATime,
    RepeatsTheLastOfAPage,
    CountsPagesFromTheNewest,
    ForgetsTheBeginOnLaterPages,
    ForgetsTheEndOnLaterPages,
    ForgetsTheKindOnLaterPages,
    ForgetsTheSubjectOnLaterPages,
}

/// What outlives a store: its file, say.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<FakeEventStore>);

impl Disk {
    fn memory(&self) -> FakeEventStore {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, events: &[Event]) {
        let new = FakeEventStore::new();
        block_on(new.append(events)).expect("the fake works");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

pub(crate) struct Broken {
    disk: Arc<Disk>,
    bug: Bug,
    is_locked: AtomicBool,
    /// What was appended since it was opened.
    own: Mutex<BTreeSet<EventCursor>>,
    /// Subjects without events.
    asked: Mutex<BTreeSet<String>>,
}

fn cut(text: &str, most: usize) -> String {
    text[..text.len().min(most)].to_owned()
}

impl Broken {
    pub(crate) fn open(disk: &Arc<Disk>, bug: Bug) -> Self {
        if bug == Bug::ForgetsOnReopening {
            disk.replace(&[]);
        }
        let (own, asked) = (Mutex::default(), Mutex::default());
        Self { disk: Arc::clone(disk), bug, is_locked: AtomicBool::default(), own, asked }
    }

    /// The event that it takes an event for.
    fn taken(&self, event: &Event) -> Event {
        let (mut id, mut at, mut severity) = (event.id(), event.at(), event.severity());
        let (mut kind, mut subject) = (event.kind().to_string(), event.subject().to_string());
        let mut payload = event.payload().as_str().to_owned();
        match self.bug {
            Bug::CutsTimesToMilliseconds => {
                at = Timestamp::from_millisecond(at.as_millisecond()).expect("in range");
            }
            Bug::CutsIds => id = EventId::from_bits(id.bits() & (u128::MAX >> 1)),
            Bug::RewritesPayloads => payload = payload.replace("1.50", "1.5"),
            Bug::CutsPayloads => payload = cut(&payload, 16_383),
            Bug::ForgetsSeverities if severity == Severity::Critical => severity = Severity::Error,
            Bug::StoresSubjectsInLowerCase => subject = subject.to_lowercase(),
            Bug::CutsKinds => kind = cut(&kind, 63),
            Bug::CutsSubjects => subject = cut(&subject, 127),
            _ => {}
        }
        let payload = payload.parse().expect("no longer than it was");
        Event::new(
            id,
            at,
            kind.parse().expect("a kind"),
            subject.parse().expect("a subject"),
            severity,
            payload,
        )
    }

    /// What tells an event from others.
    fn identity(&self, event: &Event) -> (Timestamp, EventId) {
        match self.bug {
            Bug::TakesTheIdForTheIdentity => (Timestamp::MIN, event.id()),
            Bug::TakesTheTimeForTheIdentity => (event.at(), EventId::from_bits(0)),
            _ => (event.at(), event.id()),
        }
    }

    fn store(&self, events: &[Event]) -> Appended {
        block_on(self.disk.memory().append(events)).expect("the fake works")
    }

    fn known(&self) -> BTreeSet<EventCursor> {
        self.disk.memory().events().iter().map(EventCursor::of).collect()
    }

    /// Puts events in place of those of the same identity.
    fn overwrite(&self, new: &[Event]) {
        let is_new = |old: &Event| new.iter().any(|new| EventCursor::of(new) == EventCursor::of(old));
        let mut all = self.disk.memory().events();
        all.retain(|old| !is_new(old));
        all.extend_from_slice(new);
        self.disk.replace(&all);
    }

    fn locked<T>(&self) -> Result<T, StoreError> {
        assert!(self.is_locked.load(Ordering::Relaxed), "it is locked");
        Err(StoreError::transient("the database is locked"))
    }

    async fn appended(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let all = events.len() as u64;
        let is_locked = self.is_locked.load(Ordering::Relaxed);
        Ok(match self.bug {
            Bug::RefusesEmptyBatches if events.is_empty() => return Err(StoreError::rejected("empty")),
            Bug::CountsDuplicatesAsStored => {
                self.store(events);
                Appended { stored: all, duplicates: 0 }
            }
            Bug::CountsNoDuplicates => Appended { duplicates: 0, ..self.store(events) },
            Bug::TakesTheLastOfABatch => self.store(&events.iter().rev().cloned().collect::<Vec<_>>()),
            Bug::TakesTheLast if all == 3 => {
                let appended = self.store(events);
                self.overwrite(events);
                appended
            }
            Bug::TakesTheIdForTheIdentity | Bug::TakesTheTimeForTheIdentity if all <= 3 => {
                let memory = self.disk.memory().events();
                let mut known: BTreeSet<_> = memory.iter().map(|event| self.identity(event)).collect();
                let new = |event: &&Event| known.insert(self.identity(event));
                let new: Vec<Event> = events.iter().filter(new).cloned().collect();
                self.store(&new);
                Appended { stored: new.len() as u64, duplicates: all - new.len() as u64 }
            }
            Bug::StoresTheBeginOfALargeBatch if all > 1_200 => {
                self.store(&events[..1_200]);
                Appended { stored: all, duplicates: 0 }
            }
            Bug::StoresPartOfARefusedBatch | Bug::RefusesABatchAfterARefusal => {
                if is_locked && all == 1_200 {
                    return self.locked();
                }
                match events.iter().position(|event| event.at() == Timestamp::MIN) {
                    None => self.store(events),
                    Some(_) if self.bug == Bug::RefusesABatchAfterARefusal => {
                        self.is_locked.store(true, Ordering::Relaxed);
                        return Err(StoreError::rejected("before the first day of its calendar"));
                    }
                    Some(ancient) => {
                        self.store(&events[..ancient]);
                        return Err(StoreError::rejected("before the first day of its calendar"));
                    }
                }
            }
            Bug::StoresHalfOfADroppedBatch => {
                let mut on_drop = OnDrop(true, || _ = self.store(&events[..events.len() / 2]));
                yield_now().await;
                on_drop.0 = false;
                self.store(events)
            }
            Bug::StoresChunksOfADroppedBatch if all > 1_000 => {
                let mut on_drop = OnDrop(true, || _ = self.store(&events[..1_000]));
                for _ in 0..4 {
                    yield_now().await;
                }
                on_drop.0 = false;
                self.store(events)
            }
            Bug::LeavesALockWhenDropped | Bug::TakesOneWriterAtATime if is_locked => return self.locked(),
            Bug::LeavesALockWhenDropped => {
                let mut on_drop = OnDrop(true, || self.is_locked.store(true, Ordering::Relaxed));
                yield_now().await;
                on_drop.0 = false;
                self.store(events)
            }
            Bug::ShowsABatchInParts => {
                let (half, rest) = events.split_at(events.len() / 2);
                let one = self.store(half);
                let mut on_drop = OnDrop(true, || _ = self.store(rest));
                yield_now().await;
                on_drop.0 = false;
                let other = self.store(rest);
                Appended { stored: one.stored + other.stored, duplicates: one.duplicates + other.duplicates }
            }
            Bug::RemembersThatThereWasNothing => {
                yield_now().await;
                self.store(events)
            }
            Bug::CountsBeforeItInserts | Bug::FailsOnARace | Bug::LosesARace => self.races(events).await?,
            Bug::TakesOneWriterAtATime => {
                self.is_locked.store(true, Ordering::Relaxed);
                let _unlocks = OnDrop(true, || self.is_locked.store(false, Ordering::Relaxed));
                yield_now().await;
                self.store(events)
            }
            Bug::ForgetsDuplicatesOnReopening | Bug::TakesTheLastAfterReopening => self.forgets(events),
            _ => self.store(events),
        })
    }

    /// Looks, lets others run, and stores.
    async fn races(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let all = events.len() as u64;
        let known = self.known();
        let new: BTreeSet<_> =
            events.iter().map(EventCursor::of).filter(|new| !known.contains(new)).collect();
        let stored = new.len() as u64;
        yield_now().await;
        let really = self.store(events).stored;
        if really < stored {
            match self.bug {
                Bug::FailsOnARace => return Err(StoreError::rejected("UNIQUE constraint failed")),
                Bug::LosesARace => {
                    let mut kept = self.disk.memory().events();
                    kept.retain(|event| event.subject() != events[0].subject());
                    self.disk.replace(&kept);
                    return Ok(Appended { stored: really, duplicates: all - really });
                }
                _ => {}
            }
        }
        Ok(Appended { stored, duplicates: all - stored })
    }

    fn forgets(&self, events: &[Event]) -> Appended {
        let known = self.known();
        let mut own = self.own.lock().expect("nothing panics with it");
        let is_old = |event: &&Event| {
            known.contains(&EventCursor::of(event)) && !own.contains(&EventCursor::of(event))
        };
        let old: Vec<Event> = events.iter().filter(is_old).cloned().collect();
        own.extend(events.iter().map(EventCursor::of));
        let mut appended = self.store(events);
        if self.bug == Bug::TakesTheLastAfterReopening {
            self.overwrite(&old);
        } else {
            appended.stored += old.len() as u64;
            appended.duplicates -= old.len() as u64;
        }
        appended
    }

    pub(super) fn events_where(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.disk.memory().events_where(wanted)
    }

    pub(super) fn bug(&self) -> Bug {
        self.bug
    }

    /// Whether it knows of no event of a subject, once it has found none.
    pub(super) fn remembers_nothing(&self, subject: &str, has_events: bool) -> bool {
        let mut asked = self.asked.lock().expect("nothing panics with it");
        if !has_events {
            asked.insert(subject.to_owned());
        }
        asked.contains(subject)
    }
}

#[async_trait]
impl EventStore for Broken {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let taken: Vec<Event> = events.iter().map(|event| self.taken(event)).collect();
        self.appended(&taken).await
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        Ok(self.page(query))
    }
}
