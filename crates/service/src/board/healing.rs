//! What self-healing does, and what it has left.

use std::sync::Arc;

use parking_lot::Mutex;
use ttm_kernel::Moment;
use ttm_recovery::{Budgets, PartView, Recoveries, Recovery};

use super::Board;

impl Board {
    /// Posts the parts, and why a person is needed for the whole process.
    pub(crate) fn post_parts(&self, parts: Vec<PartView>, needs_a_person: Option<String>) {
        *self.parts.lock() = (parts, needs_a_person);
        self.freshness.is_due(self.clock.now());
    }

    /// Posts what is left of the budgets of restarts.
    pub(crate) fn post_budgets(&self, budgets: Budgets) {
        *self.budgets.lock() = Some(budgets);
    }

    /// What is left of them, as last posted.
    pub(crate) fn budgets(&self) -> Option<Budgets> {
        self.budgets.lock().clone()
    }

    /// Posts what is wrong with the record of earlier restarts, if anything is, and until when that matters.
    pub(crate) fn post_set_aside(&self, problem: Option<(Moment, String)>) {
        *self.set_aside.lock() = problem;
    }

    /// What is wrong with the record of earlier restarts, while that matters.
    pub(crate) fn set_aside(&self) -> Option<String> {
        let now = self.clock.now();
        self.set_aside.lock().as_ref().filter(|(until, _)| now < *until).map(|(_, problem)| problem.clone())
    }

    /// The parts as last posted, and why a person is needed for the whole process.
    pub(crate) fn recovery(&self) -> (Vec<PartView>, Option<String>) {
        self.parts.lock().clone()
    }

    /// The parts as last posted.
    pub fn parts(&self) -> Vec<PartView> {
        self.parts.lock().0.clone()
    }

    /// What self-healing does from now on is shown here.
    pub(crate) fn show_recoveries(&self, recoveries: Arc<Mutex<Recoveries>>) {
        // A service heals itself by one ledger.
        drop(self.recoveries.set(recoveries));
    }

    /// The last recoveries, the newest first.
    pub(crate) fn recoveries(&self, limit: usize) -> Vec<Recovery> {
        self.recoveries.get().map_or_else(Vec::new, |recoveries| recoveries.lock().newest(limit))
    }
}
