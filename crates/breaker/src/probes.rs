//! The probes in flight and their leases. A probe that never reports is written off when its lease ends, so that no breaker
//! stays half-open for ever.

use std::num::NonZeroU64;
use std::time::Duration;

use ttm_kernel::Moment;

#[derive(Debug)]
pub(crate) struct Probes {
    lease: Duration,
    sent: Vec<Probe>,
    last: u64,
}

#[derive(Debug)]
struct Probe {
    number: NonZeroU64,
    lease_until: Moment,
}

impl Probe {
    /// A lease that reaches the end of time never ends, not even for a clock that stands there.
    fn is_out(&self, now: Moment) -> bool {
        self.lease_until > now || self.lease_until == Moment::MAX
    }
}

impl Probes {
    /// Room for `most` at once.
    pub(crate) fn new(most: u32, lease: Duration) -> Self {
        Self { lease, sent: Vec::with_capacity(most as usize), last: 0 }
    }

    /// Probes in flight keep their lease.
    pub(crate) fn reconfigure(&mut self, most: u32, lease: Duration) {
        self.lease = lease;
        self.sent.reserve((most as usize).saturating_sub(self.sent.len()));
    }

    /// Sends one more; `now` never goes back from one call to the next.
    pub(crate) fn send(&mut self, now: Moment) -> NonZeroU64 {
        self.write_off(now);
        self.last = self.last.wrapping_add(1);
        let number = NonZeroU64::new(self.last).unwrap_or(NonZeroU64::MIN);
        self.sent.push(Probe { number, lease_until: now + self.lease });
        number
    }

    /// Takes a probe's place back; false when it was written off.
    pub(crate) fn give_back(&mut self, number: NonZeroU64, now: Moment) -> bool {
        self.write_off(now);
        let place = self.sent.iter().position(|probe| probe.number == number);
        place.map(|place| self.sent.remove(place)).is_some()
    }

    /// How many are out.
    pub(crate) fn out(&self, now: Moment) -> u64 {
        self.leases(now).count() as u64
    }

    /// When the first of those that are out will be written off.
    pub(crate) fn first_lease(&self, now: Moment) -> Option<Moment> {
        self.leases(now).min()
    }

    pub(crate) fn clear(&mut self) {
        self.sent.clear();
    }

    fn leases(&self, now: Moment) -> impl Iterator<Item = Moment> {
        self.sent.iter().filter(move |probe| probe.is_out(now)).map(|probe| probe.lease_until)
    }

    fn write_off(&mut self, now: Moment) {
        self.sent.retain(|probe| probe.is_out(now));
    }
}
