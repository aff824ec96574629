//! Recovery as specified, as a judge: it keeps what was spent as plain lists and the ladder as a table, and says of each effect
//! whether it may be. Written independently of the machine, slow, and of no use but to find it wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ttm_kernel::{Incarnation, Moment};

use crate::{By, EntryKey, Machine, Outcome, PartId, PartSpec, RecoveryConfig, Step};

use judge::require;

mod judge;
mod ladder;

const HOUR: Duration = Duration::from_hours(1);
const REBUILDS: usize = 2;
const ENDS: usize = 3;
const RUNS_WELL: Duration = Duration::from_mins(2);
/// The second end of a process in an hour comes so long after the first one, and the third one so long after that.
const APART: [Duration; ENDS - 1] = [Duration::from_mins(1), Duration::from_mins(5)];
/// An escalated part is tried again after an hour, and what several parts depend on is not taken to be away for longer.
const LONGEST: Duration = Duration::from_hours(2);

/// The judge.
#[derive(Clone, Debug)]
pub struct Model {
    specs: Vec<PartSpec>,
    config: RecoveryConfig,
    /// Since the first process booted.
    at: Duration,
    parts: Vec<Known>,
    /// What was charged, rebuilt and ended, and when.
    charges: Vec<(Duration, String)>,
    rebuilds: Vec<Duration>,
    ends: Vec<Duration>,
    lines: BTreeMap<EntryKey, Line>,
    /// Those that have not ended.
    open: BTreeSet<EntryKey>,
    /// Those of processes before that this one does not know of, since it cannot read the ledger yet.
    unread: Option<BTreeMap<EntryKey, Line>>,
    last: Option<EntryKey>,
    /// The step that was recorded last, and no effect has followed.
    announced: Option<(String, Step)>,
    has_booted: bool,
    is_closed: bool,
    /// When nothing was done but by hand for the last time.
    off_until: Duration,
}

/// What the judge saw of a part.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what was seen, one by one")]
struct Known {
    incarnation: Incarnation,
    runs: bool,
    /// Whether it was told to stop.
    told: bool,
    sign: Moment,
    was_granted: bool,
    /// What it waits for, if its last sign was that it does.
    waits: Option<&'static str>,
    progress: Option<Moment>,
    /// Since when it has got on without a failure.
    well_since: Option<Moment>,
    /// Whether it was escalated, and has not run well since.
    given_up: bool,
}

/// A line of the ledger: a recovery, or a withholding.
#[derive(Clone, Debug)]
struct Line {
    subject: String,
    by: By,
    is_withheld: bool,
    steps: Vec<(Step, bool)>,
    began: Duration,
    /// Whether its subject ran when it began.
    ran: bool,
    /// When it began, or the last pause ended.
    since: Duration,
    ended: Option<(Outcome, Duration)>,
    /// Whether its subject had just got on when it ended.
    got_on: bool,
}

impl Line {
    fn rung(&self) -> Option<Step> {
        self.steps.last().map(|(step, _)| *step)
    }
}

impl Model {
    /// Judges the machine of these parts, which have just been started.
    pub fn new(specs: Vec<PartSpec>, config: RecoveryConfig) -> Self {
        let mut model = Self {
            parts: Vec::new(),
            specs,
            config,
            at: Duration::ZERO,
            charges: Vec::new(),
            rebuilds: Vec::new(),
            ends: Vec::new(),
            lines: BTreeMap::new(),
            open: BTreeSet::new(),
            unread: None,
            last: None,
            announced: None,
            has_booted: false,
            is_closed: false,
            off_until: Duration::ZERO,
        };
        model.booted(false, Moment::ZERO);
        model
    }

    /// Another process has started all parts. Unless it can read the ledger, nothing is under way for it, and all is spent.
    pub fn booted(&mut self, is_unread: bool, now: Moment) {
        self.recalled();
        if is_unread {
            let is_open = |_: &EntryKey, line: &mut Line| line.ended.is_none();
            self.unread = Some(self.lines.extract_if(.., is_open).collect());
            self.open.clear();
        }
        let known = Known {
            incarnation: Incarnation::FIRST,
            runs: true,
            told: false,
            sign: now,
            was_granted: false,
            waits: None,
            progress: None,
            well_since: None,
            given_up: false,
        };
        self.parts = vec![known; self.specs.len()];
        (self.has_booted, self.is_closed, self.announced) = (false, false, None);
    }

    /// The process can read the ledger from now on.
    pub fn recalled(&mut self) {
        for (key, line) in self.unread.take().into_iter().flatten() {
            self.lines.insert(key, line);
            self.open.insert(key);
        }
    }

    /// A part got on.
    pub fn progress(&mut self, part: PartId, now: Moment) {
        let known = &mut self.parts[part.0];
        (known.sign, known.was_granted, known.waits) = (now, false, None);
        known.progress = Some(now);
        if now - *known.well_since.get_or_insert(now) >= RUNS_WELL {
            known.given_up = false;
        }
    }

    /// A part said that it waits for something.
    pub fn waits(&mut self, part: PartId, on: &'static str, now: Moment) {
        (self.parts[part.0].sign, self.parts[part.0].waits) = (now, Some(on));
    }

    /// A part has ended.
    pub fn ended(&mut self, part: PartId) {
        self.parts[part.0].runs = false;
    }

    /// The process was paused.
    pub fn paused(&mut self, lasted: Duration, now: Moment) {
        for known in &mut self.parts {
            known.sign = if known.was_granted { (known.sign + lasted).min(now) } else { now };
            known.was_granted = true;
        }
        self.at += lasted;
        for line in self.lines.values_mut().filter(|line| line.ended.is_none()) {
            line.since = self.at;
        }
    }

    /// The settings have changed.
    pub fn reconfigured(&mut self, config: RecoveryConfig) {
        if self.is_off() {
            self.off_until = self.at;
        }
        self.config = config;
    }

    /// Looks whether something was forgotten.
    pub fn passes(&mut self, machine: &Machine, at: Duration, now: Moment) -> Result<(), String> {
        self.at = at;
        let until = machine.alive_until(Duration::from_secs(5));
        require(until >= now, "every critical part is in time, or something is done about it")?;
        let is_well = |id: PartId| self.parts[id.0].runs && !self.is_late(id, now);
        let has_nothing_to_do = self.open.is_empty() && self.ids().all(is_well);
        if self.is_closed || self.announced.is_some() || has_nothing_to_do {
            return Ok(());
        }
        for id in self.ids() {
            let name = self.specs[id.0].name;
            let is_done_for = self.specs[id.0].within.is_some_and(|outer| self.is_looked_after(outer));
            let is_known = is_well(id) || self.is_looked_after(id) || is_done_for;
            require(is_known, &format!("something is done about {name}"))?;
            let is_in_time = is_done_for || self.is_in_time(id, now);
            require(is_in_time, &format!("what is done about {name} ends"))?;
        }
        Ok(())
    }

    /// Whether what is done about a part does not take longer than all its steps can.
    fn is_in_time(&self, id: PartId, now: Moment) -> bool {
        let waits = |id: PartId| self.parts[id.0].waits.is_some() && !self.is_late(id, now);
        let Some(line) = self.lines_of(id).find(|line| line.ended.is_none()) else { return true };
        let is_excused = waits(id)
            || self.within(id).any(waits)
            || (line.is_withheld && self.say_that_it_is_away(id).any(waits));
        let bound = if line.is_withheld { LONGEST } else { self.bound(id) };
        is_excused || self.at.saturating_sub(line.since) <= bound
    }

    /// How long a recovery can take: each step with all its time, and a backoff before.
    fn bound(&self, id: PartId) -> Duration {
        let patience = self.within(id).chain([id]).map(|id| self.specs[id.0].patience).max();
        let steps = patience.unwrap_or_default() * 5;
        Duration::from_mins(12)
            + APART[1]
            + self.config.settings().graceful_shutdown_timeout.max(Duration::from_mins(1))
            + steps
    }

    /// Whether something is being done about a part, or nothing for an hour at most.
    fn is_looked_after(&self, id: PartId) -> bool {
        let known = &self.parts[id.0];
        let escalated = |line: &Line| {
            let within = HOUR + Duration::from_secs(2);
            let at = line.ended.filter(|(outcome, _)| *outcome == Outcome::Escalated).map(|(_, at)| at);
            at.is_some_and(|at| {
                let since = at.max(self.off_until);
                known.waits.is_some() || self.is_off() || self.at.saturating_sub(since) <= within
            })
        };
        self.lines_of(id).any(|line| line.ended.is_none()) || self.lines_of(id).last().is_some_and(escalated)
    }

    fn ids(&self) -> impl Iterator<Item = PartId> + use<> {
        (0..self.specs.len()).map(PartId)
    }

    fn within(&self, outer: PartId) -> impl Iterator<Item = PartId> {
        self.ids().filter(move |id| self.specs[id.0].within == Some(outer))
    }

    fn find(&self, subject: &str) -> Option<PartId> {
        let is_it =
            |spec: &PartSpec| spec.name == subject || (spec.is_canary && subject == crate::Entry::WORK_PLANE);
        self.specs.iter().position(is_it).map(PartId)
    }

    fn lines_of(&self, id: PartId) -> impl Iterator<Item = &Line> {
        self.lines.values().filter(move |line| self.find(&line.subject) == Some(id))
    }

    fn is_late(&self, id: PartId, now: Moment) -> bool {
        let known = &self.parts[id.0];
        known.runs && now >= known.sign + self.specs[id.0].patience
    }

    /// How many of these lie within a window that ends now.
    fn recent<'a>(&self, times: impl Iterator<Item = &'a Duration>, window: Duration) -> usize {
        times.filter(|time| self.at < **time + window).count()
    }

    fn may_restart(&self, subject: &str) -> bool {
        let settings = self.config.settings();
        let own = self.charges.iter().filter(|(_, of)| of == subject).map(|(at, _)| at);
        let all = self.charges.iter().map(|(at, _)| at);
        self.unread.is_none()
            && self.recent(own, settings.restart_cooldown) < settings.max_restart_attempts as usize
            && self.recent(all, HOUR) < settings.max_restarts_per_hour as usize
    }

    fn is_off(&self) -> bool {
        self.config.settings().max_restart_attempts == 0
    }

    fn may_rebuild(&self) -> bool {
        !self.is_off() && self.unread.is_none() && self.recent(self.rebuilds.iter(), HOUR) < REBUILDS
    }

    /// Whether the process may be ended, now or later.
    fn has_ends_left(&self) -> bool {
        !self.is_off() && self.unread.is_none() && self.recent(self.ends.iter(), HOUR) < ENDS
    }

    fn may_end(&self) -> bool {
        let ends = self.recent(self.ends.iter(), HOUR);
        let apart = ends.checked_sub(1).and_then(|at| APART.get(at)).copied().unwrap_or_default();
        self.has_ends_left() && self.ends.last().is_none_or(|last| *last + apart <= self.at)
    }

    /// Whether nothing but the end of the process is left for what has ended, and that one is waited for.
    fn waits_for_the_end(&self, id: PartId) -> bool {
        self.specs[id.0].critical && self.has_ends_left() && !self.may_end()
    }

    /// The parts that say that what this one depends on is away.
    fn say_that_it_is_away(&self, id: PartId) -> impl Iterator<Item = PartId> {
        let needed = self.specs[id.0].depends_on;
        let says_so = move |other: &PartId| self.parts[other.0].waits.is_some_and(|on| needed.contains(&on));
        self.ids().filter(move |other| self.parts[other.0].runs).filter(says_so)
    }
}
