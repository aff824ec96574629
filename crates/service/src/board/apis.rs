//! What is known of the APIs from the calls to them; each has the name of its breaker.

use std::time::Duration;

use ttm_kernel::Lane;

use super::Board;
use crate::refusals::Refusals;
use crate::trouble::{ApiTrouble, News, Trouble};

impl Board {
    /// Posts that an API did not do what it was asked to.
    pub fn post_api_error(&self, api: &str, error: &str) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        self.last_words.lock().insert(api.to_owned(), now);
        let news = {
            let mut troubles = self.troubles.lock();
            Trouble::note(troubles.entry(api.to_owned()).or_default(), error, now, wall)
        };
        match news {
            News::Begins => tracing::warn!(api, error, "the API fails"),
            News::Changes => tracing::warn!(api, error, "the API fails in another way"),
            News::Nothing => {}
        }
    }

    /// Posts that an API answered.
    pub fn post_api_answered(&self, api: &str) {
        let now = self.clock.now();
        self.last_words.lock().insert(api.to_owned(), now);
        let over = self.troubles.lock().get_mut(api).and_then(|trouble| Trouble::end(trouble, now));
        if let Some(ApiTrouble { message, since, .. }) = over {
            tracing::warn!(api, failed_since = %since, last_error = message, "the API answers again");
        }
    }

    /// Posts that an API refused a call because it is asked too often.
    pub(crate) fn post_rate_limited(&self, api: &str) {
        self.refusals.lock().entry(api.to_owned()).or_default().rate_limited += 1;
    }

    /// Posts that an API refused a call because of who makes it.
    pub(crate) fn post_forbidden(&self, api: &str) {
        self.refusals.lock().entry(api.to_owned()).or_default().forbidden += 1;
    }

    /// How often an API has refused a call since the start.
    pub(crate) fn refusals(&self, api: &str) -> (String, Refusals) {
        (api.to_owned(), self.refusals.lock().get(api).copied().unwrap_or_default())
    }

    /// What goes wrong with an API, while it does; APIs have the names of their breakers.
    pub fn api_trouble(&self, api: &str) -> Option<ApiTrouble> {
        self.troubles.lock().get(api)?.as_ref().map(Trouble::shown)
    }

    /// For how long an API has given nothing but errors. `None` if it answers.
    pub(crate) fn api_failing_for(&self, api: &str) -> Option<Duration> {
        let since = self.troubles.lock().get(api)?.as_ref()?.unanswered_since()?;
        Some(self.clock.now() - since)
    }

    /// Whether a request for tokens of this lane panicked since the API was last heard of. What was said of it before explains nothing then.
    pub(crate) fn panics_since_heard_of(&self, api: &str, lane: Lane) -> bool {
        let heard = self.last_words.lock().get(api).copied();
        self.answers.last_panic(lane).is_some_and(|panic| heard.is_none_or(|heard| heard <= panic))
    }
}
