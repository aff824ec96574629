//! Which step is taken next, and when.

use super::{
    ABORTED_WITHIN, By, Duration, Effect, Entry, FIRST_BACKOFF, Fact, HOUR, LONGEST_BACKOFF, MEMORY_PATIENCE,
    Machine, Move, Now, Outcome, PartId, Phase, Repair, State, Step,
};
use ttm_kernel::FailureClass;

impl Machine {
    /// Does what has come due for a part.
    pub(super) fn look_at(&mut self, id: PartId, now: Now) {
        let at = now.moment;
        let part = &self.parts[id.0];
        let is_late = part.is_alive && at >= part.stuck_at();
        let Some(repair) = &part.repair else {
            if part.is_alive && part.waits_at(at) {
                self.withhold(id, now);
            } else if is_late {
                self.stalled(id, now);
            }
            return;
        };
        let begun = repair.rung.is_some();
        match repair.phase {
            Phase::BackingOff(until) if at >= until => self.climb(id, now),
            Phase::Draining(until) if at >= until || self.is_an_emergency(id, now) => self.climb(id, now),
            Phase::Aborting(until) if at >= until => self.does_not_end(id, now),
            // It was restarted, and waits for what is away: that says nothing about the restart.
            Phase::Watching if is_late && repair.rung == Some(Step::EndProcess) => self.stalled(id, now),
            Phase::Watching if is_late => {
                self.parts[id.0].go(Move::Stall);
                self.climb(id, now);
            }
            Phase::Withheld if is_late => {
                // It has fallen silent: what it waited for is no excuse any more.
                self.close(id, Outcome::Failed, now);
                self.stalled(id, now);
            }
            Phase::Resuming(until) if at >= until => self.resume(id, now),
            Phase::Escalated(again) if at >= again => self.try_once_more(id, now),
            Phase::BackingOff(_) if !begun && part.is_alive && part.waits_at(at) => {
                self.close(id, Outcome::Withdrawn, now);
                self.withhold(id, now);
            }
            _ => {}
        }
    }

    fn stalled(&mut self, id: PartId, now: Now) {
        let part = &mut self.parts[id.0];
        part.go(Move::Stall);
        let silent = (now.moment - part.last_sign()).as_secs();
        self.fail(id, &format!("it has not got on for {silent} s"), now);
    }

    /// A restart would not help.
    fn withhold(&mut self, id: PartId, now: Now) {
        let part = &mut self.parts[id.0];
        let Some(waits) = part.waits.clone() else { return };
        part.go(Move::Wait);
        let away = (now.moment - waits.since).as_secs();
        let cause = format!("restart withheld: {} has been away for {away} s", waits.on);
        let subject = part.spec.name;
        let fact = Fact::Withheld { cause: cause.clone(), dependency: waits.on.to_owned() };
        self.wait(id, subject, fact, cause, Phase::Withheld, now);
    }

    /// Begins a line of the ledger that says that nothing is done.
    pub(super) fn wait(
        &mut self,
        id: PartId,
        subject: &'static str,
        fact: Fact,
        cause: String,
        phase: Phase,
        now: Now,
    ) {
        let key = self.next_entry(None, subject, fact, now);
        let (began, by) = (now.moment, By::Service);
        self.parts[id.0].repair =
            Some(Repair { key, subject, began, cause, by, rung: None, is_paid: false, phase });
    }

    /// A part has failed: it is stuck, or has ended.
    pub(super) fn fail(&mut self, id: PartId, cause: &str, now: Now) {
        self.close(id, Outcome::Failed, now);
        let part = &mut self.parts[id.0];
        part.failed_at = Some(now.moment);
        part.gets_on_since = None;
        let failures = part.failures;
        part.failures += 1;
        let is_canary = part.spec.is_canary && part.is_alive;
        let subject = if is_canary { Entry::WORK_PLANE } else { part.spec.name };
        // What is stuck has used up its patience, and is not kept waiting the first time.
        let waits_first = !part.is_alive || (failures > 0 && !is_canary);
        let outer = part.spec.within;
        self.begin(id, subject, cause, By::Service, now);
        if let Some(outer) = outer.filter(|_| self.parts[id.0].is_alive)
            && self.all_within_are_stuck(outer, now)
        {
            for inner in self.within(outer) {
                self.close(inner, Outcome::Failed, now);
            }
            let cause = format!("all that it runs is stuck: {}", self.names_within(outer));
            return self.fail(outer, &cause, now);
        }
        if self.hold_back(id, now) {
            return;
        }
        let wait = if waits_first { backoff(failures).mul_f64(now.jitter) } else { Duration::ZERO };
        if wait.is_zero() {
            return self.climb(id, now);
        }
        self.phase(id, Phase::BackingOff(now.moment + wait));
    }

    fn all_within_are_stuck(&self, outer: PartId, now: Now) -> bool {
        let within = self.within(outer);
        within.len() > 1
            && self.parts[outer.0].is_alive
            && within.iter().all(|id| {
                let part = &self.parts[id.0];
                part.is_failing()
                    && part.failed_at.is_some_and(|at| now.moment - at <= super::dependency::TOGETHER)
            })
    }

    fn names_within(&self, outer: PartId) -> String {
        let names = self.within(outer).into_iter().map(|id| self.parts[id.0].spec.name);
        names.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn phase(&mut self, id: PartId, phase: Phase) {
        if let Some(repair) = &mut self.parts[id.0].repair {
            repair.phase = phase;
        }
    }

    /// Whether a part has gone without progress for so long that it is not waited for.
    fn is_an_emergency(&self, id: PartId, now: Now) -> bool {
        let part = &self.parts[id.0];
        let since = part.progress.map_or(part.counts_from, |at| at.max(part.counts_from));
        now.moment - since >= self.config.settings().emergency_restart_threshold
    }

    /// Takes the next step of a recovery.
    pub(super) fn climb(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        let Some(repair) = &part.repair else { return };
        let next = match repair.rung {
            None | Some(Step::Start) if part.spec.is_canary && part.is_alive && repair.by == By::Service => {
                return self.rebuild(id, now);
            }
            None if !part.is_alive => Step::Start,
            None | Some(Step::Start) if self.is_an_emergency(id, now) && repair.by == By::Service => {
                Step::Emergency
            }
            None | Some(Step::Start) => Step::Graceful,
            Some(Step::Graceful) => Step::Emergency,
            Some(Step::Emergency) => return self.above_emergency(id, now),
            Some(Step::RebuildPlane | Step::EndProcess) => return self.end_process_for(id, now),
        };
        let charged = !repair.is_paid;
        if charged && self.accounts.may_restart(repair.subject, &self.config, now.moment).is_err() {
            return self.nothing_left(id, now);
        }
        self.step(id, next, charged, now);
        match next {
            Step::Start => self.start(id, now),
            Step::Graceful => {
                let deadline = now.moment + self.config.settings().graceful_shutdown_timeout;
                self.stop(id, now);
                self.phase(id, Phase::Draining(deadline));
                let incarnation = self.parts[id.0].incarnation;
                self.effects.push_back(Effect::Stop { part: id, incarnation, deadline });
            }
            Step::Emergency | Step::RebuildPlane | Step::EndProcess => {
                self.stop(id, now);
                self.phase(id, Phase::Aborting(now.moment + ABORTED_WITHIN));
                let incarnation = self.parts[id.0].incarnation;
                self.effects.push_back(Effect::Abort { part: id, incarnation });
            }
        }
    }

    /// Puts a step of a recovery into the ledger.
    fn step(&mut self, id: PartId, step: Step, charged: bool, now: Now) {
        let Some(repair) = &mut self.parts[id.0].repair else { return };
        repair.rung = Some(step);
        repair.is_paid = true;
        let (key, subject) = (repair.key, repair.subject);
        self.next_entry(Some(key), subject, Fact::Step { step, charged }, now);
    }

    /// A part is told to stop; what its task runs stops with it.
    fn stop(&mut self, id: PartId, now: Now) {
        for inner in self.within(id) {
            self.close(inner, Outcome::Failed, now);
            self.parts[inner.0].go(Move::Stop);
        }
        self.parts[id.0].go(Move::Stop);
    }

    /// What a part runs has ended with it.
    pub(super) fn end_within(&mut self, inner: PartId, now: Now) {
        self.close(inner, Outcome::Failed, now);
        let part = &mut self.parts[inner.0];
        part.is_alive = false;
        part.go(Move::End);
    }

    /// A part has ended as it was told to.
    pub(super) fn start_again(&mut self, id: PartId, now: Now) {
        self.start(id, now);
    }

    fn start(&mut self, id: PartId, now: Now) {
        let moment = now.moment;
        self.parts[id.0].start(moment);
        self.phase(id, Phase::Watching);
        self.effects.push_back(Effect::Start { part: id, incarnation: self.parts[id.0].incarnation });
        for inner in self.within(id) {
            let part = &mut self.parts[inner.0];
            part.start(moment);
            self.effects.push_back(Effect::Start { part: inner, incarnation: part.incarnation });
        }
    }

    /// An aborted part has not ended.
    fn does_not_end(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        if let Some(outer) = part.spec.within {
            // The task that runs it does not answer.
            let cause = format!("it does not restart {}", part.spec.name);
            return self.blame(id, outer, &cause, now);
        }
        self.above_emergency(id, now);
    }

    /// An emergency restart has not helped.
    fn above_emergency(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        if let Some(outer) = part.spec.within {
            let cause = format!("{} does not get on after an emergency restart", part.spec.name);
            return self.blame(id, outer, &cause, now);
        }
        if part.spec.on_work_plane && (part.spec.critical || part.state == State::Stopping) {
            return self.rebuild(id, now);
        }
        self.end_process_for(id, now);
    }

    /// The recovery of a part goes on as that of the part which runs it, and is paid for.
    fn blame(&mut self, id: PartId, outer: PartId, cause: &str, now: Now) {
        self.close(id, Outcome::Failed, now);
        if self.parts[outer.0].is_failing() {
            return;
        }
        self.close(outer, Outcome::Failed, now);
        let part = &mut self.parts[outer.0];
        (part.failed_at, part.gets_on_since) = (Some(now.moment), None);
        let name = part.spec.name;
        self.begin(outer, name, cause, By::Service, now);
        if let Some(repair) = &mut self.parts[outer.0].repair {
            repair.is_paid = true;
        }
        self.step(outer, Step::Emergency, false, now);
        self.stop(outer, now);
        self.phase(outer, Phase::Aborting(now.moment + ABORTED_WITHIN));
        let incarnation = self.parts[outer.0].incarnation;
        self.effects.push_back(Effect::Abort { part: outer, incarnation });
    }

    /// The budget of restarts is spent.
    fn nothing_left(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        if part.spec.critical && part.spec.on_work_plane && part.is_alive {
            return self.rebuild(id, now);
        }
        self.end_process_for(id, now);
    }

    /// Builds the work plane anew for the sake of a part, if it may be.
    fn rebuild(&mut self, id: PartId, now: Now) {
        if self.accounts.may_rebuild(now.moment).is_err() {
            return self.end_process_for(id, now);
        }
        let is_paid = self.parts[id.0].repair.as_ref().is_some_and(|repair| repair.is_paid);
        let subject = self.parts[id.0].repair.as_ref().map_or("", |repair| repair.subject);
        let charged = !is_paid && self.accounts.may_restart(subject, &self.config, now.moment).is_ok();
        self.step(id, Step::RebuildPlane, charged, now);
        self.effects.push_back(Effect::RebuildPlane);
        let on_it: Vec<PartId> = self.ids().filter(|id| self.parts[id.0].spec.on_work_plane).collect();
        for other in &on_it {
            if *other != id {
                self.close(*other, Outcome::Failed, now);
            }
            let part = &mut self.parts[other.0];
            part.go(Move::Stop);
            part.go(Move::End);
        }
        for other in on_it {
            let part = &mut self.parts[other.0];
            part.start(now.moment);
            self.effects.push_back(Effect::Start { part: other, incarnation: part.incarnation });
        }
        self.phase(id, Phase::Watching);
    }

    /// Ends the process for the sake of a part: if that is critical, and the process may be ended. Else nothing more is done.
    fn end_process_for(&mut self, id: PartId, now: Now) {
        let critical = self.parts[id.0].spec.critical;
        let of_operator = self.parts[id.0].repair.as_ref().is_some_and(|repair| repair.by == By::Operator);
        if !critical || of_operator || self.accounts.may_end(now.moment).is_err() {
            return self.escalate(id, now);
        }
        self.step(id, Step::EndProcess, false, now);
        self.phase(id, Phase::Ending);
        let part = &self.parts[id.0];
        let cause = part
            .repair
            .as_ref()
            .map_or_else(String::new, |repair| format!("{}: {}", part.spec.name, repair.cause));
        self.is_over = true;
        self.effects.push_back(Effect::EndProcess { cause });
    }

    /// Nothing more is done about a part, for now.
    fn escalate(&mut self, id: PartId, now: Now) {
        let Some(mut repair) = self.parts[id.0].repair.take() else { return };
        self.end_repair(&repair, Outcome::Escalated, now);
        repair.phase = Phase::Escalated(now.moment + HOUR);
        let part = &mut self.parts[id.0];
        part.repair = Some(repair);
        part.go(Move::Escalate);
        self.lose_probe(id, now);
    }

    /// An escalated part is tried once more.
    fn try_once_more(&mut self, id: PartId, now: Now) {
        let Some(repair) = self.parts[id.0].repair.take() else { return };
        let part = &mut self.parts[id.0];
        part.failures = 0;
        part.failed_at = Some(now.moment);
        self.begin(id, repair.subject, &repair.cause, By::Service, now);
        self.climb(id, now);
    }

    /// Ends the process for the memory that it uses.
    pub(super) fn look_at_memory(&mut self, now: Now) {
        let Some((since, cause)) = self.memory.clone() else {
            if self.process.as_ref().is_some_and(|repair| matches!(repair.phase, Phase::Escalated(_))) {
                self.process = None;
            }
            return;
        };
        if now.moment - since >= MEMORY_PATIENCE && !self.is_over {
            self.end_process(&cause, now);
        }
    }

    /// If no critical part on the work plane shows a sign of life for so long, the process ends whatever is being done.
    pub(super) fn look_at_all(&mut self, now: Now) {
        let patience = self.config.settings().emergency_restart_threshold;
        let mut critical =
            self.parts.iter().filter(|part| part.spec.critical && part.spec.on_work_plane).peekable();
        if critical.peek().is_none() || self.is_over {
            return;
        }
        let silent = critical.all(|part| now.moment - part.silent_since >= patience);
        if silent {
            self.end_process(&format!("nothing has got on for {} s", patience.as_secs()), now);
        }
    }

    fn end_process(&mut self, cause: &str, now: Now) {
        let cause = super::bounded(cause);
        if let Some(Repair { phase: Phase::Escalated(again), .. }) = &self.process
            && now.moment < *again
        {
            return;
        }
        let fact = Fact::Began {
            cause: cause.clone(),
            class: FailureClass::System,
            by: By::Service,
            evidence: None,
        };
        let key = self.next_entry(None, Entry::PROCESS, fact, now);
        let (subject, began, by) = (Entry::PROCESS, now.moment, By::Service);
        let mut repair = Repair {
            key,
            subject,
            began,
            cause: cause.clone(),
            by,
            rung: None,
            is_paid: true,
            phase: Phase::Ending,
        };
        if self.accounts.may_end(now.moment).is_err() {
            self.end_repair(&repair, Outcome::Escalated, now);
            repair.phase = Phase::Escalated(now.moment + HOUR);
            self.process = Some(repair);
            return;
        }
        let fact = Fact::Step { step: Step::EndProcess, charged: false };
        self.next_entry(Some(key), subject, fact, now);
        self.process = Some(repair);
        self.is_over = true;
        self.effects.push_back(Effect::EndProcess { cause });
    }
}

/// The longest that is waited after so many failures.
pub(super) fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_BACKOFF)
}
