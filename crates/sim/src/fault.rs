//! Faults as data: what breaks when, and for how long. A schedule is one line of text that can be stored, shortened by
//! hand and replayed. It breaks nothing itself: the simulated world looks into it.

mod draw;
mod text;

use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

pub use draw::Swarm;
pub use text::InvalidSchedule;

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Since the start of the simulation.
    pub at: Duration,
    /// Until it heals; zero for what happens at once.
    pub lasts: Duration,
    /// What it is.
    pub kind: FaultKind,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The outside API.
    Exchange(ExchangeFault),
    /// Both stores: they are one database.
    Store(StoreFault),
    /// The resources of the process cannot be measured.
    ResourcesUnknown,
    /// `kill -9`: the process is gone for as long as the fault lasts, then boots.
    Kill,
    /// SIGTERM: the process stops, stays away for as long as the fault lasts, then boots.
    Terminate,
    /// SIGSTOP, then SIGCONT: time passes and nobody notices.
    Freeze,
    /// The wall clock alone jumps.
    WallStep(SignedDuration),
}

/// How the API misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// 503 to everything.
    Unavailable,
    /// Accepts and never answers.
    Hang,
    /// Answers, byte by byte, in half a minute to two.
    SlowDrip,
    /// Bodies end in the middle.
    Truncated,
    /// 429 to everything, with a Retry-After in seconds or without one.
    Limited(Option<u32>),
    /// 200 without pairs.
    Nulls,
    /// Half of each batch is missing.
    HalfBatch,
}

impl ExchangeFault {
    /// Whether nothing usable comes out of the API.
    pub const fn is_down(self) -> bool {
        !matches!(self, Self::HalfBatch)
    }
}

/// How the store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Refuses connections.
    Gone,
    /// Answers only when the fault is over.
    Hang,
    /// Commits, and then the connection breaks.
    LostAcks,
    /// Reads work, writes find no space.
    Full,
}

/// Faults in the order of their beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSchedule(Vec<Fault>);

impl FaultSchedule {
    /// These faults; of two that overlap on one part the earlier one wins.
    pub fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.at);
        Self(faults)
    }

    /// The faults, by their beginning.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// What is wrong with the API at `now`.
    pub fn exchange(&self, now: Moment) -> Option<ExchangeFault> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Exchange(kind) => Some(kind),
            _ => None,
        })
    }

    /// What is wrong with the store at `now`, and until when.
    pub fn store(&self, now: Moment) -> Option<(StoreFault, Moment)> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Store(kind) => Some((kind, fault.until())),
            _ => None,
        })
    }

    /// Whether the resources cannot be measured at `now`.
    pub fn resources_unknown(&self, now: Moment) -> bool {
        self.active(now).any(|fault| fault.kind == FaultKind::ResourcesUnknown)
    }

    /// Whether every fault is over at `now`.
    pub fn healed(&self, now: Moment) -> bool {
        self.0.iter().all(|fault| fault.until() <= now)
    }

    fn active(&self, now: Moment) -> impl Iterator<Item = &Fault> {
        let begun = self.0.iter().take_while(move |fault| fault.begins() <= now);
        begun.filter(move |fault| now < fault.until())
    }
}

impl Fault {
    /// When it begins.
    pub fn begins(&self) -> Moment {
        Moment::from_origin(self.at)
    }

    /// When it heals.
    pub fn until(&self) -> Moment {
        self.begins() + self.lasts
    }
}
