//! PagerDuty: events of its API, version 2, each about one alert, which PagerDuty opens and resolves by a key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{TryStreamExt as _, stream};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use ttm_alert::words::{Line, Plain, Text, Words};
use ttm_alert::{Attempt, Item, Message, Notifier, Outcome};
use ttm_kernel::{SettingChecks, Severity};

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::length::cut;
use crate::wire::{Hidden, Wire};

/// PagerDuty's own API; accounts in the EU have `https://events.eu.pagerduty.com`.
pub const PAGERDUTY_API: &str = "https://events.pagerduty.com";

/// The most characters of a summary, by the reference of events.
const MOST_OF_SUMMARY: usize = 1_024;
/// The most bytes of the words of an event. An event may have 512 kB, so that nothing is ever near it.
const MOST_OF_DETAILS: usize = 64 * 1_024;

/// How many events of a message are under way at once. Its last event is sent though each takes seconds.
const AT_ONCE: usize = 10;
/// The longest address that is linked, in bytes.
const MOST_OF_LINK: usize = 2_000;

const KEY_BOUND: &str = "the 32 letters and digits of an integration of the Events API v2";
const SOURCE_BOUND: &str = "1 to 255 characters";

/// Where events go.
#[derive(Clone, Debug)]
pub struct PagerDutyConfig {
    /// The address of the API, such as [`PAGERDUTY_API`].
    pub api: String,
    /// The integration's key, which chooses the service that is paged.
    pub routing_key: SecretString,
    /// What is affected, as PagerDuty shows it: the name of the service or its machine.
    pub source: String,
}

/// The [`Notifier`] on the Events API v2 of PagerDuty.
///
/// PagerDuty knows alerts, not messages: each episode of a message is an event of its own, with `trigger` while it fires and
/// `resolve` once it is over, and they know one another by a key made of alert and episode. So a message of several alerts is
/// several requests, ten at a time, up to the first that is not accepted; all of them are made again with the next attempt, which
/// changes nothing where one was accepted. What was over before it could be told is resolved, and pages nobody. Of a group of more than
/// [`Message::MOST_ITEMS`] alerts, those beyond are not known to PagerDuty.
#[derive(Clone)]
pub struct PagerDuty {
    wire: Wire,
    routing_key: SecretString,
    source: String,
    words: Arc<dyn Words>,
}

impl PagerDuty {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of each request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &PagerDutyConfig,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let key = config.routing_key.expose_secret().trim();
        let is_key = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_source = (1..=255).contains(&config.source.chars().count());
        let checks = SettingChecks::default().require(is_key, "routing_key", Hidden, KEY_BOUND).require(
            is_source,
            "source",
            &config.source,
            SOURCE_BOUND,
        );
        let address = Address::parse("api", &config.api.as_str().into(), Insecure::Loopback);
        let mut wire = Wire::try_new(address.map(|api| api.join("v2/enqueue")), None, timeout, checks)?;
        wire.hide(&config.routing_key);
        Ok(Self { wire, routing_key: key.into(), source: config.source.clone(), words })
    }

    fn event(&self, attempt: &Attempt, item: &Item) -> Value {
        let action = if item.ended.is_none() { "trigger" } else { "resolve" };
        let mut event = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": action,
            "dedup_key": dedup_key(item),
        });
        if item.ended.is_none() {
            event["client"] = json!("To The Moon");
            event["payload"] = payload(attempt, item, &self.source, &*self.words);
            event["links"] = links(&Text::of(&attempt.alone(item), &*self.words));
        }
        event
    }

    fn judge(&self, answer: &Answer) -> Result<(), Outcome> {
        let said: Option<Response> = answer.json();
        match said {
            Some(response) if answer.is_success() && response.status == "success" => Ok(()),
            _ if answer.is_success() => Err(self.wire.unclear(answer)),
            Some(Response { status, message, errors }) => {
                let parts = [Some(status), message].into_iter().flatten().chain(errors);
                let what = Some(parts.collect::<Vec<_>>().join(": "));
                Err(self.wire.failure(answer, Said { what, retry_after: None }))
            }
            None => Err(self.wire.failure(answer, Said::default())),
        }
    }

    async fn tell(&self, event: Value) -> Result<(), Outcome> {
        let answer = self.wire.post(&event).await?;
        self.judge(&answer)
    }
}

/// The answer of the API.
#[derive(Debug, Deserialize)]
struct Response {
    status: String,
    message: Option<String>,
    #[serde(default)]
    errors: Vec<String>,
}

/// What PagerDuty knows an episode by: at most 255 characters, and 32 + 1 + 20 + 1 + 20 at the very most.
fn dedup_key(item: &Item) -> String {
    format!("{}-{}", item.key.identity(), item.episode.id)
}

/// What can be opened of a text. An address that no browser takes is none.
fn links(text: &Text) -> Value {
    let mut links = Vec::new();
    for section in &text.sections {
        let addresses = section.lines.iter().filter_map(Line::address).filter(|it| it.len() <= MOST_OF_LINK);
        links.extend(addresses.map(|address| json!({ "href": address, "text": section.heading })));
    }
    json!(links)
}

fn payload(attempt: &Attempt, item: &Item, source: &str, words: &dyn Words) -> Value {
    let alone = attempt.alone(item);
    let details = Text::fit(&alone, words, |text| text.body(&Plain), |body| body.len() <= MOST_OF_DETAILS);
    let title = Text::of(&alone, words).title;
    let severity = match item.severity {
        Severity::Critical => "critical",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let labels: serde_json::Map<String, Value> =
        item.key.labels.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({
        "summary": cut(&title, MOST_OF_SUMMARY),
        "severity": severity,
        "source": source,
        "timestamp": item.episode.started.to_string(),
        "group": &*attempt.row.message.group,
        "class": &*item.key.rule,
        "custom_details": {
            "details": details,
            "labels": labels,
            "value": item.value,
            "limit": item.limit,
            "idempotency_key": attempt.row.key.idempotency_key(),
        },
    })
}

#[async_trait]
impl Notifier for PagerDuty {
    fn patience(&self) -> Duration {
        self.wire.patience(Message::MOST_ITEMS.div_ceil(AT_ONCE))
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let items = &attempt.row.message.items;
        let mut told = BTreeSet::new();
        // An alert has at most one message about an episode in it that says the last of it; the first is the worst.
        let events = items.iter().filter(|item| told.insert((&item.key, item.episode.id)));
        let events = events.map(|item| self.event(attempt, item)).map(Ok).collect::<Vec<_>>();
        match stream::iter(events).try_for_each_concurrent(AT_ONCE, |event| self.tell(event)).await {
            Ok(()) => Outcome::Delivered { remote_id: items.first().map(|worst| dedup_key(worst).into()) },
            Err(outcome) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ttm_alert::testing::{Saying, any_about, any_attempt};

    use super::*;
    use crate::length::utf16;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_event_fits(attempt in any_attempt(), about in any_about()) {
            let items = &attempt.row.message.items;
            for item in items {
                prop_assert!(dedup_key(item).len() <= 255);
            }
            let payload = payload(&attempt, &items[0], "ttm", &Saying(about));
            let summary = payload["summary"].as_str().expect("a text");
            prop_assert!(!summary.is_empty() && utf16(summary) <= MOST_OF_SUMMARY);
            prop_assert!(payload.to_string().len() < 512 * 1_024);
        }
    }
}
