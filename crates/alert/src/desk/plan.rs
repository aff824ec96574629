//! Making a message: what the group has to tell the channel now, in one.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_kernel::{Moment, Severity};

use super::thread::Row;
use super::{AlertKey, Case, Desk, ThreadKey};
use crate::{EpisodeId, Item, Message, News, Now, OutboxRow, RowKey, Said};

/// A case that is told.
pub(super) struct Cover {
    pub(super) key: AlertKey,
    pub(super) id: EpisodeId,
    pub(super) said: Said,
    news: News,
    fires: bool,
    /// Whether its own time has come, not only that of its group.
    is_ready: bool,
}

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
    /// Makes a thread's next message, if its time has come and no other one is under way.
    pub(super) fn plan(&mut self, thread: &ThreadKey, now: Now) {
        let (covers, next) = self.covers(thread, now.wall);
        if let Some(next) = next.filter(|_| covers.is_empty()) {
            self.wake(thread, next);
        }
        let Some(first) = covers.first() else { return };
        let lead = RowKey { channel: thread.0.clone(), alert: first.key.clone(), episode: first.id, step: 0 };
        let waits = self.threads.get(thread).is_some_and(|thread| thread.row.is_some());
        for Cover { key, id, .. } in covers.iter().filter(|it| it.is_ready || !waits) {
            let Some(case) = self.case(key, *id) else { continue };
            let told = case.told.entry(thread.0.clone()).or_default();
            if !std::mem::replace(&mut told.is_due, true) {
                self.unsaved.record(key);
            }
        }
        if waits {
            return;
        }
        let message = self.message(thread, &covers, now.wall);
        let Some(case) = self.case(&lead.alert, lead.episode) else { return };
        let told = case.told.entry(thread.0.clone()).or_default();
        told.messages += 1;
        let key = RowKey { step: told.messages, ..lead };
        self.unsaved.record(&key.alert);
        let covers = covers.into_iter().map(|Cover { key, id, said, .. }| (key, id, said)).collect();
        let of_thread = self.threads.entry(thread.clone()).or_default();
        let failing_since = of_thread.failing_since;
        let out = OutboxRow { key, message, covers, attempts: 0, failing_since };
        of_thread.row = Some(Row { out, is_saved: false, is_tried: false, is_under_way: false });
        self.unsaved.row(thread);
    }

    /// What a thread has to tell now, the worst first; if that is nothing, when it has.
    pub(super) fn covers(&mut self, thread: &ThreadKey, wall: Timestamp) -> (Vec<Cover>, Option<Moment>) {
        let now = self.clock.now();
        let wanting = self.threads.get(thread).map(|thread| thread.wanting.clone()).unwrap_or_default();
        let (mut covers, mut is_time, mut next) = (Vec::new(), false, None::<Moment>);
        let (mut hidden, mut none) = (BTreeSet::new(), BTreeSet::new());
        for (key, id) in wanting {
            let subject = self.subjects.get(&key);
            let case = subject.and_then(|subject| Some((subject.is_flapping, subject.cases.get(&id)?)));
            let Some((is_flapping, case)) = case else {
                none.insert((key, id));
                continue;
            };
            if self.hides(&key, case, wall).is_some() {
                hidden.insert((key, id));
                continue;
            }
            match self.news(&key, case, &thread.0, is_flapping) {
                None => {
                    none.insert((key, id));
                }
                Some((news, from)) if from > now && !news.joins() => {
                    // It is looked at again when its own time has come.
                    none.insert((key, id));
                }
                Some((news, from)) => {
                    let said = case.says(news, &thread.0, &self.config);
                    let (fires, is_ready) = (case.ended.is_none(), from <= now);
                    covers.push(Cover { key, id, said, news, fires, is_ready });
                    is_time |= from <= now;
                    next = Some(next.map_or(from, |next| next.min(from)));
                }
            }
        }
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.wanting.retain(|it| !none.contains(it) && !hidden.contains(it));
        }
        for (key, id) in hidden {
            self.hide(&key, id);
        }
        if !is_time {
            return (Vec::new(), next);
        }
        covers.sort_by_key(|it| (!it.fires, std::cmp::Reverse(it.said.severity), it.key.clone(), it.id));
        (covers, next)
    }

    fn message(&self, thread: &ThreadKey, covers: &[Cover], at: Timestamp) -> Message {
        let case = |cover: &Cover| self.subjects.get(&cover.key)?.cases.get(&cover.id);
        let listed = covers.iter().take(Message::MOST_ITEMS);
        let items = listed.filter_map(|cover| Some(self.item(cover, case(cover)?))).collect();
        let affected = self.affected(covers);
        let lead = covers.first().and_then(case);
        Message {
            group: Arc::clone(&thread.1),
            severity: covers.first().map_or(Severity::Info, |first| first.said.severity),
            fires: covers.iter().any(|cover| cover.fires),
            items,
            more_items: covers.len().saturating_sub(Message::MOST_ITEMS),
            more_affected: affected.len().saturating_sub(Message::MOST_AFFECTED),
            affected: affected.into_iter().take(Message::MOST_AFFECTED).collect(),
            replies_to: lead.and_then(|case| case.told.get(&thread.0)?.remote_id.clone()),
            at,
        }
    }

    fn item(&self, cover: &Cover, case: &Case) -> Item {
        let rule = self.engine.rules().find(&cover.key.rule).map(|rule| self.engine.rules().rule(rule));
        let limit = rule.map(|rule| {
            let worse = rule.condition.worse().filter(|worse| worse.severity == case.severity);
            worse.map_or(rule.condition.limit().1, |worse| worse.limit).enter
        });
        Item {
            key: cover.key.clone(),
            episode: case.episode,
            news: cover.news,
            severity: case.severity,
            value: self.engine.value(&cover.key).filter(|_| cover.fires).or(case.value),
            limit,
            ended: case.ended,
            acknowledged_by: case.acknowledged_by().map(str::to_owned),
        }
    }

    /// What fires as a consequence of what fires in a message, at first and at second hand.
    fn affected(&self, covers: &[Cover]) -> BTreeSet<AlertKey> {
        let rules = self.engine.rules();
        let mut affected = BTreeSet::new();
        let mut causes: Vec<AlertKey> =
            covers.iter().filter(|it| it.fires).take(Message::MOST_ITEMS).map(|it| it.key.clone()).collect();
        while let Some(cause) = causes.pop() {
            let consequences = rules.find(&cause.rule).map_or(&[][..], |rule| rules.inhibited_by(rule));
            for rule in consequences {
                let firing = self.engine.firing(*rule).map(|(labels, ..)| labels);
                for labels in firing.filter(|labels| labels.agree(&cause.labels)) {
                    let key = AlertKey::new(rules.name(*rule), labels.clone());
                    if affected.insert(key.clone()) {
                        causes.push(key);
                    }
                }
            }
        }
        affected
    }
}
