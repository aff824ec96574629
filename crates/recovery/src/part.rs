//! A supervised part: what the table says of it, what it was seen doing, and what is being done about it.

use std::time::Duration;

use ttm_kernel::{Incarnation, Moment};

use crate::{By, EntryKey, Move, State, Step};

/// A part that has run for so long with progress has no failures behind it.
const RUNS_WELL: Duration = Duration::from_mins(2);

/// What the machine needs to know of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSpec {
    /// Its name, which the ledger has too.
    pub name: &'static str,
    /// Whether the service does not do what it is for without it.
    pub critical: bool,
    /// Whether it runs on the work plane, which can be built anew.
    pub on_work_plane: bool,
    /// The part whose task runs this one; that comes before it in the table. It is restarted with it, and instead of it when all
    /// that it runs are stuck.
    pub within: Option<PartId>,
    /// What it cannot do its work without.
    pub depends_on: &'static [&'static str],
    /// It is stuck after so long without a sign of life.
    pub patience: Duration,
    /// How often it has something to do. What was held back together starts again spread over this time.
    pub interval: Duration,
    /// Whether it does nothing but show that the work plane runs: if it is stuck, the plane is.
    pub is_canary: bool,
}

/// A part, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub usize);

/// What is known of a part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) spec: PartSpec,
    pub(crate) state: State,
    pub(crate) incarnation: Incarnation,
    /// Whether its incarnation was started and has not ended.
    pub(crate) is_alive: bool,
    /// When its incarnation was started: what was done before is not its own. Those of a new process have no older ones.
    pub(crate) started: Moment,
    /// Its last progress.
    pub(crate) progress: Option<Moment>,
    /// Its time counts from here: its last progress, its start, or the pause after which it was granted anew.
    pub(crate) counts_from: Moment,
    /// Its last sign of life by any of its incarnations, but for pauses.
    pub(crate) silent_since: Moment,
    /// Whether a pause has granted it its time since.
    pub(crate) was_granted: bool,
    /// What it waited for last, and when it said so.
    pub(crate) waits: Option<Waits>,
    /// Its first progress since it was started.
    pub(crate) gets_on_since: Option<Moment>,
    /// Failures since it last ran for long enough with progress.
    pub(crate) failures: u32,
    /// How often it was given up since then.
    pub(crate) given_up: u32,
    /// When it failed last.
    pub(crate) failed_at: Option<Moment>,
    pub(crate) repair: Option<Repair>,
}

/// A dependency that is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) on: &'static str,
    pub(crate) since: Moment,
    pub(crate) said_at: Moment,
}

/// What is being done about a part.
#[derive(Clone, Debug)]
pub(crate) struct Repair {
    /// The recovery in the ledger.
    pub(crate) key: EntryKey,
    pub(crate) subject: &'static str,
    pub(crate) began: Moment,
    /// How long it had lasted by then, in the processes before.
    pub(crate) before: Duration,
    pub(crate) cause: String,
    pub(crate) by: By,
    /// The last step of the ladder.
    pub(crate) rung: Option<Step>,
    /// Whether its steps are paid for: by itself, or by a recovery with the same root.
    pub(crate) is_paid: bool,
    /// Progress of any of these ends it. If all of them are late after a step, that has not helped.
    pub(crate) proved_by: Vec<PartId>,
    pub(crate) phase: Phase,
    /// Whether the part was given up before, and has not got on since.
    pub(crate) was_given_up: bool,
}

/// Where a recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The next step is taken then.
    BackingOff(Moment),
    /// The part has until then to end by itself.
    Draining(Moment),
    /// It was aborted, and should have ended by then.
    Aborting(Moment),
    /// It was started again: what proves that it helped is waited for.
    Watching,
    /// The part says that it waits for something that is away.
    Withheld,
    /// What several parts depend on is taken to be away, until another part has proved the contrary.
    HeldBack { dependency: &'static str },
    /// It is back, or this part is to find out: the next step is taken then.
    Resuming(Moment),
    /// Only the end of the process is left, which was ended a short while ago: that is waited for until then.
    PutOff(Moment),
    /// The process ends.
    Ending,
    /// Nothing more is done before `again`. The recovery is over in the ledger.
    Escalated { since: Moment, again: Moment },
}

impl Part {
    pub(crate) fn new(spec: PartSpec, now: Moment) -> Self {
        Self {
            spec,
            state: State::Starting,
            incarnation: Incarnation::FIRST,
            is_alive: true,
            started: Moment::ZERO,
            progress: None,
            counts_from: now,
            silent_since: now,
            was_granted: false,
            waits: None,
            gets_on_since: None,
            failures: 0,
            given_up: 0,
            failed_at: None,
            repair: None,
        }
    }

    /// Moves to the next state. A move that it cannot make is none: facts of a part come from several places, and may be late.
    pub(crate) fn go(&mut self, what: Move) {
        if let Ok(next) = self.state.after(what) {
            self.state = next;
        }
    }

    /// The next incarnation begins, with all its time.
    pub(crate) fn start(&mut self, now: Moment) {
        self.incarnation = self.incarnation.next();
        self.is_alive = true;
        (self.started, self.counts_from) = (now, now);
        (self.was_granted, self.waits, self.gets_on_since) = (false, None, None);
        self.go(Move::Start);
    }

    /// It got on.
    pub(crate) fn got_on(&mut self, at: Moment, now: Moment) {
        self.progress = Some(at);
        if at >= self.counts_from {
            (self.counts_from, self.was_granted) = (at, false);
        }
        self.silent_since = self.silent_since.max(at);
        self.waits = None;
        // What it is repaired for may be another part that its task runs.
        if self.repair.is_none() && now - *self.gets_on_since.get_or_insert(now) >= RUNS_WELL {
            (self.failures, self.given_up) = (0, 0);
        }
    }

    /// The process was paused for this long: all its time anew, but only once until it gets on.
    pub(crate) fn was_paused(&mut self, lasted: Duration, now: Moment) {
        let granted = |since: Moment| if self.was_granted { (since + lasted).min(now) } else { now };
        (self.counts_from, self.silent_since) = (granted(self.counts_from), granted(self.silent_since));
        self.was_granted = true;
        if let Some(waits) = &mut self.waits {
            waits.said_at = (waits.said_at + lasted).min(now);
        }
    }

    /// Its last sign of life: progress, or word that it waits for something.
    pub(crate) fn last_sign(&self) -> Moment {
        self.waits.as_ref().map_or(self.counts_from, |waits| waits.said_at.max(self.counts_from))
    }

    /// When it is late, if nothing comes.
    pub(crate) fn stuck_at(&self) -> Moment {
        self.last_sign() + self.spec.patience
    }

    /// Whether it has gone without a sign of life for too long.
    pub(crate) fn is_late(&self, now: Moment) -> bool {
        self.is_alive && now >= self.stuck_at()
    }

    /// Whether it shows signs of life, and none of progress.
    pub(crate) fn waits_at(&self, now: Moment) -> bool {
        self.is_alive
            && self.waits.is_some()
            && now >= self.counts_from + self.spec.patience
            && now < self.stuck_at()
    }

    /// Whether only the end of the process is left for it, and waited for.
    pub(crate) fn is_put_off(&self) -> bool {
        self.repair.as_ref().is_some_and(|repair| matches!(repair.phase, Phase::PutOff(_)))
    }

    /// Whether a recovery of it is under way that has taken a step, or will.
    pub(crate) fn is_failing(&self) -> bool {
        self.repair.as_ref().is_some_and(|repair| {
            !matches!(repair.phase, Phase::Withheld | Phase::Escalated { .. } | Phase::Ending)
        })
    }
}
