//! What the service measured, as plain data: everything that the assessment depends on, time included, so that the same facts
//! always give the same report.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Connections, Quantiles};

use crate::{Commands, Reached};

/// Everything that a report is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When the facts were gathered.
    pub at: Timestamp,
    /// Time since the process started.
    pub uptime: Duration,
    /// Time since the start was complete, from when on everything is measured.
    pub measured_for: Duration,
    /// The phase of the process.
    pub phase: Phase,
    /// What the start waits for; `None` if it waits for nothing.
    pub waiting_for: Option<Waiting>,
    /// The hot group.
    pub hot: GroupFacts,
    /// The cold group.
    pub cold: GroupFacts,
    /// For how long the groups may ask for nothing, because the lease on the store has run out; `None` while it stands.
    pub lease_lapsed_for: Option<Duration>,
    /// Tokens scored in the last minute; `None` before the first minute is over.
    pub tokens_per_minute: Option<f64>,
    /// Last sample of the resources; `None` before the first.
    pub resources: Option<ResourceSample>,
    /// How busy the connections of the stores' pools are.
    pub database_connections: Option<Connections>,
    /// The outside API.
    pub api: ApiFacts,
    /// The data's age.
    pub data: DataFacts,
    /// How the budget of requests is used; `None` before the first plan.
    pub plan: Option<PlanFacts>,
    /// The store.
    pub store: StoreFacts,
    /// The external lists of tokens.
    pub sources: Vec<SourceFacts>,
    /// The parts of the process that are not running as they should.
    pub recovery: RecoveryFacts,
    /// The levels that the previous report had reached.
    pub reached: Reached,
    /// How sentences write commands.
    pub commands: Commands,
}

/// What a start waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The step, and why it is not done yet.
    pub what: String,
    /// Whether it is the store, and waits for an operator.
    pub needs_a_person: bool,
}

/// The phase of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Until config, migrations and the first tick are done.
    Starting,
    /// Working.
    Running,
    /// Finishing what is in flight.
    Stopping,
}

impl Phase {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

/// One scheduler group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupFacts {
    /// Its interval.
    pub interval: Duration,
    /// When its last run ended.
    pub last_run: Option<Timestamp>,
    /// How long that run took.
    pub processing_time: Option<Duration>,
    /// Time since the group last made progress: work committed, or a run that left nothing due.
    pub since_progress: Option<Duration>,
    /// Time since the last scheduled run started; `None` before the first.
    pub since_tick: Option<Duration>,
    /// Whether a run is in progress.
    pub running: bool,
    /// Runs that were missed because another was in progress.
    pub missed_runs: u64,
    /// For how long the group's work is withheld because the API is unavailable; `None` while it is not.
    pub withheld_for: Option<Duration>,
    /// Time since something outside last kept it from its work: a run that was withheld because of the API, or in which every request
    /// failed, most of them because of it; or the lack of a lease.
    pub since_held_up: Option<Duration>,
    /// Tokens attempted by the last run.
    pub attempted: u64,
    /// Tokens that the last run could not refresh.
    pub failed: u64,
    /// Those of the failed that failed in this process, and not because of the API.
    pub broken: u64,
    /// Its requests that panicked lately; `None` if there was none.
    pub panics: Option<PanicFacts>,
}

/// Requests that panicked, which is a defect of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicFacts {
    /// How many, since there was none for some minutes.
    pub requests: u64,
    /// Time since the first of them.
    pub lasts: Duration,
    /// Time since the last of them.
    pub since_last: Duration,
    /// What the last one said, bounded and without control characters.
    pub message: String,
}

/// The outside API over the last five minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiFacts {
    /// Calls of the last five minutes.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Mean response time; `None` without calls.
    pub average_response_time: Option<Duration>,
    /// 95th percentile; `None` without calls.
    pub p95_response_time: Option<Duration>,
    /// The breaker; `None` before the first call.
    pub breaker: Option<BreakerState>,
    /// What operators call the breaker.
    pub breaker_name: &'static str,
    /// Breakers that an operator overrules, but for this one held open.
    pub overruled: Vec<OverruledBreaker>,
    /// Share of look-ups answered by a cache; `None` while there is no cache.
    pub cache_hit_rate: Option<f64>,
    /// Requests of the last minute.
    pub requests_per_minute: Option<f64>,
    /// The last error, in a sentence an operator can act on, while calls fail or are withheld.
    pub last_error: Option<String>,
    /// For how long every call has failed, however few there were; `None` while it answers.
    pub failing_for: Option<Duration>,
    /// Since when its answers hold no token at all; `None` while they do.
    pub silence: Option<SilenceFacts>,
    /// Tokens whose data cannot be read; `None` if there are none.
    pub unreadable: Option<UnreadableFacts>,
}

/// A breaker that an operator overrules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverruledBreaker {
    /// Its name.
    pub name: String,
    /// Whether it lets no call through; else it lets every call through.
    pub is_open: bool,
}

/// An API that answers, but lists no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilenceFacts {
    /// Tokens that it was asked for and should know.
    pub tokens: u64,
    /// For how long no answer has listed any token.
    pub lasts: Duration,
}

/// Tokens that the API lists with pairs that cannot be parsed, or of which each request alone fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableFacts {
    /// How many.
    pub tokens: u64,
    /// One of them and what is wrong with it, bounded and without control characters: `MINT: priceUsd "abc"`.
    pub example: String,
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Admits calls.
    Closed,
    /// Rejects calls.
    Open,
    /// Admits probes.
    HalfOpen,
    /// Held open by an operator.
    ForcedOpen,
    /// Switched off by an operator.
    Disabled,
}

impl BreakerState {
    /// The word in the API.
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
    /// How many of those have been waiting for longer than their lane allows, in a process that could ask for them.
    pub overdue: u64,
    /// How many of the observed ones are older than their lane allows.
    pub stale: u64,
    /// How many of those are too old to be served.
    pub expired: u64,
    /// Ages of the observed ones; `None` if there is none.
    pub ages: Option<Quantiles>,
}

/// How the budget of requests is used, and what has to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanFacts {
    /// Requests that may be made in a minute: the configured budget, or less after the API limited the rate.
    pub requests_per_minute: f64,
    /// What is left of the pause that the API asked for.
    pub paused_for: Option<Duration>,
    /// The hot lane.
    pub hot: LanePlan,
    /// The cold lane.
    pub cold: LanePlan,
    /// Tokens that the API does not know, and that are backing off.
    pub resting: u64,
    /// Full lists of pools that wait for their turn.
    pub lists_waiting: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// How many may be.
    pub max_in_flight: u64,
    /// How many tokens a batch held on average; `None` before the first.
    pub tokens_per_batch: Option<f64>,
    /// How long an attempt may take.
    pub attempt_timeout: Duration,
}

/// The forecast for a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanePlan {
    /// Requests a minute that its tokens get.
    pub requests_per_minute: f64,
    /// Time in which each of its tokens is asked for once.
    pub cycle: Duration,
    /// Tokens that are due and have to wait for their turn.
    pub deferred: u64,
    /// When the last of those is asked for; `None` if an operator holds all requests back.
    pub comes_within: Option<Duration>,
}

/// The stores, as their callers saw them last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreFacts {
    /// The uses of the stores, each with its own state: reads that work say nothing about writes, nor does one table about
    /// another.
    pub uses: Vec<StoreUseFacts>,
    /// Tokens whose newest state is not stored yet.
    pub tokens_waiting: u64,
    /// Samples that are not stored yet.
    pub samples_waiting: u64,
    /// Samples that were dropped since the start.
    pub samples_dropped: u64,
}

/// One use of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreUseFacts {
    /// Its name, such as `token writes`.
    pub name: String,
    /// Which database it is in, without secrets, where the stores are in two.
    pub database: Option<String>,
    /// Whether the last call worked; `None` before the first.
    pub answers: Option<bool>,
    /// Since when it does not.
    pub down_since: Option<Timestamp>,
    /// For how long it does not, by the monotonic clock.
    pub down_for: Option<Duration>,
    /// The last error, without secrets; `None` while it answers.
    pub last_error: Option<String>,
    /// Why an operator is needed at once, though calls are retried and nothing is lost yet.
    pub call: Option<StoreCall>,
    /// Whether nothing is retried until an operator has acted.
    pub gave_up: bool,
    /// Whether data was dropped within the last minute because it could not be stored in time.
    pub losing: bool,
    /// How many rows could not be read at the start, and what is wrong with the first of them.
    pub unreadable: Option<(u64, String)>,
}

/// Why a store needs an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCall {
    /// It refused this process's credentials the last time.
    Unauthenticated,
    /// Other processes are not kept off it: the lease cannot be renewed until an operator has acted.
    Unguarded,
}

/// An external list of tokens, as it was read last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Which kind of source it is.
    pub origin: String,
    /// Mints on it when it was last read; `None` if this process has not read it yet.
    pub tokens: Option<u64>,
    /// What is wrong with it, without secrets; `None` if it can be read.
    pub problem: Option<String>,
}

/// What self-healing is at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryFacts {
    /// Parts that are being restarted, or are about to be.
    pub restarting: Vec<PartFacts>,
    /// Parts about which nothing more is done, because all was.
    pub escalated: Vec<PartFacts>,
    /// Why the process should be replaced and is not, because it was too often.
    pub needs_a_person: Option<String>,
    /// How often the process has ended without an order within the last hour, if that is too often.
    pub process_ended: Option<u32>,
    /// What is wrong with the record of earlier restarts, for as long as every budget counts as spent because of it.
    pub set_aside: Option<String>,
}

/// A part that is not running as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFacts {
    /// Its name.
    pub name: String,
    /// Whether the service does not do what it is for without it.
    pub critical: bool,
    /// What is wrong with it.
    pub problem: String,
}

/// The resources that the process uses. `None` means that a figure could not be measured, which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceSample {
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// The limit of memory: the cgroup's limit, else the machine's memory.
    pub memory_limit_bytes: Option<u64>,
    /// Share of the processor time that the process may use, by its quota and the processors that it runs on, since the last sample.
    pub cpu_percent: Option<f64>,
    /// Share of the data path's file system that is in use.
    pub disk_usage_percent: Option<f64>,
    /// Open descriptors.
    pub open_file_descriptors: Option<u64>,
    /// How many may be open.
    pub file_descriptor_limit: Option<u64>,
}
