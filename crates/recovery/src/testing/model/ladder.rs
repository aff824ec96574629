//! The ladder as a table: which step may follow, what it costs, and when nothing is left.

use ttm_kernel::Moment;

use super::judge::require;
use super::{HOUR, Line, Model};
use crate::{By, Entry, Outcome, PartId, Step};

impl Model {
    /// Whether a recovery may take this step now, at this price.
    pub(super) fn judge_step(
        &self,
        line: &Line,
        step: Step,
        charged: bool,
        now: Moment,
    ) -> Result<(), String> {
        require(line.rung() < Some(step), "a ladder only goes up")?;
        require(!charged || self.may_restart(&line.subject), "a charge is within the budgets")?;
        require(step != Step::RebuildPlane || self.may_rebuild(), "a plane may be left behind")?;
        require(step != Step::EndProcess || self.may_end(), "the process may be ended")?;
        let is_free = !charged && self.is_paid_by_a_probe(line);
        require(charged == self.costs(line, step) || is_free, "each recovery costs one restart")?;
        let Some(id) = self.find(&line.subject) else { return Ok(()) };
        let is_away = self.say_that_it_is_away(id).any(|other| !self.is_late(other, now));
        require(step != Step::EndProcess || !is_away, "the process is not ended into an outage")?;
        if self.is_off() {
            let has_begun =
                line.by == By::Operator || !line.steps.is_empty() || self.is_paid_by_another(line);
            require(has_begun, "nothing is begun but by hand")?;
        }
        require(self.follows(line, id, step), "it is the next step of the ladder")?;
        let known = &self.parts[id.0];
        let is_for_itself = line.subject != Entry::WORK_PLANE && known.runs && !known.told;
        if line.by == By::Service && is_for_itself {
            let is_late = self.is_late(id, now)
                || self.within(id).any(|id| self.is_late(id, now) || self.parts[id.0].told);
            require(is_late, "what shows signs of life is not stopped")?;
        }
        Ok(())
    }

    fn costs(&self, line: &Line, step: Step) -> bool {
        let is_paid = !line.steps.is_empty() || line.by == By::Operator || self.is_paid_by_another(line);
        let is_last = step == Step::EndProcess && line.subject != Entry::PROCESS;
        !is_paid && !is_last && self.may_restart(&line.subject)
    }

    /// Whether the root is that of a recovery which has paid: of a part that this one runs.
    fn is_paid_by_another(&self, line: &Line) -> bool {
        let Some(id) = self.find(&line.subject) else { return false };
        let runs_it = |other: PartId| self.specs[other.0].within == Some(id);
        line.ran
            && self.lines.values().any(|other| {
                let has_paid = !other.steps.is_empty() && other.by == line.by;
                let at_once =
                    [line.began, self.at].iter().any(|at| other.ended == Some((Outcome::Failed, *at)));
                let is_taken_over = |id: &PartId| {
                    runs_it(*id)
                        && !self.lines_of(*id).any(|own| own.began == line.began && own.ended.is_none())
                };
                has_paid && at_once && self.find(&other.subject).as_ref().is_some_and(is_taken_over)
            })
    }

    /// Whether a probe has just proved that what a part was held back for is there, and so may have paid for it.
    fn is_paid_by_a_probe(&self, line: &Line) -> bool {
        let Some(id) = self.find(&line.subject) else { return false };
        let same_root = |other: PartId| {
            let on = self.specs[id.0].depends_on;
            other != id && self.specs[other.0].depends_on.iter().any(|other| on.contains(other))
        };
        let proves = |other: &Line| {
            let is_recent = other.ended.is_some_and(|(_, at)| at + HOUR / 6 >= self.at);
            other.got_on && is_recent && self.find(&other.subject).is_some_and(same_root)
        };
        line.rung().is_none() && self.was_held(id) && self.lines.values().any(proves)
    }

    /// Whether a part has been held back until now.
    fn was_held(&self, id: PartId) -> bool {
        self.lines_of(id).any(|line| {
            line.is_withheld
                && line.ended.is_some_and(|(outcome, at)| outcome == Outcome::Withdrawn && at == self.at)
        })
    }

    /// The table.
    fn follows(&self, line: &Line, id: PartId, step: Step) -> bool {
        let spec = &self.specs[id.0];
        let known = &self.parts[id.0];
        let by_service = line.by == By::Service;
        let is_plane = spec.is_canary && by_service && known.runs;
        let may_restart = self.costs_nothing_more(line) || self.may_restart(&line.subject);
        match (line.rung(), step) {
            (None, Step::Start) => !known.runs && (may_restart || (by_service && self.waits_for_the_end(id))),
            (None, Step::Graceful) => known.runs && !is_plane && may_restart,
            (Some(Step::Start), Step::Graceful) => known.runs && !is_plane,
            (None | Some(Step::Start), Step::Emergency) => {
                known.runs && !is_plane && by_service || self.is_paid_by_another(line)
            }
            (Some(Step::Graceful), Step::Emergency) => true,
            (None | Some(Step::Start), Step::RebuildPlane) => {
                is_plane
                    || (line.rung().is_none()
                        && known.runs
                        && spec.critical
                        && spec.on_work_plane
                        && !self.may_restart(&line.subject))
            }
            (Some(Step::Emergency), Step::RebuildPlane) => {
                spec.within.is_none() && spec.on_work_plane && (spec.critical || known.told)
            }
            (Some(Step::RebuildPlane), Step::EndProcess) => spec.critical && by_service,
            (rung, Step::EndProcess) => {
                let no_plane = !spec.on_work_plane || !self.may_rebuild();
                let is_spent = rung.is_none() && !self.may_restart(&line.subject);
                let is_at_top = rung == Some(Step::Emergency) || is_plane;
                let is_left = (is_at_top && no_plane) || (is_spent && (no_plane || !known.runs));
                spec.critical && by_service && is_left
            }
            _ => false,
        }
    }

    fn costs_nothing_more(&self, line: &Line) -> bool {
        let is_paid = !line.steps.is_empty() || line.by == By::Operator;
        is_paid || self.is_paid_by_another(line) || self.is_paid_by_a_probe(line)
    }

    /// Whether there is no step left that may be taken.
    pub(super) fn may_escalate(&self, line: &Line) -> bool {
        if line.by == By::Operator || self.is_off() {
            return true;
        }
        let Some(id) = self.find(&line.subject) else { return !self.has_ends_left() };
        if self.parts[id.0].given_up && !self.parts[id.0].runs {
            // One more try was all.
            return true;
        }
        let spec = &self.specs[id.0];
        if spec.critical {
            // The process is not ended into an outage either.
            return !self.has_ends_left() || self.say_that_it_is_away(id).next().is_some();
        }
        let is_spent = line.steps.is_empty() && !self.may_restart(&line.subject);
        let has_no_plane = !spec.on_work_plane || !self.parts[id.0].told || !self.may_rebuild();
        is_spent || (line.rung() >= Some(Step::Emergency) && has_no_plane)
    }
}
