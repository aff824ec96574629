//! Models of health.

use serde::Serialize;

use super::{FindingDto, PlanDto, SelfHealingDto, SourcesDto};

mod convert;

/// `/health/live`, `/health/ready`, `/health/startup`, and what a caller without the token sees of every model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StatusDto {
    /// `healthy`, `degraded`, `critical` or `unknown`.
    pub status: &'static str,
}

/// `/health`, as of the draft "Health Check Response Format for HTTP APIs" (draft-inadarei-api-health-check-06).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverallDto {
    /// The overall status, in the words of the draft.
    pub status: OverallStatus,
    /// One sentence for each thing that is not healthy, the worst first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<String>>,
    /// The components by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<ChecksDto>,
}

/// The components of `/health`; the draft allows several measurements of each, here is one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChecksDto {
    /// The groups.
    pub scheduler: [CheckDto; 1],
    /// The store.
    pub store: [CheckDto; 1],
    /// Resources of the process.
    pub resources: [CheckDto; 1],
    /// The upstream API.
    pub dexscreener: [CheckDto; 1],
    /// Age of the data.
    #[serde(rename = "data-freshness")]
    pub data_freshness: [CheckDto; 1],
}

/// One component of `/health`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckDto {
    /// `component`, `datastore` or `system`.
    #[serde(rename = "componentType")]
    pub component_type: &'static str,
    /// Its status.
    pub status: OverallStatus,
    /// When it was assessed.
    pub time: String,
}

/// The statuses of `/health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverallStatus {
    /// Healthy.
    Pass,
    /// Degraded, or unknown.
    Warn,
    /// Critical.
    Fail,
}

/// `/health/detailed`: everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DetailedDto {
    /// The overall status.
    pub status: &'static str,
    /// When the report was made.
    pub at: String,
    /// Time since the process started.
    pub uptime_seconds: f64,
    /// `starting`, `running` or `stopping`.
    pub phase: &'static str,
    /// Whether `/health/live` answers 200.
    pub live: bool,
    /// Whether `/health/ready` answers 200.
    pub ready: bool,
    /// Whether `/health/startup` answers 200.
    pub started: bool,
    /// One sentence for each thing that is not healthy, the worst first.
    pub reasons: Vec<String>,
    /// The same as data.
    pub findings: Vec<FindingDto>,
    /// As `/health/scheduler`.
    pub scheduler: SchedulerDto,
    /// As `/health/resources`.
    pub resources: ResourcesDto,
    /// As `/health/apis`.
    pub apis: ApisDto,
    /// As `/health/data-freshness`.
    pub data_freshness: FreshnessDto,
    /// What the request budget is used for; null before the first plan.
    pub plan: Option<PlanDto>,
    /// The store.
    pub store: StoreDto,
    /// The external token lists.
    pub sources: SourcesDto,
    /// Self-healing.
    pub recovery: SelfHealingDto,
}

/// `/health/scheduler`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchedulerDto {
    /// The worse of the groups.
    pub status: &'static str,
    /// Status of the hot group.
    pub hot_group_status: &'static str,
    /// Status of the cold group.
    pub cold_group_status: &'static str,
    /// When the hot group's last run ended.
    pub hot_group_last_run: Option<String>,
    /// When the cold group's last run ended.
    pub cold_group_last_run: Option<String>,
    /// How long that run took, in seconds.
    pub hot_group_processing_time: Option<f64>,
    /// How long that run took, in seconds.
    pub cold_group_processing_time: Option<f64>,
    /// Runs that were due while another was under way, since the start.
    pub hot_group_missed_runs: u64,
    /// Runs that were due while another was under way, since the start.
    pub cold_group_missed_runs: u64,
    /// Time since the hot group made progress.
    pub hot_group_since_progress_seconds: Option<f64>,
    /// Time since the cold group made progress.
    pub cold_group_since_progress_seconds: Option<f64>,
    /// How long the hot group has been held up by an outage of the API.
    pub hot_group_withheld_seconds: Option<f64>,
    /// How long the cold group has been held up by an outage of the API.
    pub cold_group_withheld_seconds: Option<f64>,
    /// Tokens scored in the last minute.
    pub tokens_processed_per_minute: Option<f64>,
    /// Share of attempted tokens that the last runs failed to refresh, 0 to 1.
    pub error_rate: Option<f64>,
    /// Tokens that the last runs attempted: the base of that share.
    pub tokens_attempted: u64,
    /// How many of them failed.
    pub tokens_failed: u64,
    /// One sentence for each problem of a group.
    pub alerts: Vec<String>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// `/health/resources`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourcesDto {
    /// The worst status of the figures.
    pub status: &'static str,
    /// Resident memory, in MiB.
    pub memory_usage_mb: Option<f64>,
    /// Memory as a share of its limit, 0 to 100.
    pub memory_usage_percent: Option<f64>,
    /// Share of the processor time that the process may use, 0 to 100.
    pub cpu_usage_percent: Option<f64>,
    /// Usage of the file system that holds the data, 0 to 100.
    pub disk_usage_percent: Option<f64>,
    /// Connections to the store that are in use.
    pub database_connections: Option<u32>,
    /// Their limit.
    pub database_connections_max: Option<u32>,
    /// Open file descriptors.
    pub open_file_descriptors: Option<u64>,
    /// Their limit.
    pub file_descriptor_limit: Option<u64>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// `/health/apis`; figures are over the last five minutes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApisDto {
    /// Status of DexScreener; never critical, because its outage is not a failure of this service.
    pub dexscreener_status: &'static str,
    /// Mean response time, in milliseconds.
    pub average_response_time: Option<f64>,
    /// 95th percentile of the response time, in milliseconds.
    pub p95_response_time: Option<f64>,
    /// Share of calls that failed, 0 to 1.
    pub error_rate: Option<f64>,
    /// Calls: the base of that share.
    pub calls: u64,
    /// How many of them failed.
    pub calls_failed: u64,
    /// `closed`, `open`, `half_open`, `forced_open` or `disabled`.
    pub circuit_breaker_state: Option<&'static str>,
    /// Share of look-ups that hit a cache, 0 to 1.
    pub cache_hit_rate: Option<f64>,
    /// Requests of the last minute.
    pub requests_per_minute: Option<f64>,
    /// Why the last call failed; null if it succeeded.
    pub last_error: Option<String>,
    /// One sentence for each problem of the API, including responses that contain nothing to score.
    pub alerts: Vec<String>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// `/health/data-freshness`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FreshnessDto {
    /// The worse of the lanes.
    pub status: &'static str,
    /// The hot lane.
    pub hot: LaneDto,
    /// The cold lane.
    pub cold: LaneDto,
    /// Tokens that the API does not know.
    pub unlisted: u64,
    /// Archived tokens.
    pub archived: u64,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// The tokens of one lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneDto {
    /// Status of their freshness.
    pub status: &'static str,
    /// How many.
    pub tokens: u64,
    /// How many were never observed.
    pub never_observed: u64,
    /// How many are older than their lane allows.
    pub stale: u64,
    /// How many of those are too old to be of any use.
    pub expired: u64,
    /// Median age.
    pub age_p50_seconds: Option<f64>,
    /// 95th percentile of the ages.
    pub age_p95_seconds: Option<f64>,
    /// 99th percentile of the ages.
    pub age_p99_seconds: Option<f64>,
    /// The oldest.
    pub age_max_seconds: Option<f64>,
}

/// The stores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreDto {
    /// The worst status of its uses.
    pub status: &'static str,
    /// Since when the store has been down, for the use that has been down the longest.
    pub down_since: Option<String>,
    /// Tokens whose latest state is not stored yet.
    pub tokens_waiting: u64,
    /// Samples that are not stored yet.
    pub samples_waiting: u64,
    /// Samples dropped since the start.
    pub samples_dropped: u64,
    /// The last error of the worst of its uses.
    pub last_error: Option<String>,
    /// Each use separately.
    pub uses: Vec<StoreUseDto>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// One use of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreUseDto {
    /// What the store is used for.
    pub name: String,
    /// The database that it is in, if state and history have one each.
    pub database: Option<String>,
    /// Its status.
    pub status: &'static str,
    /// Since when it has been down.
    pub down_since: Option<String>,
    /// The last error.
    pub last_error: Option<String>,
}
