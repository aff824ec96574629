//! Gives each thread a number of its own, from a small range in which ended threads free theirs.
//!
//! The thread that holds a number is the only writer of what is kept under it, and so needs no locked instruction. The
//! claim acquires what the release of the thread before released: the new owner sees all that the old one wrote.

use std::cell::Cell;

use crate::sync::{AtomicU64, Ordering};

/// How many threads can have a number at once; the others do without.
#[cfg(not(loom))]
pub(crate) const SLOTS: usize = 64;
/// Each is one more object for the model checker to follow.
#[cfg(loom)]
pub(crate) const SLOTS: usize = 2;

/// The number of a thread that has none.
const NONE: usize = usize::MAX;

/// All numbers are taken.
const FULL: u64 = u64::MAX >> (64 - SLOTS);

#[cfg(not(any(loom, shuttle)))]
static TAKEN: AtomicU64 = AtomicU64::new(0);
#[cfg(not(any(loom, shuttle)))]
thread_local! {
    // Apart from the lease, because a cell without a destructor is read in one instruction.
    static SLOT: Cell<usize> = const { Cell::new(NONE) };
    static LEASE: Lease = const { Lease(Cell::new(NONE)) };
}

// Leaked, because loom drops its statics when the main thread ends, which may be while another one is inside of
// `Lease::drop`.
#[cfg(loom)]
loom::lazy_static! {
    static ref TAKEN: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
}
#[cfg(loom)]
loom::thread_local! {
    static SLOT: Cell<usize> = Cell::new(NONE);
    static LEASE: Lease = Lease(Cell::new(NONE));
}

#[cfg(shuttle)]
shuttle::lazy_static! {
    static ref TAKEN: AtomicU64 = AtomicU64::new(0);
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static SLOT: Cell<usize> = Cell::new(NONE);
    static LEASE: Lease = Lease(Cell::new(NONE));
}

/// The thread's number: below [`SLOTS`], or far above it for a thread that has none.
#[inline]
pub(crate) fn current() -> usize {
    SLOT.with(Cell::get)
}

/// Takes the lowest free number for the thread; none if all are taken, or the thread is about to end.
#[cold]
pub(crate) fn claim() -> Option<usize> {
    LEASE.try_with(Lease::claim).ok().flatten()
}

/// Hands the number on when its thread ends.
struct Lease(Cell<usize>);

impl Lease {
    fn claim(&self) -> Option<usize> {
        let mut taken = TAKEN.load(Ordering::Relaxed);
        loop {
            let free = !taken & FULL;
            if free == 0 {
                return None;
            }
            let slot = free.trailing_zeros() as usize;
            match TAKEN.compare_exchange_weak(taken, taken | 1 << slot, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => {
                    self.0.set(slot);
                    SLOT.with(|current| current.set(slot));
                    return Some(slot);
                }
                Err(newer) => taken = newer,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let slot = self.0.get();
        if slot < SLOTS {
            // What the thread still does while it ends goes without a number.
            let _ = SLOT.try_with(|current| current.set(NONE));
            TAKEN.fetch_and(!(1 << slot), Ordering::Release);
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn threads_that_live_together_have_numbers_of_their_own_and_keep_them() {
        let all_are_here = Barrier::new(8);
        let numbers: Vec<usize> = thread::scope(|scope| {
            let live = || {
                assert!(current() >= SLOTS, "none before it is asked for");
                let number = claim().expect("there are more numbers than threads");
                all_are_here.wait();
                assert_eq!(current(), number);
                number
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(live)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        for (at, number) in numbers.iter().enumerate() {
            assert!(*number < SLOTS && !numbers[..at].contains(number), "{numbers:?}");
        }
    }

    #[test]
    fn a_number_is_handed_on_when_its_thread_has_ended() {
        // The others get one that is not the first.
        assert!(claim().is_some());
        for _ in 0..10 * SLOTS {
            let claimed = thread::scope(|scope| scope.spawn(claim).join().expect("it ends"));
            assert!(claimed.is_some(), "those before have ended");
        }
    }
}
