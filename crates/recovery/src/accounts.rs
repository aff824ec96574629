//! What was spent of the budgets, by every entry of the ledger, those of earlier processes too: the one function that a
//! running machine and a replay go through alike.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment};

use crate::{Budget, Budgets, By, Entry, EntryKey, Fact, Outcome, RecoveryConfig, RecoverySettings, Step};

/// The window of all budgets but that of a part.
pub(crate) const HOUR: Duration = Duration::from_hours(1);
/// The longest window that a part's own budget can have: what is older counts nowhere.
pub(crate) const KEPT: Duration = Duration::from_hours(24);
/// Planes that may be left behind in an hour: each keeps its stuck threads for as long as the process lives.
pub(crate) const REBUILDS_PER_HOUR: u32 = 2;
/// Processes that may be ended in an hour. One more and a person is called, and the process stays.
pub(crate) const ENDS_PER_HOUR: u32 = 3;

/// Whether the process may be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayEnd {
    Now,
    /// It was ended a short while ago: what made it fail may pass by itself.
    From(Moment),
    /// It was ended too often, or is ended by hand alone.
    No,
}

/// What makes no sense in a ledger. Two processes that wrote at once, or a ledger that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEntry {
    /// Its key is not after the key of the entry before.
    #[error("entry {0} comes after a later one")]
    OutOfOrder(EntryKey),
    /// A process that has closed, or has not booted, cannot have made it.
    #[error("entry {0} was made by a process that was not running")]
    NotRunning(EntryKey),
    /// It belongs to a recovery that is over, or never began.
    #[error("entry {0} belongs to recovery {1}, which is not under way")]
    NotUnderWay(EntryKey, EntryKey),
    /// A ladder only goes up.
    #[error("entry {0} takes a step down the ladder")]
    StepDown(EntryKey),
}

/// A recovery, or a withholding, that is under way by the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) subject: String,
    pub(crate) by: By,
    pub(crate) began: Timestamp,
    pub(crate) last_step: Option<Step>,
    pub(crate) is_withheld: bool,
}

/// The accounts of one ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// The first entry: what was before it is not kept any more.
    first: Option<EntryKey>,
    last: Option<EntryKey>,
    /// The process that runs by the ledger.
    running: Option<Epoch>,
    /// The process that ended itself last.
    ended: Option<Epoch>,
    /// Processes that died, which no later one has told of, oldest first.
    untold: Vec<Epoch>,
    open: BTreeMap<EntryKey, Open>,
    restarts: Vec<Charge>,
    rebuilds: Vec<Charge>,
    ends: Vec<Charge>,
    /// Processes that died, whether that was charged or not.
    deaths: Vec<Charge>,
    /// Everything counts as spent before: the ledger could not be read.
    spent_until: Moment,
}

/// Something that was spent.
#[derive(Clone, Debug)]
struct Charge {
    subject: String,
    /// When it counts no more. Kept instead of the time of the step, which may be before the clock's origin.
    until: Moment,
}

impl Accounts {
    /// Accounts of a ledger that could not be read: until then everything is spent.
    pub(crate) fn spent(until: Moment) -> Self {
        Self { spent_until: until, ..Self::default() }
    }

    /// It is not known what else was spent: everything, for an hour.
    pub(crate) fn lose(&mut self, now: Moment) {
        self.spent_until = self.spent_until.max(now + HOUR);
    }

    /// Until when everything counts as spent.
    pub(crate) const fn spent_until(&self) -> Moment {
        self.spent_until
    }

    /// Takes the past into account that could not be read until now.
    pub(crate) fn recall(&mut self, past: Self) {
        self.untold = past.deaths();
        let Self { first, open, restarts, rebuilds, ends, deaths, spent_until, .. } = past;
        self.first = first.or(self.first);
        self.open.extend(open);
        self.restarts.extend(restarts);
        self.rebuilds.extend(rebuilds);
        self.ends.extend(ends);
        self.deaths.extend(deaths);
        self.spent_until = spent_until;
    }

    /// Takes the next entry into account, which was made `age` ago.
    pub(crate) fn apply(&mut self, entry: &Entry, age: Duration, now: Moment) -> Result<(), IllegalEntry> {
        let Entry { key, recovery, at, subject, fact } = entry;
        if self.last.is_some_and(|last| *key <= last) {
            return Err(IllegalEntry::OutOfOrder(*key));
        }
        if self.last.is_some() && self.running != Some(key.epoch) && *fact != Fact::Booted {
            return Err(IllegalEntry::NotRunning(*key));
        }
        let open =
            |by| Open { subject: subject.clone(), by, began: *at, last_step: None, is_withheld: false };
        let first = *self.first.get_or_insert(*key);
        if *recovery < first {
            self.open.entry(*recovery).or_insert_with(|| open(By::Service));
        }
        match fact {
            Fact::Booted => self.untold.extend(self.died()),
            Fact::Closed => {}
            Fact::Spent => self.spent_until = self.spent_until.max((now + HOUR).saturating_sub(age)),
            Fact::Began { by, .. } => {
                self.open.insert(*key, open(*by));
            }
            Fact::Withheld { .. } => {
                self.open.insert(*key, Open { is_withheld: true, ..open(By::Service) });
            }
            Fact::Step { step, charged } => {
                let open = self.open.get_mut(recovery).ok_or(IllegalEntry::NotUnderWay(*key, *recovery))?;
                if open.is_withheld || open.last_step.is_some_and(|last| *step <= last) {
                    return Err(IllegalEntry::StepDown(*key));
                }
                open.last_step = Some(*step);
                let until = (now + KEPT).saturating_sub(age);
                let charge = || Charge { subject: subject.clone(), until };
                if *step == Step::Start && subject == Entry::PROCESS {
                    self.deaths.push(charge());
                    if !self.untold.is_empty() {
                        self.untold.remove(0);
                    }
                }
                match step {
                    Step::Start | Step::Graceful | Step::Emergency => {}
                    Step::RebuildPlane => self.rebuilds.push(charge()),
                    Step::EndProcess => {
                        self.ends.push(charge());
                        self.ended = Some(key.epoch);
                    }
                }
                if *charged {
                    self.restarts.push(charge());
                }
            }
            Fact::Ended { .. } => {
                self.open.remove(recovery).ok_or(IllegalEntry::NotUnderWay(*key, *recovery))?;
            }
        }
        self.last = Some(*key);
        self.running = Some(key.epoch).filter(|_| *fact != Fact::Closed);
        self.forget(now);
        Ok(())
    }

    fn forget(&mut self, now: Moment) {
        for charges in [&mut self.restarts, &mut self.rebuilds, &mut self.ends, &mut self.deaths] {
            charges.retain(|charge| charge.until > now);
        }
    }

    /// The processes that died and were not told of.
    pub(crate) fn deaths(&self) -> Vec<Epoch> {
        self.untold.iter().copied().chain(self.died()).collect()
    }

    /// The process that booted and has neither closed nor ended itself: it died.
    fn died(&self) -> Option<Epoch> {
        self.running.filter(|epoch| self.ended != Some(*epoch))
    }

    /// Recoveries that are under way.
    pub(crate) fn open(&self) -> impl Iterator<Item = (EntryKey, &Open)> {
        self.open.iter().map(|(key, open)| (*key, open))
    }

    /// Whether `subject` may be restarted now.
    pub(crate) fn may_restart(&self, subject: &str, config: &RecoveryConfig, now: Moment) -> bool {
        let RecoverySettings { max_restart_attempts, restart_cooldown, max_restarts_per_hour, .. } =
            *config.settings();
        let own = self.restarts.iter().filter(|charge| charge.subject == subject);
        self.is_left(own, restart_cooldown, max_restart_attempts, now)
            && self.is_left(&self.restarts, HOUR, max_restarts_per_hour, now)
    }

    /// Whether a plane may be left behind.
    pub(crate) fn may_rebuild(&self, config: &RecoveryConfig, now: Moment) -> bool {
        !is_off(config) && self.is_left(&self.rebuilds, HOUR, REBUILDS_PER_HOUR, now)
    }

    /// Whether the process may be ended: the second time in an hour, and the third one, so long after the one before.
    pub(crate) fn may_end(&self, config: &RecoveryConfig, apart: [Duration; 2], now: Moment) -> MayEnd {
        if is_off(config) || !self.is_left(&self.ends, HOUR, ENDS_PER_HOUR, now) {
            return MayEnd::No;
        }
        let is_left = |most| self.is_left(&self.ends, HOUR, most, now);
        // Not the last one of the ledger: the wall clock may have been set back since.
        let youngest = self.ends.iter().map(|charge| charge.until).max();
        let Some(until) = youngest.filter(|_| !is_left(1)) else { return MayEnd::Now };
        let apart = if is_left(2) { apart[0] } else { apart[1] };
        let from = until.saturating_sub(KEPT.saturating_sub(apart));
        if from <= now { MayEnd::Now } else { MayEnd::From(from) }
    }

    /// Whether fewer than `most` of these charges lie within a window that ends now.
    fn is_left<'a>(
        &self,
        charges: impl IntoIterator<Item = &'a Charge>,
        window: Duration,
        most: u32,
        now: Moment,
    ) -> bool {
        self.spent_until <= now && left(most, &counting(charges, window, now)) > 0
    }

    /// What is left of all budgets.
    pub(crate) fn budgets<'a>(
        &self,
        parts: impl Iterator<Item = &'a str>,
        config: &RecoveryConfig,
        now: Moment,
        wall: Timestamp,
    ) -> Budgets {
        let RecoverySettings { max_restart_attempts, restart_cooldown, max_restarts_per_hour, .. } =
            *config.settings();
        let budget = |charges: &mut dyn Iterator<Item = &Charge>, window, most| {
            let most = if is_off(config) { 0 } else { most };
            let counting = counting(charges, window, now);
            // If more was spent than may be, that many must pass first.
            let next = counting.len().saturating_sub(most.max(1) as usize);
            let more = counting.get(next).copied().max(Some(self.spent_until).filter(|until| *until > now));
            // Nobody knows when the past can be read.
            let more = more.filter(|at| *at < Moment::MAX);
            let left = if self.spent_until > now { 0 } else { left(most, &counting) };
            Budget { left, most, window, more_at: more.and_then(|at| wall.checked_add(at - now).ok()) }
        };
        let of = |subject: &str| {
            let mut own = self.restarts.iter().filter(|charge| charge.subject == subject);
            budget(&mut own, restart_cooldown, max_restart_attempts)
        };
        Budgets {
            parts: parts.map(|part| (part.to_owned(), of(part))).collect(),
            work_plane: of(Entry::WORK_PLANE),
            process: of(Entry::PROCESS),
            restarts: budget(&mut self.restarts.iter(), HOUR, max_restarts_per_hour),
            rebuilds: budget(&mut self.rebuilds.iter(), HOUR, REBUILDS_PER_HOUR),
            ends: budget(&mut self.ends.iter(), HOUR, ENDS_PER_HOUR),
            unordered_ends: counted(counting(self.deaths.iter().chain(&self.ends), HOUR, now).len()),
        }
    }
}

/// When each of these charges that count in a window which ends now counts no more, the next one first.
fn counting<'a>(charges: impl IntoIterator<Item = &'a Charge>, window: Duration, now: Moment) -> Vec<Moment> {
    // A charge leaves a shorter window that much earlier.
    let earlier = KEPT.saturating_sub(window);
    let ends = charges.into_iter().map(|charge| charge.until.saturating_sub(earlier));
    let mut ends: Vec<Moment> = ends.filter(|until| *until > now).collect();
    ends.sort_unstable();
    ends
}

fn left(most: u32, spent: &[Moment]) -> u32 {
    most.saturating_sub(counted(spent.len()))
}

fn counted(charges: usize) -> u32 {
    u32::try_from(charges).unwrap_or(u32::MAX)
}

/// Whether nothing is done but by hand.
pub(crate) fn is_off(config: &RecoveryConfig) -> bool {
    config.settings().max_restart_attempts == 0
}

/// How an open recovery of a process that is no more ended.
pub(crate) const fn ended_with_its_process(open: &Open) -> Option<Outcome> {
    match open.last_step {
        // Whether that helped shows when the new process gets on.
        Some(Step::EndProcess) => None,
        _ => Some(Outcome::Interrupted),
    }
}
