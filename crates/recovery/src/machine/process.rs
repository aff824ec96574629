//! What is done to all parts at once: the work plane is built anew, or the process ends.

use super::{
    By, Duration, Effect, Entry, Escalation, Fact, HOUR, Machine, MayEnd, Moment, Move, Now, Outcome, Part,
    PartId, Phase, Step,
};
use ttm_kernel::FailureClass;

impl Machine {
    /// Builds the work plane anew for the sake of a part, if it may be.
    pub(super) fn rebuild(&mut self, id: PartId, now: Now) {
        let Some(repair) = &self.parts[id.0].repair else { return };
        if !self.accounts.may_rebuild(&self.config, now.moment) {
            return self.end_process_for(id, now);
        }
        let may_restart = self.accounts.may_restart(repair.subject, &self.config, now.moment);
        let charged = !repair.is_paid && may_restart;
        self.step(id, Step::RebuildPlane, charged, now);
        let on_it: Vec<PartId> = self.ids().filter(|id| self.parts[id.0].spec.on_work_plane).collect();
        for other in on_it.iter().filter(|other| **other != id) {
            self.close(*other, Outcome::Failed, now);
        }
        self.phase(id, Phase::Watching);
        self.effects.push_back(Effect::RebuildPlane);
        for part in on_it {
            let known = &mut self.parts[part.0];
            known.go(Move::Stop);
            known.go(Move::End);
            known.start(now.moment);
            let incarnation = self.incarnation(part);
            self.effects.push_back(Effect::Start { part, incarnation });
        }
    }

    /// Ends the process for the sake of a part: if that is critical, and the process may be ended. Else nothing more is done.
    pub(super) fn end_process_for(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        let Some(repair) = &part.repair else { return };
        let is_worth_it = part.spec.critical && repair.by == By::Service;
        match self.may_end_for(id, now.moment) {
            MayEnd::Now if is_worth_it => {}
            MayEnd::From(at) if is_worth_it => return self.put_off(id, at, now),
            _ => return self.escalate(id, now),
        }
        let cause = format!("{}: {}", part.spec.name, repair.cause);
        self.step(id, Step::EndProcess, false, now);
        self.phase(id, Phase::Ending);
        self.end_process(cause);
    }

    pub(super) fn may_end(&self, now: Moment) -> MayEnd {
        self.accounts.may_end(&self.config, self.ends_apart, now)
    }

    /// Whether the process may be ended for a part: not while another one says that what this one depends on is away. The next process
    /// would wait for that before it begins, and this one serves what it has.
    pub(super) fn may_end_for(&self, id: PartId, now: Moment) -> MayEnd {
        let needed = self.parts[id.0].spec.depends_on;
        let says_so = |part: &Part| {
            part.is_alive
                && !part.is_late(now)
                && part.waits.as_ref().is_some_and(|waits| needed.contains(&waits.on))
        };
        match self.may_end(now) {
            MayEnd::Now if self.parts.iter().any(says_so) => MayEnd::No,
            may_end => may_end,
        }
    }

    /// The process is not ended again before that. What has ended is started once more meanwhile, which costs nothing: if it ends again
    /// it backs off for longer, and if it gets on there is no need to end the process.
    fn put_off(&mut self, id: PartId, until: Moment, now: Now) {
        if self.parts[id.0].is_alive {
            return self.phase(id, Phase::PutOff(until));
        }
        self.step(id, Step::Start, false, now);
        self.start(id, now);
    }

    /// How long the process is not ended for a part for which nothing else is left.
    pub(super) fn end_waits(&self, part: &Part, now: Moment) -> Option<Duration> {
        let repair = part.repair.as_ref().filter(|repair| part.spec.critical && repair.by == By::Service)?;
        let is_spent = || !self.accounts.may_restart(repair.subject, &self.config, now);
        let is_waited_for = match repair.phase {
            Phase::PutOff(_) => true,
            Phase::BackingOff(_) | Phase::Watching => is_spent(),
            _ => false,
        };
        match self.may_end(now) {
            MayEnd::From(at) if is_waited_for => Some(at - now),
            _ => None,
        }
    }

    /// Looks whether a part still needs the end of the process that was put off, and whether it may be ended now.
    pub(super) fn look_at_put_off(&mut self, id: PartId, until: Moment, now: Now) {
        let Some(repair) = &self.parts[id.0].repair else { return };
        // One that waits for nothing keeps a thread, and would say so again.
        let (has_begun, keeps_a_thread) = (repair.rung.is_some(), repair.proved_by.is_empty());
        if !self.is_stuck(id, now) && !self.is_stopping(id) {
            // A pause has given it time, or it says that it waits.
            return match (has_begun, self.parts[id.0].waits_at(now.moment)) {
                (true, _) => self.phase(id, Phase::Watching),
                (false, true) => self.withhold(id, now),
                (false, false) => self.withdraw(id, now),
            };
        }
        if now.moment < until {
            return;
        }
        if keeps_a_thread && !self.parts[id.0].is_late(now.moment) {
            return self.withdraw(id, now);
        }
        self.climb(id, now);
    }

    /// Ends the process if it should be replaced as a whole.
    pub(super) fn look_at_process(&mut self, now: Now) {
        if self.is_over {
            return;
        }
        let Some(cause) = self.why_replace(now) else {
            self.escalated = None;
            return;
        };
        if self.escalated.as_ref().is_some_and(|known| now.moment < known.again) {
            return;
        }
        let may_end = self.may_end(now.moment);
        if matches!(may_end, MayEnd::From(_)) {
            // What is wrong may pass meanwhile.
            return;
        }
        let cause = super::ledger::bounded(&cause);
        let (class, by) = (FailureClass::System, By::Service);
        let fact = Fact::Began { cause: cause.clone(), class, by, evidence: None };
        let key = self.next_entry(None, Entry::PROCESS, fact, now);
        if may_end == MayEnd::Now {
            let charged = self.accounts.may_restart(Entry::PROCESS, &self.config, now.moment);
            let fact = Fact::Step { step: Step::EndProcess, charged };
            self.next_entry(Some(key), Entry::PROCESS, fact, now);
            return self.end_process(cause);
        }
        let fact = Fact::Ended { outcome: Outcome::Escalated, took: Duration::ZERO };
        self.next_entry(Some(key), Entry::PROCESS, fact, now);
        self.escalated = Some(Escalation { cause, again: now.moment + HOUR });
    }

    /// Why the process should be replaced: for the memory that it uses, or because no critical part that does any work on the work
    /// plane has shown a sign of life for so long that it does not matter what is being done.
    fn why_replace(&self, now: Now) -> Option<String> {
        if let Some((since, cause)) = &self.memory
            && now.moment - *since >= self.memory_patience
        {
            return Some(cause.clone());
        }
        let patience = self.config.settings().emergency_restart_threshold;
        let works = |part: &&Part| part.spec.critical && part.spec.on_work_plane && !part.spec.is_canary;
        let critical = || self.parts.iter().filter(works);
        let are_silent = critical().all(|part| now.moment - part.silent_since >= patience);
        (are_silent && critical().next().is_some())
            .then(|| format!("nothing has got on for {} s", patience.as_secs()))
    }

    fn end_process(&mut self, cause: String) {
        self.is_over = true;
        self.effects.push_back(Effect::EndProcess { cause });
    }
}
