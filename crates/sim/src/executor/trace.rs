//! The trace of a run: a hash of every step and every event, and the last events as text. Every step is in
//! the hash, so runs with equal hashes took the same steps; the text is for people only.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ttm_kernel::Moment;

/// How many lines are kept.
const LINES: usize = 200;

/// A step of the executor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Spawned = 1,
    Polled = 2,
    Ended = 3,
    Noted = 4,
}

/// A running hash over every step and every event, and the last events.
#[derive(Debug)]
pub(super) struct Trace {
    hash: AtomicU64,
    lines: Mutex<VecDeque<(Moment, String)>>,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { hash: AtomicU64::new(0x9e37_79b9_7f4a_7c15), lines: Mutex::default() }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// Adds a step to the hash.
    pub(super) fn fold(&self, now: Moment, kind: Kind, number: u64) {
        let hash = mix(self.hash(), now.as_nanos());
        self.hash.store(mix(hash, number << 3 | kind as u64), Ordering::Relaxed);
    }

    /// Adds a line to the hash, and keeps it.
    pub(super) fn note(&self, now: Moment, line: fmt::Arguments<'_>) {
        let mut lines = self.lines.lock();
        let mut text = if lines.len() < LINES {
            String::new()
        } else {
            lines.pop_front().map_or_else(String::new, |(_, text)| text)
        };
        text.clear();
        // Writing to a string fails only if a `Display` impl in the line does; what was written so far is kept.
        let _ = fmt::write(&mut text, line);
        let mut hash = self.hash();
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0_u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = mix(hash, u64::from_le_bytes(word));
        }
        self.hash.store(hash, Ordering::Relaxed);
        lines.push_back((now, text));
        drop(lines);
        self.fold(now, Kind::Noted, 0);
    }

    /// The last lines, oldest first, each prefixed with its moment.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().iter().map(|(at, line)| format!("{at:?} {line}")).collect()
    }
}

/// Mixes `word` into the hash; the multiplier is that of PCG, the shift that of Murmur.
const fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x5851_f42d_4c95_7f2d);
    mixed ^ (mixed >> 33)
}
