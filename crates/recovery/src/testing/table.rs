//! A table of parts like the service's.

use std::time::Duration;

use crate::{PartId, PartSpec};

/// What the groups depend on.
pub const API: &str = "dexscreener";
/// What the writers depend on.
pub const STORE: &str = "store";

/// The parts of a service: two on the supervision plane that are critical, a task with two groups, four writers, and a canary.
pub fn table() -> Vec<PartSpec> {
    let part = |name, patience| PartSpec {
        name,
        critical: true,
        on_work_plane: true,
        within: None,
        depends_on: &[],
        patience: Duration::from_secs(patience),
        interval: Duration::from_secs(10),
        is_canary: false,
    };
    let supervision = |name| PartSpec { on_work_plane: false, ..part(name, 60) };
    let group = |name, patience, interval| PartSpec {
        within: Some(PartId(2)),
        depends_on: &[API],
        interval: Duration::from_secs(interval),
        ..part(name, patience)
    };
    let writer = |name| PartSpec { depends_on: &[STORE], critical: false, ..part(name, 180) };
    vec![
        supervision("api"),
        PartSpec { depends_on: &[STORE], ..supervision("lease-keeper") },
        part("work", 60),
        group("hot-group", 60, 10),
        group("cold-group", 105, 45),
        PartSpec { patience: Duration::from_mins(1), ..writer("roster") },
        PartSpec { patience: Duration::from_mins(5), ..writer("sources") },
        PartSpec { is_canary: true, ..part("pulse", 10) },
        PartSpec { critical: true, ..writer("token-writer") },
        writer("breaker-writer"),
        writer("sample-writer"),
        writer("event-writer"),
        supervision("monitor"),
    ]
}
