//! What one channel is told of one group: one message at a time, in order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Moment;

use crate::{AlertKey, ChannelId, EpisodeId, OutboxRow, Said};

/// A group, which is the name of a rule, and a channel.
pub(super) type ThreadKey = (Arc<str>, ChannelId);

/// The state of a channel for a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    /// What there may be to tell, now or later.
    pub(super) wanting: BTreeSet<(AlertKey, EpisodeId)>,
    /// The message that waits.
    pub(super) row: Option<Row>,
    /// When it was last told.
    pub(super) told: Option<Moment>,
    /// When it is looked at next by itself.
    pub(super) timer: Option<Moment>,
    /// Attempts since the last that worked.
    failures: u32,
    not_before: Moment,
    pub(super) failing_since: Option<Timestamp>,
}

/// A message that waits.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) out: OutboxRow,
    /// Whether the store has it.
    pub(super) is_saved: bool,
    /// How many of what it covers have their states in the store, or get them there before it.
    pub(super) stored: usize,
    pub(super) is_under_way: bool,
    /// Whether it may not be what is to be told any more: it is made again before it is sent, and stays if that is the same.
    pub(super) is_doubtful: bool,
}

impl Row {
    pub(super) fn new(out: OutboxRow) -> Self {
        Self { out, is_saved: false, stored: 0, is_under_way: false, is_doubtful: false }
    }

    /// What it says of an episode.
    pub(super) fn says(&self, key: &AlertKey, id: EpisodeId) -> Option<Said> {
        says(&self.out.covers, key, id)
    }
}

/// What is said of an episode, in the order of alerts and episodes.
pub(super) fn says(covers: &[(AlertKey, EpisodeId, Said)], key: &AlertKey, id: EpisodeId) -> Option<Said> {
    let place = covers.binary_search_by(|(of, its, _)| (of, its).cmp(&(key, &id))).ok()?;
    Some(covers[place].2)
}

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// What is believed of a channel that says when to come back.
const LONGEST_RETRY: Duration = Duration::from_hours(1);

impl Thread {
    /// Whether its message may be tried at this time.
    pub(super) fn may_try(&self, now: Moment) -> bool {
        self.not_before <= now && self.row.as_ref().is_some_and(|row| !row.is_under_way && !row.is_doubtful)
    }

    /// When its message is to be made again before it is sent; `None` if it is not.
    pub(super) fn remakes_at(&self) -> Option<Moment> {
        self.row.as_ref().filter(|row| row.is_doubtful && !row.is_under_way).map(|_| self.not_before)
    }

    /// Whether nothing is lost with it at this time.
    pub(super) fn is_idle(&self, group_interval: Duration, now: Moment) -> bool {
        let waits = self.told.is_some_and(|told| told + group_interval > now);
        self.row.is_none() && self.wanting.is_empty() && self.failing_since.is_none() && !waits
    }

    /// Until when its message waits for another attempt.
    pub(super) fn waits_until(&self) -> Option<Moment> {
        self.row.as_ref().filter(|row| !row.is_under_way).map(|_| self.not_before)
    }

    /// The channel has failed: full jitter on a growing backoff, and never sooner than it asked for.
    pub(super) fn fail(&mut self, after: Option<Duration>, jitter: f64, now: Moment, wall: Timestamp) {
        let backoff = FIRST_BACKOFF.saturating_mul(1 << self.failures.min(16)).min(LONGEST_BACKOFF);
        self.failures = self.failures.saturating_add(1);
        self.not_before =
            now + backoff.mul_f64(jitter.clamp(0.0, 1.0)).max(after.unwrap_or_default().min(LONGEST_RETRY));
        self.failing_since.get_or_insert(wall);
    }

    /// The channel can be told nothing for so long, which says itself how long that is.
    pub(super) fn put_off(&mut self, after: Option<Duration>, now: Moment, wall: Timestamp) {
        self.not_before = now + after.unwrap_or(FIRST_BACKOFF).min(LONGEST_RETRY);
        self.failing_since.get_or_insert(wall);
    }

    /// The channel has answered.
    pub(super) fn answered(&mut self) {
        (self.failures, self.not_before, self.failing_since) = (0, Moment::ZERO, None);
    }
}
