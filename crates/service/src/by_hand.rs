//! What operators see and order while the service runs.

use std::sync::Arc;

use async_trait::async_trait;
use ttm_recovery::{EntryKey, PartView, Recovery, RecoveryControl, RestartRefused};

use crate::operator::GuardBreakers;
use crate::parts::Part;
use crate::ports::Controls;
use crate::resident::Resident;

/// What operators of a service that has started with these parts may do.
pub(crate) fn controls(resident: &Arc<Resident>, parts: &[Part]) -> Controls {
    let breakers = Arc::new(GuardBreakers::new(resident.clone()));
    Controls { breakers, recovery: Arc::new(Table(parts.to_vec())) }
}

/// The parts as the table has them: each of them ends the process when it ends, so all of them run.
struct Table(Vec<Part>);

#[async_trait]
impl RecoveryControl for Table {
    fn recoveries(&self, _: usize) -> Vec<Recovery> {
        Vec::new()
    }

    fn parts(&self) -> Vec<PartView> {
        let view = |part: &Part| PartView {
            name: part.name.to_owned(),
            critical: part.critical,
            state: "running",
            incarnation: 0,
            since_progress: None,
            problem: None,
        };
        self.0.iter().map(view).collect()
    }

    async fn restart(&self, part: &str) -> Result<EntryKey, RestartRefused> {
        let part = part.to_owned();
        if self.0.iter().any(|known| known.name == part) {
            return Err(RestartRefused::NotAlone {
                part,
                why: "this version restarts the whole process only",
            });
        }
        let known: Vec<&str> = self.0.iter().map(|part| part.name).collect();
        Err(RestartRefused::Unknown { part, known: known.join(", ") })
    }
}
