//! The timers: a heap ordered by moment and then by registration, so that timers of one moment fire in a fixed order.
//! A due timer hands its waker out instead of waking it, because the lock is held here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

use ttm_kernel::Moment;

/// Below this many entries it is not worth sweeping abandoned timers out of the heap.
const SWEEP_FROM: usize = 256;

/// All pending timers. A cancelled one stays in the heap without its slot, and is skipped.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Moment, TimerId)>>,
    slots: Vec<Slot>,
    free: Vec<usize>,
    last_seq: u64,
}

/// Identifies a timer, and tells it from a later one in the same slot; ordered by registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerId {
    seq: u64,
    slot: usize,
}

#[derive(Debug)]
struct Slot {
    seq: u64,
    waker: Option<Waker>,
}

impl Timers {
    /// Registers a timer that wakes `waker` at `at`.
    pub(super) fn register(&mut self, at: Moment, waker: Waker) -> TimerId {
        self.sweep();
        self.last_seq += 1;
        let taken = Slot { seq: self.last_seq, waker: Some(waker) };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = taken;
            slot
        } else {
            self.slots.push(taken);
            self.slots.len() - 1
        };
        let id = TimerId { seq: self.last_seq, slot };
        self.heap.push(Reverse((at, id)));
        id
    }

    /// Replaces the waker of a timer.
    pub(super) fn set_waker(&mut self, id: TimerId, waker: &Waker) {
        let slot = &mut self.slots[id.slot];
        if slot.seq == id.seq && slot.waker.as_ref().is_some_and(|old| !old.will_wake(waker)) {
            slot.waker = Some(waker.clone());
        }
    }

    /// Removes a timer and returns its waker; `None` if it has fired.
    pub(super) fn cancel(&mut self, id: TimerId) -> Option<Waker> {
        let slot = &mut self.slots[id.slot];
        if slot.seq != id.seq {
            return None;
        }
        let waker = slot.waker.take();
        if waker.is_some() {
            self.free.push(id.slot);
        }
        waker
    }

    /// The moment of the next timer.
    pub(super) fn next(&mut self) -> Option<Moment> {
        while let Some(Reverse((at, id))) = self.heap.peek() {
            if waits(&self.slots, *id) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Removes a timer that is due at `now`, and returns its waker.
    pub(super) fn pop_due(&mut self, now: Moment) -> Option<Waker> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, id)) = self.heap.pop()?;
        self.cancel(id)
    }

    /// Drops cancelled timers once they are most of the heap: most deadlines are met, which cancels their timers.
    fn sweep(&mut self) {
        let waiting = self.slots.len() - self.free.len();
        if self.heap.len() > SWEEP_FROM && self.heap.len() > 4 * waiting {
            let Self { heap, slots, .. } = self;
            heap.retain(|Reverse((_, id))| waits(slots, *id));
        }
    }
}

fn waits(slots: &[Slot], id: TimerId) -> bool {
    let slot = &slots[id.slot];
    slot.seq == id.seq && slot.waker.is_some()
}
