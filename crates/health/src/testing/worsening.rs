//! Facts that get worse, for laws that compare before and after.

use std::time::Duration;

use proptest::prelude::*;

use super::strategy::{answering, any_duration, broken};
use crate::{BreakerState, Facts, ResourceSample, StoreCall, StoreUseFacts};

/// One fact that gets worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Worsening {
    /// The groups are longer without progress.
    Quiet(Duration),
    /// More memory is in use.
    Memory(u64),
    /// More of a core is in use, by this many points.
    Cpu(f64),
    /// More of the disk is in use, by this many points.
    Disk(f64),
    /// More descriptors are open.
    FileDescriptors(u64),
    /// More of the same number of calls failed.
    ApiErrors(u64),
    /// No call is answered but with an error, for longer.
    ApiFails(Duration),
    /// Calls take longer.
    ApiLatency(Duration),
    /// The breaker rejects.
    BreakerOpen,
    /// More tokens are stale.
    Stale(u64),
    /// The store does not answer.
    StoreDown,
    /// The store lets this process in no more.
    CredentialsRefused,
    /// A writer waits for a person.
    WriterGaveUp,
    /// What waits for the store is more than fits.
    Losing,
    /// The first list of tokens cannot be read.
    SourceDown,
    /// A part is being restarted.
    Restarting,
    /// A part is given up.
    Escalated,
}

impl Worsening {
    /// The facts, worse.
    pub fn apply(self, facts: &mut Facts) {
        let more = |fact: &mut Option<u64>, by: u64| *fact = fact.map(|fact| fact.saturating_add(by));
        let longer =
            |fact: &mut Option<Duration>, by: Duration| *fact = fact.map(|fact| fact.saturating_add(by));
        // What was not measured cannot get worse: the change to it is lost.
        let mut nothing = ResourceSample::default();
        let resources = facts.resources.as_mut().unwrap_or(&mut nothing);
        match self {
            Self::Quiet(by) => {
                longer(&mut facts.hot.since_progress, by);
                longer(&mut facts.cold.since_progress, by);
            }
            Self::Memory(by) => more(&mut resources.memory_bytes, by),
            Self::Cpu(by) => resources.cpu_percent = resources.cpu_percent.map(|percent| percent + by),
            Self::Disk(by) => {
                resources.disk_usage_percent = resources.disk_usage_percent.map(|percent| percent + by);
            }
            Self::FileDescriptors(by) => more(&mut resources.open_file_descriptors, by),
            Self::ApiErrors(by) => facts.api.errors = facts.api.errors.saturating_add(by),
            Self::ApiFails(by) => {
                facts.api.failing_for = Some(facts.api.failing_for.unwrap_or_default().saturating_add(by));
            }
            Self::ApiLatency(by) => longer(&mut facts.api.p95_response_time, by),
            Self::BreakerOpen => facts.api.breaker = Some(BreakerState::Open),
            Self::Stale(by) => facts.data.cold.stale = facts.data.cold.stale.saturating_add(by),
            Self::StoreDown => {
                // What was not asked before is known now, which is no worsening.
                for each in facts.store.uses.iter_mut().filter(|each| each.answers.is_some()) {
                    each.answers = Some(false);
                    each.down_for = Some(each.down_for.unwrap_or_default().max(Duration::from_mins(1)));
                }
            }
            Self::CredentialsRefused => {
                facts
                    .store
                    .uses
                    .push(StoreUseFacts { call: Some(StoreCall::Unauthenticated), ..answering("samples") });
            }
            Self::WriterGaveUp => {
                let each = StoreUseFacts { gave_up: true, ..answering("samples") };
                facts.store.uses.push(each);
            }
            Self::Losing => facts.store.uses.push(StoreUseFacts { losing: true, ..answering("samples") }),
            Self::Restarting => facts.recovery.restarting.push(broken()),
            Self::Escalated => facts.recovery.escalated.push(broken()),
            Self::SourceDown => {
                if let Some(source) = facts.sources.first_mut() {
                    source.problem = Some("it is gone".to_owned());
                }
            }
        }
    }
}

/// Any fact that gets worse, by any amount.
pub fn any_worsening() -> impl Strategy<Value = Worsening> {
    prop_oneof![
        any_duration().prop_map(Worsening::Quiet),
        any::<u64>().prop_map(Worsening::Memory),
        (0.0..1e6).prop_map(Worsening::Cpu),
        (0.0..1e6).prop_map(Worsening::Disk),
        any::<u64>().prop_map(Worsening::FileDescriptors),
        any::<u64>().prop_map(Worsening::ApiErrors),
        any_duration().prop_map(Worsening::ApiFails),
        any_duration().prop_map(Worsening::ApiLatency),
        Just(Worsening::BreakerOpen),
        Just(Worsening::Restarting),
        Just(Worsening::Escalated),
        any::<u64>().prop_map(Worsening::Stale),
        Just(Worsening::StoreDown),
        Just(Worsening::CredentialsRefused),
        Just(Worsening::WriterGaveUp),
        Just(Worsening::Losing),
        Just(Worsening::SourceDown),
    ]
}
