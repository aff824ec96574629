//! Faults as data: what breaks when, and for how long. A schedule is one line of text that can be stored, shortened
//! by hand and replayed. The simulated world queries it at every call, so a schedule and a seed decide a whole run.

mod channel;
mod draw;
mod job;
mod poison;
mod text;

use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

use crate::Plane;

pub use channel::{Channel, ChannelFault};
pub use draw::Swarm;
pub use job::{JobFault, Part, Requests};
pub use poison::Poison;
pub use text::InvalidSchedule;

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Since the start of the simulation.
    pub at: Duration,
    /// How long it lasts; zero if it happens at one instant.
    pub lasts: Duration,
    /// What breaks.
    pub kind: FaultKind,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The upstream API.
    Exchange(ExchangeFault),
    /// One table of the store, or all of them.
    Store(StoreTable, StoreFault),
    /// The resources of the process cannot be measured.
    ResourcesUnknown,
    /// `kill -9`: the process is gone for as long as the fault lasts, then boots.
    Kill,
    /// SIGTERM: the process stops, stays away for as long as the fault lasts, then boots.
    Terminate,
    /// SIGSTOP, then SIGCONT: time passes, and the process does not notice.
    Freeze,
    /// Another service manager starts the service on the same store, again and again until the fault is over; then
    /// whichever of the two processes does not hold the lease is stopped.
    SecondProcess,
    /// One plane of the process runs nothing, as if a task spun or blocked there.
    PlaneStalls(Plane),
    /// A part of the process panics.
    PartPanics(Part),
    /// A part of the process returns.
    PartEnds(Part),
    /// The wall clock steps; the monotonic clock does not.
    WallStep(SignedDuration),
    /// Something that the process does gets stuck, or fails again and again.
    Job(JobFault),
    /// A channel on which alerts are told.
    Channel(Channel, ChannelFault),
}

/// How the API misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// 503 to everything.
    Unavailable,
    /// Another 5xx to everything; only the message differs.
    ServerError(u16),
    /// 403 to everything: a browser challenge page.
    Forbidden,
    /// Accepts connections and never answers.
    Hang,
    /// Answers byte by byte, in 30 to 120 seconds.
    SlowDrip,
    /// Bodies are cut off.
    Truncated,
    /// Bodies are larger than the client reads.
    TooLarge,
    /// Bodies are declared as HTML.
    WrongType,
    /// 429 to everything, with a Retry-After in seconds or without one.
    Limited(Option<u32>),
    /// 200 with an empty list for everything.
    Nulls,
    /// 200 with `null` instead of a list, to a share of the requests.
    FlakyNulls(Percent),
    /// 200 with an empty list, to a share of the batches; single tokens are answered.
    EmptyBatch(Percent),
    /// Half of each batch is missing.
    HalfBatch,
    /// A share of the tokens is unknown, in batches and in single requests, always the same ones.
    Delisted(Percent),
    /// Every request that includes one of a share of the tokens fails, always the same ones.
    Poison(Percent),
    /// Answers are this many seconds old.
    Stale(u32),
    /// All pools of each token of a batch, the primary one at any position, and pools that have it as their quote.
    ExtraPairs,
    /// A share of the pairs is unusable.
    BadPairs(Percent),
    /// Pairs lack every optional field.
    Sparse,
}

/// A whole number of percent.
pub type Percent = u8;

impl ExchangeFault {
    /// Whether the API returns nothing usable. A fault that spares some requests or tokens is not an outage: readers
    /// must still get those.
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

    /// Whether calls may fail because of it, or answers may lack or hide what was asked for.
    pub const fn may_fail(self) -> bool {
        !matches!(self, Self::Stale(_) | Self::ExtraPairs | Self::Sparse)
    }

    /// Whether every call is answered, and no answer contains a pair.
    pub const fn is_silent(self) -> bool {
        matches!(self, Self::Nulls | Self::Delisted(100..))
    }

    /// Whether every call is answered, and no pair in any answer can be read.
    pub const fn is_unreadable(self) -> bool {
        matches!(self, Self::BadPairs(100..))
    }

    /// Whether every call fails; in other outages calls succeed with empty answers.
    pub const fn fails_calls(self) -> bool {
        self.is_down() && !self.is_silent() && !self.is_unreadable()
    }
}

/// Which part of the store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreTable {
    /// Every table, as they are in one database.
    All,
    /// The table of tokens.
    Tokens,
    /// The table of breakers.
    Breakers,
    /// The table of recoveries.
    Recoveries,
    /// The table of samples.
    Samples,
    /// The table of events.
    Events,
    /// The table of alerts.
    Alerts,
    /// The row of the lease, if the lease is a row.
    Lease,
}

impl StoreTable {
    /// All of them together, and then each.
    pub const EACH: [Self; 8] = [
        Self::All,
        Self::Tokens,
        Self::Breakers,
        Self::Samples,
        Self::Events,
        Self::Lease,
        Self::Recoveries,
        Self::Alerts,
    ];

    /// The word for it in a schedule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "store",
            Self::Tokens => "tokens",
            Self::Breakers => "breakers",
            Self::Recoveries => "recoveries",
            Self::Samples => "samples",
            Self::Events => "events",
            Self::Alerts => "alerts",
            Self::Lease => "lease",
        }
    }
}

/// How the store misbehaves: every class of error of its ports, and failures without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Refuses connections.
    Gone,
    /// Answers only once the fault is over.
    Hang,
    /// Commits, and then the connection is lost.
    LostAcks,
    /// Reads work, writes fail because the disk is full.
    Full,
    /// Reads work, writes fail because the store is locked.
    Busy,
    /// Reads work, writes are refused for now, as during a failover.
    ReadOnly,
    /// The table or a privilege on it is missing: a person must act, and callers retry at most once a minute.
    NoRight,
    /// It answers with an unknown error, which does not prove damage: callers retry as rarely.
    Unexpected,
    /// The content is damaged, or appears to be. After it heals only a new process uses the store again.
    Corrupt,
    /// A share of the rows is rejected, always the same ones.
    Rejects(Percent),
}

/// Faults in the order in which they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSchedule(Vec<Fault>);

impl FaultSchedule {
    /// A schedule of these faults; if two of them overlap on the same target the earlier one wins.
    pub fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.at);
        Self(faults)
    }

    /// The faults, in the order in which they begin.
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }

    /// The fault of the API at `now`.
    pub fn exchange(&self, now: Moment) -> Option<ExchangeFault> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Exchange(kind) => Some(kind),
            _ => None,
        })
    }

    /// The fault of a table of the store at `now`, and until when it lasts.
    pub fn store(&self, table: StoreTable, now: Moment) -> Option<(StoreFault, Moment)> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Store(broken, kind) if [StoreTable::All, table].contains(&broken) => {
                Some((kind, fault.until()))
            }
            _ => None,
        })
    }

    /// Since when the API has had a fault that matches, if it has one at `now`.
    pub fn exchange_since(&self, now: Moment, is_one: impl Fn(ExchangeFault) -> bool) -> Option<Moment> {
        let is_one = |fault: &Fault| matches!(fault.kind, FaultKind::Exchange(kind) if is_one(kind));
        let is_exchange = |fault: &&Fault| matches!(fault.kind, FaultKind::Exchange(_));
        let active = self.active(now).find(is_exchange)?;
        // If two overlap the earlier one wins until it is over.
        let before = self.0.iter().take_while(|fault| *fault != active).filter(is_exchange);
        let others = before.filter(|fault| !is_one(fault)).map(Fault::until).max();
        is_one(active).then_some(others.map_or(active.begins(), |until| active.begins().max(until)))
    }

    /// The end of the last fault before `now` that made the lease unavailable: `now` if it is still active,
    /// [`Moment::ZERO`] if there was none. While no call gets out, none reaches the lease.
    pub fn lease_was_away(&self, now: Moment) -> Moment {
        let of_lease = |fault: &&Fault| {
            let is_of_lease = match fault.kind {
                FaultKind::Store(table, _) => [StoreTable::All, StoreTable::Lease].contains(&table),
                kind => kind == FaultKind::PlaneStalls(Plane::Io),
            };
            is_of_lease && fault.begins() <= now
        };
        self.0.iter().filter(of_lease).map(|fault| fault.until().min(now)).max().unwrap_or(Moment::ZERO)
    }

    /// Whether a matching fault was active at any time between the two.
    pub fn any_between(&self, from: Moment, to: Moment, matches: impl Fn(FaultKind) -> bool) -> bool {
        self.0.iter().any(|fault| matches(fault.kind) && fault.begins() <= to && from <= fault.until())
    }

    /// The fault of a channel at `now`.
    pub fn channel(&self, channel: Channel, now: Moment) -> Option<ChannelFault> {
        self.active(now).find_map(|fault| match fault.kind {
            FaultKind::Channel(of, kind) if of == channel => Some(kind),
            _ => None,
        })
    }

    /// Whether the resources cannot be measured at `now`.
    pub fn resources_unknown(&self, now: Moment) -> bool {
        self.active(now).any(|fault| fault.kind == FaultKind::ResourcesUnknown)
    }

    /// Whether the process panics on the answers of the API at `now`.
    pub fn answers_panic(&self, now: Moment) -> bool {
        self.active(now).any(|fault| fault.kind == FaultKind::Job(JobFault::AnswersPanic))
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
    fn an_outage_begins_when_the_fault_that_hid_it_is_over() {
        let faults: FaultSchedule =
            "at 10m for 20m api-stale=30s; at 15m for 30m api-503; at 40m for 20m api-nulls"
                .parse()
                .expect("a schedule");
        let since = |minute: u64, is_one: fn(ExchangeFault) -> bool| {
            let now = Moment::from_origin(Duration::from_mins(minute));
            faults.exchange_since(now, is_one).map(|since| since.since_origin().as_secs() / 60)
        };
        let down: Vec<_> = [5, 20, 31, 44, 46, 59].map(|minute| since(minute, ExchangeFault::is_down)).into();
        assert_eq!(down, [None, None, Some(30), Some(30), Some(40), Some(40)]);
        assert_eq!(since(46, ExchangeFault::fails_calls), None, "each call is answered with nothing");
    }

    #[test]
    fn a_fault_that_spares_some_requests_or_tokens_is_not_an_outage() {
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
