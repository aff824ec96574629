//! One episode and who knows of it: what there is to tell a channel, and from when on.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Moment, Severity};

use crate::record::{Ack, Case as SavedCase};
use crate::{ChannelId, Ending, Episode, EpisodeId, News, NotifyConfig, Said};

use super::few::Few;
use super::steady::Steady;
use super::told::Told;

/// An episode. Times are those of the steady clock.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) episode: Episode,
    pub(super) severity: Severity,
    /// It is no less severe than the worst of its consequences was.
    pub(super) least: Severity,
    pub(super) value: Option<f64>,
    pub(super) ended: Option<(Timestamp, Ending)>,
    pub(super) ack: Option<Ack>,
    /// Since when nothing has kept it from being told.
    pub(super) opened: Option<Moment>,
    /// The step of the escalation that was taken last.
    pub(super) step: u8,
    pub(super) is_notice: bool,
    /// Whether something has kept it from being told since it was last open.
    pub(super) was_hidden: bool,
    pub(super) told: Few<ChannelId, Told>,
}

/// All that is told of one alert.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    pub(super) cases: Few<EpisodeId, Case>,
    /// When it began or ended to fire.
    pub(super) changes: VecDeque<Moment>,
    pub(super) is_flapping: bool,
    /// How severe it was when that was told last; a restart forgets it.
    pub(super) noticed: Option<Severity>,
    /// Whether it has not changed for long enough to be told of, though it has not settled; a restart finds that out again.
    pub(super) has_lasted: bool,
    /// When it is looked at next by itself.
    pub(super) agenda: Option<Moment>,
}

/// What a look at a case needs to know beside it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) config: &'a NotifyConfig,
    pub(super) now: Moment,
    pub(super) is_flapping: bool,
    /// When the channel was last told of the group.
    pub(super) group_told: Option<Moment>,
}

/// Within which time changes are counted.
const HOUR: Duration = Duration::from_hours(1);
/// How many changes within an hour are too many to tell of each.
const FLAPPING: usize = 4;
/// For how long an alert that was flapping must not have changed.
const STABLE: Duration = Duration::from_mins(30);
/// What has been so for this long is told although it keeps changing: whoever knows it otherwise would go on believing that.
const LASTS: Duration = Duration::from_mins(5);
/// The most episodes of one alert that are remembered until they are told.
const MOST_CASES: usize = 8;

impl Case {
    pub(super) fn new(episode: Episode, severity: Severity, value: Option<f64>) -> Self {
        let (ended, ack, opened, told) = (None, None, None, Few::default());
        let (step, is_notice, was_hidden, least) = (0, false, false, Severity::Info);
        Self { episode, severity, least, value, ended, ack, opened, step, is_notice, was_hidden, told }
    }

    /// Who has acknowledged it as severe as it is.
    pub(super) fn acknowledged_by(&self) -> Option<&str> {
        self.ack.as_ref().filter(|ack| ack.severity >= self.severity).map(|ack| &*ack.by)
    }

    /// It is so severe from now on. If that is worse, its escalation begins anew.
    pub(super) fn set_severity(&mut self, severity: Severity) {
        let severity = severity.max(self.least);
        if severity > self.severity {
            self.opened = None;
        }
        self.severity = severity;
    }

    /// Takes the steps of the escalation that are due, and says when the next one is.
    pub(super) fn escalate(&mut self, config: &NotifyConfig, now: Moment) -> Option<Moment> {
        let opened = self.opened.filter(|_| self.ended.is_none() && self.acknowledged_by().is_none())?;
        loop {
            let (after, _) = config.step(self.severity, self.step + 1)?;
            if opened + after > now {
                return Some(opened + after);
            }
            self.step += 1;
        }
    }

    /// Nothing keeps it from being told any more, or for the first time.
    pub(super) fn open(&mut self, now: Moment) {
        self.was_hidden = false;
        if self.opened.is_none() {
            (self.opened, self.step) = (Some(now), 0);
            for told in self.told.values_mut() {
                told.said = told.said.map(|said| Said { step: 0, ..said });
            }
        }
    }

    /// The step of the escalation by which a channel was to be told last; zero if by none.
    fn step_of(&self, channel: &ChannelId, config: &NotifyConfig) -> u8 {
        if self.acknowledged_by().is_some() {
            return 0;
        }
        let tells = |step: &u8| config.step(self.severity, *step).is_some_and(|(_, to)| to == channel);
        (1..=self.step).rev().find(tells).unwrap_or(0)
    }

    /// Whether a channel is to know of it, or does already.
    pub(super) fn is_for(&self, channel: &ChannelId, is_routed: bool, config: &NotifyConfig) -> bool {
        let is_on = self.ended.is_none();
        self.told.contains_key(channel)
            || is_routed && (is_on || self.is_notice)
            || is_on && self.is_for_step(channel, config)
    }

    fn is_for_step(&self, channel: &ChannelId, config: &NotifyConfig) -> bool {
        self.by_steps(config).any(|told| told == channel)
    }

    /// The channels that are told by the steps taken so far.
    fn by_steps<'a>(&self, config: &'a NotifyConfig) -> impl Iterator<Item = &'a ChannelId> {
        let steps = (0..=self.step).filter(|_| self.acknowledged_by().is_none());
        steps.filter_map(|step| config.step(self.severity, step)).map(|(_, channel)| channel)
    }

    /// All such channels.
    pub(super) fn channels(&self, by_route: &[&ChannelId], config: &NotifyConfig) -> Vec<ChannelId> {
        let known = self.told.keys().chain(by_route.iter().copied()).chain(self.by_steps(config));
        let of = known.filter(|channel| self.is_for(channel, by_route.contains(channel), config));
        let all: BTreeSet<&ChannelId> = of.collect();
        all.into_iter().cloned().collect()
    }

    /// What a channel is told next, and from when on; `None` if it knows all.
    pub(super) fn news(
        &self,
        channel: &ChannelId,
        is_routed: bool,
        around: Around<'_>,
    ) -> Option<(News, Moment)> {
        let Around { config, now, .. } = around;
        let settings = config.settings();
        let unknown = Told::default();
        let told = self.told.get(channel).unwrap_or(&unknown);
        let is_left_alone = told.is_once && !is_routed && !self.is_for_step(channel, config);
        if is_left_alone && told.said.is_some() && self.ended.is_none() {
            return None;
        }
        let grouped = around.group_told.map_or(Moment::ZERO, |last| last + settings.group_interval);
        let knows_that_it_flaps =
            told.said.is_some_and(|said| said.is_flapping && said.severity >= self.severity);
        if around.is_flapping {
            return (self.is_notice && !knows_that_it_flaps).then_some((News::Flapping, now));
        }
        let waited = self.opened.unwrap_or(now) + settings.group_wait;
        let is_urgent = self.severity == Severity::Critical || !is_routed;
        let new = if is_urgent { now } else { waited.max(grouped) };
        let Some(said) = told.said else {
            return match self.ended {
                None => Some((News::New, new)),
                Some(_) => told.is_due.then_some((News::Passed, now)),
            };
        };
        if self.ended.is_some() {
            return (!said.is_over && told.is_delivered).then_some((News::Resolved, now));
        }
        if !told.is_delivered {
            // It refused, and knows nothing: it is asked again as rarely as it would be reminded.
            let repeat = config.repeat(self.severity)?;
            return Some((News::New, if self.severity > said.severity { now } else { told.at + repeat }));
        }
        let cooled = told.at + settings.cooldown;
        let (news, from) = if self.severity > said.severity {
            (News::MoreSevere, now)
        } else if self.step_of(channel, config) > said.step {
            (News::Escalated, cooled)
        } else if said.is_flapping {
            (News::Settled, cooled.max(grouped))
        } else if self.severity < said.severity {
            (News::LessSevere, cooled.max(grouped))
        } else {
            (News::Reminder, (told.at + config.repeat(self.severity)?).max(grouped))
        };
        if told.refused == Some(self.says(news, channel, config)) {
            return Some((news, from.max(told.at + config.repeat(self.severity)?)));
        }
        Some((news, from))
    }

    /// What the channel knows once it has been told this.
    pub(super) fn says(&self, news: News, channel: &ChannelId, config: &NotifyConfig) -> Said {
        Said {
            is_over: self.ended.is_some(),
            severity: self.severity,
            is_flapping: news == News::Flapping,
            step: if self.ended.is_some() { 0 } else { self.step_of(channel, config) },
        }
    }

    /// A channel was told this, or refused it.
    pub(super) fn answered(
        &mut self,
        channel: &ChannelId,
        said: Said,
        is_delivered: bool,
        now: Moment,
    ) -> &mut Told {
        let told = self.told.get_or_default(channel.clone());
        let knows_nothing = !told.is_delivered || said.is_over;
        (told.at, told.is_due, told.refused) = (now, false, (!is_delivered).then_some(said));
        if is_delivered || knows_nothing {
            told.said = Some(said);
        }
        told.is_delivered |= is_delivered;
        told
    }

    /// Whether it is over and nobody will be told more of it, not even when nothing keeps it from being told.
    pub(super) fn is_done(&self, is_flapping: bool) -> bool {
        let is_settled = |told: &Told| match told.said {
            None => !told.is_due,
            Some(said) => said.is_over || !told.is_delivered,
        };
        self.ended.is_some()
            && self.told.values().all(is_settled)
            && !(self.is_notice && is_flapping && self.is_untold())
    }

    /// The channels that were told of it, or are about to be.
    pub(super) fn told_channels(&self) -> Vec<ChannelId> {
        self.told.keys().cloned().collect()
    }

    /// Whether no channel was told anything of it, or is about to be.
    pub(super) fn is_unheard(&self) -> bool {
        self.told.values().all(|told| told.said.is_none() && !told.is_due)
    }

    fn is_untold(&self) -> bool {
        !self.told.values().any(|told| told.said.is_some_and(|said| said.is_flapping))
    }

    pub(super) fn saved(&self, clock: &Steady) -> SavedCase {
        SavedCase {
            episode: self.episode,
            severity: self.severity,
            least: self.least,
            value: self.value,
            ended: self.ended,
            ack: self.ack.clone(),
            opened: self.opened.map(|opened| clock.wall(opened)),
            step: self.step,
            is_notice: self.is_notice,
            told: self.told.iter().map(|(channel, told)| told.saved(channel, clock)).collect(),
        }
    }

    pub(super) fn restored(saved: &SavedCase, clock: &Steady) -> Self {
        Self {
            ended: saved.ended,
            ack: saved.ack.clone(),
            opened: saved.opened.map(|opened| clock.at(opened)),
            step: saved.step,
            is_notice: saved.is_notice,
            least: saved.least,
            told: saved.told.iter().map(|told| (told.channel.clone(), Told::restored(told, clock))).collect(),
            ..Self::new(saved.episode, saved.severity, saved.value)
        }
    }
}

impl Subject {
    /// It began or ended to fire. Says whether that is once too often within an hour.
    pub(super) fn changed(&mut self, now: Moment) -> bool {
        self.changes.push_back(now);
        self.trim(now);
        let begins = !self.is_flapping && self.changes.len() >= FLAPPING;
        self.is_flapping |= begins;
        self.has_lasted = false;
        begins
    }

    /// Forgets changes of more than an hour ago, and more than there can be use of.
    fn trim(&mut self, now: Moment) {
        let is_old = |at: &Moment| *at + HOUR <= now;
        while self.changes.front().is_some_and(is_old) || self.changes.len() > FLAPPING {
            self.changes.pop_front();
        }
    }

    /// Looks whether it has settled. Says when to look again.
    pub(super) fn settle(&mut self, now: Moment) -> Option<Moment> {
        self.trim(now);
        let Some(newest) = self.changes.back().copied() else {
            (self.is_flapping, self.noticed) = (false, None);
            return None;
        };
        if !self.is_flapping {
            return Some(newest + HOUR);
        }
        let before = self.changes.len().checked_sub(2);
        let second = before.map_or(Moment::ZERO, |place| self.changes[place] + HOUR);
        let settled = second.max(newest + STABLE);
        if settled <= now {
            (self.is_flapping, self.noticed) = (false, None);
            return Some(newest + HOUR);
        }
        let lasts = newest + LASTS;
        self.has_lasted = lasts <= now;
        Some(if self.has_lasted { settled } else { settled.min(lasts) })
    }

    /// Whether it changes so often that nothing is told of it beyond that.
    pub(super) fn keeps_changing(&self) -> bool {
        self.is_flapping && !self.has_lasted
    }

    /// What keeps changing is told once more if it is more severe than that was.
    pub(super) fn notice(&mut self, id: EpisodeId, base: Severity) {
        let Some(case) = self.cases.get_mut(&id).filter(|_| self.is_flapping) else { return };
        if case.severity > self.noticed.unwrap_or(base) {
            (case.is_notice, self.noticed) = (true, Some(case.severity));
        }
    }

    /// The episodes beyond the most that are remembered, the oldest of which are given up: first those of which nobody knows that
    /// they began.
    pub(super) fn collapse(&mut self) -> u64 {
        let mut given_up = 0;
        while self.cases.len() > MOST_CASES {
            let over = self.cases.iter().filter(|(_, case)| case.ended.is_some());
            let is_known = |case: &Case| case.told.values().any(|told| told.is_delivered);
            let Some(id) = over.min_by_key(|(id, case)| (is_known(case), **id)).map(|(id, _)| *id) else {
                break;
            };
            self.cases.remove(&id);
            given_up += 1;
        }
        given_up
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.changes.is_empty() && !self.is_flapping
    }
}
