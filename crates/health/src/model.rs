//! The models of the contract, as plain data; the adapter that answers turns them into JSON with these names.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Connections, Quantiles};

use crate::{BreakerState, Findings, Kind, Phase, PlanFacts, Reached, SourceFacts, Status, found};

/// The report that all health endpoints answer from.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// Time since the process started.
    pub uptime: Duration,
    /// The phase of the process.
    pub phase: Phase,
    /// The whole.
    pub status: Status,
    /// `/health/live`: false only on a critical stall that nothing is being done about.
    pub live: bool,
    /// `/health/ready`: false while starting, stopping, while something is being lost, when a writer gave up, or when a critical part
    /// is beyond help.
    pub ready: bool,
    /// `/health/startup`: true once config, migrations and the first tick are done.
    pub started: bool,
    /// `/health/scheduler`.
    pub scheduler: SchedulerModel,
    /// `/health/resources`.
    pub resources: ResourcesModel,
    /// `/health/apis`.
    pub apis: ApisModel,
    /// `/health/data-freshness`.
    pub data: FreshnessModel,
    /// The plan's part of `/health/detailed`, unassessed.
    pub plan: Option<PlanFacts>,
    /// The store's part of `/health/detailed`.
    pub store: StoreModel,
    /// The part of `/health/detailed` on the external lists of tokens.
    pub sources: SourcesModel,
    /// The part of `/health/detailed` on self-healing.
    pub recovery: RecoveryModel,
    /// The levels that figures have reached, for the facts of the next report.
    pub reached: Reached,
    /// Each thing that is not healthy, the worst first.
    pub findings: Findings,
}

impl Report {
    /// One sentence for each thing that is not healthy, the worst first.
    pub fn reasons(&self) -> Vec<&str> {
        self.findings.sentences()
    }

    /// Whether it says why the process ends.
    pub fn is_ending(&self) -> bool {
        self.findings.0.first().is_some_and(|finding| finding.kind == Kind::Ending)
    }

    /// The same of a process that ends without being told to: it does its work no more, whatever its parts say.
    #[must_use]
    pub fn ending(mut self, cause: &str) -> Self {
        self.findings.0.insert(0, found::ending(cause));
        Self { phase: Phase::Stopping, status: Status::Critical, ready: false, ..self }
    }

    /// The same after so long without a new one: what makes reports hangs, and nobody knows how the rest does.
    #[must_use]
    pub fn outdated(mut self, age: Duration) -> Self {
        self.findings.0.insert(0, found::no_report(age));
        Self { status: Status::Critical, ready: false, ..self }
    }
}

/// `/health/scheduler`.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerModel {
    /// The worst of the groups.
    pub status: Status,
    /// The hot group.
    pub hot: GroupModel,
    /// The cold group.
    pub cold: GroupModel,
    /// Tokens scored in the last minute.
    pub tokens_processed_per_minute: Option<f64>,
    /// Share of attempted tokens that the last runs could not refresh, 0 to 1; `None` if they attempted nothing.
    pub error_rate: Option<f64>,
    /// Tokens that the last runs attempted.
    pub tokens_attempted: u64,
    /// Those of them that could not be refreshed.
    pub tokens_failed: u64,
    /// Each thing that is wrong with a group, the worst first.
    pub findings: Findings,
}

/// One group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupModel {
    /// Its status.
    pub status: Status,
    /// When its last run ended.
    pub last_run: Option<Timestamp>,
    /// How long that run took.
    pub processing_time: Option<Duration>,
    /// Runs that were missed because another was in progress.
    pub missed_runs: u64,
    /// Time since it last made progress.
    pub since_progress: Option<Duration>,
    /// For how long its work is withheld because the API is unavailable.
    pub withheld_for: Option<Duration>,
}

/// `/health/resources`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcesModel {
    /// The worst of the figures.
    pub status: Status,
    /// Resident memory in MiB.
    pub memory_usage_mb: Option<f64>,
    /// Memory as a share of its limit, 0 to 100.
    pub memory_usage_percent: Option<f64>,
    /// Share of the processor time that the process may use, 0 to 100.
    pub cpu_usage_percent: Option<f64>,
    /// Share of the data path's file system.
    pub disk_usage_percent: Option<f64>,
    /// How busy the connections of the stores' pools are.
    pub database_connections: Option<Connections>,
    /// Open descriptors.
    pub open_file_descriptors: Option<u64>,
    /// How many may be open.
    pub file_descriptor_limit: Option<u64>,
    /// Each figure that is too high or not measured, the worst first.
    pub findings: Findings,
}

/// `/health/apis`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApisModel {
    /// The status of the API; one that is down makes it degraded, never critical.
    pub status: Status,
    /// Mean response time over five minutes.
    pub average_response_time: Option<Duration>,
    /// 95th percentile over five minutes.
    pub p95_response_time: Option<Duration>,
    /// Share of calls that failed over five minutes, 0 to 1.
    pub error_rate: Option<f64>,
    /// Calls of those five minutes.
    pub calls: u64,
    /// Those of them that failed.
    pub calls_failed: u64,
    /// The breaker.
    pub circuit_breaker_state: Option<BreakerState>,
    /// Share of look-ups answered by a cache, 0 to 1.
    pub cache_hit_rate: Option<f64>,
    /// Requests of the last minute.
    pub requests_per_minute: Option<f64>,
    /// The last error, while calls fail or are withheld.
    pub last_error: Option<String>,
    /// Each thing that is wrong with the API, the worst first.
    pub findings: Findings,
}

/// `/health/data-freshness`.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshnessModel {
    /// The worse of the lanes.
    pub status: Status,
    /// The hot lane.
    pub hot: LaneModel,
    /// The cold lane.
    pub cold: LaneModel,
    /// Tokens that the API does not know.
    pub unlisted: u64,
    /// Archived tokens.
    pub archived: u64,
    /// Each thing that is wrong with the data, the worst first.
    pub findings: Findings,
}

/// One lane's data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneModel {
    /// How fresh it is.
    pub status: Status,
    /// How many tokens it has.
    pub tokens: u64,
    /// How many were never observed.
    pub never_observed: u64,
    /// How many are older than their lane allows.
    pub stale: u64,
    /// How many of those are too old to be served.
    pub expired: u64,
    /// Ages of the observed ones; `None` if there is none.
    pub ages: Option<Quantiles>,
}

/// The stores.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreModel {
    /// The worst of its uses; unknown before the first call.
    pub status: Status,
    /// Since when the first of those that are down does not answer.
    pub down_since: Option<Timestamp>,
    /// Tokens whose newest state is not stored yet.
    pub tokens_waiting: u64,
    /// Samples that are not stored yet.
    pub samples_waiting: u64,
    /// Samples that were dropped since the start.
    pub samples_dropped: u64,
    /// The last error of the worst of them, without secrets.
    pub last_error: Option<String>,
    /// Each use by itself.
    pub uses: Vec<StoreUseModel>,
    /// Each thing that is wrong with one of them, the worst first.
    pub findings: Findings,
}

/// One use of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreUseModel {
    /// Its name.
    pub name: String,
    /// Which database it is in, where the stores are in two.
    pub database: Option<String>,
    /// Its status.
    pub status: Status,
    /// Since when it does not answer.
    pub down_since: Option<Timestamp>,
    /// The last error; `None` while it answers.
    pub last_error: Option<String>,
}

/// What self-healing is at.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryModel {
    /// Degraded while a part is being restarted, critical once nothing more is done about one.
    pub status: Status,
    /// Each part that is not running as it should, the worst first.
    pub findings: Findings,
}

/// The external lists of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcesModel {
    /// Degraded when one of them cannot be read; never worse, because the last good ones stay.
    pub status: Status,
    /// Each of them as it was read last.
    pub lists: Vec<SourceFacts>,
    /// Those that cannot be read.
    pub findings: Findings,
}
