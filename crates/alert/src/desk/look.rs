//! A look at one alert: what there is to tell of it, on which channels and from when on, and when to look again.

use ttm_kernel::Moment;

use super::case::Around;
use super::plan::Wish;
use super::{AlertKey, Case, Desk, ThreadKey};
use crate::{ChannelId, EpisodeId, Hidden, Transition, Turn};

impl Desk {
    /// Looks at an alert.
    pub(super) fn look(&mut self, key: &AlertKey) {
        let now = self.clock.now();
        let Some(subject) = self.subjects.get_mut(key) else { return };
        let was_flapping = subject.is_flapping;
        let mut next = subject.settle(now);
        if was_flapping != subject.is_flapping {
            for case in subject.cases.values_mut() {
                case.is_notice = false;
            }
            self.unsaved.record(key);
        }
        let cases: Vec<EpisodeId> = subject.cases.keys().copied().collect();
        for id in cases {
            self.keep_what_may_be_known(key, id);
            let hidden = self.case_of(key, id).and_then(|case| self.hides(key, case));
            if let Some(hidden) = hidden {
                if let Hidden::Consequence(cause) = hidden {
                    self.raise(&cause, key, id);
                }
                self.hide(key, id);
                for channel in self.case_of(key, id).map(Case::told_channels).unwrap_or_default() {
                    self.compare(&Self::thread_of(&channel, key), key, id, None);
                }
            } else if let Some(later) = self.look_at(key, id, now) {
                next = Some(next.map_or(later, |next| next.min(later)));
            }
        }
        self.forget_what_is_done(key);
        self.look_again(key, next);
    }

    /// A cause is as severe as the worst of what is told within its message, for as long as it lasts.
    fn raise(&mut self, root: &AlertKey, consequence: &AlertKey, id: EpisodeId) {
        let case = self.case_of(consequence, id).filter(|case| case.ended.is_none());
        let Some(severity) = case.map(|case| case.severity) else { return };
        let Some(subject) = self.subjects.get_mut(root) else { return };
        let newest = subject.cases.values_mut().next_back().filter(|case| case.ended.is_none());
        let Some(case) = newest.filter(|case| case.severity < severity) else { return };
        case.set_severity(severity);
        case.least = severity;
        let (episode, value, id) = (Some(case.episode), case.value, case.episode.id);
        let (key, at) = (root.clone(), self.clock.wall(self.clock.now()));
        self.record_transition(Transition { key, turn: Turn::Severity, episode, severity, value, at });
        self.notice(root, id);
        self.unsaved.record(root);
        self.dirty.insert(root.clone());
    }

    /// Who may have got a message about a case is to learn of its end.
    fn keep_what_may_be_known(&mut self, key: &AlertKey, id: EpisodeId) {
        let Some(case) = self.subjects.get_mut(key).and_then(|subject| subject.cases.get_mut(&id)) else {
            return;
        };
        for (channel, told) in case.told.iter_mut().filter(|(_, told)| told.said.is_none() && !told.is_due) {
            let row = self.threads.get(&Self::thread_of(channel, key)).and_then(|it| it.row.as_ref());
            if row.is_some_and(|row| row.says(key, id).is_some()) {
                told.is_due = true;
                self.unsaved.record(key);
            }
        }
    }

    /// A case may not be told.
    pub(super) fn hide(&mut self, key: &AlertKey, id: EpisodeId) {
        self.hidden.insert(key.clone());
        if let Some(case) = self.case(key, id) {
            case.was_hidden = true;
            if case.opened.take().is_some() {
                self.unsaved.record(key);
            }
        }
    }

    /// A case may be told: puts it where there is something to tell. Says when to look again.
    fn look_at(&mut self, key: &AlertKey, id: EpisodeId, now: Moment) -> Option<Moment> {
        let subject = self.subjects.get_mut(key)?;
        let case = subject.cases.get_mut(&id)?;
        let before = (case.opened, case.step);
        case.open(now);
        let mut next = case.escalate(&self.config, now);
        if before != (case.opened, case.step) {
            self.unsaved.record(key);
        }
        let by_route = self.config.channels(key, case.severity);
        for channel in case.channels(&by_route, &self.config) {
            let thread = Self::thread_of(&channel, key);
            let wish = self.wish(&thread, key, id);
            self.compare(&thread, key, id, wish);
            let Some(Wish { news, from, .. }) = wish else {
                if let Some(thread) = self.threads.get_mut(&thread) {
                    thread.wanting.remove(&(key.clone(), id));
                }
                continue;
            };
            let is_time = from <= now;
            // Others of its group may be told sooner, and then this one along with them.
            if is_time || news.joins() {
                self.threads.entry(thread.clone()).or_default().wanting.insert((key.clone(), id));
                self.wake(&thread, from);
            }
            if is_time {
                self.is_due(key, id, channel);
            } else {
                next = Some(next.map_or(from, |next| next.min(from)));
            }
        }
        next
    }

    /// The time to tell a channel has come, even if it is over before that can be done.
    fn is_due(&mut self, key: &AlertKey, id: EpisodeId, channel: ChannelId) {
        let Some(case) = self.case(key, id) else { return };
        let told = case.told.get_or_default(channel);
        if told.said.is_none() && !std::mem::replace(&mut told.is_due, true) {
            self.unsaved.record(key);
        }
    }

    /// What there is to tell a channel of a case that nothing hides.
    pub(super) fn wish(&self, thread: &ThreadKey, key: &AlertKey, id: EpisodeId) -> Option<Wish> {
        let subject = self.subjects.get(key)?;
        let case = subject.cases.get(&id)?;
        let (channel, is_flapping) = (&thread.1, subject.keeps_changing());
        let is_routed = self.config.channels(key, case.severity).contains(&channel);
        if !case.is_for(channel, is_routed, &self.config) {
            return None;
        }
        let group_told = self.threads.get(thread).and_then(|thread| thread.told);
        let around = Around { config: &self.config, now: self.clock.now(), is_flapping, group_told };
        let (news, from) = case.news(channel, is_routed, around)?;
        Some(Wish { news, said: case.says(news, channel, &self.config), from })
    }

    fn forget_what_is_done(&mut self, key: &AlertKey) {
        let Some(subject) = self.subjects.get_mut(key) else { return };
        let is_flapping = subject.is_flapping;
        let before = subject.cases.len();
        subject.cases.retain(|case| !case.is_done(is_flapping));
        let is_any_done = subject.cases.len() < before;
        if subject.is_empty() {
            if let Some(at) = subject.agenda {
                self.agenda.remove(&(at, key.clone()));
            }
            self.subjects.remove(key);
            self.hidden.remove(key);
            self.unsaved.record(key);
        } else if is_any_done {
            self.unsaved.record(key);
        }
    }

    fn look_again(&mut self, key: &AlertKey, next: Option<Moment>) {
        let Some(subject) = self.subjects.get_mut(key) else { return };
        if subject.agenda != next {
            if let Some(before) = subject.agenda {
                self.agenda.remove(&(before, key.clone()));
            }
            subject.agenda = next;
            self.agenda.extend(next.map(|next| (next, key.clone())));
        }
    }
}
