//! Whether an effect may be.

use std::time::Duration;

use ttm_kernel::Moment;

use super::{Line, Model};
use crate::{By, Effect, Entry, Fact, Outcome, PartId, Step};

impl Model {
    /// Says whether an effect may be now, and takes it into account.
    pub fn judge(&mut self, effect: &Effect, at: Duration, now: Moment) -> Result<(), String> {
        self.at = at;
        match effect {
            Effect::Record(entry) => self.record(entry, now),
            Effect::Stop { part, incarnation, deadline } => {
                let within = self.config.settings().graceful_shutdown_timeout;
                require(*deadline == now + within, "a graceful restart has its time")?;
                require(self.parts[part.0].incarnation == *incarnation, "it is the incarnation that runs")?;
                self.tell(*part, Step::Graceful)
            }
            Effect::Abort { part, incarnation } => {
                require(self.parts[part.0].incarnation == *incarnation, "it is the incarnation that runs")?;
                self.tell(*part, Step::Emergency)
            }
            Effect::Start { part, incarnation } => {
                let known = &mut self.parts[part.0];
                require(!known.runs, "what runs is not started")?;
                require(*incarnation == known.incarnation.next(), "incarnations rise one by one")?;
                (known.incarnation, known.runs, known.told) = (*incarnation, true, false);
                (known.sign, known.was_granted, known.waits) = (now, false, None);
                known.well_since = None;
                if self.announced.as_ref().is_some_and(|(_, step)| *step == Step::Start) {
                    self.announced = None;
                }
                Ok(())
            }
            Effect::RebuildPlane => {
                require(self.takes(Step::RebuildPlane).is_some(), "a step is recorded before it is taken")?;
                for id in self.ids().filter(|id| self.specs[id.0].on_work_plane) {
                    self.parts[id.0].runs = false;
                    let open = self
                        .lines_of(id)
                        .filter(|line| line.ended.is_none() && line.rung() != Some(Step::RebuildPlane));
                    require(open.count() == 0, "a new plane ends every recovery of the parts on it")?;
                }
                Ok(())
            }
            Effect::EndProcess { .. } => {
                require(
                    self.announced.take().is_some_and(|(_, step)| step == Step::EndProcess),
                    "a step is recorded before it is taken",
                )?;
                self.is_closed = true;
                Ok(())
            }
        }
    }

    /// The part whose step was announced, if it is this one.
    fn takes(&mut self, step: Step) -> Option<PartId> {
        let (subject, _) = self.announced.take_if(|(_, announced)| *announced == step)?;
        self.find(&subject)
    }

    fn tell(&mut self, part: PartId, step: Step) -> Result<(), String> {
        require(self.takes(step) == Some(part), "a step is recorded before it is taken")?;
        require(self.parts[part.0].runs, "only what runs is stopped")?;
        if let Some(outer) = self.specs[part.0].within {
            require(
                self.parts[outer.0].runs && !self.parts[outer.0].told,
                "what stops with another is left alone",
            )?;
        }
        self.parts[part.0].told = true;
        Ok(())
    }

    fn record(&mut self, entry: &Entry, now: Moment) -> Result<(), String> {
        entry.check().map_err(|refused| refused.to_string())?;
        let comes_next = match self.last {
            Some(last) if last.epoch == entry.key.epoch => entry.key.number == last.number + 1,
            Some(last) => last.epoch < entry.key.epoch && entry.key.number == 0,
            None => entry.key.number == 0,
        };
        require(comes_next, "entries are numbered one by one")?;
        require(self.has_booted || entry.fact == Fact::Booted, "a process boots first")?;
        require(
            self.announced.is_none() || matches!(entry.fact, Fact::Ended { .. }),
            "an announced step is taken",
        )?;
        self.last = Some(entry.key);
        let line = |by, is_withheld| Line {
            subject: entry.subject.clone(),
            by,
            is_withheld,
            steps: Vec::new(),
            began: self.at,
            ran: self.find(&entry.subject).is_some_and(|id| self.parts[id.0].runs),
            since: self.at,
            ended: None,
            got_on: false,
        };
        match &entry.fact {
            Fact::Booted => self.has_booted = true,
            Fact::Spent => require(false, "every past of a history can be read")?,
            Fact::Closed => {
                self.is_closed = true;
                let stays = |line: &Line| line.ended.is_some() || line.rung() == Some(Step::EndProcess);
                require(self.lines.values().all(stays), "a stop in order closes every recovery")?;
            }
            Fact::Began { by, .. } => {
                let line = line(*by, false);
                self.begin(entry, line)?;
            }
            Fact::Withheld { .. } => {
                let line = line(By::Service, true);
                self.begin(entry, line)?;
            }
            Fact::Step { step, charged } => {
                let line = self.lines.get(&entry.recovery).cloned().ok_or("its recovery never began")?;
                require(line.subject == entry.subject, "a recovery is of one subject")?;
                require(line.ended.is_none() && !line.is_withheld, "it is under way")?;
                self.judge_step(&line, *step, *charged, now)?;
                self.take(entry, *step, *charged);
            }
            Fact::Ended { outcome, .. } => {
                let line = self.lines.get(&entry.recovery).cloned().ok_or("its recovery never began")?;
                require(line.ended.is_none(), "it ends once")?;
                self.judge_outcome(&line, *outcome)?;
                let of = self.find(&line.subject);
                if let Some(id) = of.filter(|_| *outcome == Outcome::Escalated) {
                    // It may go on, if it can.
                    (self.parts[id.0].told, self.parts[id.0].given_up) = (false, true);
                }
                let got_on = of.is_some_and(|id| self.parts[id.0].progress == Some(now));
                let ended = Some((*outcome, self.at));
                self.lines.insert(entry.recovery, Line { ended, got_on, ..line });
                self.open.remove(&entry.recovery);
            }
        }
        Ok(())
    }

    fn begin(&mut self, entry: &Entry, line: Line) -> Result<(), String> {
        require(!self.is_closed, "nothing begins at the end")?;
        let subject = self.find(&line.subject);
        let same = |other: &Line| other.ended.is_none() && self.find(&other.subject) == subject;
        require(!self.lines.values().any(same), "one at a time is done about a part")?;
        if let Some(id) = subject {
            let known = &mut self.parts[id.0];
            known.well_since = None;
            known.given_up &= line.by == By::Service;
        }
        self.lines.insert(entry.key, line);
        self.open.insert(entry.key);
        Ok(())
    }

    fn take(&mut self, entry: &Entry, step: Step, charged: bool) {
        if let Some(line) = self.lines.get_mut(&entry.recovery) {
            line.steps.push((step, charged));
        }
        if charged {
            self.charges.push((self.at, entry.subject.clone()));
        }
        match step {
            Step::RebuildPlane => self.rebuilds.push(self.at),
            Step::EndProcess => self.ends.push(self.at),
            Step::Start | Step::Graceful | Step::Emergency => {}
        }
        if entry.subject != Entry::PROCESS || step == Step::EndProcess {
            self.announced = Some((entry.subject.clone(), step));
        }
    }

    fn judge_outcome(&self, line: &Line, outcome: Outcome) -> Result<(), String> {
        match outcome {
            Outcome::Recovered => require(line.rung().is_some(), "what has recovered was restarted"),
            Outcome::Withdrawn => require(line.rung().is_none(), "what was restarted is not withdrawn"),
            Outcome::Replaced => require(line.rung().is_some(), "what an order replaced had begun"),
            Outcome::Failed | Outcome::Interrupted => Ok(()),
            Outcome::Escalated => require(self.may_escalate(line), "something could still be done"),
        }
    }
}

pub(super) fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}
