//! Parts that the task of another one runs: they stop and start with it, and it is restarted for them.

use super::{By, Machine, Move, Now, Outcome, PartId, Phase, Repair, State, Step};

impl Machine {
    pub(super) fn within(&self, outer: PartId) -> Vec<PartId> {
        self.ids().filter(|id| self.parts[id.0].spec.within == Some(outer)).collect()
    }

    pub(super) fn is_stopping(&self, id: PartId) -> bool {
        self.parts[id.0].state == State::Stopping
    }

    /// Whether what is done about the part that runs this one covers it, so that nothing of its own is.
    pub(super) fn is_covered(&self, id: PartId) -> bool {
        let Some(outer) = self.parts[id.0].spec.within else { return false };
        let part = &self.parts[outer.0];
        if part.is_alive
            && !self.is_stopping(outer)
            && self.parts[id.0].repair.as_ref().is_some_and(is_stopped)
        {
            // What is under way goes through, whatever is done about the other one.
            return false;
        }
        let is_repaired = part.repair.as_ref().is_some_and(|repair| match repair.phase {
            Phase::Withheld | Phase::HeldBack { .. } => false,
            Phase::Watching => !repair.proved_by.contains(&outer),
            Phase::Escalated { .. } => repair.proved_by.contains(&outer) || repair.proved_by.contains(&id),
            _ => true,
        });
        !part.is_alive || is_repaired
    }

    /// The part that runs this one, if everything that it runs is stuck. What a new plane has not helped is not helped by less.
    pub(super) fn outer_of_the_stuck(&self, id: PartId) -> Option<PartId> {
        let outer = self.parts[id.0].spec.within?;
        let within = self.within(outer);
        let is_stuck = |id: &PartId| {
            let part = &self.parts[id.0];
            let rung = part.repair.as_ref().and_then(|repair| repair.rung);
            part.is_alive && part.is_failing() && rung < Some(Step::RebuildPlane)
        };
        (within.len() > 1 && within.iter().all(is_stuck)).then_some(outer)
    }

    /// Restarts a part because everything that it runs is stuck. If one of those has paid for that, it is paid for.
    pub(super) fn restart_around(&mut self, outer: PartId, now: Now) {
        let within = self.within(outer);
        let repairs = || within.iter().filter_map(|id| self.parts[id.0].repair.as_ref());
        let is_paid = repairs().any(|repair| repair.is_paid && repair.by == By::Service);
        let names: Vec<&str> = within.iter().map(|id| self.parts[id.0].spec.name).collect();
        let cause = format!("all that it runs is stuck: {}", names.join(", "));
        for inner in &within {
            self.close(*inner, Outcome::Failed, now);
        }
        self.take_over(outer, &cause, By::Service, is_paid, within, now);
        if !self.hold_back(outer, now) {
            self.back_off(outer, now);
        }
    }

    /// The first step for a part that is stuck ends the restarts of what it runs, which have not come about for the same cause. If one
    /// of them has paid, this one is paid for.
    pub(super) fn take_back(&mut self, outer: PartId, now: Now) {
        let part = &self.parts[outer.0];
        if !part.is_alive || part.repair.as_ref().is_none_or(|repair| repair.rung.is_some()) {
            return;
        }
        for inner in self.within(outer) {
            let Some(inner_repair) = self.parts[inner.0].repair.as_ref().filter(|repair| is_stopped(repair))
            else {
                continue;
            };
            let has_paid = inner_repair.is_paid && inner_repair.by == By::Service;
            self.close(inner, Outcome::Failed, now);
            if let Some(repair) = &mut self.parts[outer.0].repair {
                repair.is_paid |= has_paid && repair.by == By::Service;
            }
        }
    }

    /// The recovery of a part goes on as that of the part which runs it, and is paid for.
    pub(super) fn blame(&mut self, id: PartId, outer: PartId, cause: &str, now: Now) {
        let by = self.parts[id.0].repair.as_ref().map_or(By::Service, |repair| repair.by);
        self.close(id, Outcome::Failed, now);
        self.take_over(outer, cause, by, true, vec![id], now);
        self.step(outer, Step::Emergency, false, now);
        self.abort(outer, now);
    }

    fn take_over(
        &mut self,
        outer: PartId,
        cause: &str,
        by: By,
        is_paid: bool,
        proved_by: Vec<PartId>,
        now: Now,
    ) {
        self.parts[outer.0].go(Move::Stall);
        let name = self.parts[outer.0].spec.name;
        self.fail_as(outer, name, cause, by, now);
        if let Some(repair) = &mut self.parts[outer.0].repair {
            (repair.is_paid, repair.proved_by) = (is_paid, proved_by);
        }
    }

    /// A part has ended by itself while its task was watched, or given up, for its sake: that is another failure, with its own backoff and price.
    pub(super) fn gives_up_on_outer(&mut self, inner: PartId, now: Now) {
        let Some(outer) = self.parts[inner.0].spec.within else { return };
        let Some(repair) = &self.parts[outer.0].repair else { return };
        let is_idle = matches!(repair.phase, Phase::Watching | Phase::PutOff(_) | Phase::Escalated { .. });
        if is_idle && repair.proved_by.contains(&inner) {
            self.close(outer, Outcome::Failed, now);
        }
    }

    /// What a part runs has ended with it.
    pub(super) fn end_within(&mut self, inner: PartId, now: Now) {
        self.close(inner, Outcome::Failed, now);
        let part = &mut self.parts[inner.0];
        part.is_alive = false;
        part.go(Move::End);
    }
}

/// Whether a part was told to stop, and has not ended.
fn is_stopped(repair: &Repair) -> bool {
    matches!(repair.phase, Phase::Draining(_) | Phase::Aborting(_))
}
