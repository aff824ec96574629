//! Discord: a webhook of one channel, whose address is its secret.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use ttm_alert::words::{Markup, Text, Words};
use ttm_alert::{Attempt, Message, Notifier, Outcome};
use ttm_kernel::{SettingChecks, Severity};

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::length::utf16;
use crate::retry_after::of_seconds;
use crate::wire::Wire;

/// The most characters of a message's content, by the reference of webhooks.
const MOST_OF_CONTENT: usize = 2_000;
/// The most of an embed's description, by the reference of embeds. All embeds of a message may have 6,000 together, which one
/// description never has.
const MOST_OF_DESCRIPTION: usize = 4_096;

/// The [`Notifier`] on a webhook of Discord. Nobody is mentioned, whatever a message says.
#[derive(Clone)]
pub struct Discord {
    wire: Wire,
    words: Arc<dyn Words>,
}

impl Discord {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        url: &SecretString,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        // Without `wait` Discord answers before it has tried to make a message.
        let address =
            Address::parse("url", url, Insecure::Loopback).map(|url| url.with_query("wait", "true"));
        Ok(Self { wire: Wire::try_new(address, None, timeout, SettingChecks::default())?, words })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        if answer.is_success() {
            return match answer.json::<Created>() {
                Some(Created { id }) => Outcome::Delivered { remote_id: Some(id.into()) },
                None => self.wire.unclear(answer),
            };
        }
        let said = answer.json::<Failed>().map(|failed| Said {
            what: Some(match failed.code {
                Some(code) => format!("{} (code {code})", failed.message),
                None => failed.message,
            }),
            retry_after: failed.retry_after.and_then(of_seconds),
        });
        self.wire.failure(answer, said.unwrap_or_default())
    }
}

/// The message that was made.
#[derive(Debug, Deserialize)]
struct Created {
    id: String,
}

/// Why none was.
#[derive(Debug, Deserialize)]
struct Failed {
    message: String,
    code: Option<i64>,
    retry_after: Option<f64>,
}

/// The markdown of Discord.
struct Markdown;

impl Markup for Markdown {
    fn text(&self, text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#' | '@') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        escaped
    }

    fn strong(&self, text: &str) -> String {
        format!("**{}**", self.text(text))
    }

    fn code(&self, text: &str) -> String {
        // Nothing can be escaped in code, and a command must be shown as it is.
        match text {
            "" => String::new(),
            _ if text.contains("``") || text.starts_with('`') || text.ends_with('`') => self.text(text),
            _ if text.contains('`') => format!("``{text}``"),
            _ => format!("`{text}`"),
        }
    }

    fn link(&self, address: &str) -> String {
        // In angle brackets it is not previewed.
        format!("<{address}>")
    }
}

struct Layout {
    content: String,
    description: String,
}

impl Layout {
    fn of(attempt: &Attempt, words: &dyn Words) -> Self {
        let lay_out =
            |text: &Text| Self { content: Markdown.strong(&text.title), description: text.body(&Markdown) };
        Text::fit(attempt, words, lay_out, Self::fits)
    }

    fn fits(&self) -> bool {
        utf16(&self.content) <= MOST_OF_CONTENT && utf16(&self.description) <= MOST_OF_DESCRIPTION
    }

    fn payload(&self, message: &Message) -> Value {
        json!({
            "content": self.content,
            "embeds": [{ "description": self.description, "color": color(message) }],
            "allowed_mentions": { "parse": [] },
        })
    }
}

/// The colour of the bar beside a message, as 0xRRGGBB.
fn color(message: &Message) -> u32 {
    match message.severity {
        _ if !message.fires => 0x002e_7d32,
        Severity::Critical => 0x00b7_1c1c,
        Severity::Error => 0x00e6_5100,
        Severity::Warning => 0x00f9_a825,
        Severity::Info => 0x0015_65c0,
    }
}

#[async_trait]
impl Notifier for Discord {
    fn patience(&self) -> Duration {
        self.wire.patience(1)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let payload = Layout::of(attempt, &*self.words).payload(&attempt.row.message);
        match self.wire.post(&payload).await {
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

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(Markdown.text("<@1> **a** `b` \\"), r"\<\@1\> \*\*a\*\* \`b\` \\");
        assert_eq!(Markdown.code("ttm alerts"), "`ttm alerts`");
        assert_eq!(Markdown.code("a`b"), "``a`b``");
        assert_eq!(Markdown.code("a``b"), r"a\`\`b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_message_fits(attempt in any_attempt(), about in any_about()) {
            let layout = Layout::of(&attempt, &Saying(about));
            prop_assert!(layout.fits() && !layout.description.is_empty());
        }
    }
}
