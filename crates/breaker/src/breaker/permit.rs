//! Permission to make one call.

use std::fmt;
use std::mem;
use std::time::Duration;

use ttm_kernel::{Moment, Now};

use crate::fact::Ticket;
use crate::{Breaker, Outcome, Verdict};

/// How long a call took.
#[derive(Clone, Copy)]
pub(super) enum Took {
    /// The time since then.
    Since(Moment),
    /// As its caller measured.
    Measured(Duration),
}

impl Took {
    pub(super) fn until(self, now: Moment) -> Duration {
        match self {
            Self::Since(started) => now - started,
            Self::Measured(took) => took,
        }
    }
}

/// Permission to make one call. Report how the call ended; a permit that is dropped counts as the config says.
///
/// `N` is what the breaker was asked with: a moment, which is then also the time of a permit that is dropped, or a
/// clock.
#[must_use = "a permit that is dropped at once counts as a cancelled call"]
pub struct Permit<'a, N: Now = Moment> {
    breaker: &'a Breaker,
    ticket: Ticket,
    started: Moment,
    now: N,
}

impl<'a, N: Now> Permit<'a, N> {
    #[inline]
    pub(super) const fn new(breaker: &'a Breaker, ticket: Ticket, started: Moment, now: N) -> Self {
        Self { breaker, ticket, started, now }
    }

    /// The generation of the breaker that admitted the call.
    pub const fn generation(&self) -> u64 {
        self.ticket.era.generation()
    }

    /// Whether the call is a probe: one of the few that decide about recovery.
    pub const fn is_probe(&self) -> bool {
        self.ticket.probe.is_some()
    }

    /// Reports how the call ended. Its duration is the time from its admission to `now`.
    #[inline]
    pub fn report(self, outcome: Outcome, now: impl Now) -> Verdict {
        let took = Took::Since(self.started);
        self.settle(outcome, took, now)
    }

    /// Reports how the call ended and how long it took, for callers that measure it themselves.
    #[inline]
    pub fn report_timed(self, outcome: Outcome, took: Duration, now: impl Now) -> Verdict {
        self.settle(outcome, Took::Measured(took), now)
    }

    #[inline]
    fn settle(self, outcome: Outcome, took: Took, now: impl Now) -> Verdict {
        let (breaker, ticket) = (self.breaker, self.ticket);
        mem::forget(self);
        breaker.report(ticket, outcome, took, now)
    }

    /// The call succeeded.
    #[inline]
    pub fn success(self, now: impl Now) -> Verdict {
        self.report(Outcome::Success, now)
    }

    /// The call failed.
    #[inline]
    pub fn failure(self, now: impl Now) -> Verdict {
        self.report(Outcome::Failure, now)
    }
}

impl<N: Now> Drop for Permit<'_, N> {
    #[inline]
    fn drop(&mut self) {
        self.breaker.take_back(self.ticket, self.started, self.now.now());
    }
}

impl<N: Now> fmt::Debug for Permit<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("breaker", &self.breaker.name()).field("ticket", &self.ticket).finish()
    }
}
