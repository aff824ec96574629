//! The last calls, by number or by time: how many there were, how many failed, and how many were slow.
//!
//! Both windows slide: each new call evicts what is too old, and nothing else is ever dropped.

use std::collections::VecDeque;

use ttm_kernel::Moment;

use crate::{RateSettings, Window, WindowCounts};

impl WindowCounts {
    fn add(&mut self, failed: bool, slow: bool) {
        self.calls += 1;
        self.failures += u64::from(failed);
        self.slow += u64::from(slow);
    }
}

#[derive(Debug)]
pub(crate) enum CallWindow {
    Calls(LastCalls),
    Time(LastBuckets),
}

impl CallWindow {
    pub(crate) fn new(settings: &RateSettings, now: Moment) -> Self {
        match settings.window {
            Window::Calls(size) => Self::Calls(LastCalls::new(size, settings)),
            Window::Time(length) => Self::Time(LastBuckets::new(length, now)),
        }
    }

    /// Reserves room for other rates of the same window, so that recording a call never allocates.
    pub(crate) fn make_room(&mut self, settings: &RateSettings) {
        if let Self::Calls(window) = self {
            window.make_room(settings);
        }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self, now: Moment) {
        match self {
            Self::Calls(window) => window.clear(),
            Self::Time(window) => window.clear(now),
        }
    }

    /// Some successes that were not slow, at a time when [`CallWindow::settled_until`] still stood.
    pub(crate) fn add_successes(&mut self, number: u64) {
        match self {
            Self::Calls(window) => window.pass(number),
            Self::Time(window) => window.add_successes(number),
        }
    }

    pub(crate) fn record(&mut self, failed: bool, slow: bool, now: Moment) {
        match self {
            Self::Calls(window) => window.record(failed, slow),
            Self::Time(window) => window.record(failed, slow, now),
        }
    }

    pub(crate) fn counts(&self) -> WindowCounts {
        match self {
            Self::Calls(window) => window.counts(),
            Self::Time(window) => window.sum,
        }
    }

    /// From when on a call moves the window, whatever its outcome.
    pub(crate) fn settled_until(&self) -> Moment {
        match self {
            Self::Calls(_) => Moment::MAX,
            Self::Time(window) => window.bucket_end(),
        }
    }
}

/// The last `size` calls. Only those that failed or were slow are kept, by their number.
#[derive(Debug)]
pub(crate) struct LastCalls {
    size: u32,
    /// All calls so far, which is also the number of the newest.
    calls: u64,
    failures: VecDeque<u64>,
    slow: VecDeque<u64>,
}

impl LastCalls {
    fn new(size: u32, settings: &RateSettings) -> Self {
        let (failures, slow) = (VecDeque::new(), VecDeque::new());
        let mut new = Self { size, calls: 0, failures, slow };
        new.make_room(settings);
        new
    }

    fn make_room(&mut self, settings: &RateSettings) {
        // At the rate that opens the breaker nothing more is kept, nor before the rate is looked at: nothing is allocated
        // while it runs. (A breaker that is kept from opening may still grow them.)
        let unjudged = settings.minimum_calls as usize;
        let reserve = |numbers: &mut VecDeque<u64>, rate| {
            let most = share(self.size, rate).max(unjudged) + 1;
            numbers.reserve(most.saturating_sub(numbers.len()));
        };
        reserve(&mut self.failures, settings.failure_rate);
        if let Some(slow) = settings.slow_calls {
            reserve(&mut self.slow, slow.rate);
        }
    }

    fn clear(&mut self) {
        self.calls = 0;
        self.failures.clear();
        self.slow.clear();
    }

    fn record(&mut self, failed: bool, slow: bool) {
        self.pass(1);
        for (numbers, hit) in [(&mut self.failures, failed), (&mut self.slow, slow)] {
            if hit {
                numbers.push_back(self.calls);
            }
        }
    }

    /// So many calls more: what they push out goes.
    fn pass(&mut self, calls: u64) {
        self.calls += calls;
        let oldest = (self.calls + 1).saturating_sub(u64::from(self.size));
        for numbers in [&mut self.failures, &mut self.slow] {
            while numbers.front().is_some_and(|number| *number < oldest) {
                numbers.pop_front();
            }
        }
    }

    fn counts(&self) -> WindowCounts {
        WindowCounts {
            calls: self.calls.min(u64::from(self.size)),
            failures: self.failures.len() as u64,
            slow: self.slow.len() as u64,
        }
    }
}

/// That share of `size`, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is between 0 and 1, and the product at most `size`"
)]
fn share(size: u32, rate: f64) -> usize {
    (f64::from(size) * rate).ceil() as usize
}

/// How many steps a time window slides in.
const BUCKETS: usize = 32;

/// The present bucket of time and the ones before it, each a 32nd of the window.
#[derive(Debug)]
pub(crate) struct LastBuckets {
    bucket_nanos: u64,
    /// The number of the present bucket, counted from the clock's origin.
    present: u64,
    buckets: Box<[WindowCounts; BUCKETS]>,
    sum: WindowCounts,
}

impl LastBuckets {
    fn new(length: std::time::Duration, now: Moment) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let mut new = Self {
            bucket_nanos: nanos.div_ceil(BUCKETS as u64).max(1),
            present: 0,
            buckets: Box::default(),
            sum: WindowCounts::default(),
        };
        new.clear(now);
        new
    }

    fn clear(&mut self, now: Moment) {
        *self.buckets = Default::default();
        self.sum = WindowCounts::default();
        self.present = now.as_nanos() / self.bucket_nanos;
    }

    fn add_successes(&mut self, number: u64) {
        self.bucket().calls += number;
        self.sum.calls += number;
    }

    fn record(&mut self, failed: bool, slow: bool, now: Moment) {
        self.slide_to(now);
        self.bucket().add(failed, slow);
        self.sum.add(failed, slow);
    }

    /// Drops the buckets that are too old at `now`. A `now` before the present bucket moves nothing.
    fn slide_to(&mut self, now: Moment) {
        let present = now.as_nanos() / self.bucket_nanos;
        let steps = present.saturating_sub(self.present);
        if steps >= BUCKETS as u64 {
            self.clear(now);
            return;
        }
        for _ in 0..steps {
            self.present += 1;
            let old = std::mem::take(self.bucket());
            self.sum.calls -= old.calls;
            self.sum.failures -= old.failures;
            self.sum.slow -= old.slow;
        }
    }

    fn bucket(&mut self) -> &mut WindowCounts {
        &mut self.buckets[usize::try_from(self.present % BUCKETS as u64).unwrap_or(0)]
    }

    fn bucket_end(&self) -> Moment {
        Moment::from_nanos(self.present.saturating_add(1).saturating_mul(self.bucket_nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_the_share_that_opens_the_breaker_rounded_up_and_no_more() {
        for (size, rate, room) in [(100, 0.5, 50), (3, 0.5, 2), (10, 0.01, 1), (1_000_000, 1.0, 1_000_000)] {
            assert_eq!(share(size, rate), room, "{rate} of {size}");
        }
    }
}
