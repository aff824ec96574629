//! The machine's clocks. It does not know who reads them.

use std::time::Instant;

use jiff::Timestamp;
use ttm_kernel::{Clock, Moment};

/// Moments since the clock was made; copies share that origin, so that the moments of two runtimes compare.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// A clock whose origin is now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The point of the machine's clock at `moment`; none when it is beyond what the platform can express.
    pub(crate) fn instant(self, moment: Moment) -> Option<Instant> {
        self.origin.checked_add(moment.since_origin())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::from_origin(self.origin.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}
