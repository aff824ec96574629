//! A webhook of the operator's own: one message is one POST, signed so that the receiver knows who sent it and when.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use ttm_alert::words::Words;
use ttm_alert::{Attempt, Notifier, Outcome};
use ttm_kernel::{Clock, SettingChecks};

use crate::address::{Address, Insecure};
use crate::answer::Said;
use crate::error::InvalidChannel;
use crate::wire::{Hidden, Wire};

mod body;

/// The shortest key, in bytes: that of Standard Webhooks.
const SHORTEST_KEY: usize = 24;
/// What marks a secret as base64.
const MARK: &str = "whsec_";
const SECRET_BOUND: &str = "at least 24 bytes, or whsec_ and the base64 of as many";

/// Where the webhook is.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// The address, which may hold a token of the receiver.
    pub url: SecretString,
    /// What requests are signed with: at least 24 bytes, or `whsec_` and the base64 of as many. Without one they are not signed.
    pub secret: Option<SecretString>,
}

/// The [`Notifier`] on a webhook.
///
/// Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) says: `webhook-id` is the idempotency key,
/// `webhook-timestamp` the time in seconds since 1970, and `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 of
/// `{id}.{timestamp}.{body}`. `Idempotency-Key` has the key once more, for proxies and frameworks that know that one.
pub struct Webhook {
    wire: Wire,
    key: Option<SecretSlice<u8>>,
    clock: Arc<dyn Clock>,
    words: Arc<dyn Words>,
}

impl Webhook {
    /// A channel that sends nothing yet. `timeout`, 50 ms to 60 s, is that of a whole request. The clock is read for the
    /// signature alone.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(
        config: &WebhookConfig,
        clock: Arc<dyn Clock>,
        words: Arc<dyn Words>,
        timeout: Duration,
    ) -> Result<Self, InvalidChannel> {
        let key = config.secret.as_ref().map(key);
        let is_key = key.as_ref().is_none_or(|key| key.as_ref().is_some_and(|key| key.len() >= SHORTEST_KEY));
        let checks = SettingChecks::default().require(is_key, "secret", Hidden, SECRET_BOUND);
        let address = Address::parse("url", &config.url, Insecure::Anywhere);
        let mut wire = Wire::try_new(address, None, timeout, checks)?;
        config.secret.iter().for_each(|secret| wire.hide(secret));
        Ok(Self { wire, key: key.flatten().map(SecretSlice::from), clock, words })
    }

    fn headers(&self, id: &str, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name, value: &str| {
            // Keys and signatures are ASCII.
            headers.extend(
                HeaderValue::from_str(value).ok().map(|value| (HeaderName::from_static(name), value)),
            );
        };
        add("idempotency-key", id);
        if let Some(key) = &self.key {
            let timestamp = self.clock.wall().as_second();
            add("webhook-id", id);
            add("webhook-timestamp", &timestamp.to_string());
            add("webhook-signature", &sign(key.expose_secret(), id, timestamp, body));
        }
        headers
    }
}

/// The bytes of a secret; none if it is not the base64 that it says.
fn key(secret: &SecretString) -> Option<Vec<u8>> {
    let secret = secret.expose_secret().trim();
    match secret.strip_prefix(MARK) {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[async_trait]
impl Notifier for Webhook {
    fn patience(&self) -> Duration {
        self.wire.patience(1)
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let body = body::of(attempt, &*self.words).to_string().into_bytes();
        let headers = self.headers(&attempt.row.key.idempotency_key(), &body);
        match self.wire.post_bytes(body, headers).await {
            Err(lost) => lost,
            Ok(answer) if answer.is_success() => Outcome::Delivered { remote_id: None },
            Ok(answer) => self.wire.failure(&answer, Said::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification's own libraries.
        let key = key(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).expect("base64");
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_signs_nothing_is_refused_and_not_repeated() {
        let with = |secret: &str| {
            let config =
                WebhookConfig { url: "http://127.0.0.1/".into(), secret: Some(secret.to_owned().into()) };
            let clock = Arc::new(ttm_testkit::ManualClock::default());
            let words = Arc::new(ttm_alert::defaults::Meanings);
            Webhook::try_new(&config, clock, words, Duration::from_secs(1)).map(drop)
        };
        for wrong in ["", "hunter2", "whsec_hunter2hunter2hunter2!", "whsec_aHVudGVyMg=="] {
            let error = with(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("secret is (hidden): it must be at least 24 bytes"), "{error}");
        }
        assert_eq!(with("hunter2-and-some-more-of-it"), Ok(()));
    }
}
