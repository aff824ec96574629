//! ntfy: a topic, which is a secret where its server gives everybody access, published to as JSON.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use ttm_alert::words::{Line, Plain, Text, Words};
use ttm_alert::{Attempt, Message, Notifier, Outcome};
use ttm_kernel::{SettingChecks, Severity};

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::length::cut;
use crate::wire::{Hidden, Wire};

/// The public server of ntfy's author.
pub const NTFY_SERVER: &str = "https://ntfy.sh";

/// The most bytes of a message. A server makes a file of one that reaches its limit, which is 4,096 bytes unless it was configured
/// otherwise.
const MOST_OF_MESSAGE: usize = 4_000;
/// The most bytes of the JSON, of which a server reads twice its limit.
const MOST_OF_ALL: usize = 8_000;
/// The most UTF-16 code units of a title: what devices show of it.
const MOST_OF_TITLE: usize = 200;
/// The longest id of a sequence.
const MOST_OF_SEQUENCE: usize = 64;

const TOPIC_BOUND: &str = "1 to 64 letters, digits, underscores and hyphens";

/// Where to publish.
#[derive(Clone, Debug)]
pub struct NtfyConfig {
    /// The address of the server, such as [`NTFY_SERVER`]; it may name a user and a password.
    pub server: SecretString,
    /// The topic.
    pub topic: SecretString,
    /// An access token, if the server wants one.
    pub token: Option<SecretString>,
}

/// The [`Notifier`] on a topic of ntfy. The idempotency key is the id of the message's sequence, so that a message that arrives
/// twice is one notification (from version 2.16 of the server and its apps on).
#[derive(Clone)]
pub struct Ntfy {
    wire: Wire,
    topic: SecretString,
    words: Arc<dyn Words>,
}

impl Ntfy {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &NtfyConfig,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let topic = config.topic.expose_secret().trim();
        let may_have = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_topic = (1..=64).contains(&topic.len()) && topic.bytes().all(may_have);
        let checks = SettingChecks::default().require(is_topic, "topic", Hidden, TOPIC_BOUND);
        let address = Address::parse("server", &config.server, Insecure::Anywhere);
        let mut wire = Wire::try_new(address, config.token.as_ref(), timeout, checks)?;
        wire.hide(&config.topic);
        Ok(Self { wire, topic: topic.into(), words })
    }

    fn payload(&self, attempt: &Attempt) -> Value {
        let topic = self.topic.expose_secret();
        let lay_out = |text: &Text| payload(topic, &attempt.row.message, text);
        Text::fit(attempt, &*self.words, lay_out, fits)
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        if answer.is_success() {
            return match answer.json::<Published>() {
                Some(Published { id, event }) if event == "message" => {
                    Outcome::Delivered { remote_id: Some(id.into()) }
                }
                _ => self.wire.unclear(answer),
            };
        }
        let said = answer.json::<Failed>().map(|failed| {
            let what = format!("{} (code {})", failed.error, failed.code);
            Said { what: Some(what), retry_after: None }
        });
        self.wire.failure(answer, said.unwrap_or_default())
    }
}

/// The message that was published.
#[derive(Debug, Deserialize)]
struct Published {
    id: String,
    event: String,
}

/// Why none was.
#[derive(Debug, Deserialize)]
struct Failed {
    code: i64,
    error: String,
}

fn payload(topic: &str, message: &Message, text: &Text) -> Value {
    let mut payload = json!({
        "topic": topic,
        "title": cut(&text.title, MOST_OF_TITLE),
        "message": text.body(&Plain),
        "priority": priority(message),
        "tags": [if message.fires { "rotating_light" } else { "white_check_mark" }],
    });
    if text.idempotency_key.len() <= MOST_OF_SEQUENCE {
        payload["sequence_id"] = json!(text.idempotency_key);
    }
    // A tap opens what is to be done: to acknowledge, else the runbook.
    let mut lines = text.sections.iter().rev().flat_map(|section| &section.lines);
    if let Some(address) = lines.find_map(Line::address) {
        payload["click"] = json!(address);
    }
    payload
}

fn fits(payload: &Value) -> bool {
    let message = payload["message"].as_str().map_or(0, str::len);
    message <= MOST_OF_MESSAGE && payload.to_string().len() <= MOST_OF_ALL
}

/// From 1, which nobody notices, to 5, which gets through when a phone is silenced.
fn priority(message: &Message) -> u8 {
    match message.severity {
        _ if !message.fires => 3,
        Severity::Critical => 5,
        Severity::Error => 4,
        Severity::Warning => 3,
        Severity::Info => 2,
    }
}

#[async_trait]
impl Notifier for Ntfy {
    fn patience(&self) -> Duration {
        self.wire.patience(1)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        match self.wire.post(&self.payload(attempt)).await {
            Err(lost) => lost,
            Ok(answer) => self.judge(&answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ttm_alert::testing::{Saying, any_about, any_attempt};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_message_fits(attempt in any_attempt(), about in any_about()) {
            let lay_out = |text: &Text| payload("topic", &attempt.row.message, text);
            let payload = Text::fit(&attempt, &Saying(about), lay_out, fits);
            prop_assert!(fits(&payload), "{payload}");
            prop_assert!(payload["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
    }
}
