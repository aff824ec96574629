//! When one call is over. The clock is first read when that matters, so a call that ends at once never reads it.

use std::time::Duration;

use ttm_kernel::{Moment, Runtime};

pub(crate) struct CallDeadline<'a> {
    runtime: &'a dyn Runtime,
    longest: Duration,
    /// The end that the caller set, until the call's own is known; then the earlier of both.
    end: Moment,
    began: bool,
}

impl<'a> CallDeadline<'a> {
    /// `longest` from the first reading of the clock, but not after `latest`.
    pub(crate) fn new(runtime: &'a dyn Runtime, longest: Duration, latest: Moment) -> Self {
        let mut new = Self { runtime, longest, end: latest, began: false };
        if latest < Moment::MAX {
            // The caller's own deadline may have passed already.
            new.moment();
        }
        new
    }

    /// When the call is over.
    pub(crate) fn moment(&mut self) -> Moment {
        if !self.began {
            self.began = true;
            self.end = self.end.min(self.runtime.now() + self.longest);
        }
        self.end
    }

    /// Whether the call is over. Without a first reading of the clock it has only begun.
    pub(crate) fn is_over(&self) -> bool {
        self.began && self.runtime.now() >= self.end
    }
}
