//! Judges what was told of alerts: nothing without a reason, everything that is CRITICAL somewhere, and in the end nobody
//! believes that anything is wrong.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};

use super::state::Simulation;
use crate::FaultKind;
use crate::oracle::Told;

/// An alert may begin this long after what is wrong is over: what fails is measured over minutes, and tokens that waited are old for as long
/// as it takes to refresh them all.
const EFFECTS: Duration = Duration::from_mins(20);
/// From when on everything that has been CRITICAL has been told somewhere: all steps of the escalation, and the longest pause of a
/// channel that was down.
const TOLD_WITHIN: Duration = Duration::from_mins(30);

impl Simulation<'_> {
    /// Checks all that was told since the last time.
    pub(super) fn judge_told(&mut self) {
        let told = self.world.telling.told();
        for each in &told[self.told..] {
            let item = &each.item;
            // What began long ago is told again and again, and ended.
            let is_excused =
                self.is_excused(each.at) || *item.key.rule == *"channel_failing" && self.channels_failed();
            if item.ended.is_none() && !is_excused && is_first(&told, each) {
                let (channel, key, news) = (each.channel.name(), &item.key, item.news);
                self.verdicts
                    .broken(format_args!("{channel} is told of {key} ({news:?}) although nothing is wrong"));
            }
        }
        self.told = told.len();
    }

    /// Whether something was wrong shortly before.
    fn is_excused(&self, at: Moment) -> bool {
        let from = at.saturating_sub(EFFECTS);
        self.faults.any_between(from, at, |_| true) || self.illness.any_between(from, at)
    }

    /// Whether a channel has ever failed: until it is sent another message nobody knows that it does not fail any more.
    fn channels_failed(&self) -> bool {
        let now = self.executor.now();
        self.faults.any_between(Moment::ZERO, now, |kind| matches!(kind, FaultKind::Channel(..)))
    }

    /// Checks that nothing is left of what was told, once all faults are long over.
    pub(super) fn judge_told_at_end(&self) {
        let telling = &self.world.telling;
        let before = self.executor.now().saturating_sub(TOLD_WITHIN);
        for unheard in telling.unheard(before) {
            self.verdicts.broken(format_args!("nobody was told of {unheard}, which was CRITICAL"));
        }
        let is_true = |believed: &String| {
            believed.contains("restart_budget_spent{part=process}") && self.keeps_ending()
        };
        for believed in telling.believed(self.host).into_iter().filter(|believed| !is_true(believed)) {
            self.verdicts.broken(format_args!("nothing is wrong, and {believed} is believed to fire"));
        }
        let memory = self.world.alerts.memory();
        for key in memory.rows.keys() {
            self.verdicts.broken(format_args!("a message still waits at the end: {key}"));
        }
    }
}

/// Whether nobody was told of an episode before.
fn is_first(told: &[Told], each: &Told) -> bool {
    let is_same =
        |other: &&Told| other.item.key == each.item.key && other.item.episode.id == each.item.episode.id;
    told.iter().find(is_same).is_some_and(|first| first.at == each.at)
}
