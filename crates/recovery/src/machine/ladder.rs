//! Which step is taken next, and when.

use crate::accounts::is_off;

use super::{
    ABORTED_WITHIN, By, Duration, Effect, Entry, FIRST_BACKOFF, FIRST_RETRY, Fact, HOUR, LONGEST_BACKOFF,
    Machine, MayEnd, Moment, Move, Now, Outcome, Part, PartId, Phase, Repair, Step,
};

/// What is wrong with a part that was restarted by hand.
pub(super) const NOT_SINCE_THE_ORDER: &str = "it has not got on since a person ordered its restart";

impl Machine {
    /// Does what has come due for a part.
    pub(super) fn look_at(&mut self, id: PartId, now: Now) {
        if self.is_covered(id) {
            return;
        }
        let at = now.moment;
        let part = &self.parts[id.0];
        let (waits, is_late) = (part.waits_at(at), part.is_late(at));
        match part.repair.as_ref().map(|repair| repair.phase) {
            // What waits is not restarted, whatever was about to be done.
            None | Some(Phase::BackingOff(_) | Phase::Resuming(_)) if waits => self.withhold(id, now),
            Some(Phase::BackingOff(_) | Phase::Resuming(_)) if part.is_alive && !self.is_stuck(id, now) => {
                // A pause has given it time.
                self.withdraw(id, now);
            }
            // What has fallen silent is not excused any more by what it waited for.
            None | Some(Phase::Withheld) if is_late => self.stalled(id, now),
            // It was to be started with the part that runs it, and that was given up for another.
            None if !part.is_alive => self.fail(id, "it was left behind", now),
            Some(Phase::BackingOff(until)) if at >= until => self.climb(id, now),
            Some(Phase::Resuming(until)) if at >= until => self.resume(id, now),
            Some(Phase::Draining(until)) if at >= until || self.is_an_emergency(id, now) => {
                self.climb(id, now);
            }
            Some(Phase::Aborting(until)) if at >= until => self.above_emergency(id, now),
            Some(Phase::PutOff(until)) => self.look_at_put_off(id, until, now),
            Some(Phase::Watching) => self.watch(id, now),
            Some(Phase::Escalated { since, again }) if at >= again => self.try_once_more(id, since, now),
            _ => {}
        }
    }

    /// Looks whether a restart has helped.
    fn watch(&mut self, id: PartId, now: Now) {
        let Some(repair) = &self.parts[id.0].repair else { return };
        let waits = repair.proved_by.iter().any(|id| self.parts[id.0].waits_at(now.moment));
        let ended_the_process = repair.rung == Some(Step::EndProcess);
        if self.is_stuck(id, now) {
            if ended_the_process {
                // It was the process before.
                return self.stalled(id, now);
            }
            self.parts[id.0].go(Move::Stall);
            match self.probed_by_another(id) {
                Some(on) => self.keep_back(id, on, now),
                None => self.climb(id, now),
            }
        } else if waits {
            // That says nothing about the restart, which goes on being watched.
            self.parts[id.0].go(Move::Wait);
            self.prove_by(id, vec![id]);
        }
    }

    /// Whether a part does not get on, or nothing does that it was restarted for.
    pub(super) fn is_stuck(&self, id: PartId, now: Now) -> bool {
        let is_late = |id: &PartId| self.parts[id.0].is_late(now.moment);
        let repair = self.parts[id.0].repair.as_ref();
        is_late(&id) || repair.is_some_and(|repair| repair.proved_by.iter().all(is_late))
    }

    fn stalled(&mut self, id: PartId, now: Now) {
        let part = &mut self.parts[id.0];
        part.go(Move::Stall);
        let silent = (now.moment - part.last_sign()).as_secs();
        self.fail(id, &format!("it has not got on for {silent} s"), now);
    }

    /// Nothing is done about a part after all.
    pub(super) fn withdraw(&mut self, id: PartId, now: Now) {
        self.parts[id.0].go(Move::Progress);
        self.close(id, Outcome::Withdrawn, now);
    }

    /// A restart would not help.
    pub(super) fn withhold(&mut self, id: PartId, now: Now) {
        let part = &mut self.parts[id.0];
        let Some(waits) = part.waits.clone() else { return };
        part.gets_on_since = None;
        part.go(Move::Wait);
        let cause = super::ledger::bounded(&self.withheld(&waits, now.moment));
        self.close(id, Outcome::Withdrawn, now);
        self.wait(id, waits.on, cause, Phase::Withheld, now);
    }

    /// Begins a line of the ledger that says that nothing is done.
    pub(super) fn wait(&mut self, id: PartId, on: &str, cause: String, phase: Phase, now: Now) {
        let fact = Fact::Withheld { cause: cause.clone(), dependency: on.to_owned() };
        let subject = self.parts[id.0].spec.name;
        self.open(id, subject, fact, cause, By::Service, now);
        self.phase(id, phase);
    }

    /// A part has failed: it is stuck, or has ended.
    pub(super) fn fail(&mut self, id: PartId, cause: &str, now: Now) {
        let part = &self.parts[id.0];
        let is_plane = part.spec.is_canary && part.is_alive;
        let subject = if is_plane { Entry::WORK_PLANE } else { part.spec.name };
        let was_given_up = |repair: &Repair| matches!(repair.phase, Phase::Escalated { .. });
        // It was tried once more, and that was all. What has only now ended is another case.
        let is_all = part.given_up > 0 && !part.is_alive && !part.repair.as_ref().is_some_and(was_given_up);
        self.fail_as(id, subject, cause, By::Service, now);
        if is_all {
            return self.escalate(id, now);
        }
        if let Some(outer) = self.outer_of_the_stuck(id) {
            return self.restart_around(outer, now);
        }
        if !self.hold_back(id, now) {
            self.back_off(id, now);
        }
    }

    /// Begins the recovery of a part that has failed, instead of one that is under way.
    pub(super) fn fail_as(&mut self, id: PartId, subject: &'static str, cause: &str, by: By, now: Now) {
        let was_given_up = self.is_given_up(id);
        self.end(id, Outcome::Failed, now);
        if by == By::Service {
            self.disprove_the_end(id, now);
        }
        let part = &mut self.parts[id.0];
        part.failed_at = Some(now.moment);
        part.gets_on_since = None;
        part.failures += 1;
        self.begin(id, subject, cause, by, now);
        self.go_on_given_up(id, was_given_up);
    }

    /// Whether a part was given up, and has not got on since.
    pub(super) fn is_given_up(&self, id: PartId) -> bool {
        let repair = self.parts[id.0].repair.as_ref();
        repair.is_some_and(|repair| repair.was_given_up || matches!(repair.phase, Phase::Escalated { .. }))
    }

    /// What is done about a part now goes on with what was given up.
    pub(super) fn go_on_given_up(&mut self, id: PartId, was_given_up: bool) {
        if let Some(repair) = &mut self.parts[id.0].repair {
            repair.was_given_up = was_given_up;
        }
    }

    /// Takes the first step after a time that grows with each failure.
    pub(super) fn back_off(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        // What is stuck has used up its patience, and is not kept waiting the first time.
        let at_once = part.is_alive && (part.failures <= 1 || part.spec.is_canary);
        let wait = backoff(part.failures).mul_f64(now.jitter);
        if at_once || wait.is_zero() {
            return self.climb(id, now);
        }
        self.phase(id, Phase::BackingOff(now.moment + wait));
    }

    /// Whether a part has gone without a sign of life for so long that it is not waited for.
    fn is_an_emergency(&self, id: PartId, now: Now) -> bool {
        let silent = now.moment - self.parts[id.0].last_sign();
        silent >= self.config.settings().emergency_restart_threshold
    }

    /// Takes the next step of a recovery.
    pub(super) fn climb(&mut self, id: PartId, now: Now) {
        self.take_back(id, now);
        let part = &self.parts[id.0];
        let Some(repair) = &part.repair else { return };
        let by_service = repair.by == By::Service;
        let next = match repair.rung {
            None if !part.is_alive => Step::Start,
            None | Some(Step::Start) if part.spec.is_canary && by_service => return self.rebuild(id, now),
            None | Some(Step::Start) if self.is_an_emergency(id, now) && by_service => Step::Emergency,
            None | Some(Step::Start) => Step::Graceful,
            Some(Step::Graceful) => Step::Emergency,
            Some(Step::Emergency) => return self.above_emergency(id, now),
            Some(Step::RebuildPlane | Step::EndProcess) => return self.end_process_for(id, now),
        };
        let charged = !repair.is_paid;
        if charged && !self.accounts.may_restart(repair.subject, &self.config, now.moment) {
            return self.nothing_left(id, now);
        }
        self.step(id, next, charged, now);
        match next {
            Step::Start => self.start(id, now),
            Step::Graceful => self.drain(id, now),
            Step::Emergency | Step::RebuildPlane | Step::EndProcess => self.abort(id, now),
        }
    }

    /// Puts a step of a recovery into the ledger.
    pub(super) fn step(&mut self, id: PartId, step: Step, charged: bool, now: Now) {
        let Some(repair) = &mut self.parts[id.0].repair else { return };
        (repair.rung, repair.is_paid) = (Some(step), true);
        let (key, subject) = (repair.key, repair.subject);
        self.next_entry(Some(key), subject, Fact::Step { step, charged }, now);
    }

    fn drain(&mut self, part: PartId, now: Now) {
        let deadline = now.moment + self.config.settings().graceful_shutdown_timeout;
        self.stop(part, now);
        self.phase(part, Phase::Draining(deadline));
        let incarnation = self.incarnation(part);
        self.effects.push_back(Effect::Stop { part, incarnation, deadline });
    }

    pub(super) fn abort(&mut self, part: PartId, now: Now) {
        self.stop(part, now);
        self.phase(part, Phase::Aborting(now.moment + ABORTED_WITHIN));
        let incarnation = self.incarnation(part);
        self.effects.push_back(Effect::Abort { part, incarnation });
    }

    /// A part is told to stop; what its task runs stops with it.
    fn stop(&mut self, id: PartId, now: Now) {
        for inner in self.within(id) {
            self.close(inner, Outcome::Failed, now);
            self.parts[inner.0].go(Move::Stop);
        }
        self.parts[id.0].go(Move::Stop);
    }

    /// Starts a part, and with it what its task runs.
    pub(super) fn start(&mut self, id: PartId, now: Now) {
        self.phase(id, Phase::Watching);
        for part in std::iter::once(id).chain(self.within(id)) {
            self.parts[part.0].start(now.moment);
            let incarnation = self.incarnation(part);
            self.effects.push_back(Effect::Start { part, incarnation });
        }
    }

    /// An emergency restart has not helped, or cannot be made since the part does not end.
    fn above_emergency(&mut self, id: PartId, now: Now) {
        let part = &self.parts[id.0];
        let is_in_the_way = self.is_stopping(id);
        if let Some(outer) = part.spec.within {
            let does_not = if is_in_the_way { "end" } else { "get on after an emergency restart" };
            let cause = format!("the part {} does not {does_not}", part.spec.name);
            return self.blame(id, outer, &cause, now);
        }
        if part.spec.on_work_plane && (part.spec.critical || is_in_the_way) {
            return self.rebuild(id, now);
        }
        self.end_process_for(id, now);
    }

    /// The budget of restarts is spent.
    fn nothing_left(&mut self, id: PartId, now: Now) {
        if self.probes_patiently(id, now) {
            return self.phase(id, Phase::BackingOff(now.moment + LONGEST_BACKOFF));
        }
        let part = &self.parts[id.0];
        // A plane built anew does not help what ends by itself.
        if part.spec.critical && part.spec.on_work_plane && part.is_alive {
            return self.rebuild(id, now);
        }
        self.end_process_for(id, now);
    }

    /// Nothing more is done about a part, for now.
    pub(super) fn escalate(&mut self, id: PartId, now: Now) {
        let Some(mut repair) = self.end(id, Outcome::Escalated, now) else { return };
        let part = &mut self.parts[id.0];
        let wait = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(part.given_up)).min(HOUR);
        part.given_up += 1;
        if repair.by == By::Operator {
            // That somebody ordered a restart is no reason for giving up, nor for trying again.
            NOT_SINCE_THE_ORDER.clone_into(&mut repair.cause);
        }
        repair.phase = Phase::Escalated { since: now.moment, again: now.moment + wait };
        part.repair = Some(repair);
        part.go(Move::Escalate);
        for inner in self.within(id) {
            // It was to stop with the part that runs it, and goes on if that does.
            if self.is_stopping(inner) {
                self.parts[inner.0].go(Move::Escalate);
            }
        }
        self.lose_probe(id, now);
    }

    /// An escalated part is tried once more, unless it shows signs of life now.
    fn try_once_more(&mut self, id: PartId, since: Moment, now: Now) {
        let is_stuck = self.is_stuck(id, now);
        if is_off(&self.config) {
            return self.phase(id, Phase::Escalated { since, again: now.moment + LONGEST_BACKOFF });
        }
        let at_last = since + HOUR;
        if now.moment < at_last && !self.may_be_tried(id, now) {
            let again = at_last.min(now.moment + LONGEST_BACKOFF);
            return self.phase(id, Phase::Escalated { since, again });
        }
        let part = &mut self.parts[id.0];
        let Some(repair) = part.repair.take() else { return };
        if part.is_alive && (!is_stuck || repair.proved_by.is_empty()) {
            // If a thread is still kept, one is told so again.
            part.go(Move::Progress);
            return self.look_at(id, now);
        }
        part.failures = 0;
        self.fail_as(id, repair.subject, &repair.cause, By::Service, now);
        self.go_on_given_up(id, true);
        self.prove_by(id, repair.proved_by);
        self.climb(id, now);
    }

    /// Whether there is a step that a budget allows, and nobody else finds out whether it would help.
    fn may_be_tried(&self, id: PartId, now: Now) -> bool {
        let Part { spec, repair: Some(repair), is_alive, .. } = &self.parts[id.0] else { return false };
        let (config, at) = (&self.config, now.moment);
        if self.probed_by_another(id).is_some() {
            return false;
        }
        let is_plane = spec.is_canary && *is_alive;
        let has_plane = *is_alive && spec.critical && spec.on_work_plane;
        !is_plane && self.accounts.may_restart(repair.subject, config, at)
            || (is_plane || has_plane) && self.accounts.may_rebuild(config, at)
            || spec.critical && self.may_end_for(id, at) != MayEnd::No
    }

    pub(super) fn phase(&mut self, id: PartId, phase: Phase) {
        if let Some(repair) = &mut self.parts[id.0].repair {
            repair.phase = phase;
        }
    }

    pub(super) fn prove_by(&mut self, id: PartId, parts: Vec<PartId>) {
        if let Some(repair) = &mut self.parts[id.0].repair {
            repair.proved_by = parts;
        }
    }
}

/// The longest that is waited after so many failures.
pub(super) fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_BACKOFF)
}
