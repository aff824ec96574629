//! A heartbeat: a request to an address that raises an alarm when none comes any more.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use ttm_alert::{Heartbeat, Outcome};
use ttm_kernel::SettingChecks;

use crate::address::{Address, Insecure};
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::wire::Wire;

/// Where a heartbeat is sent.
#[derive(Clone, Debug)]
pub struct HeartbeatConfig {
    /// The address, which mostly is a secret.
    pub url: SecretString,
    /// Whether it is a POST without a body, as Gatus wants it; a GET otherwise.
    pub is_post: bool,
    /// A bearer token, if the receiver wants one.
    pub token: Option<SecretString>,
}

/// The [`Heartbeat`] over HTTP.
///
/// Every 2xx is delivered, except where its receiver says otherwise in it: Healthchecks answers a beat that nobody waits for
/// with 200 and `OK (not found)`, and one that it ignores with `OK (rate limited)`; Uptime Kuma says `"ok": false`.
#[derive(Clone)]
pub struct HttpHeartbeat {
    wire: Wire,
    method: Method,
}

impl HttpHeartbeat {
    /// A heartbeat that does not beat yet. `timeout`, 50 ms to 60 s, is that of a whole request.
    ///
    /// # Errors
    /// Settings that cannot be used, or that there is no HTTP client.
    pub fn try_new(config: &HeartbeatConfig, timeout: Duration) -> Result<Self, InvalidChannel> {
        let address = Address::parse("url", &config.url, Insecure::Anywhere);
        let wire = Wire::try_new(address, config.token.as_ref(), timeout, SettingChecks::default())?;
        let method = if config.is_post { Method::POST } else { Method::GET };
        Ok(Self { wire, method })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        if !answer.is_success() {
            return self.wire.failure(answer, Said::default());
        }
        let is_denied = answer.json::<Receipt>().is_some_and(|said| !said.ok);
        match answer.text().strip_prefix("OK (") {
            // What is asked too often may be taken the next time.
            Some(said) if said.starts_with("rate limited") => {
                self.wire.failure_by(429, answer, Said::default())
            }
            Some(_) => self.wire.failure_by(404, answer, Said::default()),
            None if is_denied => self.wire.failure_by(404, answer, Said::default()),
            None => Outcome::Delivered { remote_id: None },
        }
    }
}

/// What a receiver says in JSON.
#[derive(Debug, Deserialize)]
struct Receipt {
    ok: bool,
}

#[async_trait]
impl Heartbeat for HttpHeartbeat {
    fn patience(&self) -> Duration {
        self.wire.patience(1)
    }

    async fn beat(&self) -> Outcome {
        match self.wire.touch(self.method.clone()).await {
            Err(lost) => lost,
            Ok(answer) => self.judge(&answer),
        }
    }
}
