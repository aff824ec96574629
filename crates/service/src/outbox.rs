//! What waits to be stored, in memory and bounded: the newest state of each token, samples and events in order. It knows no
//! store; the writers empty it.
//!
//! A batch that is taken counts as in flight until it is settled, refused or given back, so what is produced is always
//! stored, waiting, in flight or counted as dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;
use ttm_market::{Mint, Token};
use ttm_perf::{Event, Sample};

/// Where entries wait for their writer.
#[async_trait]
pub(super) trait Waiting<T>: Send + Sync {
    /// Takes up to `limit` entries out, oldest first. They count as in flight until one of the next three is told of them.
    fn take(&self, limit: usize) -> Vec<T>;
    /// So many entries that were taken are stored.
    fn settle(&self, entries: usize);
    /// So many entries that were taken are refused by the store for good.
    fn refuse(&self, entries: usize);
    /// Entries that were taken could not be stored: they wait again, in their place.
    fn give_back(&self, entries: Vec<T>);
    /// Whether none wait.
    fn is_empty(&self) -> bool;
    /// How many are lost since the start: dropped to make room, or refused by the store.
    fn lost(&self) -> u64;
    /// Completes when something was put in since the last call.
    async fn filled(&self);
}

/// States of tokens that are not stored yet, the newest of each; so there are never more than tokens.
#[derive(Debug, Default)]
pub(super) struct TokenOutbox {
    state: Mutex<Tokens>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Tokens {
    waiting: BTreeMap<Mint, Arc<Token>>,
    in_flight: usize,
    refused: u64,
}

impl TokenOutbox {
    /// Puts the newest state of a token in.
    pub(super) fn put(&self, token: Arc<Token>) {
        self.state.lock().waiting.insert(token.mint, token);
        self.filled.notify_one();
    }

    /// How many are not stored: they wait or are in flight.
    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.waiting.len() + state.in_flight
    }
}

#[async_trait]
impl Waiting<Token> for TokenOutbox {
    fn take(&self, limit: usize) -> Vec<Token> {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(limit.min(state.waiting.len()));
        while taken.len() < limit
            && let Some((_, token)) = state.waiting.pop_first()
        {
            taken.push(Arc::unwrap_or_clone(token));
        }
        state.in_flight += taken.len();
        taken
    }

    fn settle(&self, tokens: usize) {
        self.state.lock().in_flight -= tokens;
    }

    fn refuse(&self, tokens: usize) {
        let mut state = self.state.lock();
        state.in_flight -= tokens;
        state.refused += tokens as u64;
    }

    /// A newer state that came meanwhile stays.
    fn give_back(&self, tokens: Vec<Token>) {
        let mut state = self.state.lock();
        state.in_flight -= tokens.len();
        for token in tokens {
            state.waiting.entry(token.mint).or_insert_with(|| Arc::new(token));
        }
    }

    fn is_empty(&self) -> bool {
        self.state.lock().waiting.is_empty()
    }

    /// There are never more states than tokens, so none is ever dropped to make room.
    fn lost(&self) -> u64 {
        self.state.lock().refused
    }

    async fn filled(&self) {
        self.filled.notified().await;
    }
}

/// Samples that are not stored yet.
pub(super) type SampleOutbox = Outbox<Sample>;

/// Events that are not stored yet.
pub(super) type EventOutbox = Outbox<Event>;

/// What is not stored yet, oldest first. When it is full the oldest go, and are counted.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    capacity: usize,
    state: Mutex<Queue<T>>,
    filled: Notify,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    in_flight: usize,
    produced: u64,
    /// Dropped to make room.
    shed: u64,
    /// Refused by the store.
    refused: u64,
}

impl<T> Outbox<T> {
    /// An outbox for at most `capacity` entries.
    pub(super) fn new(capacity: usize) -> Self {
        let state = Queue { waiting: VecDeque::new(), in_flight: 0, produced: 0, shed: 0, refused: 0 };
        Self { capacity: capacity.max(1), state: Mutex::new(state), filled: Notify::new() }
    }

    /// Puts entries in; never waits.
    pub(super) fn put(&self, entries: impl IntoIterator<Item = T>) {
        let mut state = self.state.lock();
        for entry in entries {
            state.produced += 1;
            state.waiting.push_back(entry);
        }
        state.shed(self.capacity);
        drop(state);
        self.filled.notify_one();
    }

    /// Where the entries are.
    pub(super) fn counts(&self) -> OutboxCounts {
        let state = self.state.lock();
        OutboxCounts {
            waiting: state.waiting.len() as u64,
            in_flight: state.in_flight as u64,
            produced: state.produced,
            dropped: state.shed + state.refused,
        }
    }
}

#[async_trait]
impl<T: Send> Waiting<T> for Outbox<T> {
    fn take(&self, limit: usize) -> Vec<T> {
        let mut state = self.state.lock();
        let limit = limit.min(state.waiting.len());
        state.in_flight += limit;
        state.waiting.drain(..limit).collect()
    }

    fn settle(&self, entries: usize) {
        self.state.lock().in_flight -= entries;
    }

    fn refuse(&self, entries: usize) {
        let mut state = self.state.lock();
        state.in_flight -= entries;
        state.refused += entries as u64;
    }

    fn give_back(&self, entries: Vec<T>) {
        let mut state = self.state.lock();
        state.in_flight -= entries.len();
        for entry in entries.into_iter().rev() {
            state.waiting.push_front(entry);
        }
        state.shed(self.capacity);
    }

    fn is_empty(&self) -> bool {
        self.state.lock().waiting.is_empty()
    }

    fn lost(&self) -> u64 {
        let state = self.state.lock();
        state.shed + state.refused
    }

    async fn filled(&self) {
        self.filled.notified().await;
    }
}

impl<T> Queue<T> {
    fn shed(&mut self, capacity: usize) {
        let excess = self.waiting.len().saturating_sub(capacity);
        self.waiting.drain(..excess);
        self.shed += excess as u64;
    }
}

/// Where the entries are: `produced` = stored + `in_flight` + `waiting` + `dropped`.
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn sample(second: i64) -> Sample {
        let at = Timestamp::from_second(second).expect("in range");
        Sample::try_new("a".parse().expect("a key"), at, 1.0).expect("finite")
    }

    fn seconds(samples: &[Sample]) -> Vec<i64> {
        samples.iter().map(|sample| sample.at().as_second()).collect()
    }

    #[test]
    fn a_full_outbox_gives_up_the_oldest_samples_and_counts_them() {
        let outbox = SampleOutbox::new(3);
        outbox.put((0..5).map(sample));
        assert_eq!(outbox.counts(), OutboxCounts { waiting: 3, in_flight: 0, produced: 5, dropped: 2 });
        assert_eq!(seconds(&outbox.take(10)), [2, 3, 4]);
    }

    #[test]
    fn a_batch_that_comes_back_keeps_its_place_unless_it_is_the_oldest_of_too_many() {
        let outbox = SampleOutbox::new(3);
        outbox.put((0..3).map(sample));
        let batch = outbox.take(2);
        outbox.put([sample(3)]);
        outbox.give_back(batch);
        assert_eq!(outbox.counts(), OutboxCounts { waiting: 3, in_flight: 0, produced: 4, dropped: 1 });
        assert_eq!(seconds(&outbox.take(10)), [1, 2, 3]);
    }

    #[test]
    fn what_the_store_was_handed_is_not_stored_until_it_says_so() {
        let outbox = SampleOutbox::new(10);
        outbox.put((0..3).map(sample));
        assert_eq!(outbox.take(2).len(), 2);
        assert_eq!(outbox.counts(), OutboxCounts { waiting: 1, in_flight: 2, produced: 3, dropped: 0 });
        outbox.settle(1);
        outbox.refuse(1);
        assert_eq!(outbox.counts(), OutboxCounts { waiting: 1, in_flight: 0, produced: 3, dropped: 1 });
    }

    #[test]
    fn a_token_that_comes_back_does_not_hide_its_newer_state() {
        let outbox = TokenOutbox::default();
        let mint = Mint::USDC;
        outbox.put(Token::new(mint, Timestamp::UNIX_EPOCH).into());
        let old = outbox.take(10);
        let newer = Token { symbol: Some("USDC".into()), ..old[0].clone() };
        outbox.put(newer.clone().into());
        outbox.give_back(old);
        assert_eq!(outbox.take(10), [newer]);
    }
}
