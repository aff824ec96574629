//! A channel in memory that obeys every law of the port, and answers as it is told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::notifier_conformance::{Answer, Receiver};
use crate::{Attempt, Notifier, Outcome};

/// Remembers what it took. Clones share their memory.
#[derive(Clone, Debug, Default)]
pub struct FakeNotifier {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    answer: Answer,
    requests: Vec<String>,
    taken: Vec<Attempt>,
}

impl FakeNotifier {
    /// A channel that takes everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it took.
    pub fn taken(&self) -> Vec<Attempt> {
        self.lock().taken.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for FakeNotifier {
    fn answers(&self, answer: Answer) {
        self.lock().answer = answer;
    }

    fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    fn secret(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Notifier for FakeNotifier {
    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let mut inner = self.lock();
        inner.requests.push(attempt.row.key.idempotency_key());
        let why = format!("{:?}", inner.answer);
        match inner.answer {
            Answer::Takes => {
                inner.taken.push(attempt.clone());
                Outcome::Delivered { remote_id: Some(inner.taken.len().to_string().into()) }
            }
            Answer::Busy => Outcome::Retry { after: Some(Duration::from_secs(30)), why },
            Answer::Fails => Outcome::Retry { after: None, why },
            Answer::Refuses => Outcome::Refused { why },
        }
    }
}
