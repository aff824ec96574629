//! What waits to be stored, in memory and bounded.
//!
//! Two kinds of task use an outbox, and either may be replaced while an older incarnation of it still runs. What keeps them
//! apart: every entry is put in under its [`Author`], and an author that was replaced is refused. A batch that a writer has
//! taken stays in the outbox until the writer says what became of it, by the batch's number; when the writer is replaced the
//! batch goes back to its place, and what the older writer says of it later names a batch that is not there. So what is
//! produced is always stored, waiting, in flight or counted as dropped, whichever task is aborted when.

mod shelf;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use ttm_kernel::Incarnation;
use ttm_perf::{Event, Sample};

pub(crate) use shelf::{Fifo, Flag, Newest, Shelf};

use crate::life::Author;

/// The newest states of tokens that are not stored yet.
pub(crate) type TokenOutbox = Outbox<Newest>;

/// Samples that are not stored yet.
pub(crate) type SampleOutbox = Outbox<Fifo<Sample>>;

/// Events that are not stored yet.
pub(crate) type EventOutbox = Outbox<Fifo<Event>>;

/// Where entries wait for their writer.
pub(crate) struct Outbox<S: Shelf> {
    state: Mutex<State<S>>,
    filled: Notify,
}

struct State<S: Shelf> {
    shelf: S,
    /// The newest incarnation of each author. One that is not in here may put in what it likes.
    authors: BTreeMap<&'static str, Incarnation>,
    writer: Incarnation,
    is_closed: bool,
    in_flight: Option<InFlight<S::Entry>>,
    batches: u64,
    counted: Counted,
}

struct InFlight<E> {
    number: u64,
    entries: Arc<[E]>,
    /// So many of them, from the front, are stored or refused.
    done: usize,
}

#[derive(Debug, Default)]
struct Counted {
    produced: u64,
    /// Dropped to make room.
    shed: u64,
    /// Refused by the store.
    refused: u64,
}

/// Entries that a writer has taken, in the order in which they are stored. They stay in the outbox until it says what became of them.
pub(crate) struct Batch<E> {
    number: u64,
    pub(crate) entries: Arc<[E]>,
}

impl<S: Shelf> Outbox<S> {
    /// An outbox with nothing in it.
    pub(crate) fn new(shelf: S) -> Self {
        let state = State {
            shelf,
            authors: BTreeMap::new(),
            writer: Incarnation::FIRST,
            is_closed: false,
            in_flight: None,
            batches: 0,
            counted: Counted::default(),
        };
        Self { state: Mutex::new(state), filled: Notify::new() }
    }

    /// From now on older incarnations of this author are refused.
    pub(crate) fn admit(&self, author: Author) {
        let mut state = self.state.lock();
        let newest = state.authors.entry(author.part).or_insert(author.incarnation);
        *newest = author.incarnation.max(*newest);
    }

    /// Puts entries in, unless the author was replaced or the outbox is closed; never waits.
    pub(crate) fn put(&self, author: Author, entries: impl IntoIterator<Item = S::Put>) {
        let mut state = self.state.lock();
        let is_replaced = state.authors.get(author.part).is_some_and(|newest| author.incarnation < *newest);
        if state.is_closed || is_replaced {
            return;
        }
        for entry in entries {
            state.counted.produced += 1;
            state.shelf.put(entry);
        }
        state.shed();
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing comes in any more: the writers are about to stop.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
    }

    /// A new writer begins: what the one before had taken waits again, and it takes nothing any more.
    pub(crate) fn open(&self, writer: Incarnation) {
        let mut state = self.state.lock();
        if writer < state.writer {
            return;
        }
        state.writer = writer;
        state.return_batch();
        drop(state);
        self.filled.notify_one();
    }

    /// Whether no newer writer has begun.
    pub(crate) fn is_open_to(&self, writer: Incarnation) -> bool {
        self.state.lock().writer == writer
    }

    /// Takes up to `limit` entries. `None` if there are none, or the writer was replaced. A batch that the writer took before
    /// and said nothing of goes back first.
    pub(crate) fn take(&self, writer: Incarnation, limit: usize) -> Option<Batch<S::Entry>> {
        let mut state = self.state.lock();
        if writer != state.writer {
            return None;
        }
        state.return_batch();
        let entries: Arc<[S::Entry]> = state.shelf.take(limit).into();
        if entries.is_empty() {
            return None;
        }
        state.batches += 1;
        let number = state.batches;
        state.in_flight = Some(InFlight { number, entries: entries.clone(), done: 0 });
        Some(Batch { number, entries })
    }

    /// The next so many entries of a batch are stored.
    pub(crate) fn stored(&self, batch: &Batch<S::Entry>, entries: usize) {
        self.state.lock().settle(batch.number, entries);
    }

    /// The next so many entries of a batch are refused by the store for good.
    pub(crate) fn refused(&self, batch: &Batch<S::Entry>, entries: usize) {
        let mut state = self.state.lock();
        let refused = state.settle(batch.number, entries);
        state.counted.refused += refused as u64;
    }

    /// What is left of a batch could not be stored: it waits again, in its place.
    pub(crate) fn give_back(&self, batch: &Batch<S::Entry>) {
        let mut state = self.state.lock();
        if state.in_flight.as_ref().is_some_and(|in_flight| in_flight.number == batch.number) {
            state.return_batch();
        }
    }

    /// Whether none wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().shelf.len() == 0
    }

    /// Where the entries are.
    pub(crate) fn counts(&self) -> OutboxCounts {
        let state = self.state.lock();
        OutboxCounts {
            waiting: state.shelf.len() as u64,
            in_flight: state.in_flight.as_ref().map_or(0, |batch| batch.entries.len() - batch.done) as u64,
            produced: state.counted.produced,
            dropped: state.counted.shed + state.counted.refused,
        }
    }

    /// Completes when something was put in since the last call.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// A writer that was replaced may have been woken in place of the newer one: that one looks too.
    pub(crate) fn pass_on(&self) {
        self.filled.notify_one();
    }
}

impl<S: Shelf> State<S> {
    /// Counts entries of the batch in flight as done, if it is this one: how many.
    fn settle(&mut self, number: u64, entries: usize) -> usize {
        let Some(batch) = self.in_flight.as_mut().filter(|batch| batch.number == number) else { return 0 };
        let settled = entries.min(batch.entries.len() - batch.done);
        batch.done += settled;
        if batch.done == batch.entries.len() {
            self.in_flight = None;
        }
        settled
    }

    fn return_batch(&mut self) {
        if let Some(InFlight { entries, done, .. }) = self.in_flight.take() {
            self.shelf.give_back(&entries[done..]);
            self.shed();
        }
    }

    fn shed(&mut self) {
        self.counted.shed += self.shelf.shed();
    }
}

/// Where the entries are: `produced` = stored + `in_flight` + `waiting` + `dropped`, but for states of which only the newest
/// is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Not handed to the store yet.
    pub waiting: u64,
    /// Handed to the store, which has not answered yet.
    pub in_flight: u64,
    /// Put in since the start.
    pub produced: u64,
    /// Given up since the start.
    pub dropped: u64,
}

impl OutboxCounts {
    /// Entries that are not stored yet.
    pub const fn left(&self) -> u64 {
        self.waiting + self.in_flight
    }
}

#[cfg(test)]
mod tests;
