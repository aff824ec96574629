//! What the machine publishes so that most calls need no lock: its state and generation in one word, and the moment until
//! which the answer that follows from them is valid. Where no answer follows, the machine is asked.
//!
//! A rejection needs both parts to belong together. Its reader takes the word, the moment, and the word again. The
//! writer is alone, under the machine's lock. It writes the moment of an open state before its word, so that no word
//! says "open" until an older moment; otherwise the word first, so that a moment which is not one to wait for is never
//! seen under a word that makes callers wait.
//!
//! The number of transitions that wait to be fetched is written before either. It needs no ordering of its own: the thread
//! that made a transition wrote the number itself, and a thread that saw its word acquired what was written before that
//! word. Both therefore read this number or a newer one, and a newer one is smaller only because another thread fetched
//! the transition in between. All writes happen under the lock, so their order is that of the changes they announce.

use ttm_kernel::Moment;

use crate::State;
use crate::sync::{AtomicU64, Ordering};

/// Generation, what a success depends on, and state. 58 bits of generation do not wrap in the life of a process: a
/// transition a nanosecond would need nine years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const STATE: u64 = 0b111;
/// A success may open it: the minimum of calls was not seen yet, or a rate is reached already.
const COLD: u64 = 1 << 3;
/// Calls are timed, since slow ones count.
const TIMED: u64 = 1 << 4;
/// The window is one of time: a success may be the first of a new step of it.
const SLIDES: u64 = 1 << 5;
const GENERATION_SHIFT: u32 = 6;
const LOW: u64 = (1 << GENERATION_SHIFT) - 1;

/// Admitting states come first, so that one mask selects them; closed has no bit set.
const STATES: [State; 5] = [State::Closed, State::Disabled, State::Open, State::HalfOpen, State::ForcedOpen];
const NOT_ADMITTING: u64 = 0b110;

/// What the handling of a success depends on, apart from the state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits {
    pub(crate) cold: bool,
    pub(crate) timed: bool,
    pub(crate) slides: bool,
}

impl Word {
    /// The largest generation that fits.
    pub(crate) const MAX_GENERATION: u64 = u64::MAX >> GENERATION_SHIFT;

    pub(crate) fn new(generation: u64, state: State, traits: Traits) -> Self {
        let code = match state {
            State::Closed => 0,
            State::Disabled => 1,
            State::Open => 2,
            State::HalfOpen => 3,
            State::ForcedOpen => 4,
        };
        let bit = |set: bool, bit: u64| if set { bit } else { 0 };
        let traits = bit(traits.cold, COLD) | bit(traits.timed, TIMED) | bit(traits.slides, SLIDES);
        Self(generation << GENERATION_SHIFT | traits | code)
    }

    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// The generation as a tag, which costs nothing to make of a plain word.
    #[inline]
    pub(crate) const fn tag(self) -> u64 {
        self.0 & !LOW
    }

    /// Closed, and a success changes nothing but a count, whenever it comes and however long it took.
    #[inline]
    pub(crate) const fn is_plain(self) -> bool {
        self.0 & LOW == 0
    }

    /// Closed, and a success that is not slow changes nothing but a count until the published moment.
    pub(crate) const fn is_warm(self) -> bool {
        self.0 & (STATE | COLD) == 0
    }

    /// Whether slow calls count.
    pub(crate) const fn is_timed(self) -> bool {
        self.0 & TIMED != 0
    }

    /// Whether every call is admitted, without being a probe.
    #[inline]
    pub(crate) const fn admits_all(self) -> bool {
        self.0 & NOT_ADMITTING == 0
    }

    /// The same, and the duration of the call will not matter.
    #[inline]
    pub(crate) const fn admits_all_untimed(self) -> bool {
        self.0 & (NOT_ADMITTING | TIMED) == 0
    }

    pub(crate) const fn state(self) -> State {
        STATES[(self.0 & STATE) as usize]
    }
}

pub(crate) struct Gate {
    word: AtomicU64,
    until: AtomicU64,
    slow_after: AtomicU64,
    transitions: AtomicU64,
}

/// What the machine publishes after each change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) word: Word,
    /// See [`Gate::until`].
    pub(crate) until: Moment,
    /// See [`Gate::slow_after`].
    pub(crate) slow_after: u64,
    /// How many transitions wait to be fetched.
    pub(crate) transitions: u64,
}

impl Gate {
    pub(crate) fn new(first: Published) -> Self {
        Self {
            word: AtomicU64::new(first.word.0),
            until: AtomicU64::new(first.until.as_nanos()),
            slow_after: AtomicU64::new(first.slow_after),
            transitions: AtomicU64::new(first.transitions),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// Closed: until when a warm success needs no machine. Open and half-open: before when every call is rejected.
    #[inline]
    pub(crate) fn until(&self) -> Moment {
        Moment::from_nanos(self.until.load(Ordering::Acquire))
    }

    /// A timed call that took fewer nanoseconds is not slow. Relaxed: it changes with the settings
    /// only, and a call that overlaps with that change may be judged by the old or the new.
    pub(crate) fn slow_after(&self) -> u64 {
        self.slow_after.load(Ordering::Relaxed)
    }

    /// Whether a transition waits to be fetched.
    #[inline]
    pub(crate) fn has_transitions(&self) -> bool {
        self.transitions.load(Ordering::Relaxed) > 0
    }

    /// Publishes; only under the machine's lock.
    pub(crate) fn publish(&self, Published { word, until, slow_after, transitions }: Published) {
        self.slow_after.store(slow_after, Ordering::Relaxed);
        self.transitions.store(transitions, Ordering::Relaxed);
        let set_word = || self.word.store(word.0, Ordering::Release);
        let set_until = || self.until.store(until.as_nanos(), Ordering::Release);
        if word.state() == State::Open {
            set_until();
            set_word();
        } else {
            set_word();
            set_until();
        }
    }
}
