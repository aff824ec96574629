//! The breaker that threads share, and the permits it hands out. What it decides is in `state`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use ttm_kernel::{Entropy, Moment};

use crate::state::{Command, Machine, Ticket};
use crate::{BreakerConfig, CountAs, Outcome, Rejected, Snapshot, Transition, Verdict};

/// A circuit breaker; share it by reference.
pub struct Breaker {
    name: Arc<str>,
    config: BreakerConfig,
    machine: Mutex<Machine>,
    entropy: Arc<dyn Entropy>,
}

impl Breaker {
    /// A closed breaker. `name` is what people read; `entropy` spreads the repeated open periods.
    pub fn new(name: impl Into<Arc<str>>, config: BreakerConfig, entropy: Arc<dyn Entropy>) -> Self {
        let machine = Mutex::new(Machine::new(config.settings().clone()));
        Self { name: name.into(), config, machine, entropy }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its config.
    pub const fn config(&self) -> &BreakerConfig {
        &self.config
    }

    /// Asks to make one call.
    ///
    /// # Errors
    /// [`Rejected`] says why not, and when to come back.
    pub fn admit(&self, now: Moment) -> Result<Permit<'_>, Rejected> {
        let ticket = self.lock().admit(now)?;
        Ok(Permit { breaker: self, ticket, admitted_at: now, reported: false })
    }

    /// Whether a call would be rejected now, without asking for leave: for callers that would wait for something else first.
    ///
    /// # Errors
    /// [`Rejected`] says why, and when to come back.
    pub fn check(&self, now: Moment) -> Result<(), Rejected> {
        self.lock().rejection(now).map_or(Ok(()), Err)
    }

    /// Holds the breaker open until [`Breaker::reset`] or [`Breaker::disable`].
    pub fn force_open(&self, now: Moment) {
        self.lock().command(Command::ForceOpen, now);
    }

    /// Admits everything and counts nothing until [`Breaker::reset`] or [`Breaker::force_open`].
    pub fn disable(&self, now: Moment) {
        self.lock().command(Command::Disable, now);
    }

    /// Closes the breaker with empty counts, whatever its state.
    pub fn reset(&self, now: Moment) {
        self.lock().command(Command::Reset, now);
    }

    /// What the breaker looks like; changes nothing.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        self.lock().snapshot(now)
    }

    /// The oldest transition that nobody has fetched. The newest 256 are kept; [`Snapshot::transitions_lost`] counts the rest.
    pub fn poll_transition(&self) -> Option<Transition> {
        self.lock().poll_transition()
    }

    fn report(&self, ticket: Ticket, outcome: Outcome, now: Moment) -> Verdict {
        // Drawn outside the lock, since the port is somebody else's code; and only for probes, which alone can need it.
        let jitter = if ticket.is_probe() { self.entropy.unit() } else { 0.0 };
        self.lock().report(ticket, outcome, now, jitter)
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // Nothing panics half-way through a change, so the state of a poisoned lock is whole.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// Leave to make one call. Report how the call ended; dropping the permit instead counts as the config says.
#[must_use = "a permit that is dropped at once counts as a cancelled call"]
#[derive(Debug)]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    ticket: Ticket,
    admitted_at: Moment,
    reported: bool,
}

impl Permit<'_> {
    /// The era of the breaker in which the call was admitted.
    pub const fn generation(&self) -> u64 {
        self.ticket.generation()
    }

    /// Whether the call is one of the few that decide about recovery.
    pub const fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Says how the call ended.
    pub fn report(mut self, outcome: Outcome, now: Moment) -> Verdict {
        self.reported = true;
        self.breaker.report(self.ticket, outcome, now)
    }

    /// The far side did its work.
    pub fn success(self, now: Moment) -> Verdict {
        self.report(Outcome::Success, now)
    }

    /// The far side did not do its work.
    pub fn failure(self, now: Moment) -> Verdict {
        self.report(Outcome::Failure, now)
    }

    /// The call says nothing about the far side.
    pub fn ignored(self, now: Moment) -> Verdict {
        self.report(Outcome::Ignored, now)
    }

    /// The far side asks for patience, until `retry_at` when it said so.
    pub fn rate_limited(self, now: Moment, retry_at: Option<Moment>) -> Verdict {
        self.report(Outcome::RateLimited { retry_at }, now)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        let settings = self.breaker.config.settings();
        let count_as = if thread::panicking() { settings.on_panic } else { settings.on_cancel };
        let outcome = match count_as {
            CountAs::Ignored => Outcome::Ignored,
            CountAs::Failure => Outcome::Failure,
        };
        // A drop brings no time: the machine takes the newest it has seen, which is never before the admission.
        self.breaker.report(self.ticket, outcome, self.admitted_at);
    }
}

#[cfg(test)]
mod tests {
    use ttm_testkit::SeededEntropy;

    use super::*;

    #[test]
    fn a_poisoned_lock_still_admits_and_counts() {
        let breaker = Breaker::new("subject", BreakerConfig::default(), Arc::new(SeededEntropy::new(0)));
        let end = thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = breaker.lock();
                panic!("while the lock is held");
            });
            holder.join()
        });
        assert!(end.is_err() && breaker.machine.is_poisoned());
        let permit = breaker.admit(Moment::ZERO).expect("closed");
        assert_eq!(permit.success(Moment::ZERO), Verdict::Counted);
    }
}
