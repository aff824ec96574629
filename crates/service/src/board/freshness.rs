//! How old the report is, once somebody is to make one.

use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::Moment;

/// A report is made each second. One that is older than this is no measure of anything.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// When the last report was made, and since when there should be new ones.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    due_since: OnceLock<Moment>,
    made_at: Mutex<Option<Moment>>,
}

impl Freshness {
    /// The parts run, and with them the one that makes the reports.
    pub(super) fn is_due(&self, now: Moment) {
        self.due_since.get_or_init(|| now);
    }

    /// A report was made.
    pub(super) fn made(&self, now: Moment) {
        *self.made_at.lock() = Some(now);
    }

    /// For how long there has been no new report, if that is too long.
    pub(super) fn missing_for(&self, now: Moment) -> Option<Duration> {
        let since = (*self.made_at.lock()).max(self.due_since.get().copied());
        self.due_since.get().and(since).map(|since| now - since).filter(|age| *age > FRESH_FOR)
    }
}
