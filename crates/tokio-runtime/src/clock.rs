//! The clocks of the machine: the only place that reads them.

use std::time::Instant;

use jiff::Timestamp;
use ttm_kernel::{Clock, Moment};

/// A clock of moments since its creation; copies share that origin, so that moments of two runtimes are comparable.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// A clock whose origin is now.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The instant at `moment`; `None` if the platform cannot represent it.
    pub(crate) fn instant(self, moment: Moment) -> Option<Instant> {
        self.origin.checked_add(moment.since_origin())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::from_origin(self.origin.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "the only place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}
