//! Compares the number of status changes with the number of their possible causes. Each cause accounts for two
//! changes, so a status that flaps by itself exceeds them within an hour.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_health::{Report, Status};
use ttm_kernel::Moment;

/// The window over which changes are counted.
const HOUR: Duration = Duration::from_hours(1);
/// How long before a change its cause may have been: the breaker's longest open period, and the API's window.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// A fault that begins or ends, and a boot, may change the status twice: to another one, and back.
const CHANGES_PER_CAUSE: usize = 2;

/// The status changes of the last hour.
#[derive(Debug, Default)]
pub struct Flapping {
    last: Option<Status>,
    changes: VecDeque<Moment>,
}

impl Flapping {
    /// Counts a change of status, if there is one. `causes` returns the number of possible causes between two
    /// moments.
    ///
    /// # Errors
    /// If the status changed more often than its causes account for.
    pub fn observe(
        &mut self,
        now: Moment,
        report: &Report,
        causes: impl Fn(Moment, Moment) -> usize,
    ) -> Result<(), String> {
        let status = report.status;
        if self.last.replace(status).is_none_or(|last| last == status) {
            return Ok(());
        }
        self.changes.push_back(now);
        while self.changes.front().is_some_and(|at| *at + HOUR < now) {
            self.changes.pop_front();
        }
        let since = now.saturating_sub(HOUR + MAX_DELAY);
        let (changes, causes) = (self.changes.len(), causes(since, now));
        if changes <= CHANGES_PER_CAUSE * causes {
            return Ok(());
        }
        let reasons = report.reasons().join("; ");
        Err(format!(
            "health: {changes} changes of the status within an hour, but only {causes} causes, now {status}: {reasons}"
        ))
    }
}
