//! What is told, to whom and when. Facts go in; messages to store and to send come out, and receipts go in again.
//!
//! Hardly anything is decided by what happened and nearly all by what is: each channel is told what it does not know yet of what is true now.
//! So a channel that was down, a silence that ends, a cause that is gone and a process that was restarted need no rules of their
//! own. A channel has at most one message of a group under way; what has changed by the time that it answers again replaces
//! it.

mod case;
mod commit;
mod few;
mod gate;
mod look;
mod operator;
mod plan;
mod restore;
mod send;
mod steady;
mod thread;
mod told;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{Epoch, Moment};

use crate::engine::Running;
use crate::{
    AlertKey, Engine, InvalidMeasurement, Measurement, NotifyConfig, Now, Quiet, QuietId, RuleSet,
    Transition, Turn,
};
use case::{Case, Subject};
use commit::Unsaved;
use gate::Release;
use plan::Draft;
use send::Answer;
use steady::Steady;
use thread::{Thread, ThreadKey};

pub use commit::Changed;
pub use operator::{NotFiring, TooManyQuiets};

/// How many bits the ids of silences have within an epoch, so that none is given away twice.
const QUIETS_OF_AN_EPOCH: u32 = 20;

/// How often a desk is looked at, if it has nothing else to wait for.
const LOOK: Duration = Duration::from_secs(1);

/// How many transitions of alerts are kept for who records them.
const MOST_TRANSITIONS: usize = 1_000;

/// The engine, and what is told of its alerts.
///
/// Each evaluation goes in as to [`Engine`]: [`begin`](Self::begin), [`handle`](Self::handle), [`end`](Self::end). After that, after
/// whatever else goes in, and when [`poll_timeout`](Self::poll_timeout) says so, call [`handle_timeout`](Self::handle_timeout); then
/// [`poll`](Self::poll) until it returns false, then store what [`poll_commit`](Self::poll_commit) gives, and send what
/// [`poll_send`](Self::poll_send) gives for each of [`poll_channels`](Self::poll_channels); from `poll` on again until none gives
/// anything. None of these costs more when there are more alerts; [`restore`](Self::restore) and [`reconfigure`](Self::reconfigure)
/// do.
#[derive(Debug)]
pub struct Desk {
    engine: Engine,
    config: NotifyConfig,
    clock: Steady,
    started: Moment,
    /// Whether anything may be told: everything has been evaluated once.
    is_open: bool,
    subjects: BTreeMap<AlertKey, Subject>,
    /// What has to be looked at.
    dirty: BTreeSet<AlertKey>,
    /// What has to be looked at later.
    agenda: BTreeSet<(Moment, AlertKey)>,
    /// What something kept from being told when it was looked at.
    hidden: BTreeSet<AlertKey>,
    threads: BTreeMap<ThreadKey, Thread>,
    timers: BTreeSet<(Moment, ThreadKey)>,
    quiets: BTreeMap<QuietId, Quiet>,
    /// The last id that was given away; each epoch has its own.
    newest_quiet: u64,
    /// Those that are on.
    quiet_now: BTreeSet<QuietId>,
    /// Those that are over, and since when.
    over: BTreeMap<QuietId, Moment>,
    /// What was hidden, and is looked at one after the other.
    releases: VecDeque<Release>,
    /// The message that is being made.
    drafting: Option<Draft>,
    /// What channels have answered, and is not taken up yet.
    answers: VecDeque<Answer>,
    /// How far storing all observed time has got.
    checkpoint: Option<Running>,
    unsaved: Unsaved,
    /// Episodes that were given up, since too many of one alert waited to be told.
    given_up: u64,
    /// What has become of alerts, for the record.
    transitions: VecDeque<Transition>,
}

impl Desk {
    /// Nothing is known yet. `epoch` is the one that this process claimed.
    pub fn new(rules: RuleSet, config: NotifyConfig, epoch: Epoch, now: Now) -> Self {
        Self {
            engine: Engine::new(rules, epoch, now.moment),
            config,
            clock: Steady::new(now),
            started: now.moment,
            is_open: false,
            subjects: BTreeMap::new(),
            dirty: BTreeSet::new(),
            agenda: BTreeSet::new(),
            hidden: BTreeSet::new(),
            threads: BTreeMap::new(),
            timers: BTreeSet::new(),
            quiets: BTreeMap::new(),
            newest_quiet: epoch.number() << QUIETS_OF_AN_EPOCH,
            quiet_now: BTreeSet::new(),
            over: BTreeMap::new(),
            releases: VecDeque::new(),
            drafting: None,
            answers: VecDeque::new(),
            checkpoint: None,
            unsaved: Unsaved::default(),
            given_up: 0,
            transitions: VecDeque::new(),
        }
    }

    /// The engine, to read.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Episodes that nobody will be told of, since too many of one alert waited while its channels were down.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// An evaluation of this collector begins.
    pub fn begin(&mut self, collector: &str, now: Moment) {
        self.engine.begin(collector, now);
    }

    /// What was found for one fact.
    ///
    /// # Errors
    /// Those of [`Engine::handle`].
    pub fn handle(&mut self, measurement: &Measurement) -> Result<(), InvalidMeasurement> {
        self.engine.handle(measurement)
    }

    /// The evaluation is complete.
    pub fn end(&mut self, collector: &str) {
        self.engine.end(collector);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.engine.handle_timeout(now.moment, now.wall);
        self.clock.read(now);
        self.unsaved.handle_timeout(now.moment, self.config.settings().commit_patience);
        let waited = now.moment.saturating_since(self.started) >= self.config.settings().start_patience;
        self.is_open |= self.engine.has_evaluated() || waited;
        self.look_at_quiets(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called next, if nothing else happens: within a second, and at once if
    /// [`poll`](Self::poll) has work to do.
    pub fn poll_timeout(&self, now: Now) -> Moment {
        let steady = self.clock.now();
        let is_waiting = !(self.dirty.is_empty() && self.releases.is_empty() && self.drafting.is_none());
        if !self.answers.is_empty() || self.is_open && is_waiting {
            return now.moment;
        }
        let of_desk = self.agenda.first().map(|(at, _)| *at).into_iter();
        let of_threads = self.timers.first().map(|(at, _)| *at);
        let due = of_desk.chain(of_threads).filter(|_| self.is_open);
        // What may be sent already waits for the store.
        let waits = self.threads.values().filter_map(Thread::waits_until).filter(|at| *at > steady);
        let next = due.chain(waits).map(|at| now.moment + at.saturating_since(steady));
        let of_store = self.unsaved.patience_ends(self.config.settings().commit_patience);
        let least = now.moment + LOOK;
        next.chain(of_store.filter(|at| *at > now.moment)).fold(least, Moment::min)
    }

    /// Does up to `limit` pieces of work, and says whether there is more. A piece is one alert, of whatever there is to do.
    pub fn poll(&mut self, limit: usize, now: Now) -> bool {
        self.engine.poll(limit, now.wall) || (0..limit).all(|_| self.work(now))
    }

    /// Does a piece of work. Says whether there was one.
    fn work(&mut self, now: Now) -> bool {
        if let Some(transition) = self.engine.poll_transition() {
            self.handle_transition(transition);
            return true;
        }
        // Before anything is looked at: it says what channels know.
        if self.take_up_answer() {
            return true;
        }
        if self.is_open {
            let next = self.dirty.pop_first().or_else(|| self.next_released());
            if let Some(key) = next.or_else(|| self.next_on_agenda()) {
                self.look(&key);
                return true;
            }
            if self.draft(now) {
                return true;
            }
        }
        self.go_on_with_checkpoint()
    }

    /// What has become of an alert, for the record: that it fires, with another severity, or no more. Those that nobody asks for
    /// are forgotten, the oldest first.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    fn record_transition(&mut self, transition: Transition) {
        if self.transitions.len() >= MOST_TRANSITIONS {
            self.transitions.pop_front();
        }
        self.transitions.push_back(transition);
    }

    fn handle_transition(&mut self, transition: Transition) {
        if matches!(transition.turn, Turn::Fired | Turn::Severity | Turn::Resolved(_)) {
            self.record_transition(transition.clone());
        }
        let Transition { key, turn, episode, severity, value, at } = transition;
        self.unsaved.record(&key);
        let now = self.clock.now();
        let Some(episode) = episode else { return };
        match turn {
            Turn::Fired => {
                let subject = self.subjects.entry(key.clone()).or_default();
                subject.cases.insert(episode.id, Case::new(episode, severity, value));
                self.given_up += subject.collapse();
                self.changed(&key, now);
                self.notice(&key, episode.id);
                // What is hidden by it from now on is not sent, if it waits, and says how severe it is.
                let mut left = plan::MOST_LOOKED;
                self.dirty.extend(self.engine.consequences(&key, &mut left));
            }
            Turn::Severity => {
                if let Some(case) = self.case(&key, episode.id) {
                    case.set_severity(severity);
                    self.notice(&key, episode.id);
                }
            }
            Turn::Resolved(ending) => {
                if let Some(case) = self.case(&key, episode.id) {
                    case.ended = Some((at, ending));
                    case.value = value.or(case.value);
                    self.changed(&key, now);
                }
                self.release_consequences(&key);
            }
            Turn::Relapsed => return self.release_one(key),
            Turn::Pending | Turn::Cancelled | Turn::Recovering => return,
        }
        self.dirty.insert(key);
    }

    /// It begins or ends to fire. What happens while something keeps it from being told counts for nothing: nobody would have heard of it.
    fn changed(&mut self, key: &AlertKey, now: Moment) {
        let newest = self.subjects.get(key).and_then(|subject| subject.cases.values().next_back());
        if newest.is_some_and(|case| self.hides(key, case).is_some()) {
            return;
        }
        let Some(subject) = self.subjects.get_mut(key) else { return };
        if subject.changed(now)
            && let Some(newest) = subject.cases.values_mut().next_back()
        {
            newest.is_notice = true;
            subject.noticed = Some(newest.severity);
        }
    }

    fn notice(&mut self, key: &AlertKey, episode: crate::EpisodeId) {
        let rules = self.engine.rules();
        let Some(base) = rules.find(&key.rule).map(|rule| rules.rule(rule).severity) else { return };
        if let Some(subject) = self.subjects.get_mut(key) {
            subject.notice(episode, base);
        }
    }

    fn case(&mut self, key: &AlertKey, episode: crate::EpisodeId) -> Option<&mut Case> {
        self.subjects.get_mut(key)?.cases.get_mut(&episode)
    }

    /// The next alert whose time to be looked at has come.
    fn next_on_agenda(&mut self) -> Option<AlertKey> {
        let now = self.clock.now();
        self.agenda.first().filter(|(at, _)| *at <= now)?;
        let (_, key) = self.agenda.pop_first()?;
        if let Some(subject) = self.subjects.get_mut(&key) {
            subject.agenda = None;
        }
        Some(key)
    }

    /// The next thread whose time has come, and for which a message is to be made.
    fn next_thread(&mut self) -> Option<ThreadKey> {
        let now = self.clock.now();
        loop {
            let (_, key) = self.timers.first().filter(|(at, _)| *at <= now)?.clone();
            self.timers.pop_first();
            let Some(thread) = self.threads.get_mut(&key) else { continue };
            thread.timer = None;
            if thread.row.is_none() {
                return Some(key);
            }
            match thread.remakes_at() {
                Some(at) if at <= now => return Some(key),
                Some(at) => self.wake(&key, at),
                None => {}
            }
        }
    }

    /// Has a thread looked at no later than this.
    fn wake(&mut self, key: &ThreadKey, at: Moment) {
        let thread = self.threads.entry(key.clone()).or_default();
        if thread.timer.is_none_or(|timer| at < timer) {
            if let Some(timer) = thread.timer.replace(at) {
                self.timers.remove(&(timer, key.clone()));
            }
            self.timers.insert((at, key.clone()));
        }
    }

    /// The group of an alert on a channel.
    fn thread_of(channel: &crate::ChannelId, alert: &AlertKey) -> ThreadKey {
        (Arc::clone(&alert.rule), channel.clone())
    }
}
