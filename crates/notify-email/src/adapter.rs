//! The port by e-mail: each call is one message, without retries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ttm_alert::words::Words;
use ttm_alert::{Attempt, Notifier, Outcome, repeated};

use crate::config::{Checked, EmailConfig, InvalidEmail};
use crate::mail;
use crate::session::{FAREWELL, Failure, Session};

/// How much longer than its timeout a message may take on a machine that is busy.
const GRACE: Duration = Duration::from_secs(2);
/// So often a receiver that is refused for the moment keeps the others waiting. After that they are told without it.
const TRIES_FOR_ALL: u32 = 3;
/// For how many messages it is remembered how often they have waited: more than are ever tried at once.
const REMEMBERED: usize = 1_000;

/// The [`Notifier`] by e-mail. What is said about an alert that the receivers know of is an answer to the first message about it.
///
/// A receiver that the server refuses is left out, and the others are told so; a message is refused when nobody is left.
pub struct EmailNotifier {
    config: Checked,
    secrets: Vec<SecretString>,
    words: Arc<dyn Words>,
    /// How often each message has waited for a receiver, by its key, the newest last.
    waited: Mutex<VecDeque<(String, u32)>>,
}

impl EmailNotifier {
    /// A channel that sends nothing yet.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there can be no TLS.
    pub fn try_new(config: &EmailConfig, words: Arc<dyn Words>) -> Result<Self, InvalidEmail> {
        let checked = Checked::try_new(config)?;
        let secrets =
            checked.credentials.iter().flat_map(|it| secrets(&it.user, it.password.expose_secret()));
        Ok(Self { secrets: secrets.collect(), config: checked, words, waited: Mutex::default() })
    }

    /// What became of a message, and the conversation if there was one.
    async fn deliver(&self, attempt: &Attempt) -> (Result<(), Failure>, Option<Session>) {
        match Session::open(&self.config).await {
            Ok(mut session) => (self.hand_over(&mut session, attempt).await, Some(session)),
            Err(failure) => (Err(failure), None),
        }
    }

    async fn hand_over(&self, session: &mut Session, attempt: &Attempt) -> Result<(), Failure> {
        let Checked { from, to, .. } = &self.config;
        session.from(&from.email).await?;
        let mut left_out: Vec<Failure> = Vec::new();
        for receiver in to {
            match session.to(&receiver.email).await {
                Ok(()) => {}
                Err(failure) if failure.passes && self.waits(attempt) => return Err(failure),
                Err(failure) => left_out.push(failure),
            }
        }
        if left_out.len() == to.len() {
            let passes = left_out.iter().any(|failure| failure.passes);
            let why = left_out.into_iter().map(|failure| failure.why).collect::<Vec<_>>().join("; ");
            return Err(Failure { passes, why });
        }
        let note = (!left_out.is_empty()).then(|| {
            let said = left_out.iter().map(|failure| self.shown(&failure.why)).collect::<Vec<_>>();
            format!("The mail server did not take this message for everybody: {}.", said.join("; "))
        });
        let email = mail::compose(attempt, &*self.words, from, to, note.as_deref());
        // There are a sender and receivers, which is all that can be missing.
        let email = email.map_err(|error| Failure { passes: false, why: format!("no message: {error}") })?;
        session.message(&email).await
    }

    /// Whether a message waits once more for a receiver that is refused for the moment. Only attempts that got so far count: after an
    /// outage of the server there were many that did not.
    fn waits(&self, attempt: &Attempt) -> bool {
        let key = attempt.row.key.idempotency_key();
        let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waited.iter().position(|(of, _)| *of == key);
        let times = place.and_then(|place| waited.remove(place)).map_or(0, |(_, times)| times);
        waited.push_back((key, times.saturating_add(1)));
        if waited.len() > REMEMBERED {
            waited.pop_front();
        }
        times < TRIES_FOR_ALL
    }

    /// What may be told of what a server said.
    fn shown(&self, why: &str) -> String {
        repeated(why, self.secrets.iter().map(ExposeSecret::expose_secret))
    }
}

/// The password, as it is and as it is sent; some servers repeat the commands that they did not like.
fn secrets(user: &str, password: &str) -> Vec<SecretString> {
    let sent = [STANDARD.encode(password), STANDARD.encode(format!("\0{user}\0{password}"))];
    [password.to_owned()].into_iter().chain(sent).map(SecretString::from).collect()
}

#[async_trait]
impl Notifier for EmailNotifier {
    fn patience(&self) -> Duration {
        self.config.timeout + FAREWELL + GRACE
    }

    #[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
    async fn send(&self, attempt: &Attempt) -> Outcome {
        // One timeout around everything: lettre's own is for the connection alone. The farewell is outside of it, so that no
        // message that was taken counts as lost.
        let delivered = tokio::time::timeout(self.config.timeout, self.deliver(attempt)).await;
        let Ok((delivered, session)) = delivered else {
            return Outcome::Retry {
                after: None,
                why: format!("no answer within {:?}", self.config.timeout),
            };
        };
        if let Some(session) = session {
            session.close().await;
        }
        match delivered {
            Err(Failure { passes: true, why }) => Outcome::Retry { after: None, why: self.shown(&why) },
            Err(Failure { passes: false, why }) => Outcome::Refused { why: self.shown(&why) },
            Ok(()) => {
                // Answers to answers belong to the same conversation, which is known by its first message.
                let first = mail::first(attempt).map(str::to_owned);
                let id = first.unwrap_or_else(|| mail::id(attempt, &self.config.from));
                Outcome::Delivered { remote_id: Some(id.into()) }
            }
        }
    }
}
