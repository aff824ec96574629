//! How many breakers of a registry may be open at once.
//!
//! When most of them want to open within a short time, the fault is more likely on our side of the wire (a resolver, a
//! route, a bug), and cutting everything off would turn it into an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The places of one registry.
#[derive(Debug)]
pub(crate) struct OpenShare {
    /// The bits of the share.
    most: AtomicU64,
    applies_from: AtomicUsize,
    breakers: AtomicUsize,
    open: AtomicUsize,
}

/// The place of one open breaker; given back when dropped.
#[derive(Debug)]
pub(crate) struct OpenPlace(Arc<OpenShare>);

impl OpenShare {
    pub(crate) const fn new(most: f64, applies_from: usize) -> Self {
        Self {
            most: AtomicU64::new(most.to_bits()),
            applies_from: AtomicUsize::new(applies_from),
            breakers: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }

    /// Breakers that are open above a lower share stay open.
    pub(crate) fn reconfigure(&self, most: f64, applies_from: usize) {
        self.most.store(most.to_bits(), Ordering::Relaxed);
        self.applies_from.store(applies_from, Ordering::Relaxed);
    }

    /// The registry holds so many breakers now.
    pub(crate) fn set_breakers(&self, number: usize) {
        self.breakers.store(number, Ordering::Relaxed);
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A place for one more, if the share allows it. The first always gets one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<OpenPlace> {
        let breakers = self.breakers.load(Ordering::Relaxed);
        let applies = breakers >= self.applies_from.load(Ordering::Relaxed);
        let most = f64::from_bits(self.most.load(Ordering::Relaxed)) * breakers as f64;
        let allowed = |open: usize| !applies || open == 0 || (open + 1) as f64 <= most;
        // No other memory is published through this number, so relaxed accesses suffice.
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| allowed(open).then_some(open + 1))
            .is_ok()
            .then(|| OpenPlace(Arc::clone(self)))
    }

    /// A place regardless of the share.
    pub(crate) fn insist(self: &Arc<Self>) -> OpenPlace {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenPlace(Arc::clone(self))
    }
}

impl Drop for OpenPlace {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
