//! A stage on which a desk acts: measurements that go on until they are changed, a store, channels that fail, processes one after
//! the other, and a [`Judge`] that sees everything that is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment};

use super::alert_journal::FakeAlertJournal;
use super::example::{labels, rule_set, wall};
use super::judge::Judge;
use crate::memory::Memory;
use crate::{
    AlertJournal as _, AlertKey, ChannelId, Commit, Desk, Journalled, Loaded, Measurement, NotifyConfig, Now,
    Outcome, Quiet, QuietId, Reading, RowKey, RuleSet,
};

/// How a channel or the store behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It does what it is asked.
    #[default]
    Well,
    /// It answers with an error that may pass.
    Down,
    /// It does what it is asked, and its answer is lost.
    Mute,
    /// It refuses for good; a store that does is fenced off.
    Refusing,
    /// It does not answer until it is well again.
    Hanging,
    /// A channel that is known to be down is not even tried; a store is down.
    LeftAlone,
}

/// Something that a channel took.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Since the stage began.
    pub at: Duration,
    /// The channel.
    pub channel: String,
    /// The message's key.
    pub key: RowKey,
    /// Its alerts: what is new of each, which it is, and how severe.
    pub lines: Vec<String>,
    /// What is listed as a consequence.
    pub affected: Vec<String>,
    /// Whether it was sent before the store had it.
    pub is_unsaved: bool,
    /// For how long the channel was down before.
    pub was_down: Option<Duration>,
}

/// The stage.
#[derive(Debug)]
pub struct Stage {
    desk: Desk,
    rules: RuleSet,
    config: NotifyConfig,
    /// Since the stage began, which the monotonic clock goes by.
    now: Duration,
    /// How far the wall clock is off.
    wall_off: i64,
    facts: BTreeMap<(&'static str, String), Reading>,
    memory: Memory,
    /// What was sent from memory, in the file beside the store.
    journal: FakeAlertJournal,
    store: Health,
    hanging: Option<Arc<Commit>>,
    /// A collector that does not evaluate.
    stuck: Option<&'static str>,
    channels: BTreeMap<String, Health>,
    deliveries: Vec<Delivery>,
    read: usize,
    epoch: u64,
    jitter: f64,
    judge: Judge,
}

impl Stage {
    /// The example's rules under these settings, in a process that has just begun.
    pub fn new(config: NotifyConfig) -> Self {
        let rules = rule_set();
        let now = Now { moment: Moment::ZERO, wall: wall(0), jitter: 0.5 };
        Self {
            desk: Desk::new(rules.clone(), config.clone(), Epoch::new(1), now),
            judge: Judge::new(config.clone()),
            rules,
            config,
            now: Duration::ZERO,
            wall_off: 0,
            facts: BTreeMap::new(),
            memory: Memory::default(),
            journal: FakeAlertJournal::new(),
            store: Health::Well,
            hanging: None,
            stuck: None,
            channels: BTreeMap::new(),
            deliveries: Vec::new(),
            read: 0,
            epoch: 1,
            jitter: 0.5,
        }
    }

    /// The time.
    pub fn time(&self) -> Now {
        let at: i64 = self.now.as_secs().try_into().expect("a stage lasts no ages");
        Now { moment: Moment::from_origin(self.now), wall: wall(at + self.wall_off), jitter: self.jitter }
    }

    /// The wall clock.
    pub fn wall(&self) -> Timestamp {
        self.time().wall
    }

    /// The desk.
    pub fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// What the store has.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A fact is measured as this from now on.
    pub fn set(&mut self, series: &'static str, of: &str, reading: Reading) {
        self.facts.insert((series, of.to_owned()), reading);
    }

    /// The same for a value.
    pub fn is(&mut self, series: &'static str, of: &str, value: f64) {
        self.set(series, of, Reading::Value(value));
    }

    /// How a channel behaves from now on.
    pub fn channel(&mut self, name: &str, health: Health) {
        self.channels.insert(name.to_owned(), health);
    }

    /// How the store behaves from now on.
    pub fn store(&mut self, health: Health) {
        self.store = health;
        if health != Health::Hanging
            && let Some(commit) = self.hanging.take()
        {
            self.commit(&commit);
        }
    }

    /// A collector does not evaluate any more.
    pub fn stick(&mut self, collector: &'static str) {
        self.stuck = Some(collector);
    }

    /// The wall clock is set, by so many seconds.
    pub fn set_wall(&mut self, by: i64) {
        self.wall_off += by;
        self.judge.the_wall_was_set();
    }

    /// A silence begins.
    pub fn silence(&mut self, quiet: Quiet) -> QuietId {
        let now = self.time();
        self.judge.silenced(&quiet);
        self.desk.silence(quiet, now).expect("there are not too many")
    }

    /// A silence is ended.
    pub fn end_silence(&mut self, id: QuietId) {
        let now = self.time();
        self.desk.end_silence(id, now);
        self.judge.unsilenced(self.desk.silences().map(|(_, quiet)| quiet));
    }

    /// Somebody acknowledges an alert.
    pub fn acknowledge(&mut self, rule: &str, of: &str) {
        let now = self.time();
        let key = AlertKey::new(rule, labels(of));
        self.desk.acknowledge(&key, None, "ada", now).expect("it fires");
    }

    /// The process is killed, and another one begins after so many seconds.
    pub fn restart(&mut self, after: u64) {
        self.now += Duration::from_secs(after);
        self.epoch += 1;
        self.begin_again();
    }

    /// Another desk begins, in the same process if that was not killed: it could not read the store before.
    pub fn begin_again(&mut self) {
        self.hanging = None;
        let now = self.time();
        self.desk = Desk::new(self.rules.clone(), self.config.clone(), Epoch::new(self.epoch), now);
        let loaded = Loaded { journal: self.journal.sent(), ..self.memory.loaded() };
        self.desk.restore(&loaded, now);
        self.judge.restarted(&self.memory, &loaded.journal, self.now);
        self.judge.passed(now.wall);
    }

    /// Other rules and settings are loaded.
    pub fn reconfigure(&mut self, rules: RuleSet, config: NotifyConfig) {
        let now = self.time();
        (self.rules, self.config) = (rules.clone(), config.clone());
        self.desk.reconfigure(rules, config, now);
    }

    /// The same ones are loaded again.
    pub fn reload(&mut self) {
        self.reconfigure(self.rules.clone(), self.config.clone());
    }

    /// So many seconds pass, one after the other.
    pub fn pass(&mut self, seconds: u64) {
        self.pass_in_steps(seconds, 1);
    }

    /// The same in longer steps, for long times.
    pub fn pass_in_steps(&mut self, seconds: u64, step: u64) {
        for _ in 0..seconds / step {
            let before = self.now.as_secs();
            self.now += Duration::from_secs(step);
            let after = self.now.as_secs();
            let reached = |each: u64| before / each < after / each;
            for (collector, each) in [("fast", 10), ("slow", 20)] {
                if reached(each) && self.stuck != Some(collector) {
                    self.evaluate(collector);
                }
            }
            if reached(60) {
                self.desk.checkpoint();
            }
            self.act();
        }
    }

    /// A collector evaluates, and everything is done that follows.
    pub fn evaluate(&mut self, collector: &'static str) {
        let now = self.time();
        self.desk.begin(collector, now.moment);
        let of = |series: &str| {
            self.rules.catalogue().series.iter().any(|it| it.name == series && it.collector == collector)
        };
        let facts: Vec<_> = self.facts.iter().filter(|((series, _), _)| of(series)).collect();
        for ((series, of), reading) in facts {
            let measurement =
                Measurement { series, labels: labels(of), reading: reading.clone(), at: now.wall };
            self.desk.handle(&measurement).expect("it fits");
        }
        self.desk.end(collector);
        self.facts.retain(|_, reading| *reading != Reading::Gone);
        self.judge.evaluated(collector);
        self.act();
    }

    fn act(&mut self) {
        let now = self.time();
        self.desk.handle_timeout(now);
        self.judge.passed(now.wall);
        // What is sent may be followed by more to store, and that by more to send.
        for round in 0.. {
            assert!(round < 100, "it comes to rest");
            while self.desk.poll(10, now) {}
            let commit = self.desk.poll_commit(now);
            if let Some(commit) = &commit {
                self.commit(commit);
            }
            let mut has_sent = false;
            while self.attempt(now) {
                has_sent = true;
            }
            if commit.is_none() && !has_sent {
                return;
            }
            if self.store != Health::Well && !has_sent {
                return;
            }
        }
    }

    fn commit(&mut self, commit: &Arc<Commit>) {
        match self.store {
            Health::Well => {
                self.memory.apply(commit);
                self.desk.handle_committed();
                if self.desk.is_saved() {
                    self.journal.clear().expect("it works");
                }
            }
            Health::Mute => {
                self.memory.apply(commit);
                self.desk.handle_commit_failed();
            }
            Health::Down | Health::Refusing | Health::LeftAlone => self.desk.handle_commit_failed(),
            Health::Hanging => self.hanging = Some(Arc::clone(commit)),
        }
    }

    fn attempt(&mut self, now: Now) -> bool {
        let health = |channels: &BTreeMap<String, Health>, channel: &ChannelId| {
            channels.get(channel.as_str()).copied().unwrap_or_default()
        };
        let mut next = None;
        for channel in self.desk.poll_channels(now) {
            if health(&self.channels, &channel) == Health::LeftAlone {
                self.desk.put_off(&channel, Some(Duration::from_secs(10)), now);
            } else {
                next = next.or_else(|| self.desk.poll_send(&channel, now));
            }
        }
        let Some(attempt) = next else { return false };
        self.jitter = (self.jitter + 0.618).fract();
        self.judge.attempted(
            &attempt,
            &self.desk,
            now,
            self.now,
            self.memory.rows.contains_key(&attempt.row.key),
        );
        if attempt.is_unsaved {
            let sent = Journalled { row: attempt.row.clone(), outcome: None };
            self.journal.append(&sent).expect("it works");
        }
        let channel = attempt.row.key.channel.as_str().to_owned();
        let health = health(&self.channels, &attempt.row.key.channel);
        if matches!(health, Health::Well | Health::Mute) {
            let line = |item: &crate::Item| format!("{:?} {} {}", item.news, item.key, item.severity);
            let was_down = attempt.was_down.map(|(from, to)| to.duration_since(from).unsigned_abs());
            self.deliveries.push(Delivery {
                at: self.now,
                channel,
                key: attempt.row.key.clone(),
                lines: attempt.row.message.items.iter().map(line).collect(),
                affected: attempt.row.message.affected.iter().map(ToString::to_string).collect(),
                is_unsaved: attempt.is_unsaved,
                was_down,
            });
        }
        let outcome = match health {
            Health::Well => Outcome::Delivered { remote_id: Some(attempt.row.key.to_string().into()) },
            Health::Down => Outcome::Retry { after: None, why: "503".to_owned() },
            Health::Mute => Outcome::Retry { after: None, why: "timed out".to_owned() },
            Health::Refusing => Outcome::Refused { why: "401".to_owned() },
            // As if the process were killed with it under way.
            Health::Hanging | Health::LeftAlone => return true,
        };
        if attempt.is_unsaved {
            let sent = Journalled { row: attempt.row.clone(), outcome: Some(outcome.clone()) };
            self.journal.append(&sent).expect("it works");
        }
        self.judge.answered(&attempt, &outcome, self.now);
        self.desk.handle_outcome(&attempt.row.key, &outcome, Duration::from_millis(80), now);
        true
    }

    /// What was delivered since the last time, as `second channel: line, line`.
    pub fn told(&mut self) -> Vec<String> {
        let new = &self.deliveries[self.read..];
        let lines =
            new.iter().map(|it| format!("{} {}: {}", it.at.as_secs(), it.channel, it.lines.join(", ")));
        let lines = lines.collect();
        self.read = self.deliveries.len();
        lines
    }

    /// Everything that was delivered.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// What each channel believes to fire, from what it was told.
    pub fn believed(&self) -> Vec<String> {
        self.judge.believed()
    }

    /// The channel with this name.
    pub fn id(name: &str) -> ChannelId {
        ChannelId::new(name)
    }
}
