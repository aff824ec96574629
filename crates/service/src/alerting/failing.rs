//! Since when somebody does not take what is told, and why.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::{ChannelId, Outcome};

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

    /// Something was sent, and this became of it.
    pub(crate) fn sent(&self, outcome: &Outcome, wall: Timestamp) {
        match outcome {
            Outcome::Delivered { .. } => {
                if let Some(Failure { since, .. }) = self.failure.lock().take() {
                    let [_, ends] = self.says;
                    tracing::info!(channel = self.name, failed_since = %since, "{ends}");
                }
            }
            Outcome::Retry { why, .. } | Outcome::Refused { why } => {
                let mut failure = self.failure.lock();
                why.clone_into(&mut failure.get_or_insert_with(|| self.begins(why, wall)).why);
            }
        }
    }

    /// Nothing was sent, and why. That says less than any answer, which is kept.
    pub(crate) fn left_alone(&self, why: &str, wall: Timestamp) {
        self.failure.lock().get_or_insert_with(|| self.begins(why, wall));
    }

    fn begins(&self, why: &str, wall: Timestamp) -> Failure {
        let [begins, _] = self.says;
        tracing::warn!(channel = self.name, error = why, "{begins}");
        Failure { since: wall, why: why.to_owned() }
    }
}

/// What was sent is not answered.
pub(crate) fn no_answer(within: Duration) -> Outcome {
    Outcome::Retry { after: None, why: format!("no answer within {} s", within.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(why: &str) -> Outcome {
        Outcome::Retry { after: None, why: why.to_owned() }
    }

    #[test]
    fn what_an_answer_said_is_kept_while_nothing_is_sent() {
        let failing = Failing::channel(&ChannelId::new("ops"));
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert_eq!(failing.get(), None);
        failing.left_alone("nothing under way is answered", at(1));
        assert_eq!(failing.get(), Some((at(1), "nothing under way is answered".to_owned())));
        failing.sent(&retry("no route"), at(2));
        failing.sent(&Outcome::Refused { why: "the certificate has expired".to_owned() }, at(3));
        failing.left_alone("left alone for a while", at(4));
        assert_eq!(failing.get(), Some((at(1), "the certificate has expired".to_owned())));
        failing.sent(&Outcome::Delivered { remote_id: None }, at(5));
        assert_eq!(failing.get(), None);
    }
}
