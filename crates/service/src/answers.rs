//! What the API's answers leave unsaid, and requests that panicked before there was one, for the board: the work posts it, the
//! monitor reads it. It judges nothing.

use std::time::Duration;

use parking_lot::Mutex;
use ttm_health::{PanicFacts, SilenceFacts, UnreadableFacts};
use ttm_kernel::{Lane, Moment, PerLane};

/// Panics are shown for so long after the last one: tokens whose requests panic are asked for less and less often.
const PANICS_SHOWN: Duration = Duration::from_mins(5);

/// Characters of a panic's message that are shown.
const LONGEST_MESSAGE: usize = 200;

/// As last posted.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<Posted>);

#[derive(Debug, Default)]
struct Posted {
    at: Moment,
    silence: Option<SilenceFacts>,
    unreadable: Option<UnreadableFacts>,
    panics: PerLane<Option<Panics>>,
}

#[derive(Debug)]
struct Panics {
    requests: u64,
    first: Moment,
    last: Moment,
    message: String,
}

impl Answers {
    /// Posts what is so now.
    pub(super) fn post(
        &self,
        silence: Option<SilenceFacts>,
        unreadable: Option<UnreadableFacts>,
        at: Moment,
    ) {
        let mut posted = self.0.lock();
        (posted.at, posted.silence, posted.unreadable) = (at, silence, unreadable);
    }

    /// A request for tokens of this lane panicked with this message.
    pub(super) fn post_panic(&self, lane: Lane, message: &str, at: Moment) {
        let panics = &mut self.0.lock().panics[lane];
        let before = panics.take().filter(|panics| panics.are_shown(at));
        let (requests, first) = before.map_or((0, at), |before| (before.requests, before.first));
        let message = message.chars().filter(|char| !char.is_control()).take(LONGEST_MESSAGE).collect();
        *panics = Some(Panics { requests: requests + 1, first, last: at, message });
    }

    /// What is so now: a silence lasts on until an answer ends it.
    pub(super) fn facts(&self, now: Moment) -> (Option<SilenceFacts>, Option<UnreadableFacts>) {
        let posted = self.0.lock();
        let silence = posted
            .silence
            .map(|silence| SilenceFacts { lasts: silence.lasts.saturating_add(now - posted.at), ..silence });
        (silence, posted.unreadable.clone())
    }

    /// The requests of a lane that panicked lately.
    pub(super) fn panics(&self, lane: Lane, now: Moment) -> Option<PanicFacts> {
        let posted = self.0.lock();
        let panics = posted.panics[lane].as_ref().filter(|panics| panics.are_shown(now))?;
        let Panics { requests, first, message, .. } = panics;
        Some(PanicFacts { requests: *requests, lasts: now - *first, message: message.clone() })
    }
}

impl Panics {
    fn are_shown(&self, now: Moment) -> bool {
        now - self.last < PANICS_SHOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn panics_are_counted_by_lane_until_there_was_none_for_five_minutes() {
        let answers = Answers::default();
        assert_eq!(answers.panics(Lane::Hot, at(0)), None);
        for second in [10, 20, 319] {
            answers.post_panic(Lane::Hot, &format!("boom {second}"), at(second));
        }
        answers.post(None, None, at(320));
        let shown = answers.panics(Lane::Hot, at(320)).expect("panics");
        let message = "boom 319".to_owned();
        assert_eq!(shown, PanicFacts { requests: 3, lasts: Duration::from_secs(310), message });
        assert_eq!(answers.panics(Lane::Cold, at(320)), None);
        assert!(answers.panics(Lane::Hot, at(618)).is_some());
        assert_eq!(answers.panics(Lane::Hot, at(619)), None);
        answers.post_panic(Lane::Hot, "again", at(619));
        assert_eq!(answers.panics(Lane::Hot, at(620)).map(|panics| panics.requests), Some(1));
    }
}
