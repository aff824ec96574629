//! Since when somebody does not take what is told, and why.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::{ChannelId, Outcome};
use ttm_kernel::{Clock, Moment};

/// What somebody takes that is told something again and again. That it fails is logged when it begins and when it ends.
pub(crate) struct Failing {
    name: String,
    /// What is logged when it begins to fail, and when it takes something again.
    says: [&'static str; 2],
    failure: Mutex<Option<Failure>>,
}

#[derive(Clone)]
struct Failure {
    since: Timestamp,
    /// The same by the clock that nobody sets.
    began: Moment,
    why: String,
}

impl Failing {
    /// A channel, which takes messages.
    pub(crate) fn channel(id: &ChannelId) -> Self {
        Self::new(id.as_str(), ["the channel does not take a message", "the channel takes messages again"])
    }

    /// A feed, which takes what fires.
    pub(crate) fn feed(id: &ChannelId) -> Self {
        let says = ["the channel does not take what fires", "the channel takes what fires again"];
        Self::new(id.as_str(), says)
    }

    /// The heartbeat.
    pub(crate) fn heartbeat() -> Self {
        Self::new("heartbeat", ["the heartbeat does not arrive", "the heartbeat arrives again"])
    }

    fn new(name: &str, says: [&'static str; 2]) -> Self {
        Self { name: name.to_owned(), says, failure: Mutex::default() }
    }

    /// Since when nothing is taken, and why; `None` if the last that was sent was taken.
    pub(crate) fn get(&self) -> Option<(Timestamp, String)> {
        self.failure.lock().as_ref().map(|failure| (failure.since, failure.why.clone()))
    }

    /// Whether nothing has been taken for longer than this.
    pub(crate) fn lasts(&self, longer_than: Duration, now: Moment) -> bool {
        self.failure.lock().as_ref().is_some_and(|failure| now.saturating_since(failure.began) > longer_than)
    }

    /// Something was sent, and this became of it.
    pub(crate) fn sent(&self, outcome: &Outcome, clock: &(impl Clock + ?Sized)) {
        match outcome {
            Outcome::Delivered { .. } => {
                if let Some(Failure { since, .. }) = self.failure.lock().take() {
                    let [_, ends] = self.says;
                    tracing::info!(channel = self.name, failed_since = %since, "{ends}");
                }
            }
            Outcome::Retry { why, .. } | Outcome::Refused { why } => {
                let mut failure = self.failure.lock();
                why.clone_into(&mut failure.get_or_insert_with(|| self.begins(why, clock)).why);
            }
        }
    }

    /// Nothing was sent, and why. That says less than any answer, which is kept.
    pub(crate) fn left_alone(&self, why: &str, clock: &(impl Clock + ?Sized)) {
        self.failure.lock().get_or_insert_with(|| self.begins(why, clock));
    }

    fn begins(&self, why: &str, clock: &(impl Clock + ?Sized)) -> Failure {
        let [begins, _] = self.says;
        tracing::warn!(channel = self.name, error = why, "{begins}");
        Failure { since: clock.wall(), began: clock.now(), why: why.to_owned() }
    }
}

/// What was sent is not answered.
pub(crate) fn no_answer(within: Duration) -> Outcome {
    Outcome::Retry { after: None, why: format!("no answer within {} s", within.as_secs()) }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use ttm_testkit::ManualClock;

    use super::*;

    fn retry(why: &str) -> Outcome {
        Outcome::Retry { after: None, why: why.to_owned() }
    }

    #[test]
    fn what_an_answer_said_is_kept_while_nothing_is_sent() {
        let failing = Failing::channel(&ChannelId::new("ops"));
        let clock = ManualClock::starting_at(Timestamp::UNIX_EPOCH);
        let next = || clock.advance(Duration::from_secs(1));
        assert_eq!(failing.get(), None);
        failing.left_alone("nothing under way is answered", &clock);
        let since = Timestamp::UNIX_EPOCH;
        assert_eq!(failing.get(), Some((since, "nothing under way is answered".to_owned())));
        next();
        failing.sent(&retry("no route"), &clock);
        next();
        failing.sent(&Outcome::Refused { why: "the certificate has expired".to_owned() }, &clock);
        next();
        failing.left_alone("left alone for a while", &clock);
        assert_eq!(failing.get(), Some((since, "the certificate has expired".to_owned())));
        failing.sent(&Outcome::Delivered { remote_id: None }, &clock);
        assert_eq!(failing.get(), None);
    }

    #[test]
    fn a_wall_clock_that_is_set_does_not_change_for_how_long_it_has_failed() {
        let failing = Failing::feed(&ChannelId::new("prometheus"));
        let (clock, minute) = (ManualClock::starting_at(Timestamp::UNIX_EPOCH), Duration::from_mins(1));
        failing.sent(&retry("no route"), &clock);
        clock.step_wall(SignedDuration::from_hours(24));
        assert!(!failing.lasts(minute, clock.now()));
        clock.advance(2 * minute);
        clock.step_wall(SignedDuration::from_hours(-72));
        assert!(failing.lasts(minute, clock.now()));
    }
}
