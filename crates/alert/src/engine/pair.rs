//! What is remembered of a rule and labels that are not inactive. Those that are need no memory.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment, Severity};

use crate::alert::{AlertKey, Episode, EpisodeId, SavedAlert};
use crate::rule::RuleSpec;
use crate::{Labels, Phase, RuleId, Timing, Track};

/// A rule and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PairKey {
    pub(super) rule: RuleId,
    pub(super) labels: Labels,
}

/// There may be very many: the worse level has memory only while it is not inactive, and the episode is kept in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pair {
    pub(super) base: Track,
    worse: Option<Box<Track>>,
    /// Epoch, number and microseconds; of the number zero there is none.
    episode: (u64, u64, i64),
    /// NaN before the first.
    pub(super) value: f64,
}

impl Pair {
    pub(super) fn restored(saved: &SavedAlert) -> Self {
        let mut pair = Self {
            base: Track::restored(saved.phase, saved.held),
            value: saved.value.unwrap_or(f64::NAN),
            ..Self::default()
        };
        pair.set_worse(Track::restored(saved.worse, saved.worse_held));
        if let Some(episode) = saved.episode.filter(|_| saved.phase.fires()) {
            pair.begin(episode);
        }
        pair
    }

    pub(super) fn saved(&self, key: AlertKey, now: Moment) -> SavedAlert {
        let worse = self.worse();
        let held = |track: Track| match track.phase() {
            Phase::Pending | Phase::Recovering => track.held(now),
            Phase::Inactive | Phase::Firing => Duration::ZERO,
        };
        SavedAlert {
            key,
            phase: self.base.phase(),
            held: held(self.base),
            worse: worse.phase(),
            worse_held: held(worse),
            episode: self.episode(),
            value: Some(self.value).filter(|value| value.is_finite()),
        }
    }

    pub(super) fn worse(&self) -> Track {
        self.worse.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn set_worse(&mut self, track: Track) {
        self.worse = (track.phase() != Phase::Inactive).then(|| Box::new(track));
    }

    pub(super) fn episode(&self) -> Option<Episode> {
        let (epoch, number, started) = self.episode;
        let id = EpisodeId { epoch: Epoch::new(epoch), number };
        let started = Timestamp::from_microsecond(started).unwrap_or(Timestamp::UNIX_EPOCH);
        (number > 0).then_some(Episode { id, started })
    }

    pub(super) fn begin(&mut self, Episode { id, started }: Episode) {
        self.episode = (id.epoch.number(), id.number, started.as_microsecond());
    }

    /// How severe it is, if it fires.
    pub(super) fn severity(&self, rule: &RuleSpec) -> Severity {
        let worse = rule.condition.worse().filter(|_| self.worse().phase().fires());
        worse.map_or(rule.severity, |worse| worse.severity)
    }

    /// When time alone changes it, on the observed clock.
    pub(super) fn due(&self, timing: Timing) -> Option<Moment> {
        [self.base, self.worse()].into_iter().filter_map(|track| track.due(timing)).min()
    }
}
