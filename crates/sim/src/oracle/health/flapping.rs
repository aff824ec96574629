//! Counts the changes of a status against what gave cause for one. It does not know what the causes were.

use std::collections::VecDeque;
use std::time::Duration;

use ttm_health::{Report, Status};
use ttm_kernel::Moment;

/// Changes are counted over this.
const HOUR: Duration = Duration::from_hours(1);
/// What happened this long before a change may be its cause: the breaker's longest open period, and the API's window.
const LASTS: Duration = Duration::from_mins(15);
/// A fault that begins, ends or restarts the process is worth two changes: to what it makes of the status, and back.
const EACH: usize = 2;

/// The changes of the last hour, and what gave cause for them.
#[derive(Debug, Default)]
pub struct Flapping {
    last: Option<Status>,
    changes: VecDeque<Moment>,
}

impl Flapping {
    /// Takes a status in. `causes` says how many there were between two moments.
    ///
    /// # Errors
    /// When it changed more often than anything gave cause for.
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
        let since = now.saturating_sub(HOUR + LASTS);
        let (changes, causes) = (self.changes.len(), causes(since, now));
        if changes <= EACH * causes {
            return Ok(());
        }
        let reasons = report.reasons.join("; ");
        Err(format!(
            "health: {changes} changes of the status within an hour, and {causes} causes, now {status}: {reasons}"
        ))
    }
}
