//! Telegram: a bot that writes to a chat, and answers its own messages.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use ttm_alert::words::{Markup, Plain, Text, Words};
use ttm_alert::{Attempt, Notifier, Outcome};
use ttm_kernel::SettingChecks;

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::length::utf16;
use crate::retry_after::of_seconds;
use crate::wire::{Hidden, Wire};

/// Telegram's own API.
pub const TELEGRAM_API: &str = "https://api.telegram.org";

/// The most characters of a message "after entities parsing", by the reference of `sendMessage`: markup does not count. Counted
/// in UTF-16, as the places of entities are.
const MOST: usize = 4_096;

const CHAT_BOUND: &str = "the number of a chat, or the @name of a channel";
const TOKEN_BOUND: &str = "a bot's token, such as 123456:ABC-DEF";

/// Who writes, and where.
#[derive(Clone, Debug)]
pub struct TelegramConfig {
    /// The address of the API; [`TELEGRAM_API`], or a local server of it.
    pub api: String,
    /// The number of the chat, which is negative for a group, or the `@name` of a channel.
    pub chat: String,
    /// The topic, in a group that has them.
    pub topic: Option<i64>,
    /// The bot's token.
    pub token: SecretString,
}

/// The [`Notifier`] on a bot of Telegram. What is said about an alert that the chat knows of is a reply to the last message about
/// it; what is over makes no sound.
#[derive(Clone)]
pub struct Telegram {
    wire: Wire,
    chat: String,
    topic: Option<i64>,
    words: Arc<dyn Words>,
}

impl Telegram {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &TelegramConfig,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let (chat, token) = (config.chat.trim(), config.token.expose_secret().trim());
        let is_name = chat.strip_prefix('@').is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        let is_chat = is_name || chat.parse::<i64>().is_ok();
        let is_token = token.split_once(':').is_some_and(|(bot, key)| {
            let of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let is_number = !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit());
            is_number && !key.is_empty() && key.bytes().all(of_key)
        });
        let checks = SettingChecks::default().require(is_chat, "chat", chat, CHAT_BOUND).require(
            is_token,
            "token",
            Hidden,
            TOKEN_BOUND,
        );
        let address = Address::parse("api", &config.api.as_str().into(), Insecure::Loopback);
        let address = address.map(|api| api.join(&format!("bot{token}/sendMessage")));
        let mut wire = Wire::try_new(address, None, timeout, checks)?;
        wire.hide(&config.token);
        Ok(Self { wire, chat: chat.to_owned(), topic: config.topic, words })
    }

    fn payload(&self, attempt: &Attempt) -> Value {
        let mut payload = json!({
            "chat_id": self.chat,
            "text": Layout::of(attempt, &*self.words).marked_up,
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
            "disable_notification": !attempt.row.message.fires,
        });
        if let Some(topic) = self.topic {
            payload["message_thread_id"] = json!(topic);
        }
        let replies_to = attempt.row.message.replies_to.as_deref().and_then(|id| id.rsplit_once('/'));
        if let Some(id) =
            replies_to.filter(|(chat, _)| *chat == self.chat).and_then(|(_, id)| id.parse::<i64>().ok())
        {
            payload["reply_parameters"] = json!({ "message_id": id, "allow_sending_without_reply": true });
        }
        payload
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        let said: Option<Response> = answer.json();
        match said {
            Some(Response { ok: true, result: Some(Sent { message_id }), .. }) if answer.is_success() => {
                Outcome::Delivered { remote_id: Some(format!("{}/{message_id}", self.chat).into()) }
            }
            Some(Response { ok: false, error_code, description, parameters, .. }) => {
                let code = error_code.filter(|_| answer.is_success()).unwrap_or(answer.status);
                let parameters = parameters.unwrap_or_default();
                let moved = parameters.migrate_to_chat_id.map(|chat| format!("; the chat is {chat} now"));
                let what = description.unwrap_or_default() + &moved.unwrap_or_default();
                let said =
                    Said { what: Some(what), retry_after: parameters.retry_after.and_then(of_seconds) };
                self.wire.failure_by(code, answer, said)
            }
            _ if answer.is_success() => self.wire.unclear(answer),
            _ => self.wire.failure(answer, Said::default()),
        }
    }
}

/// Every answer of the API.
#[derive(Debug, Deserialize)]
struct Response {
    ok: bool,
    result: Option<Sent>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    message_id: i64,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    retry_after: Option<f64>,
    migrate_to_chat_id: Option<i64>,
}

/// The HTML of Telegram.
struct Html;

impl Markup for Html {
    fn text(&self, text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    fn strong(&self, text: &str) -> String {
        format!("<b>{}</b>", self.text(text))
    }

    fn code(&self, text: &str) -> String {
        format!("<code>{}</code>", self.text(text))
    }

    fn link(&self, address: &str) -> String {
        format!("<a href=\"{0}\">{0}</a>", self.text(address))
    }
}

/// A message as it is sent, and as it is once the markup is gone.
struct Layout {
    marked_up: String,
    shown: String,
}

impl Layout {
    fn of(attempt: &Attempt, words: &dyn Words) -> Self {
        let lay_out = |text: &Text| Self { marked_up: text.whole(&Html), shown: text.whole(&Plain) };
        Text::fit(attempt, words, lay_out, Self::fits)
    }

    fn fits(&self) -> bool {
        utf16(&self.shown) <= MOST
    }
}

#[async_trait]
impl Notifier for Telegram {
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

    /// What Telegram shows of our markup: without tags, and with entities as the characters that they are.
    fn parsed(html: &str) -> String {
        let mut shown = String::new();
        let mut is_tag = false;
        for c in html.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => shown.push(c),
                _ => {}
            }
        }
        shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_message_fits_once_its_markup_is_parsed(attempt in any_attempt(), about in any_about()) {
            let layout = Layout::of(&attempt, &Saying(about));
            prop_assert!(layout.fits() && !layout.shown.trim().is_empty());
            prop_assert_eq!(parsed(&layout.marked_up), layout.shown);
        }
    }
}
