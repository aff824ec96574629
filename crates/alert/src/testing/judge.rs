//! Judges everything that is sent, with plain lists of what was said to whom: a law that is broken is a panic with its words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::memory::Memory;
use crate::{
    AlertKey, Attempt, Desk, EpisodeId, Journalled, Message, News, NotifyConfig, Now, OutboxRow, Outcome,
    Quiet, RowKey,
};
use ttm_kernel::Severity;

/// The judge.
#[derive(Debug)]
pub struct Judge {
    config: NotifyConfig,
    evaluated: BTreeSet<&'static str>,
    began: Duration,
    quiets: Vec<Quiet>,
    /// Every message by its key: it never says anything else.
    messages: BTreeMap<RowKey, Message>,
    /// Keys of which the channel has answered that it has them.
    delivered: BTreeSet<RowKey>,
    /// Keys that a receiver has seen, in this process or an earlier one.
    taken: BTreeSet<RowKey>,
    /// For each channel and episode, when it was last told, and how severe.
    told: BTreeMap<(String, AlertKey, EpisodeId), (Duration, Severity, RowKey)>,
    /// For each channel, what it believes to fire; ended ones are taken out.
    firing: BTreeSet<(String, AlertKey, EpisodeId)>,
    over: BTreeSet<(String, AlertKey, EpisodeId)>,
    /// Whose end was told, and may be told again by a process that does not know it.
    again: BTreeSet<(String, AlertKey, EpisodeId)>,
    /// What a channel has refused to take a message about.
    refused: BTreeSet<(String, AlertKey, EpisodeId)>,
    was_wall_set: bool,
}

impl Judge {
    pub(super) fn new(config: NotifyConfig) -> Self {
        Self {
            config,
            evaluated: BTreeSet::new(),
            began: Duration::ZERO,
            quiets: Vec::new(),
            messages: BTreeMap::new(),
            delivered: BTreeSet::new(),
            taken: BTreeSet::new(),
            told: BTreeMap::new(),
            firing: BTreeSet::new(),
            over: BTreeSet::new(),
            again: BTreeSet::new(),
            refused: BTreeSet::new(),
            was_wall_set: false,
        }
    }

    pub(super) fn the_wall_was_set(&mut self) {
        self.was_wall_set = true;
    }

    /// Another process goes on from what the store has. What was answered and is not there may be told again.
    pub(super) fn restarted(&mut self, memory: &Memory, journal: &[Journalled], at: Duration) {
        self.evaluated.clear();
        self.began = at;
        self.quiets = memory.quiets.values().cloned().collect();
        let is_delivered = |outcome: &Outcome| matches!(outcome, Outcome::Delivered { .. });
        let is_journalled = |key: &RowKey| {
            journal.iter().any(|it| it.row.key == *key && it.outcome.as_ref().is_some_and(is_delivered))
        };
        let is_known = |key: &RowKey| {
            memory.receipts.iter().any(|it| it.key == *key && is_delivered(&it.outcome)) || is_journalled(key)
        };
        self.delivered.retain(is_known);
        let (known, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.told).into_iter().partition(|(_, (.., key))| is_known(key));
        self.told = known;
        let again = self.over.extract_if(.., |episode| lost.contains_key(episode));
        self.again.extend(again);
    }

    pub(super) fn evaluated(&mut self, collector: &'static str) {
        self.evaluated.insert(collector);
    }

    pub(super) fn passed(&mut self, wall: Timestamp) {
        self.quiets.retain(|quiet| !quiet.is_over(wall));
    }

    pub(super) fn silenced(&mut self, quiet: &Quiet) {
        self.quiets.push(quiet.clone());
    }

    pub(super) fn unsilenced<'a>(&mut self, left: impl Iterator<Item = &'a Quiet>) {
        self.quiets = left.cloned().collect();
    }

    pub(super) fn believed(&self) -> Vec<String> {
        self.firing.difference(&self.refused).map(|(channel, key, _)| format!("{channel}: {key}")).collect()
    }

    /// A message is about to be sent.
    pub(super) fn attempted(
        &mut self,
        attempt: &Attempt,
        desk: &Desk,
        now: Now,
        at: Duration,
        is_stored: bool,
    ) {
        let Attempt { row: OutboxRow { key, message, attempts, .. }, is_unsaved, .. } = attempt;
        let ready = self.evaluated.len() == 2
            || at.saturating_sub(self.began) >= self.config.settings().start_patience;
        assert!(ready, "nothing is sent before the first full evaluation: {key}");
        assert!(*attempts > 0 && message.items.len() <= Message::MOST_ITEMS && !message.items.is_empty());
        assert!(!self.delivered.contains(key), "what has arrived is not sent again: {key}");
        assert!(is_stored || *is_unsaved, "what is sent was stored before: {key}");
        if *is_unsaved {
            assert_eq!(message.severity, Severity::Critical, "only CRITICAL goes out from memory: {key}");
        }
        let known = self.messages.entry(key.clone()).or_insert_with(|| message.clone());
        assert_eq!(known, message, "one key, one message");
        for item in &message.items {
            let silenced = self.quiets.iter().any(|quiet| quiet.silences(&item.key, item.severity, now.wall));
            assert!(!silenced, "nothing silenced is sent: {key}");
            let cause = desk.engine().cause(&item.key);
            assert_eq!(cause, None, "nothing inhibited is sent: {key}");
        }
    }

    /// A channel has answered.
    pub(super) fn answered(&mut self, attempt: &Attempt, outcome: &Outcome, at: Duration) {
        let channel = attempt.row.key.channel.as_str();
        let Outcome::Delivered { .. } = outcome else {
            // It will not learn of their end: that is in the dead letters.
            let covers = attempt.row.covers.iter().filter(|_| matches!(outcome, Outcome::Refused { .. }));
            self.refused.extend(covers.map(|(key, id, _)| (channel.to_owned(), key.clone(), *id)));
            return;
        };
        self.delivered.insert(attempt.row.key.clone());
        if !self.taken.insert(attempt.row.key.clone()) {
            // The receiver knows it by its key.
            for item in &attempt.row.message.items {
                let episode = (channel.to_owned(), item.key.clone(), item.episode.id);
                self.told.entry(episode).or_insert((at, item.severity, attempt.row.key.clone()));
            }
            return;
        }
        for item in &attempt.row.message.items {
            let episode = (channel.to_owned(), item.key.clone(), item.episode.id);
            let said = format!("{:?} of {} to {channel} at {at:?}", item.news, item.key);
            let before = self.told.insert(episode.clone(), (at, item.severity, attempt.row.key.clone()));
            let before = before.map(|(last, severity, _)| (last, severity));
            let is_exempt =
                matches!(item.news, News::MoreSevere | News::Resolved | News::Passed | News::Flapping);
            if let Some((last, _)) = before.filter(|_| !is_exempt && !self.was_wall_set) {
                assert!(at.saturating_sub(last) >= self.config.settings().cooldown, "the cooldown: {said}");
            }
            match item.news {
                News::New | News::Passed => assert!(before.is_none(), "it is new once: {said}"),
                News::MoreSevere => assert!(before.is_some_and(|(_, was)| item.severity > was), "{said}"),
                News::LessSevere => assert!(before.is_some_and(|(_, was)| item.severity < was), "{said}"),
                News::Escalated => assert!(item.acknowledged_by.is_none(), "an ack ends it: {said}"),
                News::Resolved => {
                    let fires = self.firing.contains(&episode) || self.again.contains(&episode);
                    assert!(fires, "resolved without firing: {said}");
                }
                News::Reminder | News::Settled => assert!(before.is_some(), "{said}"),
                News::Flapping => {}
            }
            assert!(!self.over.contains(&episode), "an episode ends once: {said}");
            assert_eq!(
                item.ended.is_some(),
                matches!(item.news, News::Resolved | News::Passed)
                    || item.ended.is_some() && item.news == News::Flapping
            );
            if item.ended.is_some() {
                self.firing.remove(&episode);
                self.over.insert(episode);
            } else {
                self.firing.insert(episode);
            }
        }
    }
}
