//! Making a message: what the group has to tell the channel now, in one. There may be very much, so it is made an episode at a
//! time, while the world goes on: what changes meanwhile makes the result doubtful, and a doubtful message is made again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use ttm_kernel::{Moment, Severity};

use super::thread::{Row, says};
use super::{AlertKey, Case, Desk, ThreadKey};
use crate::{EpisodeId, Item, Message, News, Now, OutboxRow, RowKey, Said};

/// A message that is being made.
#[derive(Debug)]
pub(super) struct Draft {
    thread: ThreadKey,
    /// The episode that was looked at last.
    at: Option<(AlertKey, EpisodeId)>,
    covers: Vec<(AlertKey, EpisodeId, Said)>,
    /// What is listed, the worst first: whether it is over, how severe it is, and which it is.
    listed: BTreeMap<(bool, Reverse<Severity>, AlertKey, EpisodeId), News>,
    /// Whether the time of any of it has come; else when that is.
    is_time: bool,
    next: Option<Moment>,
    /// Whether it covers what the message that waits does, so far.
    is_same: bool,
    is_doubtful: bool,
}

/// What there is to tell of an episode, and from when on.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) news: News,
    pub(super) said: Said,
    pub(super) from: Moment,
}

/// How many alerts are looked at for the consequences of those in one message.
pub(super) const MOST_LOOKED: usize = 1_000;

impl News {
    /// Whether it is told along with what others of its group have to tell, though its own time has not come.
    pub(crate) fn joins(self) -> bool {
        match self {
            Self::New | Self::MoreSevere | Self::Flapping | Self::Settled | Self::Resolved | Self::Passed => {
                true
            }
            // These wait for the cooldown of their own episode.
            Self::LessSevere | Self::Escalated | Self::Reminder => false,
        }
    }
}

impl Desk {
    /// Goes on with the message that is being made, or begins the next one. Says whether there was anything to do.
    pub(super) fn draft(&mut self, now: Now) -> bool {
        let Some(mut draft) = self.drafting.take().or_else(|| Some(Draft::new(self.next_thread()?))) else {
            return false;
        };
        if self.goes_on(&mut draft) {
            self.drafting = Some(draft);
        } else {
            self.finish(draft, now);
        }
        true
    }

    /// Takes up one more episode. Says whether there was one.
    fn goes_on(&mut self, draft: &mut Draft) -> bool {
        let now = self.clock.now();
        let Some(thread) = self.threads.get(&draft.thread) else { return false };
        let after = draft.at.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let Some((key, id)) = thread.wanting.range((after, Bound::Unbounded)).next().cloned() else {
            return false;
        };
        draft.at = Some((key.clone(), id));
        let before = thread.row.as_ref().map(|row| Arc::clone(&row.out.covers)).unwrap_or_default();
        let said_before = says(&before, &key, id);
        let is_hidden = self.case_of(&key, id).is_some_and(|case| self.hides(&key, case).is_some());
        let wish = if is_hidden { None } else { self.wish(&draft.thread, &key, id) };
        // Somebody may have had what waits, so it stays though the clock was set back; but not if its channel knows it.
        let stays = |it: &Wish| it.news != News::Reminder && said_before == Some(it.said);
        let is_told = |it: &Wish| it.from <= now || it.news.joins() || stays(it);
        let Some(Wish { news, said, from }) = wish.filter(is_told) else {
            // If its own time has not come, it is looked at again when it has.
            if let Some(thread) = self.threads.get_mut(&draft.thread) {
                thread.wanting.remove(&(key.clone(), id));
            }
            if is_hidden {
                self.hide(&key, id);
            }
            if said_before.is_some() {
                self.dirty.insert(key);
            }
            return true;
        };
        draft.is_same &= before.get(draft.covers.len()) == Some(&(key.clone(), id, said));
        draft.is_time |= from <= now;
        draft.next = Some(draft.next.map_or(from, |next| next.min(from)));
        draft.covers.push((key.clone(), id, said));
        draft.listed.insert((said.is_over, Reverse(said.severity), key.clone(), id), news);
        if draft.listed.len() > Message::MOST_ITEMS {
            draft.listed.pop_last();
        }
        let channel = draft.thread.1.clone();
        if let Some(case) = self.case(&key, id) {
            case.told.get_or_default(channel);
        }
        true
    }

    /// Every episode has been looked at: the message waits from here on, instead of the one before if that says something else.
    fn finish(&mut self, draft: Draft, now: Now) {
        let steady = self.clock.now();
        let Draft { thread, covers, listed, is_time, next, is_same, is_doubtful, .. } = draft;
        let Some(of_thread) = self.threads.get_mut(&thread) else { return };
        if let Some(row) = &mut of_thread.row {
            if row.is_under_way {
                return;
            }
            if is_same && row.out.covers.len() == covers.len() && !covers.is_empty() {
                row.is_doubtful = is_doubtful;
                if is_doubtful {
                    self.wake(&thread, steady);
                }
                return;
            }
        }
        if let Some(before) = of_thread.row.take() {
            // Of what nobody waits for it does not matter for how long it was not told.
            of_thread.failing_since = of_thread.failing_since.filter(|_| is_time);
            self.unsaved.settled(before.out.key);
        }
        let failing_since = of_thread.failing_since;
        let Some((_, _, alert, episode)) = listed.first_key_value().map(|(lead, _)| lead).filter(|_| is_time)
        else {
            if let Some(next) = next {
                self.wake(&thread, next);
            }
            return;
        };
        let (alert, episode) = (alert.clone(), *episode);
        let message = self.message(&thread, &listed, covers.len(), now);
        let Some(case) = self.case(&alert, episode) else { return self.wake(&thread, steady) };
        let told = case.told.get_or_default(thread.1.clone());
        told.messages += 1;
        let key = RowKey { channel: thread.1.clone(), alert, episode, step: told.messages };
        self.unsaved.record(&key.alert);
        self.unsaved.row(&thread);
        let out = OutboxRow { key, message, covers: Arc::new(covers), attempts: 0, failing_since };
        let of_thread = self.threads.entry(thread.clone()).or_default();
        of_thread.row = Some(Row { is_doubtful, ..Row::new(out) });
        if is_doubtful {
            self.wake(&thread, steady);
        }
    }

    fn message(
        &self,
        thread: &ThreadKey,
        listed: &BTreeMap<(bool, Reverse<Severity>, AlertKey, EpisodeId), News>,
        all: usize,
        now: Now,
    ) -> Message {
        let item =
            |((_, _, key, id), news): (&(_, _, AlertKey, EpisodeId), &News)| self.item(key, *id, *news);
        let items: Vec<Item> = listed.iter().filter_map(item).collect();
        let affected = self.affected(&items);
        let lead = listed.first_key_value().map(|(lead, _)| lead);
        let of_lead = lead.and_then(|(_, _, key, id)| self.case_of(key, *id)?.told.get(&thread.1));
        Message {
            group: Arc::clone(&thread.0),
            severity: lead.map_or(Severity::Info, |(_, severity, ..)| severity.0),
            fires: lead.is_some_and(|(is_over, ..)| !is_over),
            more_items: all - items.len(),
            items,
            more_affected: affected.len().saturating_sub(Message::MOST_AFFECTED),
            affected: affected.into_iter().take(Message::MOST_AFFECTED).collect(),
            replies_to: of_lead.and_then(|told| told.remote_id.clone()),
            at: now.wall,
        }
    }

    pub(super) fn item(&self, key: &AlertKey, id: EpisodeId, news: News) -> Option<Item> {
        let case = self.case_of(key, id)?;
        Some(Item {
            key: key.clone(),
            episode: case.episode,
            news,
            severity: case.severity,
            value: self.engine.value(key).filter(|_| case.ended.is_none()).or(case.value),
            limit: self.limit(key, case.severity),
            ended: case.ended,
            acknowledged_by: case.acknowledged_by().map(str::to_owned),
        })
    }

    /// Where the level of an alert begins. A cause may be told as more severe than its value makes it, which its limit does not follow.
    pub(super) fn limit(&self, key: &AlertKey, told: Severity) -> Option<f64> {
        let severity = self.engine.severity(key).unwrap_or(told);
        let rule = self.engine.rules().rule(self.engine.rules().find(&key.rule)?);
        let worse = rule.condition.worse().filter(|worse| worse.severity == severity);
        Some(worse.map_or(rule.condition.limit().1, |worse| worse.limit).enter)
    }

    /// What fires as a consequence of what fires in a message, at first and at second hand.
    fn affected(&self, items: &[Item]) -> BTreeSet<AlertKey> {
        let mut left = MOST_LOOKED;
        let mut affected = BTreeSet::new();
        let firing = items.iter().filter(|item| item.ended.is_none());
        let mut causes: Vec<AlertKey> = firing.map(|item| item.key.clone()).collect();
        while let Some(cause) = causes.pop() {
            for key in self.engine.consequences(&cause, &mut left) {
                if affected.insert(key.clone()) {
                    causes.push(key);
                }
            }
        }
        affected
    }

    /// Looks whether a message that waits, or is being made, says of an episode what is to be told now. What has come up since it was
    /// made waits for the next one, unless it is more severe.
    pub(super) fn compare(&mut self, thread: &ThreadKey, key: &AlertKey, id: EpisodeId, wish: Option<Wish>) {
        let now = self.clock.now();
        let differs = |says: Option<Said>, severity: Severity| match (says, wish) {
            (Some(said), wish) => wish.is_none_or(|wish| wish.said != said),
            (None, Some(wish)) => wish.from <= now && !wish.said.is_over && wish.said.severity > severity,
            (None, None) => false,
        };
        if let Some(draft) = self.drafting.as_mut().filter(|it| it.thread == *thread && it.has_seen(key, id))
        {
            draft.is_doubtful |= differs(says(&draft.covers, key, id), draft.severity());
        }
        let row = self.threads.get(thread).and_then(|thread| thread.row.as_ref());
        if row.is_some_and(|row| !row.is_doubtful && differs(row.says(key, id), row.out.message.severity)) {
            self.doubt(thread);
        }
    }

    /// A message may not be what is to be told any more, be it one that waits or one that is being made.
    pub(super) fn doubt(&mut self, thread: &ThreadKey) {
        if let Some(draft) = self.drafting.as_mut().filter(|draft| draft.thread == *thread) {
            draft.is_doubtful = true;
        }
        if let Some(row) = self.threads.get_mut(thread).and_then(|thread| thread.row.as_mut()) {
            row.is_doubtful = true;
            self.wake(thread, self.clock.now());
        }
    }

    pub(super) fn case_of(&self, key: &AlertKey, id: EpisodeId) -> Option<&Case> {
        self.subjects.get(key)?.cases.get(&id)
    }
}

impl Draft {
    fn new(thread: ThreadKey) -> Self {
        Self {
            thread,
            at: None,
            covers: Vec::new(),
            listed: BTreeMap::new(),
            is_time: false,
            next: None,
            is_same: true,
            is_doubtful: false,
        }
    }

    /// Whether it has looked at an episode.
    fn has_seen(&self, key: &AlertKey, id: EpisodeId) -> bool {
        self.at.as_ref().is_some_and(|(of, its)| (key, id) <= (of, *its))
    }

    fn severity(&self) -> Severity {
        self.listed.first_key_value().map_or(Severity::Info, |((_, severity, ..), _)| severity.0)
    }
}
