//! The report of a service that has not started: everything but the time, and what the start waits for, is unknown.

use std::time::Duration;

use ttm_health::{
    ApiFacts, DataFacts, Facts, GroupFacts, Phase, Reached, RecoveryFacts, Report, StoreFacts, Waiting,
    assess,
};
use ttm_kernel::Lane;
use ttm_kernel::Runtime;

use crate::ServiceSettings;
use crate::settings::POOLS;

/// The report before the first facts: everything but the time is unknown.
pub(crate) fn first_report(
    runtime: &dyn Runtime,
    settings: &ServiceSettings,
    uptime: Duration,
    waiting_for: Option<Waiting>,
) -> Report {
    let group = |group| GroupFacts { interval: settings.schedule.interval(group), ..GroupFacts::default() };
    let facts = Facts {
        at: runtime.wall(),
        uptime,
        measured_for: Duration::ZERO,
        phase: Phase::Starting,
        waiting_for,
        hot: group(Lane::Hot),
        cold: group(Lane::Cold),
        lease_lapsed_for: None,
        tokens_per_minute: None,
        resources: None,
        database_connections: None,
        api: ApiFacts { breaker_name: POOLS, ..ApiFacts::default() },
        data: DataFacts::default(),
        plan: None,
        store: StoreFacts::default(),
        sources: Vec::new(),
        recovery: RecoveryFacts::default(),
        reached: Reached::default(),
        commands: settings.commands.clone(),
    };
    assess(&facts, &settings.thresholds())
}
