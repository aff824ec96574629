//! What was told of alerts: an incident once, nothing without a reason, and everything that is CRITICAL somewhere.
//!
//! It sees what goes over the wire and what the store has, and nothing of the process, so it cannot share its mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::{AlertKey, Attempt, Commit, EpisodeId, Item, Message, News, Outcome, RowKey};
use ttm_kernel::{Clock, Moment, Severity};

use super::Verdicts;
use crate::SimRuntime;
use crate::fault::Channel;

/// The least time between two messages about one episode on a channel that nothing makes urgent. Both times are those of the receiver, and
/// messages take some time to arrive.
const COOLDOWN: Duration = Duration::from_secs(300 - 20);

/// For so long at least what is short is not told of an alert of which it was told that it keeps changing.
const FLAPS: Duration = Duration::from_hours(2);
/// What keeps changing is told when it lasts for five minutes, and for as long as that may take to be stored.
const SHORT: Duration = Duration::from_mins(10);

/// An episode on a channel.
type Heard = (Channel, AlertKey, EpisodeId);

/// Something that was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// When it arrived.
    pub at: Moment,
    /// Where.
    pub channel: Channel,
    /// What.
    pub item: Item,
    /// The message that it was in.
    pub key: RowKey,
}

/// The oracle.
#[derive(Debug)]
pub struct Telling {
    verdicts: Arc<Verdicts>,
    heard: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// Every message by its key: it never says anything else.
    messages: BTreeMap<RowKey, Message>,
    /// Messages that have arrived, and when they first did.
    arrived: BTreeMap<RowKey, Moment>,
    /// Messages of which a process was told that they have arrived: by which process, and when.
    confirmed: BTreeMap<RowKey, u32>,
    told: Vec<Told>,
    /// When each channel was last told of an episode, and what.
    last: BTreeMap<Heard, (Moment, Timestamp, News, RowKey)>,
    /// When somebody was last told that an alert keeps changing, after which nothing short is told until it has settled.
    flapped: BTreeMap<AlertKey, Moment>,
    /// What each channel believes to fire.
    firing: BTreeSet<Heard>,
    /// What each channel knows to be over.
    over: BTreeSet<Heard>,
    /// What a channel has refused to hear of.
    refused: BTreeSet<Heard>,
    /// When alerts were last listed as a consequence.
    mentioned: BTreeMap<AlertKey, Moment>,
    episodes: BTreeSet<(AlertKey, EpisodeId)>,
    /// Every episode that ever was CRITICAL, and since when the store has known that.
    critical: BTreeMap<(AlertKey, EpisodeId), Moment>,
    /// Since when the store has known that one of those is over.
    ended: BTreeMap<(AlertKey, EpisodeId), Moment>,
    /// Messages of which the store knows that they arrived.
    known: BTreeMap<RowKey, Moment>,
    /// Which process told of an episode from memory, which the store may never hear of.
    from_memory: BTreeMap<(AlertKey, EpisodeId), u32>,
    /// Where each process runs.
    hosts: BTreeMap<u32, u32>,
    /// When each process began to load, for what it can know.
    booted: BTreeMap<u32, Moment>,
}

impl Telling {
    /// Nothing was told yet.
    pub fn new(verdicts: &Arc<Verdicts>) -> Self {
        Self { verdicts: verdicts.clone(), heard: Mutex::default() }
    }

    /// The store has a commit from now on.
    pub fn stored(&self, commit: &Commit, now: Moment) {
        let mut heard = self.heard.lock();
        for record in &commit.records {
            for case in record.cases.iter().filter(|case| case.severity == Severity::Critical) {
                heard.critical.entry((record.key.clone(), case.episode.id)).or_insert(now);
            }
            let fires =
                |id: EpisodeId| record.cases.iter().any(|case| case.episode.id == id && case.ended.is_none());
            heard.end(&record.key, fires, now);
        }
        for key in &commit.forgotten {
            heard.end(key, |_| false, now);
        }
        for receipt in &commit.receipts {
            if let Outcome::Delivered { .. } = receipt.outcome {
                heard.known.entry(receipt.key.clone()).or_insert(now);
            }
        }
    }

    /// A process begins, on this host.
    pub fn boots(&self, process: u32, host: u32, at: Moment) {
        let mut heard = self.heard.lock();
        heard.booted.insert(process, at);
        heard.hosts.insert(process, host);
    }

    /// A process sends a message.
    pub fn attempted(&self, channel: Channel, attempt: &Attempt, process: u32) {
        let Attempt { row, is_unsaved, .. } = attempt;
        let (key, message) = (&row.key, &row.message);
        let mut heard = self.heard.lock();
        if *is_unsaved && message.severity != Severity::Critical {
            self.verdicts.broken(format_args!("{key} is not CRITICAL, and was sent before it was stored"));
        }
        if *is_unsaved {
            let items = message.items.iter().map(|item| ((item.key.clone(), item.episode.id), process));
            heard.from_memory.extend(items);
        }
        let known = heard.messages.entry(key.clone()).or_insert_with(|| message.clone());
        if !is_same(known, message) {
            self.verdicts.broken(format_args!("{key} said one thing, and now another"));
        }
        if let Some(by) = heard.confirmed.get(key) {
            // A later process does not know what the store did not have when that process began.
            let began = heard.booted.get(&process).copied().unwrap_or(Moment::ZERO);
            if *by == process || heard.known.get(key).is_some_and(|since| *since <= began) {
                self.verdicts
                    .broken(format_args!("{key} has arrived, and is sent again to {}", channel.name()));
            }
        }
    }

    /// A message has arrived, whether or not its sender learns of it.
    pub fn arrived(&self, channel: Channel, attempt: &Attempt, runtime: &SimRuntime) {
        let (key, message) = (&attempt.row.key, &attempt.row.message);
        let now = runtime.now();
        let mut heard = self.heard.lock();
        runtime.trace(format_args!("{} is told {key}: {} alerts", channel.name(), message.items.len()));
        if heard.arrived.contains_key(key) {
            // The receiver knows it by its key.
            return;
        }
        heard.arrived.insert(key.clone(), now);
        heard.mentioned.extend(message.affected.iter().map(|alert| (alert.clone(), now)));
        heard.episodes.extend(attempt.row.covers.iter().map(|(alert, id, _)| (alert.clone(), *id)));
        for item in &message.items {
            let broken = heard.hear(channel, item, key, now, runtime.wall());
            heard.told.push(Told { at: now, channel, item: item.clone(), key: key.clone() });
            if let Some(broken) = broken {
                self.verdicts.broken(format_args!("{} was told of {}: {broken}", channel.name(), item.key));
            }
        }
    }

    /// A process learns what became of a message.
    pub fn answered(&self, channel: Channel, attempt: &Attempt, outcome: &Outcome, process: u32) {
        let mut heard = self.heard.lock();
        match outcome {
            Outcome::Delivered { .. } => {
                heard.confirmed.insert(attempt.row.key.clone(), process);
            }
            Outcome::Refused { .. } => {
                let covers = attempt.row.covers.iter().map(|(alert, id, _)| (channel, alert.clone(), *id));
                heard.refused.extend(covers);
            }
            Outcome::Retry { .. } => {}
        }
    }

    /// All that was told, in the order in which it arrived.
    pub fn told(&self) -> Vec<Told> {
        self.heard.lock().told.clone()
    }

    /// Everything CRITICAL that the store knew of before this time and that nobody was told of.
    pub fn unheard(&self, before: Moment) -> Vec<String> {
        let heard = self.heard.lock();
        let is_heard = |(alert, id): &(AlertKey, EpisodeId), since: Moment| {
            let ended = heard.ended.get(&(alert.clone(), *id));
            let is_short = ended.is_some_and(|ended| *ended - since <= SHORT);
            let told = heard.flapped.get(alert);
            let flaps = is_short && told.is_some_and(|told| *told <= since && since - *told <= FLAPS);
            let listed = heard.mentioned.get(alert).is_some_and(|last| *last >= since);
            flaps || listed || heard.episodes.contains(&(alert.clone(), *id))
        };
        let critical = heard.critical.iter().filter(|(_, since)| **since <= before);
        let unheard = critical.filter(|(episode, since)| !is_heard(episode, **since));
        unheard.map(|((alert, id), since)| format!("{alert} {id}, since {since:?}")).collect()
    }

    /// What channels believe to fire, but for those that refused to hear more. That a channel fails is believed until it is sent another
    /// message, since nobody knows otherwise; and what a process told from memory that the store has never heard of is known on its own
    /// host alone, where the journal is.
    pub fn believed(&self, host: u32) -> Vec<String> {
        let heard = self.heard.lock();
        let believed = heard.firing.difference(&heard.refused);
        let believed = believed.filter(|(_, alert, _)| *alert.rule != *"channel_failing");
        let believed = believed.filter(|(_, alert, id)| {
            let episode = (alert.clone(), *id);
            let teller = heard.from_memory.get(&episode).and_then(|process| heard.hosts.get(process));
            heard.critical.contains_key(&episode) || teller.is_none_or(|of| *of == host)
        });
        believed.map(|(channel, alert, id)| format!("{}: {alert} {id}", channel.name())).collect()
    }
}

impl Record {
    /// The store knows which of an alert's episodes fires.
    fn end(&mut self, key: &AlertKey, fires: impl Fn(EpisodeId) -> bool, now: Moment) {
        let over = self.critical.keys().filter(|(of, id)| of == key && !fires(*id)).cloned();
        for episode in over.collect::<Vec<_>>() {
            self.ended.entry(episode).or_insert(now);
        }
    }

    /// Takes up what a channel hears of an episode. Says what is wrong with it.
    fn hear(
        &mut self,
        channel: Channel,
        item: &Item,
        key: &RowKey,
        now: Moment,
        wall: Timestamp,
    ) -> Option<String> {
        let episode = (channel, item.key.clone(), item.episode.id);
        let before = self.last.insert(episode.clone(), (now, wall, item.news, key.clone()));
        if item.news == News::Flapping {
            self.flapped.insert(item.key.clone(), now);
        }
        let is_over = self.over.contains(&episode);
        let fires = self.firing.contains(&episode);
        if item.ended.is_some() {
            self.firing.remove(&episode);
            self.over.insert(episode);
        } else {
            self.firing.insert(episode);
        }
        let news = item.news;
        if is_over && item.ended.is_none() {
            return Some(format!("{news:?}, although it was over"));
        }
        if news == News::Resolved && !fires && !is_over {
            return Some("resolved without firing".to_owned());
        }
        let is_urgent = matches!(news, News::MoreSevere | News::Resolved | News::Passed | News::Flapping);
        match before {
            // What the process does not know to have arrived may come again in another message.
            Some((last, then, what, key)) if !is_urgent && self.confirmed.contains_key(&key) => {
                // Reminders go by the wall clock, which may have been set.
                let passed =
                    Duration::try_from(wall.duration_since(then)).unwrap_or_default().max(now - last);
                (passed < COOLDOWN).then(|| format!("{news:?}, {passed:?} after {what:?}"))
            }
            Some(_) | None => None,
        }
    }
}

/// When a message was made is part of it, but for one that another process makes from the same state.
fn is_same(one: &Message, other: &Message) -> bool {
    let says = |message: &Message| {
        let items = message.items.iter();
        items.map(|item| (item.key.clone(), item.episode.id, item.ended.is_some())).collect::<Vec<_>>()
    };
    one.group == other.group && says(one) == says(other)
}
