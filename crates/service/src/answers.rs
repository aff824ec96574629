//! What the API's answers leave unsaid, for the board: the work posts it, the monitor reads it. It judges nothing.

use parking_lot::Mutex;
use ttm_health::{SilenceFacts, UnreadableFacts};
use ttm_kernel::Moment;

/// As last posted.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<Posted>);

#[derive(Debug, Default)]
struct Posted {
    at: Moment,
    silence: Option<SilenceFacts>,
    unreadable: Option<UnreadableFacts>,
}

impl Answers {
    /// Posts what is so now.
    pub(super) fn post(
        &self,
        silence: Option<SilenceFacts>,
        unreadable: Option<UnreadableFacts>,
        at: Moment,
    ) {
        *self.0.lock() = Posted { at, silence, unreadable };
    }

    /// What is so now: a silence lasts on until an answer ends it.
    pub(super) fn facts(&self, now: Moment) -> (Option<SilenceFacts>, Option<UnreadableFacts>) {
        let posted = self.0.lock();
        let silence = posted
            .silence
            .map(|silence| SilenceFacts { lasts: silence.lasts.saturating_add(now - posted.at), ..silence });
        (silence, posted.unreadable.clone())
    }
}
