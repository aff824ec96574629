//! What a process begins with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{Moment, Severity};

use super::few::Few;
use super::thread::Row;
use super::{AlertKey, Case, Desk, Subject};
use crate::record::{AlertRecord, Journalled, Loaded};
use crate::{
    Ending, Episode, EpisodeId, Item, News, Now, OutboxRow, Outcome, Phase, Receipt, RowKey, SavedAlert,
};

/// What the store has of the lives of alerts.
type Lives = BTreeMap<AlertKey, SavedAlert>;

impl Desk {
    /// Takes up what the store and the journal have, before the first evaluation. Messages that waited wait on, under the same
    /// keys, and are sent only if they are still true.
    pub fn restore(&mut self, loaded: &Loaded, now: Now) {
        self.clock.read(now);
        for record in &loaded.records {
            self.restore_record(record);
        }
        let lives =
            loaded.records.iter().filter_map(|record| Some((record.key.clone(), record.life.clone()?)));
        let mut lives: Lives = lives.collect();
        let is_news = |it: &&Journalled| !self.knows(&it.row, loaded);
        let journal: Vec<&Journalled> = loaded.journal.iter().filter(is_news).collect();
        for Journalled { row, .. } in &journal {
            for item in row.message.items.iter().cloned().chain(unlisted(row)) {
                self.adopt(&item, &mut lives);
            }
        }
        for life in lives.values() {
            self.restore_case(life);
        }
        self.end_what_does_not_live(&lives, now);
        let episodes = self.subjects.values().flat_map(|subject| subject.cases.keys());
        if let Some(newest) = episodes.max().copied() {
            self.engine.number_after(newest);
        }
        let lives: Vec<SavedAlert> = lives.into_values().collect();
        self.engine.restore(&lives, now.wall);
        self.take_up_severities();
        for row in &loaded.rows {
            self.restore_row(row, true);
        }
        for Journalled { row, outcome } in journal {
            self.restore_row(row, false);
            if let Some(outcome) = outcome {
                let thread = self.threads.get_mut(&Self::thread_of(&row.key.channel, &row.key.alert));
                if let Some(row) = thread.and_then(|thread| thread.row.as_mut()) {
                    row.is_under_way = true;
                }
                self.handle_outcome(&row.key, outcome, Duration::ZERO, now);
                while self.take_up_answer() {}
            }
        }
        self.dirty.extend(self.subjects.keys().cloned());
        self.quiets = loaded.quiets.iter().cloned().collect();
        self.look_at_quiets(now);
    }

    fn restore_record(&mut self, record: &AlertRecord) {
        let mut cases: Few<EpisodeId, Case> = Few::default();
        for saved in &record.cases {
            let case = Case::restored(saved, &self.clock);
            for (channel, told) in case.told.iter().filter(|(_, told)| told.is_delivered) {
                let last = &mut self.threads.entry(Self::thread_of(channel, &record.key)).or_default().told;
                *last = Some(last.map_or(told.at, |last: Moment| last.max(told.at)));
            }
            cases.insert(case.episode.id, case);
        }
        let changes = record.changes.iter().map(|at| self.clock.at(*at)).collect();
        let subject = Subject { cases, changes, is_flapping: record.is_flapping, ..Subject::default() };
        if !subject.is_empty() {
            self.subjects.insert(record.key.clone(), subject);
        }
    }

    /// Of what does not fire any more, as far as anybody knows, nobody can say that it does: its life was lost, or another
    /// episode has followed.
    fn end_what_does_not_live(&mut self, lives: &Lives, now: Now) {
        for (key, subject) in &mut self.subjects {
            let fires = lives.get(key).and_then(|life| life.episode).map(|episode| episode.id);
            for (id, case) in subject.cases.iter_mut().filter(|(_, case)| case.ended.is_none()) {
                if fires != Some(*id) {
                    case.ended = Some((now.wall, Ending::Gone));
                    self.unsaved.record(key);
                }
            }
        }
    }

    /// What fires has an episode to tell of, even if it was stored in between.
    fn restore_case(&mut self, life: &SavedAlert) {
        let Some(episode) = life.episode.filter(|_| life.phase.fires()) else { return };
        let subject = self.subjects.entry(life.key.clone()).or_default();
        subject.cases.get_or_insert_with(episode.id, || Case::new(episode, Severity::Info, life.value));
    }

    /// Whether the store knows what became of a message that was sent from memory.
    fn knows(&self, row: &OutboxRow, loaded: &Loaded) -> bool {
        let RowKey { channel, alert, episode, step } = &row.key;
        let is_final = |it: &Receipt| it.key == row.key && !matches!(it.outcome, Outcome::Retry { .. });
        let is_of_next = |it: &Receipt| {
            it.key.step > *step
                && (&it.key.channel, &it.key.alert, &it.key.episode) == (channel, alert, episode)
        };
        if loaded.receipts.iter().any(|it| is_final(it) || is_of_next(it)) {
            return true;
        }
        if loaded.rows.iter().any(|waits| waits.key == row.key) {
            return false;
        }
        let subject = self.subjects.get(&row.key.alert);
        let told =
            subject.and_then(|subject| subject.cases.get(&row.key.episode)?.told.get(&row.key.channel));
        told.is_some_and(|told| told.messages >= row.key.step)
    }

    /// Goes on with an episode that was told from memory and never stored.
    fn adopt(&mut self, item: &Item, lives: &mut Lives) {
        let subject = self.subjects.entry(item.key.clone()).or_default();
        let is_new = !subject.cases.contains_key(&item.episode.id);
        let new = Case::new(item.episode, item.severity, item.value);
        let case = subject.cases.get_or_insert_with(item.episode.id, || new);
        case.ended = case.ended.or(item.ended);
        self.unsaved.record(&item.key);
        let newest = lives.get(&item.key).and_then(|life| life.episode).map(|episode| episode.id);
        if case.ended.is_some() {
            // Who was told that it is over is told nothing else of it.
            if newest == Some(item.episode.id) {
                lives.remove(&item.key);
            }
        } else if is_new && newest.is_none_or(|newest| newest < item.episode.id) {
            let worse = self.engine.rules().find(&item.key.rule).is_some_and(|rule| {
                let worse = self.engine.rules().rule(rule).condition.worse();
                // A cause that is told as more severe than its value makes it has the limit that its value is held against.
                worse.is_some_and(|worse| {
                    worse.severity == item.severity && item.limit == Some(worse.limit.enter)
                })
            });
            let life = SavedAlert {
                key: item.key.clone(),
                phase: Phase::Firing,
                held: Duration::ZERO,
                worse: if worse { Phase::Firing } else { Phase::Inactive },
                worse_held: Duration::ZERO,
                episode: Some(item.episode),
                value: item.value,
            };
            lives.insert(item.key.clone(), life);
        }
    }

    fn restore_row(&mut self, out: &OutboxRow, is_saved: bool) {
        let channel = out.key.channel.clone();
        for (alert, id, said) in &*out.covers {
            if let Some(case) = self.case(alert, *id) {
                case.step = case.step.max(said.step);
                let told = case.told.get_or_default(channel.clone());
                told.is_due |= told.said.is_none();
            }
        }
        if let Some(case) = self.case(&out.key.alert, out.key.episode) {
            let told = case.told.get_or_default(channel.clone());
            told.messages = told.messages.max(out.key.step);
        }
        let key = Self::thread_of(&channel, &out.key.alert);
        if !is_saved {
            self.unsaved.row(&key);
        }
        let thread = self.threads.entry(key.clone()).or_default();
        thread.wanting.extend(out.covers.iter().map(|(alert, id, _)| (alert.clone(), *id)));
        thread.failing_since = out.failing_since;
        // Whether anybody had it is not known, nor whether it is still true.
        let mut row = Row { is_saved, is_doubtful: true, ..Row::new(out.clone()) };
        Arc::make_mut(&mut row.out.covers)
            .sort_unstable_by(|(of, id, _), (other, its, _)| (of, id).cmp(&(other, its)));
        if let Some(before) = thread.row.replace(row).filter(|before| before.out.key != out.key) {
            self.unsaved.settled(before.out.key);
        }
        self.wake(&key, self.clock.now());
    }
}

/// What a message covers and does not list, as far as it says.
fn unlisted(row: &OutboxRow) -> impl Iterator<Item = Item> {
    let is_listed =
        |key: &AlertKey, id| row.message.items.iter().any(|item| item.key == *key && item.episode.id == id);
    let fires = row.covers.iter().filter(move |(key, id, said)| !said.is_over && !is_listed(key, *id));
    fires.map(|(key, id, said)| Item {
        key: key.clone(),
        episode: Episode { id: *id, started: row.message.at },
        news: News::New,
        severity: said.severity,
        value: None,
        limit: None,
        ended: None,
        acknowledged_by: None,
    })
}
