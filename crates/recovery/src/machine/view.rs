//! What readers are shown.

use jiff::Timestamp;

use super::ladder::NOT_SINCE_THE_ORDER;
use super::{By, Machine, Moment, Part, PartId, Phase, Repair, State, Step, Waits};
use crate::{Budgets, PartView};

impl Machine {
    /// What is known of the parts, in the order of their table.
    pub fn views(&self, now: Moment) -> Vec<PartView> {
        self.ids().map(|id| self.view(id, now)).collect()
    }

    /// What is left of the budgets. `wall` is now by the wall clock.
    pub fn budgets(&self, now: Moment, wall: Timestamp) -> Budgets {
        self.accounts.budgets(self.parts.iter().map(|part| part.spec.name), &self.config, now, wall)
    }

    /// Why a person is needed, if the process should be replaced and is not, because it was too often.
    pub fn needs_a_person(&self) -> Option<&str> {
        self.escalated.as_ref().map(|escalation| escalation.cause.as_str())
    }

    fn view(&self, id: PartId, now: Moment) -> PartView {
        let part = &self.parts[id.0];
        let waits = part.waits.as_ref().filter(|_| part.state == State::Degraded);
        let problem = match (&part.repair, waits) {
            (Some(Repair { phase: Phase::Withheld, .. }), Some(waits)) => Some(self.withheld(waits, now)),
            // It has all its time before anything is wrong with it.
            (Some(repair), _) if is_just_restarted_by_hand(part, repair) => None,
            (Some(repair), _) if repair.by == By::Operator && part.state != State::Escalated => {
                Some(NOT_SINCE_THE_ORDER.to_owned())
            }
            (Some(repair), _) => Some(match self.end_waits(part, now) {
                Some(rest) => format!(
                    "{}; the process was ended a short while ago, and is not ended again for {} s",
                    repair.cause,
                    rest.as_secs()
                ),
                None => repair.cause.clone(),
            }),
            (None, Some(waits)) => Some(self.why(waits, now)),
            (None, None) => None,
        };
        PartView {
            name: part.spec.name.to_owned(),
            critical: part.spec.critical,
            state: part.state,
            given_up: self.is_given_up(id),
            incarnation: part.incarnation.number(),
            since_progress: part.progress.map(|at| now - at),
            problem,
        }
    }

    /// Why a part waits.
    fn why(&self, waits: &Waits, now: Moment) -> String {
        let away = || format!("{} has been away for {} s", waits.on, (now - waits.since).as_secs());
        self.known.get(waits.on).cloned().unwrap_or_else(away)
    }

    pub(super) fn withheld(&self, waits: &Waits, now: Moment) -> String {
        format!("restart withheld: {}", self.why(waits, now))
    }
}

/// Whether a person had a part restarted, which has not shown yet whether it gets on, and need not have.
fn is_just_restarted_by_hand(part: &Part, repair: &Repair) -> bool {
    let is_first = repair.rung.is_some_and(|rung| rung <= Step::Graceful);
    repair.by == By::Operator
        && is_first
        && !repair.was_given_up
        && matches!(part.state, State::Stopping | State::Stopped | State::Starting)
}
