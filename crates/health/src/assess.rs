//! The assessment: facts and thresholds in, the report out. It is total and pure: any facts give a report, and the same facts
//! give the same one. It keeps no state between two reports: the levels that were reached come back in with the facts.

mod apis;
mod data;
mod figure;
mod level;
mod recovery;
mod resources;
mod scheduler;
mod sources;
mod store;

pub use scheduler::stands_still;

use crate::{Facts, Findings, Phase, Report, Thresholds, Waiting, found};

/// Assesses the facts.
///
/// The whole is as bad as its worst part. The scheduler and the store are essential: if one of them is unknown, so is the whole.
/// Resources, the outside API and the age of the data are optional: if one is unknown, the whole is degraded. The latter two
/// make the whole no worse than that, because stopping the service would fix neither.
pub fn assess(facts: &Facts, thresholds: &Thresholds) -> Report {
    let scheduler = scheduler::assess(facts, &thresholds.progress);
    let store = store::assess(facts);
    let mut reached = facts.reached;
    let resources = resources::assess(facts, thresholds, &mut reached);
    let (apis, of_apis) = apis::assess(facts, thresholds, &mut reached);
    let (data, of_data) = data::assess(facts);
    let sources = sources::assess(facts);
    let recovery = recovery::assess(facts);

    let mut findings = Findings::default();
    if let Some(Waiting { what, needs_a_person: false }) = &facts.waiting_for {
        findings.add(found::start_waits(what, false));
    }
    for essential in
        [&recovery.model.findings, &scheduler.model.findings, &store.model.findings, &sources.findings]
    {
        findings.extend(essential.clone());
    }
    for optional in [resources.findings.clone(), of_apis, of_data] {
        findings.extend(optional.into_optional());
    }
    Report {
        at: facts.at,
        uptime: facts.uptime,
        phase: facts.phase,
        status: findings.worst(),
        // What is beyond help is not helped by whoever kills a process that is not live.
        live: !scheduler.stalled || recovery.is_beyond_help,
        ready: facts.phase == Phase::Running && store.keeps && !recovery.is_beyond_help,
        started: facts.phase != Phase::Starting,
        scheduler: scheduler.model,
        resources,
        apis,
        data,
        plan: facts.plan,
        store: store.model,
        sources,
        recovery: recovery.model,
        reached,
        findings: findings.worst_first(),
    }
}
