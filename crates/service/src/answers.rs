//! What the API's answers leave unsaid, and requests that panicked before there was one, for the board: the work posts it, the
//! monitor reads it. It judges nothing.

use std::time::Duration;

use parking_lot::Mutex;
use ttm_health::{PanicFacts, SilenceFacts, UnreadableFacts};
use ttm_kernel::{Lane, Moment, PerLane};

/// Panics are shown for so long after the last one. Tokens whose requests panic are asked for less and less often, though not less than
/// every ten minutes by default.
const PANICS_SHOWN: Duration = Duration::from_mins(11);

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

    /// A request for tokens of this lane panicked with this message, which is bounded. Returns whether that is news.
    pub(super) fn post_panic(&self, lane: Lane, message: &str, at: Moment) -> bool {
        let panics = &mut self.0.lock().panics[lane];
        let before = panics.take().filter(|panics| panics.are_shown(at));
        let is_news = before.as_ref().is_none_or(|before| before.message != message);
        let (requests, first) = before.map_or((0, at), |before| (before.requests, before.first));
        *panics = Some(Panics { requests: requests + 1, first, last: at, message: message.to_owned() });
        is_news
    }

    /// What is so now: a silence lasts on until an answer ends it.
    pub(super) fn facts(&self, now: Moment) -> (Option<SilenceFacts>, Option<UnreadableFacts>) {
        let posted = self.0.lock();
        let silence = posted
            .silence
            .map(|silence| SilenceFacts { lasts: silence.lasts.saturating_add(now - posted.at), ..silence });
        (silence, posted.unreadable.clone())
    }

    /// When a request for tokens of this lane panicked last.
    pub(super) fn last_panic(&self, lane: Lane) -> Option<Moment> {
        self.0.lock().panics[lane].as_ref().map(|panics| panics.last)
    }

    /// The requests of a lane that panicked lately.
    pub(super) fn panics(&self, lane: Lane, now: Moment) -> Option<PanicFacts> {
        let posted = self.0.lock();
        let panics = posted.panics[lane].as_ref().filter(|panics| panics.are_shown(now))?;
        let Panics { requests, first, last, message } = panics;
        let (lasts, since_last) = (now - *first, now - *last);
        Some(PanicFacts { requests: *requests, lasts, since_last, message: message.clone() })
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
    fn panics_are_counted_by_lane_until_there_was_none_for_long() {
        let answers = Answers::default();
        assert_eq!(answers.panics(Lane::Hot, at(0)), None);
        for (second, message, is_news) in [(10, "boom", true), (20, "boom", false), (679, "bang", true)] {
            assert_eq!(answers.post_panic(Lane::Hot, message, at(second)), is_news, "{second}");
        }
        answers.post(None, None, at(680));
        let shown = answers.panics(Lane::Hot, at(680)).expect("panics");
        let (lasts, since_last) = (Duration::from_secs(670), Duration::from_secs(1));
        assert_eq!(shown, PanicFacts { requests: 3, lasts, since_last, message: "bang".to_owned() });
        assert_eq!(answers.panics(Lane::Cold, at(680)), None);
        assert!(answers.panics(Lane::Hot, at(1_338)).is_some());
        assert_eq!(answers.panics(Lane::Hot, at(1_339)), None);
        assert!(answers.post_panic(Lane::Hot, "bang", at(1_339)), "it was over");
        assert_eq!(answers.panics(Lane::Hot, at(1_340)).map(|panics| panics.requests), Some(1));
    }
}
