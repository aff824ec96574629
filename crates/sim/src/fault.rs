//! Faults as data: what breaks when, and for how long. A schedule is one line of text that can be stored, shortened by
//! hand and replayed. It breaks nothing itself: the simulated world looks into it.

mod draw;
mod poison;
mod text;

use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

use crate::Plane;

pub use draw::Swarm;
pub use poison::Poison;
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
    /// A table of the store, or all of them.
    Store(StoreTable, StoreFault),
    /// The resources of the process cannot be measured.
    ResourcesUnknown,
    /// `kill -9`: the process is gone for as long as the fault lasts, then boots.
    Kill,
    /// SIGTERM: the process stops, stays away for as long as the fault lasts, then boots.
    Terminate,
    /// SIGSTOP, then SIGCONT: time passes and nobody notices.
    Freeze,
    /// Another service manager starts the service on the same store, again and again until the fault is over; then the one
    /// of the two processes that has not got the store is stopped.
    SecondProcess,
    /// One plane of the process runs nothing, as when a task spins or blocks there.
    PlaneStalls(Plane),
    /// A part of the process panics.
    PartPanics(Part),
    /// A part of the process returns.
    PartEnds(Part),
    /// The wall clock alone jumps.
    WallStep(SignedDuration),
}

/// How the API misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// 503 to everything.
    Unavailable,
    /// Another 5xx to everything; what differs is only the message.
    ServerError(u16),
    /// 403 to everything: the page that challenges a browser.
    Forbidden,
    /// Accepts and never answers.
    Hang,
    /// Answers, byte by byte, in half a minute to two.
    SlowDrip,
    /// Bodies end in the middle.
    Truncated,
    /// Bodies are larger than the client reads.
    TooLarge,
    /// Bodies claim to be HTML.
    WrongType,
    /// 429 to everything, with a Retry-After in seconds or without one.
    Limited(Option<u32>),
    /// 200 with an empty list for everything.
    Nulls,
    /// 200 with `null` where a list belongs, to a share of the requests.
    FlakyNulls(Percent),
    /// 200 with an empty list, to a share of the batches; single tokens are answered.
    EmptyBatch(Percent),
    /// Half of each batch is missing.
    HalfBatch,
    /// A share of the tokens is unknown, in batches and singly, always the same ones.
    Delisted(Percent),
    /// Every request fails that asks for one of a share of the tokens, always the same ones.
    Poison(Percent),
    /// What was true so many seconds ago.
    Stale(u32),
    /// All pools of each token of a batch, the main one anywhere, and counts of those where it is the quote.
    ExtraPairs,
    /// A share of the pairs cannot be used.
    BadPairs(Percent),
    /// Pairs have nothing that a pair may leave out.
    Sparse,
}

/// Out of a hundred, this many.
pub type Percent = u8;

impl ExchangeFault {
    /// Whether nothing usable comes out of the API. What spares some requests or tokens is no outage: readers are owed it.
    pub const fn is_down(self) -> bool {
        match self {
            Self::Unavailable
            | Self::ServerError(_)
            | Self::Forbidden
            | Self::Hang
            | Self::SlowDrip
            | Self::Truncated
            | Self::TooLarge
            | Self::WrongType
            | Self::Limited(_)
            | Self::Nulls => true,
            Self::FlakyNulls(share) | Self::Delisted(share) | Self::BadPairs(share) | Self::Poison(share) => {
                share >= 100
            }
            Self::EmptyBatch(_) | Self::HalfBatch | Self::Stale(_) | Self::ExtraPairs | Self::Sparse => false,
        }
    }

    /// Whether every call is answered, and no answer holds a pair.
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::Nulls | Self::Delisted(100..))
    }

    /// Whether every call is answered, and no pair of it can be read.
    pub const fn is_unreadable(self) -> bool {
        matches!(self, Self::BadPairs(100..))
    }

    /// Whether every call of it fails; an outage may also answer each of them, with nothing.
    pub const fn fails_calls(self) -> bool {
        self.is_down() && !self.is_silent() && !self.is_unreadable()
    }
}

/// What of the store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreTable {
    /// Every table: they are one database.
    All,
    /// That of the tokens.
    Tokens,
    /// That of the breakers.
    Breakers,
    /// That of the samples.
    Samples,
    /// That of the events.
    Events,
    /// The row of the lease, where it is one.
    Lease,
}

impl StoreTable {
    /// All of them together, then each.
    pub const EACH: [Self; 6] =
        [Self::All, Self::Tokens, Self::Breakers, Self::Samples, Self::Events, Self::Lease];

    /// The word of the schedule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "store",
            Self::Tokens => "tokens",
            Self::Breakers => "breakers",
            Self::Samples => "samples",
            Self::Events => "events",
            Self::Lease => "lease",
        }
    }
}

/// How the store misbehaves: every class of error of its ports, and what no error tells.
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
    /// Reads work, writes find the store locked by another.
    Busy,
    /// Reads work, writes are refused for now, as during a failover.
    ReadOnly,
    /// The right to the table is missing, or the table: a person must mend that, and it is not tried more often than once
    /// a minute.
    NoRight,
    /// It answers what no program of ours knows, which proves no damage: that is tried again as seldom.
    Unexpected,
    /// The content is not what it must be, or looks so. When it heals only a new process finds out.
    Corrupt,
    /// A share of the rows is refused, always the same ones.
    Rejects(Percent),
}

/// A part of the process that runs for as long as the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The groups.
    Work,
    /// The watch over edits of the tokens.
    Roster,
    /// The writer of the tokens.
    TokenWriter,
    /// The writer of the breakers.
    BreakerWriter,
    /// The writer of the samples.
    SampleWriter,
    /// The writer of the events.
    EventWriter,
    /// What renews the lease on the store.
    LeaseKeeper,
    /// The monitor.
    Monitor,
    /// What tells the monitor that the work plane runs.
    Pulse,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Work,
        Self::Roster,
        Self::TokenWriter,
        Self::BreakerWriter,
        Self::SampleWriter,
        Self::EventWriter,
        Self::LeaseKeeper,
        Self::Monitor,
        Self::Pulse,
    ];

    /// The name of its task.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Roster => "roster",
            Self::TokenWriter => "token writer",
            Self::BreakerWriter => "breaker writer",
            Self::SampleWriter => "sample writer",
            Self::EventWriter => "event writer",
            Self::LeaseKeeper => "lease keeper",
            Self::Monitor => "monitor",
            Self::Pulse => "pulse",
        }
    }
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

    /// What is wrong with a table of the store at `now`, and until when.
    pub fn store(&self, table: StoreTable, now: Moment) -> Option<(StoreFault, Moment)> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Store(broken, kind) if [StoreTable::All, table].contains(&broken) => {
                Some((kind, fault.until()))
            }
            _ => None,
        })
    }

    /// Since when the API has misbehaved in one of these ways, if it does at `now`.
    pub fn exchange_since(&self, now: Moment, is_one: impl Fn(ExchangeFault) -> bool) -> Option<Moment> {
        let is_one = |fault: &Fault| matches!(fault.kind, FaultKind::Exchange(kind) if is_one(kind));
        let is_exchange = |fault: &&Fault| matches!(fault.kind, FaultKind::Exchange(_));
        let active = self.active(now).find(is_exchange)?;
        // Of two that overlap the earlier one wins, until it is over.
        let before = self.0.iter().take_while(|fault| *fault != active).filter(is_exchange);
        let others = before.filter(|fault| !is_one(fault)).map(Fault::until).max();
        is_one(active).then_some(others.map_or(active.begins(), |until| active.begins().max(until)))
    }

    /// Until when nobody could keep a lease in the store, at `now` at the latest.
    pub fn lease_was_away(&self, now: Moment) -> Moment {
        let of_lease = |fault: &&Fault| {
            let FaultKind::Store(table, _) = fault.kind else { return false };
            [StoreTable::All, StoreTable::Lease].contains(&table) && fault.begins() <= now
        };
        self.0.iter().filter(of_lease).map(|fault| fault.until().min(now)).max().unwrap_or(Moment::ZERO)
    }

    /// Whether any of these was going on at some time between the two.
    pub fn any_between(&self, from: Moment, to: Moment, matches: impl Fn(FaultKind) -> bool) -> bool {
        self.0.iter().any(|fault| matches(fault.kind) && fault.begins() <= to && from <= fault.until())
    }

    /// Whether the resources cannot be measured at `now`.
    pub fn resources_unknown(&self, now: Moment) -> bool {
        self.active(now).any(|fault| fault.kind == FaultKind::ResourcesUnknown)
    }

    /// Since when the resources cannot be measured, if they cannot at `now`.
    pub fn resources_unknown_since(&self, now: Moment) -> Option<Moment> {
        let active = self.active(now).filter(|fault| fault.kind == FaultKind::ResourcesUnknown);
        active.map(Fault::begins).min()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_when_what_hid_it_is_over() {
        let faults: FaultSchedule =
            "at 10m for 20m api-stale=30s; at 15m for 30m api-503; at 40m for 20m api-nulls"
                .parse()
                .expect("one");
        let since = |minute: u64, is_one: fn(ExchangeFault) -> bool| {
            let now = Moment::from_origin(Duration::from_mins(minute));
            faults.exchange_since(now, is_one).map(|since| since.since_origin().as_secs() / 60)
        };
        let down: Vec<_> = [5, 20, 31, 44, 46, 59].map(|minute| since(minute, ExchangeFault::is_down)).into();
        assert_eq!(down, [None, None, Some(30), Some(30), Some(40), Some(40)]);
        assert_eq!(since(46, ExchangeFault::fails_calls), None, "each call is answered, with nothing");
    }

    #[test]
    fn what_spares_some_requests_or_tokens_is_no_outage() {
        use ExchangeFault as Api;
        for partial in [
            Api::FlakyNulls(99),
            Api::EmptyBatch(100),
            Api::HalfBatch,
            Api::Delisted(99),
            Api::Poison(99),
            Api::Stale(30),
            Api::ExtraPairs,
            Api::BadPairs(30),
            Api::Sparse,
        ] {
            assert!(!partial.is_down(), "{partial:?}");
        }
        for total in [
            Api::Unavailable,
            Api::ServerError(520),
            Api::Forbidden,
            Api::TooLarge,
            Api::WrongType,
            Api::FlakyNulls(100),
            Api::Delisted(100),
            Api::BadPairs(100),
        ] {
            assert!(total.is_down(), "{total:?}");
        }
    }
}
