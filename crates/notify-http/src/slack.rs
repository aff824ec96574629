//! Slack: an incoming webhook, which can only speak, and a bot, which can answer its own messages.

mod blocks;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use ttm_alert::words::Words;
use ttm_alert::{Attempt, Notifier, Outcome};
use ttm_kernel::SettingChecks;

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::wire::Wire;
use blocks::Layout;

/// Slack's own API.
pub const SLACK_API: &str = "https://slack.com/api";

const CHANNEL_BOUND: &str =
    "the id of a channel or a person, such as C024BE91L: 2 to 64 capital letters and digits";

/// What passes by itself, of what Slack answers with status 200: its servers are busy or broken.
const PASSES: [&str; 6] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
];
/// A reply finds no place, since the message that began its thread is gone or locked.
const NO_THREAD: [&str; 4] =
    ["thread_not_found", "message_not_found", "cannot_reply_to_message", "invalid_thread_ts"];

/// The [`Notifier`] on an incoming webhook of Slack. Its address is its secret.
#[derive(Clone)]
pub struct SlackWebhook {
    wire: Wire,
    words: Arc<dyn Words>,
}

impl SlackWebhook {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        url: &SecretString,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let address = Address::parse("url", url, Insecure::Loopback);
        Ok(Self { wire: Wire::try_new(address, None, timeout, SettingChecks::default())?, words })
    }
}

#[async_trait]
impl Notifier for SlackWebhook {
    fn patience(&self) -> Duration {
        self.wire.patience(1)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        match self.wire.post(&Layout::of(attempt, &*self.words).payload()).await {
            Err(lost) => lost,
            // A webhook answers in plain text: `ok`, or the name of an error.
            Ok(answer) if answer.is_success() && answer.text() == "ok" => {
                Outcome::Delivered { remote_id: None }
            }
            Ok(answer) if answer.is_success() => self.wire.unclear(&answer),
            Ok(answer) => self.wire.failure(&answer, Said::default()),
        }
    }
}

/// Who speaks, and where.
#[derive(Clone, Debug)]
pub struct SlackBotConfig {
    /// The address of the API; [`SLACK_API`] but for tests.
    pub api: String,
    /// The id of the channel. Slack takes names as well, but answers with ids, and a thread is found by them.
    pub channel: String,
    /// The bot's token, `xoxb-…`, with the scope `chat:write`.
    pub token: SecretString,
}

/// The [`Notifier`] on a bot of Slack. What is said about an alert that the channel knows of goes into the thread of the first
/// message, and is shown in the channel as well unless all of it is over. Where Slack says that the thread is gone, it goes to the
/// channel itself at once: better out of its thread than never.
#[derive(Clone)]
pub struct SlackBot {
    wire: Wire,
    channel: String,
    words: Arc<dyn Words>,
}

impl SlackBot {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &SlackBotConfig,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let channel = config.channel.trim();
        let is_id = (2..=64).contains(&channel.len())
            && channel.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let checks = SettingChecks::default().require(is_id, "channel", channel, CHANNEL_BOUND);
        let address = Address::parse("api", &config.api.as_str().into(), Insecure::Loopback);
        let address = address.map(|api| api.join("chat.postMessage"));
        let wire = Wire::try_new(address, Some(&config.token), timeout, checks)?;
        Ok(Self { wire, channel: channel.to_owned(), words })
    }

    /// The message that this one is an answer to, if it is in this channel.
    fn thread<'a>(&self, attempt: &'a Attempt) -> Option<&'a str> {
        let (channel, thread) = attempt.row.message.replies_to.as_deref()?.split_once('/')?;
        (channel == self.channel).then_some(thread)
    }

    fn payload(&self, attempt: &Attempt, thread: Option<&str>) -> Value {
        let mut payload = Layout::of(attempt, &*self.words).payload();
        payload["channel"] = json!(self.channel);
        if let Some(thread) = thread {
            payload["thread_ts"] = json!(thread);
            payload["reply_broadcast"] = json!(attempt.row.message.fires);
        }
        payload
    }

    fn judge(&self, answer: &Answer, thread: Option<&str>) -> Outcome {
        let said: Option<Posted> = answer.json();
        match said {
            Some(Posted { ok: true, channel: Some(channel), ts: Some(ts), .. }) if answer.is_success() => {
                // Replies to replies go to the same thread, which is known by its first message.
                let first = thread.map_or(ts, str::to_owned);
                Outcome::Delivered { remote_id: Some(format!("{channel}/{first}").into()) }
            }
            Some(Posted { ok: false, error, .. }) => {
                let error = error.unwrap_or_default();
                let passes = PASSES.contains(&&*error);
                let code = match answer.status {
                    200..=299 if passes => 503,
                    200..=299 => 400,
                    status => status,
                };
                self.wire.failure_by(code, answer, Said { what: Some(error), retry_after: None })
            }
            _ if answer.is_success() => self.wire.unclear(answer),
            _ => self.wire.failure(answer, Said::default()),
        }
    }
}

/// The answer of `chat.postMessage`.
#[derive(Debug, Deserialize)]
struct Posted {
    ok: bool,
    error: Option<String>,
    channel: Option<String>,
    ts: Option<String>,
}

/// Whether the message is not taken because its thread is gone.
fn finds_no_thread(answer: &Answer) -> bool {
    let error = answer.json().filter(|said: &Posted| !said.ok).and_then(|said| said.error);
    error.is_some_and(|error| NO_THREAD.contains(&&*error))
}

#[async_trait]
impl Notifier for SlackBot {
    fn patience(&self) -> Duration {
        self.wire.patience(2)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let mut thread = self.thread(attempt);
        let mut answer = self.wire.post(&self.payload(attempt, thread)).await;
        if thread.is_some() && answer.as_ref().is_ok_and(finds_no_thread) {
            thread = None;
            answer = self.wire.post(&self.payload(attempt, thread)).await;
        }
        match answer {
            Err(lost) => lost,
            Ok(answer) => self.judge(&answer, thread),
        }
    }
}
