//! What one channel knows of an episode.

use std::sync::Arc;

use ttm_kernel::Moment;

use super::steady::Steady;
use crate::record::Told as SavedTold;
use crate::{ChannelId, Said};

/// What a channel knows of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) said: Option<Said>,
    /// What it refused to be told since.
    pub(super) refused: Option<Said>,
    pub(super) at: Moment,
    pub(super) is_delivered: bool,
    pub(super) is_due: bool,
    /// Whether it is told only since a person ordered that.
    pub(super) is_once: bool,
    pub(super) messages: u32,
    pub(super) remote_id: Option<Arc<str>>,
}

impl Told {
    pub(super) fn saved(&self, channel: &ChannelId, clock: &Steady) -> SavedTold {
        SavedTold {
            channel: channel.clone(),
            said: self.said,
            refused: self.refused,
            at: self.said.map(|_| clock.wall(self.at)),
            is_delivered: self.is_delivered,
            is_due: self.is_due,
            is_once: self.is_once,
            messages: self.messages,
            remote_id: self.remote_id.clone(),
        }
    }

    pub(super) fn restored(saved: &SavedTold, clock: &Steady) -> Self {
        Self {
            said: saved.said,
            refused: saved.refused,
            at: saved.at.map_or(Moment::ZERO, |at| clock.at(at)),
            is_delivered: saved.is_delivered,
            is_due: saved.is_due,
            is_once: saved.is_once,
            messages: saved.messages,
            remote_id: saved.remote_id.clone(),
        }
    }
}
