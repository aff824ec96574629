//! A look at one alert: what there is to tell of it, on which channels and from when on, and when to look again.

use ttm_kernel::Moment;

use super::case::Around;
use super::{AlertKey, Case, Desk, ThreadKey};
use crate::{ChannelId, EpisodeId};

impl Desk {
    /// Looks at an alert, if it may be told at all.
    pub(super) fn look(&mut self, key: &AlertKey) {
        if !self.is_open {
            return;
        }
        let (now, wall) = (self.clock.now(), self.clock.wall(self.clock.now()));
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
            let Some(case) = self.subjects.get(key).and_then(|subject| subject.cases.get(&id)) else {
                continue;
            };
            let is_hidden = self.hides(key, case, wall).is_some();
            if is_hidden {
                self.hide(key, id);
            } else if let Some(later) = self.look_at(key, id, now) {
                next = Some(next.map_or(later, |next| next.min(later)));
            }
        }
        self.forget_what_is_done(key);
        self.look_again(key, next);
    }

    /// A case may not be told.
    pub(super) fn hide(&mut self, key: &AlertKey, id: EpisodeId) {
        self.hidden.insert(key.clone());
        if let Some(case) = self.case(key, id)
            && case.opened.take().is_some()
        {
            self.unsaved.record(key);
        }
    }

    /// A case may be told: puts it where there is something to tell. Says when to look again.
    fn look_at(&mut self, key: &AlertKey, id: EpisodeId, now: Moment) -> Option<Moment> {
        let subject = self.subjects.get_mut(key)?;
        let is_flapping = subject.is_flapping;
        let case = subject.cases.get_mut(&id)?;
        let before = (case.opened, case.step);
        case.open(now);
        let mut next = case.escalate(&self.config, now);
        if before != (case.opened, case.step) {
            self.unsaved.record(key);
        }
        let case = case.clone();
        let by_route = self.config.channels(key, case.severity);
        let channels = case.channels(by_route, &self.config);
        for channel in channels {
            let thread = Self::thread_of(&channel, key);
            match self.news(key, &case, &channel, is_flapping) {
                Some((_, from)) if from <= now => {
                    self.threads.entry(thread.clone()).or_default().wanting.insert((key.clone(), id));
                    self.wake(&thread, from);
                }
                Some((news, from)) => {
                    // Others of its group may be told sooner, and then this one along with them.
                    if news.joins() {
                        self.threads.entry(thread.clone()).or_default().wanting.insert((key.clone(), id));
                        self.wake(&thread, from);
                    }
                    next = Some(next.map_or(from, |next| next.min(from)));
                }
                None => {
                    if let Some(thread) = self.threads.get_mut(&thread) {
                        thread.wanting.remove(&(key.clone(), id));
                    }
                }
            }
        }
        next
    }

    /// What a channel is told next of a case, and from when on.
    pub(super) fn news(
        &self,
        key: &AlertKey,
        case: &Case,
        channel: &ChannelId,
        is_flapping: bool,
    ) -> Option<(crate::News, Moment)> {
        let is_routed = self.config.channels(key, case.severity).contains(&channel);
        let thread: ThreadKey = Self::thread_of(channel, key);
        let group_told = self.threads.get(&thread).and_then(|thread| thread.told);
        let around = Around { config: &self.config, now: self.clock.now(), is_flapping, group_told };
        case.news(channel, is_routed, around)
    }

    fn forget_what_is_done(&mut self, key: &AlertKey) {
        let Some(subject) = self.subjects.get_mut(key) else { return };
        let is_flapping = subject.is_flapping;
        let done: Vec<EpisodeId> =
            subject.cases.extract_if(.., |_, case| case.is_done(is_flapping)).map(|(id, _)| id).collect();
        if subject.is_empty() {
            if let Some(at) = subject.agenda {
                self.agenda.remove(&(at, key.clone()));
            }
            self.subjects.remove(key);
            self.hidden.remove(key);
            self.unsaved.record(key);
        } else if !done.is_empty() {
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
