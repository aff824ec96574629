//! Strategies: settings, and histories of what can happen to the parts of [`table`](super::table).

use std::ops::Range;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{API, Ends, Fault, Incident, STORE, Shows, table};
use crate::{PartId, RecoveryConfig, RecoverySettings, Step};

/// Settings near the defaults, with budgets that are spent soon.
pub fn any_config() -> impl Strategy<Value = RecoveryConfig> {
    let periods = (60_u64..900, 1_u64..60, 60_u64..1_200);
    (select(vec![3, 3, 3, 0, 1, 2, 7]), 0_u32..8, periods).prop_map(|(attempts, more, periods)| {
        let (cooldown, graceful, emergency) = periods;
        let settings = RecoverySettings {
            max_restart_attempts: attempts,
            restart_cooldown: Duration::from_secs(cooldown),
            max_restarts_per_hour: attempts + more,
            graceful_shutdown_timeout: Duration::from_secs(graceful),
            emergency_restart_threshold: Duration::from_secs(emergency),
        };
        RecoveryConfig::try_new(settings).expect("possible settings")
    })
}

fn any_part() -> impl Strategy<Value = PartId> {
    (0..table().len()).prop_map(PartId)
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let shows = prop_oneof![
        4 => Just(Shows::Nothing),
        2 => Just(Shows::Panics),
        1 => Just(Shows::Progress),
        1 => select(vec![API, STORE]).prop_map(Shows::Waits),
    ];
    let ends = select(vec![Ends::WhenTold, Ends::WhenTold, Ends::WhenAborted, Ends::Never]);
    let helped_by = proptest::option::weighted(0.8, select(&Step::ALL[..]));
    (shows, ends, helped_by).prop_map(|(shows, ends, helped_by)| Fault { shows, ends, helped_by })
}

/// Anything that can happen but that time passes and that the wall clock is set.
pub fn any_incident() -> impl Strategy<Value = Incident> {
    let on = || select(vec![API, STORE]);
    prop_oneof![
        12 => (any_part(), any_fault()).prop_map(|(part, fault)| Incident::Fault(part, fault)),
        // Both groups, whose parts are the third and the fourth, often have the same fault.
        3 => any_fault().prop_map(|fault| Incident::Fault(PartId(3), fault)),
        3 => any_fault().prop_map(|fault| Incident::Fault(PartId(4), fault)),
        3 => any_part().prop_map(Incident::Heal),
        2 => on().prop_map(Incident::Outage),
        3 => on().prop_map(Incident::Back),
        2 => (1_u64..2_000).prop_map(Incident::Pause),
        2 => any_part().prop_map(Incident::Restart),
        1 => Just(Incident::StuckThread),
        1 => any::<bool>().prop_map(Incident::Memory),
        1 => any_part().prop_map(Incident::Zombie),
        1 => any_config().prop_map(Incident::Reconfigure),
        1 => Just(Incident::Crash),
        1 => Just(Incident::Unread),
        2 => Just(Incident::Recall),
        1 => Just(Incident::Stop),
    ]
}

/// What happens, and how many seconds pass after each of it.
pub fn any_history(incidents: Range<usize>) -> impl Strategy<Value = Vec<Incident>> {
    let seconds = prop_oneof![4 => 0_u64..20, 4 => 0_u64..120, 1 => 0_u64..800];
    let steps = vec((any_incident(), seconds), incidents);
    steps.prop_map(|steps| {
        steps.into_iter().flat_map(|(what, passes)| [what, Incident::Pass(passes)]).collect()
    })
}
