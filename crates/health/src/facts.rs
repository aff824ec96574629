//! What the service measured, as plain data. It holds no judgement.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Connections, Quantiles};

use crate::Reached;

/// Everything that a report is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When the facts were gathered.
    pub at: Timestamp,
    /// Time since the process started.
    pub uptime: Duration,
    /// Time since the start was over, from when on everything is measured.
    pub measured_for: Duration,
    /// Where the process is in its life.
    pub phase: Phase,
    /// What the start waits for; none when it waits for nothing.
    pub waiting_for: Option<Waiting>,
    /// The hot group.
    pub hot: GroupFacts,
    /// The cold group.
    pub cold: GroupFacts,
    /// Tokens scored in the last minute; none before the first minute is over.
    pub tokens_per_minute: Option<f64>,
    /// Last sample of the resources; none before the first.
    pub resources: Option<ResourceSample>,
    /// How busy the connections of the stores' pools are.
    pub database_connections: Option<Connections>,
    /// The outside API.
    pub api: ApiFacts,
    /// The data's age.
    pub data: DataFacts,
    /// What the next requests are for; none before the first plan.
    pub plan: Option<PlanFacts>,
    /// The store.
    pub store: StoreFacts,
    /// The lists of tokens that are kept elsewhere.
    pub sources: Vec<SourceFacts>,
    /// The levels that the report before told as reached.
    pub reached: Reached,
}

/// What a start waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The step, and why it is not done yet.
    pub what: String,
    /// Whether it is the store, and will not pass before a person has acted.
    pub needs_a_person: bool,
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Until config, migrations and the first tick are done.
    Starting,
    /// At work.
    Running,
    /// Finishing what is in flight.
    Stopping,
}

impl Phase {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

/// One scheduler group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupFacts {
    /// Its interval.
    pub interval: Duration,
    /// When its last run ended.
    pub last_run: Option<Timestamp>,
    /// How long that run took.
    pub processing_time: Option<Duration>,
    /// Time since the group last made progress: work committed, or a scan that found nothing due.
    pub since_progress: Option<Duration>,
    /// Time since the last scheduled run began; none before the first.
    pub since_tick: Option<Duration>,
    /// Whether a run is under way.
    pub running: bool,
    /// Runs that were due while another was under way.
    pub missed_runs: u64,
    /// For how long the group's work is withheld because the API is away; none while it is not.
    pub withheld_for: Option<Duration>,
    /// Time since a run last ended that the API had held up, or that it gave nothing but failures.
    pub since_held_up: Option<Duration>,
    /// Tokens attempted by the last run.
    pub attempted: u64,
    /// Tokens that the last run could not refresh.
    pub failed: u64,
}

/// The outside API over the last five minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiFacts {
    /// Calls of the last five minutes.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Mean response time; none without calls.
    pub average_response_time: Option<Duration>,
    /// 95th percentile; none without calls.
    pub p95_response_time: Option<Duration>,
    /// The breaker; none before the first call.
    pub breaker: Option<BreakerState>,
    /// Share of look-ups answered by a cache; none while there is no cache.
    pub cache_hit_rate: Option<f64>,
    /// Requests of the last minute.
    pub requests_per_minute: Option<f64>,
    /// The last error, in a sentence a person can act on, while calls fail or are kept back.
    pub last_error: Option<String>,
    /// For how long it has given nothing but errors, however few were asked for; none while it answers.
    pub failing_for: Option<Duration>,
    /// What it was asked while its answers held nothing; none while it lists a token now and then.
    pub silence: Option<SilenceFacts>,
    /// What of its answers cannot be read; none while all of it can.
    pub unreadable: Option<UnreadableFacts>,
}

/// An API that answers and says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilenceFacts {
    /// Tokens that it was asked for, and that it should know.
    pub tokens: u64,
    /// For how long no answer has held any token.
    pub lasts: Duration,
}

/// Tokens that the API lists in a way that nobody can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableFacts {
    /// How many.
    pub tokens: u64,
    /// One of them and what is wrong with it, bounded and without control characters: `MINT: priceUsd "abc"`.
    pub example: String,
}

/// The state of a breaker, as health cares about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Admits.
    Closed,
    /// Rejects.
    Open,
    /// Probes.
    HalfOpen,
    /// Held open by an operator.
    ForcedOpen,
    /// Switched off by an operator.
    Disabled,
}

impl BreakerState {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
        }
    }
}

/// Age of the data, by lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DataFacts {
    /// The hot lane.
    pub hot: LaneFacts,
    /// The cold lane.
    pub cold: LaneFacts,
    /// Tokens that the API does not know.
    pub unlisted: u64,
    /// Archived tokens.
    pub archived: u64,
}

/// The tokens of one lane that the API knows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LaneFacts {
    /// How many.
    pub tokens: u64,
    /// How many were never observed.
    pub never_observed: u64,
    /// How many of those have been there, in a process that could ask for them, for longer than their lane allows.
    pub overdue: u64,
    /// How many of the observed ones are older than their lane allows.
    pub stale: u64,
    /// How many of those are too old to be of any use.
    pub expired: u64,
    /// Ages of the observed ones; `None` if there is none.
    pub ages: Option<Quantiles>,
}

/// What the budget of requests is used for, and what has to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanFacts {
    /// Requests that may be made in a minute: the configured budget, or less after the API said "too many".
    pub requests_per_minute: f64,
    /// How long the API asked everybody to wait, while it is on.
    pub paused_for: Option<Duration>,
    /// The hot lane.
    pub hot: LanePlan,
    /// The cold lane.
    pub cold: LanePlan,
    /// Tokens that the API does not know, and that are left alone for a while.
    pub resting: u64,
    /// Full lists of pools that wait for their turn.
    pub lists_waiting: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// How many may be.
    pub max_in_flight: u64,
    /// How many tokens a batch held on average; none before the first.
    pub tokens_per_batch: Option<f64>,
    /// How long an attempt may take.
    pub attempt_timeout: Duration,
}

/// What a lane may expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanePlan {
    /// Requests a minute that its tokens get.
    pub requests_per_minute: f64,
    /// Time in which each of its tokens is asked for once.
    pub cycle: Duration,
    /// Tokens that are due and have to wait for their turn.
    pub deferred: u64,
    /// When the last of those has it.
    pub comes_within: Duration,
}

/// The stores, as their callers saw them last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreFacts {
    /// Each use of a store that the service makes, with a state of its own: reads that work say nothing about writes, nor
    /// one table about another.
    pub uses: Vec<StoreUseFacts>,
    /// Tokens whose newest state is not stored yet.
    pub tokens_waiting: u64,
    /// Samples that are not stored yet.
    pub samples_waiting: u64,
    /// Samples that were given up, counted since the start.
    pub samples_dropped: u64,
}

/// One use of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreUseFacts {
    /// What for, in words: `token writes`.
    pub name: String,
    /// Whether the last call worked; none before the first.
    pub answers: Option<bool>,
    /// Since when it does not.
    pub down_since: Option<Timestamp>,
    /// For how long it does not, by the monotonic clock.
    pub down_for: Option<Duration>,
    /// The last error, without secrets; none while it answers.
    pub last_error: Option<String>,
    /// What a person is called for at once, though it is tried again and nothing is lost yet.
    pub call: Option<StoreCall>,
    /// Whether nothing more is tried before a person has looked.
    pub gave_up: bool,
    /// Whether what it should store was dropped within the last minute, because it waited for too long.
    pub losing: bool,
}

/// What a store calls a person for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCall {
    /// It refused this process's credentials the last time.
    Unauthenticated,
    /// Nobody keeps other processes off it: the lease cannot be renewed before a person has acted.
    Unguarded,
}

/// One list of tokens that is kept elsewhere, as it was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Which kind of source it is.
    pub origin: String,
    /// Mints that it listed when it last could be read; none when this process has not seen that yet.
    pub tokens: Option<u64>,
    /// What is wrong with it, without secrets; none when it is well.
    pub problem: Option<String>,
}

/// What the process uses. `None` is "could not be measured", which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceSample {
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// What memory may grow to: the cgroup's limit, else the machine's memory.
    pub memory_limit_bytes: Option<u64>,
    /// Share of one core since the last sample; above 100 with several cores busy.
    pub cpu_percent: Option<f64>,
    /// Share of the data path's file system that is in use.
    pub disk_usage_percent: Option<f64>,
    /// Open descriptors.
    pub open_file_descriptors: Option<u64>,
    /// How many may be open.
    pub file_descriptor_limit: Option<u64>,
}
