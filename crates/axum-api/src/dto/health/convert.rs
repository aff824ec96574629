//! Conversions from the health report to the models of the responses.

use ttm_health::{
    ApisModel, BreakerState, FreshnessModel, LaneModel, Report, ResourcesModel, SchedulerModel, Status,
    StoreModel, StoreUseModel,
};
use ttm_kernel::Quantiles;

use crate::dto::finding::{findings, sentences};

use super::{
    ApisDto, CheckDto, ChecksDto, DetailedDto, FreshnessDto, LaneDto, OverallDto, OverallStatus, PlanDto,
    ResourcesDto, SchedulerDto, SelfHealingDto, SourcesDto, StatusDto, StoreDto, StoreUseDto,
};

impl From<Status> for StatusDto {
    fn from(status: Status) -> Self {
        Self { status: status.as_str() }
    }
}

impl From<Status> for OverallStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Healthy => Self::Pass,
            Status::Degraded | Status::Unknown => Self::Warn,
            Status::Critical => Self::Fail,
        }
    }
}

impl OverallDto {
    /// The status alone.
    pub(crate) fn bare(status: OverallStatus) -> Self {
        Self { status, notes: None, checks: None }
    }
}

impl From<&Report> for OverallDto {
    fn from(report: &Report) -> Self {
        let check = |component_type, status: Status| {
            [CheckDto { component_type, status: status.into(), time: report.at.to_string() }]
        };
        Self {
            status: report.status.into(),
            notes: Some(sentences(&report.findings)),
            checks: Some(ChecksDto {
                scheduler: check("component", report.scheduler.status),
                store: check("datastore", report.store.status),
                resources: check("system", report.resources.status),
                dexscreener: check("component", report.apis.status),
                data_freshness: check("component", report.data.status),
            }),
        }
    }
}

impl From<&Report> for DetailedDto {
    fn from(report: &Report) -> Self {
        Self {
            status: report.status.as_str(),
            at: report.at.to_string(),
            uptime_seconds: report.uptime.as_secs_f64(),
            phase: report.phase.as_str(),
            live: report.live,
            ready: report.ready,
            started: report.started,
            reasons: sentences(&report.findings),
            findings: findings(&report.findings),
            scheduler: SchedulerDto::from(&report.scheduler),
            resources: ResourcesDto::from(&report.resources),
            apis: ApisDto::from(&report.apis),
            data_freshness: FreshnessDto::from(&report.data),
            plan: report.plan.as_ref().map(PlanDto::from),
            store: StoreDto::from(&report.store),
            sources: SourcesDto::from(&report.sources),
            recovery: SelfHealingDto::from(&report.recovery),
        }
    }
}

impl From<&SchedulerModel> for SchedulerDto {
    fn from(model: &SchedulerModel) -> Self {
        let (hot, cold) = (&model.hot, &model.cold);
        Self {
            status: model.status.as_str(),
            hot_group_status: hot.status.as_str(),
            cold_group_status: cold.status.as_str(),
            hot_group_last_run: hot.last_run.map(|at| at.to_string()),
            cold_group_last_run: cold.last_run.map(|at| at.to_string()),
            hot_group_processing_time: hot.processing_time.map(|took| took.as_secs_f64()),
            cold_group_processing_time: cold.processing_time.map(|took| took.as_secs_f64()),
            hot_group_missed_runs: hot.missed_runs,
            cold_group_missed_runs: cold.missed_runs,
            hot_group_since_progress_seconds: hot.since_progress.map(|since| since.as_secs_f64()),
            cold_group_since_progress_seconds: cold.since_progress.map(|since| since.as_secs_f64()),
            hot_group_withheld_seconds: hot.withheld_for.map(|held| held.as_secs_f64()),
            cold_group_withheld_seconds: cold.withheld_for.map(|held| held.as_secs_f64()),
            tokens_processed_per_minute: model.tokens_processed_per_minute,
            error_rate: model.error_rate,
            tokens_attempted: model.tokens_attempted,
            tokens_failed: model.tokens_failed,
            alerts: sentences(&model.findings),
            findings: findings(&model.findings),
        }
    }
}

impl From<&ResourcesModel> for ResourcesDto {
    fn from(model: &ResourcesModel) -> Self {
        Self {
            status: model.status.as_str(),
            memory_usage_mb: model.memory_usage_mb,
            memory_usage_percent: model.memory_usage_percent,
            cpu_usage_percent: model.cpu_usage_percent,
            disk_usage_percent: model.disk_usage_percent,
            database_connections: model.database_connections.map(|connections| connections.in_use),
            database_connections_max: model.database_connections.map(|connections| connections.max),
            open_file_descriptors: model.open_file_descriptors,
            file_descriptor_limit: model.file_descriptor_limit,
            findings: findings(&model.findings),
        }
    }
}

impl From<&ApisModel> for ApisDto {
    fn from(model: &ApisModel) -> Self {
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        Self {
            dexscreener_status: model.status.as_str(),
            average_response_time: model.average_response_time.map(millis),
            p95_response_time: model.p95_response_time.map(millis),
            error_rate: model.error_rate,
            calls: model.calls,
            calls_failed: model.calls_failed,
            circuit_breaker_state: model.circuit_breaker_state.map(BreakerState::as_str),
            cache_hit_rate: model.cache_hit_rate,
            requests_per_minute: model.requests_per_minute,
            last_error: model.last_error.clone(),
            alerts: sentences(&model.findings),
            findings: findings(&model.findings),
        }
    }
}

impl From<&FreshnessModel> for FreshnessDto {
    fn from(model: &FreshnessModel) -> Self {
        Self {
            status: model.status.as_str(),
            hot: LaneDto::from(&model.hot),
            cold: LaneDto::from(&model.cold),
            unlisted: model.unlisted,
            archived: model.archived,
            findings: findings(&model.findings),
        }
    }
}

impl From<&LaneModel> for LaneDto {
    fn from(model: &LaneModel) -> Self {
        let age = |of: fn(Quantiles) -> std::time::Duration| model.ages.map(|ages| of(ages).as_secs_f64());
        Self {
            status: model.status.as_str(),
            tokens: model.tokens,
            never_observed: model.never_observed,
            stale: model.stale,
            expired: model.expired,
            age_p50_seconds: age(|ages| ages.p50),
            age_p95_seconds: age(|ages| ages.p95),
            age_p99_seconds: age(|ages| ages.p99),
            age_max_seconds: age(|ages| ages.max),
        }
    }
}

impl From<&StoreModel> for StoreDto {
    fn from(model: &StoreModel) -> Self {
        Self {
            status: model.status.as_str(),
            down_since: model.down_since.map(|at| at.to_string()),
            tokens_waiting: model.tokens_waiting,
            samples_waiting: model.samples_waiting,
            samples_dropped: model.samples_dropped,
            last_error: model.last_error.clone(),
            uses: model.uses.iter().map(StoreUseDto::from).collect(),
            findings: findings(&model.findings),
        }
    }
}

impl From<&StoreUseModel> for StoreUseDto {
    fn from(model: &StoreUseModel) -> Self {
        Self {
            name: model.name.clone(),
            database: model.database.clone(),
            status: model.status.as_str(),
            down_since: model.down_since.map(|at| at.to_string()),
            last_error: model.last_error.clone(),
        }
    }
}
