//! How long one call may still take. It reads the clock when it is first asked, so that a call which is over at once
//! never does.

use std::time::Duration;

use ttm_kernel::{Moment, Runtime};

pub(crate) struct Lapse<'a> {
    runtime: &'a dyn Runtime,
    longest: Duration,
    /// The end that the caller set, until the call's own is known; then the earlier of both.
    end: Moment,
    began: bool,
}

impl<'a> Lapse<'a> {
    /// `longest` from the first reading of the clock, but not after `latest`.
    pub(crate) fn new(runtime: &'a dyn Runtime, longest: Duration, latest: Moment) -> Self {
        let mut new = Self { runtime, longest, end: latest, began: false };
        if latest < Moment::MAX {
            // The caller's own end may be here already.
            new.deadline();
        }
        new
    }

    /// When the call is over.
    pub(crate) fn deadline(&mut self) -> Moment {
        if !self.began {
            self.began = true;
            self.end = self.end.min(self.runtime.now() + self.longest);
        }
        self.end
    }

    /// Whether the call is over. One that never looked at the clock has only begun.
    pub(crate) fn is_over(&self) -> bool {
        self.began && self.runtime.now() >= self.end
    }
}
