//! Prometheus Alertmanager, which is told what is, not what is new: everything that fires, again and again. It groups, silences and
//! resolves by itself, so there is neither a message nor an outbox, and this is no `Notifier` but a `Feed`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use ttm_alert::words::Words;
use ttm_alert::{Feed, Item, Outcome};
use ttm_kernel::{Instance, SettingChecks};

use crate::address::{Address, Insecure};
use crate::answer::Said;
use crate::error::InvalidChannel;
use crate::wire::Wire;

/// How often it is told what fires.
const EVERY: Duration = Duration::from_mins(1);
/// An alert that is not told again is over after this: so long Alertmanager believes a sender that may have died. Four times what
/// it is told at, as Prometheus does.
const LASTS: Duration = Duration::from_mins(4);
/// How many alerts go into one request.
const AT_ONCE: usize = 500;

/// Where Alertmanager is. Of a cluster each member has a feed of its own, since all of them have to know.
#[derive(Clone, Debug)]
pub struct AlertmanagerConfig {
    /// Its address, without `/api/v2`; it may name a user and a password.
    pub url: SecretString,
    /// A bearer token, if a proxy before it wants one.
    pub token: Option<SecretString>,
    /// Who tells it: the label `instance`. Of two services with the same labels each would end the alerts of the other.
    pub instance: Instance,
}

/// The [`Feed`] to an Alertmanager, which is told once a minute at the least.
#[derive(Clone)]
pub struct Alertmanager {
    wire: Wire,
    words: Arc<dyn Words>,
    instance: Instance,
}

impl Alertmanager {
    /// A feed that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &AlertmanagerConfig,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let address =
            Address::parse("url", &config.url, Insecure::Anywhere).map(|url| url.join("api/v2/alerts"));
        let wire = Wire::try_new(address, config.token.as_ref(), timeout, SettingChecks::default())?;
        Ok(Self { wire, words, instance: config.instance.clone() })
    }

    fn alert(&self, item: &Item, now: Timestamp) -> Value {
        let about = self.words.about(item);
        let ends = item.ended.map_or_else(|| now.saturating_add(LASTS).unwrap_or(now), |(at, _)| at);
        let mut annotations = Map::new();
        let value = item.value.map(|value| value.to_string());
        for (name, words) in [
            ("summary", about.meaning),
            ("effect", about.effect),
            ("value", value),
            ("runbook_url", about.runbook),
        ] {
            annotations.extend(words.filter(|it| !it.is_empty()).map(|it| (name.to_owned(), json!(it))));
        }
        json!({
            "labels": labels(item, &self.instance),
            "annotations": annotations,
            "startsAt": item.episode.started.min(ends).to_string(),
            "endsAt": ends.to_string(),
        })
    }
}

/// What has ended is over at once rather than after four minutes. Many alerts are several requests, up to the first that fails. A
/// failure needs no other answer than to tell again in a minute.
#[async_trait]
impl Feed for Alertmanager {
    fn every(&self) -> Duration {
        EVERY
    }

    fn patience(&self, alerts: usize) -> Duration {
        self.wire.patience(alerts.div_ceil(AT_ONCE))
    }

    async fn tell(&self, alerts: &[Item], now: Timestamp) -> Outcome {
        for chunk in alerts.chunks(AT_ONCE) {
            let alerts: Vec<Value> = chunk.iter().map(|item| self.alert(item, now)).collect();
            match self.wire.post(&Value::Array(alerts)).await {
                Err(lost) => return lost,
                Ok(answer) if answer.is_success() => {}
                Ok(answer) => return self.wire.failure(&answer, Said::default()),
            }
        }
        Outcome::Delivered { remote_id: None }
    }
}

/// Alertmanager knows an alert by these. The severity is one of them, since routes go by it; an alert that has become more severe is
/// another one there, and the one before ends when it is not told again.
fn labels(item: &Item, instance: &Instance) -> Map<String, Value> {
    let mut labels = Map::new();
    for (key, value) in item.key.labels.iter() {
        // Names of labels begin with a letter or an underscore there, and these are taken.
        let is_taken = matches!(key, "alertname" | "instance" | "severity");
        let key = if is_taken || key.starts_with(|c: char| c.is_ascii_digit()) {
            format!("_{key}")
        } else {
            key.to_owned()
        };
        labels.insert(key, json!(value));
    }
    labels.insert("alertname".to_owned(), json!(&*item.key.rule));
    labels.insert("instance".to_owned(), json!(instance.as_str()));
    labels.insert("severity".to_owned(), json!(item.severity.as_str().to_lowercase()));
    labels
}
