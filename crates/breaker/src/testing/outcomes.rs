//! The model's counts: a list of every call that ended in the present generation, from which all numbers are recomputed.

use ttm_kernel::Moment;

use crate::{Outcome, RateSettings, Window, WindowCounts};

/// A call that ended and counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) slow: bool,
    bucket: u64,
}

impl Ended {
    /// Whether it is a success or a failure.
    pub(super) fn is_weighed(&self) -> bool {
        matches!(self.outcome, Outcome::Success | Outcome::Failure)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    ended: Vec<Ended>,
    /// The present 32nd of a time window.
    bucket: u64,
    /// How many ended before the window began.
    before_window: usize,
}

impl Outcomes {
    /// Those of a generation that begins.
    pub(super) fn new(rates: Option<&RateSettings>, now: Moment) -> Self {
        Self { bucket: bucket(rates, now), ..Self::default() }
    }

    /// A new and empty window starts.
    pub(super) fn begin_window(&mut self, rates: Option<&RateSettings>, now: Moment) {
        (self.bucket, self.before_window) = (bucket(rates, now), self.ended.len());
    }

    /// One more; says whether it is weighed.
    pub(super) fn push(
        &mut self,
        outcome: Outcome,
        slow: bool,
        rates: Option<&RateSettings>,
        at: Moment,
    ) -> bool {
        let mut ended = Ended { outcome, slow, bucket: 0 };
        if ended.is_weighed() {
            self.bucket = self.bucket.max(bucket(rates, at));
        }
        ended.bucket = self.bucket;
        self.ended.push(ended);
        ended.is_weighed()
    }

    /// The last successes and failures.
    pub(super) fn window(&self, rates: &RateSettings) -> WindowCounts {
        let weighed = self.ended[self.before_window..].iter().rev().filter(|ended| ended.is_weighed());
        let last: Vec<&Ended> = match rates.window {
            Window::Calls(size) => weighed.take(size as usize).collect(),
            Window::Time(_) => weighed.filter(|ended| ended.bucket + 32 > self.bucket).collect(),
        };
        let count = |wanted: fn(&Ended) -> bool| last.iter().filter(|ended| wanted(ended)).count() as u64;
        WindowCounts {
            calls: last.len() as u64,
            failures: count(|ended| ended.outcome == Outcome::Failure),
            slow: count(|ended| ended.slow),
        }
    }

    pub(super) fn count(&self, wanted: fn(&Ended) -> bool) -> u64 {
        self.ended.iter().filter(|ended| wanted(ended)).count() as u64
    }

    /// Failures since the last success; what says nothing does not interrupt the row.
    pub(super) fn failures_in_a_row(&self) -> u64 {
        let since_success = self.ended.iter().rev().take_while(|ended| ended.outcome != Outcome::Success);
        since_success.filter(|ended| ended.outcome == Outcome::Failure).count() as u64
    }
}

/// Which 32nd of a time window a moment is in.
fn bucket(rates: Option<&RateSettings>, moment: Moment) -> u64 {
    match rates.map(|rates| rates.window) {
        Some(Window::Time(length)) => {
            u64::try_from(moment.since_origin().as_nanos() / length.as_nanos().div_ceil(32)).unwrap_or(0)
        }
        Some(Window::Calls(_)) | None => 0,
    }
}
