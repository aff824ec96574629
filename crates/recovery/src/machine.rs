//! What is restarted, when, how hard, and when not: the machine, and what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ttm_kernel::{Epoch, FailureClass, Incarnation, Moment, TaskEnd};

use crate::accounts::{Accounts, HOUR, MayEnd};
use crate::machine::dependency::Probe;
use crate::part::{Part, Phase, Repair, Waits};
use crate::{
    By, Effect, Entry, EntryKey, Fact, Move, Now, Outcome, PartId, RecoveryConfig, RestartRefused, State,
    Step,
};

mod boot;
mod dependency;
mod ladder;
mod ledger;
mod process;
mod view;
mod within;

pub use boot::Past;
use boot::Unproven;

/// The first backoff is somewhere up to this long, and each one after it up to twice as long as the one before.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// But no longer than this.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
/// An aborted task ends at its next yield. One that has not by then does not yield.
const ABORTED_WITHIN: Duration = Duration::from_secs(5);
/// So many parts that fail together on one thing are enough, whatever share of all they are.
const TRIED_BY: usize = 3;
/// Parts that were held back start again within this time at most.
const LONGEST_SPREAD: Duration = Duration::from_mins(10);
/// What was given up is tried once more after this time, and each time after twice as long as the time before.
const FIRST_RETRY: Duration = Duration::from_mins(5);
/// Memory may be short for this long before the process is ended for it.
const MEMORY_PATIENCE: Duration = Duration::from_mins(5);

/// The process is ended a second time in an hour so long after the first time, and a third time so long after that.
const ENDS_APART: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(5)];

/// A person is needed; it is tried once more then.
#[derive(Clone, Debug)]
struct Escalation {
    cause: String,
    again: Moment,
}

/// What is restarted, when, how hard, and when not.
///
/// # Signs of life
///
/// A part gives two: **progress**, and word that it *waits* because what it depends on is away. Neither for its whole patience, and
/// it is stuck. Word alone, and it is degraded: a restart would not help, and that one is withheld is a line of the ledger. What
/// waits is not restarted, whatever was about to be done.
///
/// # The ladder
///
/// What has ended is started again, after a backoff with full jitter. What is stuck is stopped gracefully; if it has not ended in time
/// it is aborted; if it does not end then, or does not get on as its next incarnation, the work plane is built anew; if that does
/// not help, the process ends. What has shown nothing for the emergency threshold is aborted at once. A part that is not critical
/// costs no plane unless it keeps one of its threads, and no process. All these steps are one recovery, and cost one restart of the
/// budget. Progress ends it.
///
/// # Budgets
///
/// A part may be restarted so often in a sliding window, all parts together so often in an hour, the plane built anew twice
/// in an hour, and the process ended three times, the second time one minute after the first at the earliest, and the third time five
/// minutes after that. What a critical part that is stuck may not do any more is done to the plane, then to the process. Until the
/// process may be ended again, a part for which nothing else is left waits: what is stuck is looked at again then, and what has ended
/// is started again after each backoff, which costs nothing. If it gets on meanwhile the process is not ended. With any other part, when
/// the process was ended three times, and while another part says that what this one depends on is away, so that the next process
/// would wait for that, nothing more is done: it is escalated. After five minutes it is tried once more, if the
/// budget allows it, and then each time after twice as long, at most an hour, until it has run for two minutes with progress. By hand
/// a part can be restarted whatever was spent. With a budget of none nothing is done but by hand.
///
/// # One root, one restart
///
/// - Parts that one task runs and that are all stuck are restarted with that task, and so is one that an abort has not helped. The
///   restart of the task goes up the ladder until what it was restarted for gets on; nothing else is done to what it runs meanwhile.
/// - If three parts that depend on the same thing fail within a minute, or half of them, that thing is taken to be away: one of them
///   goes on and is the probe, the others are held back. When the probe gets on the others are started again, spread over time. When
///   its budget is spent it waits, for as long as the emergency threshold. When it is escalated, another one probes.
/// - Building the plane anew ends every recovery of the parts on it.
///
/// # Time
///
/// After a pause of the process each part has its time anew, once until it gets on again; of later pauses only what they lasted. Nothing
/// is restarted because of one.
#[derive(Clone, Debug)]
pub struct Machine {
    config: RecoveryConfig,
    epoch: Epoch,
    /// The number of the next entry.
    next: u64,
    accounts: Accounts,
    parts: Vec<Part>,
    /// What parts are held back for, and who finds out whether it is back.
    probes: BTreeMap<&'static str, Probe>,
    /// Why something that parts depend on gives no answers, where it is known better than that it is away.
    known: BTreeMap<&'static str, String>,
    /// The process should be replaced, and is not.
    escalated: Option<Escalation>,
    /// What the process before was ended for, and has not got on yet.
    unproven: Option<Unproven>,
    memory: Option<(Moment, String)>,
    memory_patience: Duration,
    ends_apart: [Duration; 2],
    /// Whether nothing is decided any more: the process ends.
    is_over: bool,
    /// Whether the ledger says that the process stopped in order.
    is_closed: bool,
    effects: VecDeque<Effect>,
}

impl Machine {
    /// The part got on, or looked and found nothing to do.
    pub fn handle_progress(&mut self, id: PartId, incarnation: Incarnation, at: Moment, now: Now) {
        let Some(part) = self.alive(id, incarnation) else { return };
        if at < part.started || part.progress.is_some_and(|known| at <= known) {
            return;
        }
        part.got_on(at, now.moment);
        if part.state == State::Stopping {
            return;
        }
        let proves = part.repair.as_ref().is_none_or(|repair| repair.proved_by.contains(&id));
        if proves || part.state != State::Escalated {
            part.go(Move::Progress);
        }
        let outer = part.spec.within;
        for of in std::iter::once(id).chain(outer) {
            self.end_if_proved(of, id, now);
        }
        self.prove_the_end(id, now);
    }

    /// The part tried, or did not because it knew better: what it depends on has been away `since` then.
    pub fn handle_waiting(
        &mut self,
        id: PartId,
        incarnation: Incarnation,
        on: &'static str,
        since: Moment,
        at: Moment,
    ) {
        let Some(part) = self.alive(id, incarnation) else { return };
        part.silent_since = part.silent_since.max(at);
        let known = part.waits.as_ref().filter(|known| known.on == on);
        let since = known.map_or(since, |known| known.since.min(since));
        // Told of another thing, of which it found out earlier, it is no more silent than it was.
        let said_at = part.waits.as_ref().map_or(at, |known| known.said_at.max(at));
        part.waits = Some(Waits { on, since, said_at });
    }

    /// Why something that parts depend on gives no answers is known from now on, as a clause for a person; or is not known any more.
    pub fn handle_reason(&mut self, on: &'static str, why: Option<String>) {
        match why {
            Some(why) => drop(self.known.insert(on, why)),
            None => drop(self.known.remove(on)),
        }
    }

    /// The part ended: as it was told to, or by itself.
    pub fn handle_ended(&mut self, id: PartId, incarnation: Incarnation, end: &TaskEnd, now: Now) {
        let Some(part) = self.alive(id, incarnation) else { return };
        part.is_alive = false;
        let was = part.state;
        part.go(Move::End);
        let outer = part.spec.within;
        if self.is_over || outer.is_some_and(|outer| self.is_stopping(outer)) {
            // It is started again with the part that runs it, or not at all.
            return;
        }
        for inner in self.within(id) {
            self.end_within(inner, now);
        }
        if was == State::Stopping {
            return self.start(id, now);
        }
        self.gives_up_on_outer(id, now);
        self.fail(id, &format!("it ended by itself: {}", how(end)), now);
    }

    /// Something on the work plane was aborted and has not ended: it keeps a thread.
    pub fn handle_stuck_thread(&mut self, cause: &str, now: Now) {
        let canary = self.ids().find(|id| self.parts[id.0].spec.is_canary);
        let Some(canary) = canary.filter(|_| !self.is_over) else { return };
        let part = &mut self.parts[canary.0];
        if !part.is_alive || part.repair.is_some() {
            return;
        }
        part.go(Move::Stall);
        self.fail(canary, cause, now);
        let is_put_off = self.parts[canary.0].is_put_off();
        if is_put_off || self.parts[canary.0].state == State::Escalated {
            // The plane beats with a thread less: that it does proves nothing.
            self.prove_by(canary, Vec::new());
        }
    }

    /// The process uses so much of its memory that it should not go on for long, for this reason; or no more.
    pub fn handle_memory(&mut self, short: Option<&str>, now: Now) {
        match (short, &mut self.memory) {
            (None, memory) => *memory = None,
            (Some(cause), Some((_, known))) => cause.clone_into(known),
            (Some(cause), memory @ None) => *memory = Some((now.moment, cause.to_owned())),
        }
    }

    /// The process was paused for this long until now: nothing that is late because of it is late.
    pub fn handle_pause(&mut self, lasted: Duration, now: Now) {
        let drained_within = self.config.settings().graceful_shutdown_timeout;
        for part in &mut self.parts {
            part.was_paused(lasted, now.moment);
            match part.repair.as_mut().map(|repair| &mut repair.phase) {
                Some(Phase::Draining(until)) => *until = (*until + lasted).min(now.moment + drained_within),
                Some(Phase::Aborting(until)) => *until = (*until + lasted).min(now.moment + ABORTED_WITHIN),
                _ => {}
            }
        }
        if let Some((since, _)) = &mut self.memory {
            *since = (*since + lasted).min(now.moment);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        for id in self.ids() {
            if self.is_over {
                return;
            }
            self.look_at(id, now);
        }
        self.look_at_process(now);
    }

    /// A person wants the part restarted: at once, and whatever was spent. If the part that runs it does not run, that one is started.
    ///
    /// # Errors
    /// When it is being restarted, or the process ends.
    pub fn restart(&mut self, id: PartId, now: Now) -> Result<EntryKey, RestartRefused> {
        if self.is_over {
            return Err(RestartRefused::NotRunning("stopping"));
        }
        let outer = self.parts[id.0].spec.within;
        let runs = |outer: PartId| self.parts[outer.0].is_alive && !self.is_stopping(outer);
        let id = outer.filter(|outer| !runs(*outer)).unwrap_or(id);
        let part = &mut self.parts[id.0];
        let name = part.spec.name;
        if part.state == State::Stopping {
            return Err(RestartRefused::UnderWay(name.to_owned()));
        }
        (part.failures, part.given_up) = (0, 0);
        let has_begun = part.repair.as_ref().is_some_and(|repair| repair.rung.is_some());
        let was_given_up = self.is_given_up(id);
        self.close(id, if has_begun { Outcome::Replaced } else { Outcome::Withdrawn }, now);
        let key = self.begin(id, name, "a person ordered it", By::Operator, now);
        self.go_on_given_up(id, was_given_up);
        self.climb(id, now);
        Ok(key)
    }

    /// The process stops in order: nothing is decided any more.
    pub fn close_all(&mut self, now: Now) {
        if self.is_closed {
            return;
        }
        for id in self.ids() {
            let ends = self.parts[id.0].repair.as_ref().is_some_and(|repair| repair.phase == Phase::Ending);
            if !ends {
                self.close(id, Outcome::Interrupted, now);
            }
        }
        self.settle_the_end(Outcome::Interrupted, now);
        (self.is_over, self.is_closed) = (true, true);
        self.next_entry(None, Entry::PROCESS, Fact::Closed, now);
    }

    /// Changes the settings; what was spent stays spent.
    pub fn reconfigure(&mut self, config: RecoveryConfig) {
        self.config = config;
    }

    /// Changes how long a part may go without a sign of life.
    pub fn set_patience(&mut self, id: PartId, patience: Duration) {
        self.parts[id.0].spec.patience = patience;
    }

    /// Changes how long memory may be short before the process is ended for it.
    pub fn set_memory_patience(&mut self, patience: Duration) {
        self.memory_patience = patience;
    }

    /// Changes how long after one end of the process the next one comes.
    pub fn set_ends_apart(&mut self, apart: Duration) {
        self.ends_apart = [apart; 2];
    }

    /// The next effect; call until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Until when the process counts as alive, unless something gets on before: every critical part is inside its patience, or
    /// something is being done about it.
    pub fn alive_until(&self, grace: Duration) -> Moment {
        let is_overdue = |id: &PartId| {
            let part = &self.parts[id.0];
            part.spec.critical && part.repair.is_none() && !self.is_covered(*id)
        };
        let overdue = self.ids().filter(is_overdue).map(|id| self.parts[id.0].stuck_at() + grace);
        overdue.min().unwrap_or(Moment::MAX)
    }

    /// The part with this name.
    pub fn find(&self, name: &str) -> Option<PartId> {
        self.ids().find(|id| self.parts[id.0].spec.name == name)
    }

    /// The incarnation of a part.
    pub fn incarnation(&self, id: PartId) -> Incarnation {
        self.parts[id.0].incarnation
    }

    fn ids(&self) -> impl Iterator<Item = PartId> + use<> {
        (0..self.parts.len()).map(PartId)
    }

    /// The part, if it is this incarnation of it that runs: what an older one did counts no more.
    fn alive(&mut self, id: PartId, incarnation: Incarnation) -> Option<&mut Part> {
        let part = self.parts.get_mut(id.0)?;
        (part.is_alive && part.incarnation == incarnation).then_some(part)
    }

    /// Progress of a part ends the recovery that waits for it.
    fn end_if_proved(&mut self, id: PartId, by: PartId, now: Now) {
        let part = &mut self.parts[id.0];
        let Some(repair) = part.repair.as_ref().filter(|repair| repair.proved_by.contains(&by)) else {
            return;
        };
        let outcome = match repair.phase {
            Phase::Draining(_) | Phase::Aborting(_) | Phase::Ending => return,
            // It was aborted, and does not end.
            Phase::PutOff(_) if part.state == State::Stopping => return,
            Phase::PutOff(_) if repair.rung.is_some() => Outcome::Recovered,
            Phase::Watching => Outcome::Recovered,
            Phase::BackingOff(_)
            | Phase::PutOff(_)
            | Phase::Withheld
            | Phase::HeldBack { .. }
            | Phase::Resuming(_)
            | Phase::Escalated { .. } => Outcome::Withdrawn,
        };
        part.failed_at = None;
        part.go(Move::Progress);
        self.proved(id, now);
        self.close(id, outcome, now);
    }
}

fn how(end: &TaskEnd) -> String {
    match end {
        TaskEnd::Finished => "it returned".to_owned(),
        TaskEnd::Aborted => "it was aborted".to_owned(),
        TaskEnd::Panicked(message) => format!("it panicked: {message}"),
    }
}
