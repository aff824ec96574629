//! The laws of [`Notifier`] that a receiver can show, as a suite. A broken law panics with what was expected. The receiver is
//! the adapter's own stand-in: it says what it got, and answers in its service's words.

use std::time::Duration;

use ttm_kernel::Epoch;

use super::commits::row;
use crate::{Attempt, Notifier, Outcome};

/// What a receiver answers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// That it has the message.
    #[default]
    Takes,
    /// To come back after thirty seconds.
    Busy,
    /// With an error of its own, which may pass.
    Fails,
    /// That the message is never taken, or this sender is not.
    Refuses,
}

/// What stands at the other end of a channel.
pub trait Receiver: Send + Sync {
    /// How it answers from now on.
    fn answers(&self, answer: Answer);

    /// The [idempotency key](crate::RowKey::idempotency_key) of each request that it got, or another word that is the same for the
    /// same message alone.
    fn requests(&self) -> Vec<String>;

    /// What no reason may contain.
    fn secret(&self) -> Option<String>;

    /// Whether its service has a way to say how long to wait. One that has none says that it is busy, and no more.
    fn can_ask_to_wait(&self) -> bool {
        true
    }
}

/// Checks every law that a receiver can show.
pub async fn check(notifier: &dyn Notifier, receiver: &dyn Receiver) {
    one_call_is_one_request_whatever_the_answer(notifier, receiver).await;
    each_answer_is_told_as_what_it_means(notifier, receiver).await;
    the_same_message_has_the_same_key_and_another_one_another(notifier, receiver).await;
    no_reason_contains_a_secret(notifier, receiver).await;
}

const ANSWERS: [Answer; 5] = [Answer::Fails, Answer::Busy, Answer::Refuses, Answer::Takes, Answer::Fails];

fn attempt(step: u32) -> Attempt {
    Attempt { row: row(Epoch::new(12), step), was_down: None, is_unsaved: false }
}

/// Law 1.
pub async fn one_call_is_one_request_whatever_the_answer(notifier: &dyn Notifier, receiver: &dyn Receiver) {
    for answer in ANSWERS {
        receiver.answers(answer);
        let before = receiver.requests().len();
        notifier.send(&attempt(1)).await;
        assert_eq!(receiver.requests().len(), before + 1, "{answer:?}");
    }
}

/// Laws 2 and 3; and no answer changes how the next one is told.
pub async fn each_answer_is_told_as_what_it_means(notifier: &dyn Notifier, receiver: &dyn Receiver) {
    for answer in ANSWERS.into_iter().chain(ANSWERS) {
        receiver.answers(answer);
        let outcome = notifier.send(&attempt(1)).await;
        let is_right = match (answer, &outcome) {
            (Answer::Takes, Outcome::Delivered { .. }) | (Answer::Refuses, Outcome::Refused { .. }) => true,
            (Answer::Busy, Outcome::Retry { after, .. }) => {
                *after == receiver.can_ask_to_wait().then_some(Duration::from_secs(30))
            }
            (Answer::Fails, Outcome::Retry { after, .. }) => after.is_none(),
            _ => false,
        };
        assert!(is_right, "{answer:?} is told as {outcome:?}");
    }
}

/// Law 4.
pub async fn the_same_message_has_the_same_key_and_another_one_another(
    notifier: &dyn Notifier,
    receiver: &dyn Receiver,
) {
    receiver.answers(Answer::Takes);
    let before = receiver.requests().len();
    for step in [1, 1, 2] {
        notifier.send(&attempt(step)).await;
    }
    let keys = receiver.requests().split_off(before);
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
}

/// Law 5.
pub async fn no_reason_contains_a_secret(notifier: &dyn Notifier, receiver: &dyn Receiver) {
    let Some(secret) = receiver.secret() else { return };
    for answer in ANSWERS {
        receiver.answers(answer);
        if let Outcome::Retry { why, .. } | Outcome::Refused { why } = notifier.send(&attempt(1)).await {
            assert!(!why.contains(&secret), "{answer:?} tells the secret");
        }
    }
}
