//! The orders in which what waits is stored: oldest first, the newest of each token, or whether there is anything at all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ttm_market::{Mint, Token};

/// Holds what waits, without what was taken.
pub(crate) trait Shelf {
    /// What is put in.
    type Put;
    /// What comes out.
    type Entry: Clone + Send + Sync;

    /// Adds an entry behind the others.
    fn put(&mut self, entry: Self::Put);
    /// Takes up to `limit` entries out, the first ones first.
    fn take(&mut self, limit: usize) -> Vec<Self::Entry>;
    /// Puts entries that were taken back in front.
    fn give_back(&mut self, entries: &[Self::Entry]);
    /// How many there are.
    fn len(&self) -> usize;
    /// Drops what there is no room for: how many entries.
    fn shed(&mut self) -> u64;
}

/// Entries in order, at most so many: the oldest go first.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    capacity: usize,
    waiting: VecDeque<T>,
}

impl<T> Fifo<T> {
    /// Room for at most `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), waiting: VecDeque::new() }
    }
}

impl<T: Clone + Send + Sync> Shelf for Fifo<T> {
    type Put = T;
    type Entry = T;

    fn put(&mut self, entry: T) {
        self.waiting.push_back(entry);
    }

    fn take(&mut self, limit: usize) -> Vec<T> {
        self.waiting.drain(..limit.min(self.waiting.len())).collect()
    }

    fn give_back(&mut self, entries: &[T]) {
        for entry in entries.iter().rev() {
            self.waiting.push_front(entry.clone());
        }
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }

    fn shed(&mut self) -> u64 {
        let excess = self.waiting.len().saturating_sub(self.capacity);
        self.waiting.drain(..excess);
        excess as u64
    }
}

/// The newest state of each token, by mint, so that there are never more than tokens and none is dropped.
#[derive(Debug, Default)]
pub(crate) struct Newest(BTreeMap<Mint, Arc<Token>>);

impl Shelf for Newest {
    type Put = Arc<Token>;
    type Entry = Arc<Token>;

    fn put(&mut self, token: Arc<Token>) {
        self.0.insert(token.mint, token);
    }

    fn take(&mut self, limit: usize) -> Vec<Arc<Token>> {
        let mut taken = Vec::with_capacity(limit.min(self.0.len()));
        while taken.len() < limit
            && let Some((_, token)) = self.0.pop_first()
        {
            taken.push(token);
        }
        taken
    }

    /// A newer state that came meanwhile stays.
    fn give_back(&mut self, tokens: &[Arc<Token>]) {
        for token in tokens {
            self.0.entry(token.mint).or_insert_with(|| token.clone());
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn shed(&mut self) -> u64 {
        0
    }
}

/// Whether something is to be stored that is read when it is stored.
#[derive(Debug, Default)]
pub(crate) struct Flag(bool);

impl Shelf for Flag {
    type Put = ();
    type Entry = ();

    fn put(&mut self, (): ()) {
        self.0 = true;
    }

    fn take(&mut self, _: usize) -> Vec<()> {
        // What changes from now on is to be stored again.
        if std::mem::take(&mut self.0) { vec![()] } else { Vec::new() }
    }

    fn give_back(&mut self, entries: &[()]) {
        self.0 |= !entries.is_empty();
    }

    fn len(&self) -> usize {
        usize::from(self.0)
    }

    fn shed(&mut self) -> u64 {
        0
    }
}
