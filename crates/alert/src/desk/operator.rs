//! What operators order.

use super::{AlertKey, Desk, QuietId};
use crate::message::bounded;
use crate::record::Ack;
use crate::{ChannelId, EpisodeId, NotifyConfig, Now, Quiet, RuleSet};

/// There is nothing to acknowledge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the alert {0} does not fire")]
pub struct NotFiring(pub AlertKey);

/// As many silences and maintenance windows as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {most} silences and maintenance windows, which is the most there may be: end some", most = Desk::MOST_QUIETS)]
pub struct TooManyQuiets;

impl Desk {
    /// The most silences and maintenance windows.
    pub const MOST_QUIETS: usize = 500;

    /// Somebody has seen an alert: it escalates no further as long as it gets no worse. It is repeated, and its end is told, all the
    /// same. Tell the operator so once that is stored. With an episode, that one alone is acknowledged, and not once more while
    /// somebody has it as severe as it is.
    ///
    /// # Errors
    /// It does not fire, or not in that episode.
    pub fn acknowledge(
        &mut self,
        key: &AlertKey,
        episode: Option<EpisodeId>,
        by: &str,
        now: Now,
    ) -> Result<(), NotFiring> {
        let cases = self.subjects.get_mut(key).map(|subject| &mut subject.cases);
        let firing = cases.and_then(|cases| cases.values_mut().rev().find(|case| case.ended.is_none()));
        let meant = firing.filter(|case| episode.is_none_or(|id| id == case.episode.id));
        let case = meant.ok_or_else(|| NotFiring(key.clone()))?;
        if episode.is_some() && case.acknowledged_by().is_some() {
            return Ok(());
        }
        case.ack = Some(Ack { by: bounded(by), at: now.wall, severity: case.severity });
        // Nor is anybody told by a step that was taken and has not been told yet.
        let (id, by_route) = (case.episode.id, self.config.channels(key, case.severity));
        let fallback = self.config.settings().escalation.fallback.as_ref();
        let waits = |channel: &&ChannelId| !by_route.contains(channel) && Some(*channel) != fallback;
        let untold = case.told.iter().filter(|(_, told)| told.said.is_none()).map(|(channel, _)| channel);
        let mut dropped = Vec::new();
        for channel in untold.filter(waits).cloned().collect::<Vec<_>>() {
            let thread = Self::thread_of(&channel, key);
            let row = self.threads.get(&thread).and_then(|thread| thread.row.as_ref());
            if row.is_none_or(|row| row.out.attempts == 0 || row.says(key, id).is_none()) {
                case.told.remove(&channel);
                dropped.push(thread);
            }
        }
        for thread in dropped {
            self.doubt(&thread);
        }
        self.unsaved.record(key);
        self.dirty.insert(key.clone());
        Ok(())
    }

    /// A silence or a maintenance window. It is in force at once.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn silence(&mut self, quiet: Quiet, now: Now) -> Result<QuietId, TooManyQuiets> {
        if self.silences().count() >= Self::MOST_QUIETS {
            return Err(TooManyQuiets);
        }
        self.newest_quiet += 1;
        let id = QuietId(self.newest_quiet);
        self.unsaved.quiet(id, Some(quiet.clone()));
        self.quiets.insert(id, quiet);
        self.look_at_quiets(now);
        Ok(id)
    }

    /// Ends a silence or a maintenance window. Says whether there was one.
    pub fn end_silence(&mut self, id: QuietId, now: Now) -> bool {
        let was = self.quiets.remove(&id).is_some();
        if was {
            self.unsaved.quiet(id, None);
        }
        self.look_at_quiets(now);
        was
    }

    /// The silences and maintenance windows that are not over, ordered by their ids.
    pub fn silences(&self) -> impl Iterator<Item = (QuietId, &Quiet)> {
        self.quiets.iter().filter(|(id, _)| !self.over.contains_key(id)).map(|(id, quiet)| (*id, quiet))
    }

    /// Has a channel told of an alert as if it had never been: the message of a dead letter once more, as it is true now. One that
    /// would not have been told of it is told that and its end, and is not reminded. Says whether there is anything to tell.
    pub fn tell_again(&mut self, key: &AlertKey, channel: &ChannelId) -> bool {
        let subject = self.subjects.get_mut(key).filter(|subject| !subject.cases.is_empty());
        let Some(subject) = subject else { return false };
        for case in subject.cases.values_mut() {
            let is_known = case.told.contains_key(channel);
            let told = case.told.get_or_default(channel.clone());
            (told.said, told.is_due, told.is_once) = (None, true, told.is_once || !is_known);
        }
        self.unsaved.record(key);
        self.dirty.insert(key.clone());
        true
    }

    /// Goes on with other rules and settings. Alerts of rules that stay go on, as severe as their rule and the worst
    /// of their consequences make them now; see
    /// [`Engine::reconfigure`](crate::Engine::reconfigure). This is not done in slices: it takes as long as there are alerts.
    pub fn reconfigure(&mut self, rules: RuleSet, config: NotifyConfig, now: Now) {
        self.engine.reconfigure(rules, now.moment, now.wall);
        self.config = config;
        (self.drafting, self.checkpoint) = (None, None);
        self.hidden.clear();
        self.releases.clear();
        self.dirty.extend(self.subjects.keys().cloned());
        self.take_up_severities();
        let (interval, steady) = (self.config.settings().group_interval, self.clock.now());
        for (key, thread) in self.threads.extract_if(.., |_, thread| thread.is_idle(interval, steady)) {
            if let Some(timer) = thread.timer {
                self.timers.remove(&(timer, key));
            }
        }
        self.doubt_all();
    }

    /// How severe what fires is by the rules that there are now.
    pub(super) fn take_up_severities(&mut self) {
        for (key, subject) in &mut self.subjects {
            let Some(severity) = self.engine.severity(key) else { continue };
            let firing = subject.cases.values_mut().filter(|case| case.ended.is_none());
            for case in firing.filter(|case| case.severity != severity.max(case.least)) {
                case.set_severity(severity);
                self.unsaved.record(key);
            }
        }
    }
}
