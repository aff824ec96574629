//! Counts successes without a locked instruction: each thread counts on a line of its own, under a tag that says of which
//! generation of the breaker the count is.
//!
//! The tag is what makes a count of one generation impossible to see in another: nothing is ever reset except by
//! the line's owner, and a line whose tag is not the present one counts as zero.

use crate::slot::{self, SLOTS};
use crate::sync::{AtomicU64, Ordering};

/// One thread's line. Two of the usual 64 bytes, because processors fetch them in pairs.
#[repr(align(128))]
struct Shard {
    tag: AtomicU64,
    count: AtomicU64,
}

pub(crate) struct Shards {
    lines: [Shard; SLOTS],
    /// A bit for each line that was ever written, so that a sum reads few of them.
    touched: AtomicU64,
}

impl Shards {
    pub(crate) fn new() -> Self {
        // No tag has all bits set.
        let shard = |_| Shard { tag: AtomicU64::new(u64::MAX), count: AtomicU64::new(0) };
        Self { lines: std::array::from_fn(shard), touched: AtomicU64::new(0) }
    }

    /// Counts one under `tag`; false, with nothing counted, when the thread has no line.
    #[inline]
    pub(crate) fn add(&self, tag: u64) -> bool {
        if let Some(line) = self.lines.get(slot::current())
            && line.tag.load(Ordering::Relaxed) == tag
        {
            // No other thread writes this line, so a load and a store are an increment. A sum that must include it is
            // ordered after it by the synchronisation through which its reader learnt that the call is over.
            line.count.store(line.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            return true;
        }
        self.begin(tag)
    }

    /// The thread's first count under a tag.
    #[cold]
    fn begin(&self, tag: u64) -> bool {
        let slot = slot::current();
        let slot = if slot < SLOTS { Some(slot) } else { slot::claim() };
        let Some((slot, line)) = slot.and_then(|slot| Some((slot, self.lines.get(slot)?))) else {
            return false;
        };
        if line.tag.load(Ordering::Relaxed) == tag {
            // The thread before left off here.
            line.count.store(line.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            line.count.store(1, Ordering::Relaxed);
            // After the count, so that a reader of the tag sees no count of an older generation.
            line.tag.store(tag, Ordering::Release);
        }
        // A sum that reads the bit too early would also have read the line too early.
        self.touched.fetch_or(1 << slot, Ordering::Relaxed);
        true
    }

    /// What was counted under `tag`, which must be the present one and stay it during the call.
    pub(crate) fn sum(&self, tag: u64) -> u64 {
        let mut touched = self.touched.load(Ordering::Relaxed);
        let mut sum = 0_u64;
        while touched != 0 {
            let line = &self.lines[touched.trailing_zeros() as usize];
            if line.tag.load(Ordering::Acquire) == tag {
                sum = sum.wrapping_add(line.count.load(Ordering::Relaxed));
            }
            touched &= touched - 1;
        }
        sum
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_under_every_tag_on_one_line() {
        let shards = Shards::new();
        let thread = || {
            assert!(shards.add(1));
            let line = slot::current();
            for tag in 2..1_000 {
                assert!(shards.add(tag) && shards.add(tag), "tag {tag}");
                assert_eq!((slot::current(), shards.sum(tag), shards.sum(tag - 1)), (line, 2, 0));
            }
        };
        std::thread::scope(|scope| scope.spawn(thread).join().expect("it ends"));
    }
}
