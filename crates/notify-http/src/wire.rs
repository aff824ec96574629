//! One request: no redirect is followed, nothing is tried twice, and no more of an answer is read than its bound.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use ttm_alert::Outcome;
use ttm_kernel::{InvalidSetting, SettingChecks};

use crate::address::Address;
use crate::answer::{Answer, Said};
use crate::error::InvalidChannel;
use crate::retry_after;
use crate::secrets::Secrets;

const USER_AGENT: &str = concat!("ttm/", env!("CARGO_PKG_VERSION"), " (To The Moon)");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_BOUND: &str = "50ms to 60s";
/// How much longer than its timeout a request may take on a machine that is busy.
const GRACE: Duration = Duration::from_secs(2);
/// Of a successful answer, which some services fill with the whole message.
const MOST_BYTES: usize = 256 * 1_024;

/// The way to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    client: Client,
    address: Address,
    headers: HeaderMap,
    timeout: Duration,
    secrets: Secrets,
}

impl Wire {
    /// A way to this address. Sends nothing yet. `token` goes into each request's `Authorization`.
    ///
    /// # Errors
    /// What of `checks` and the other settings cannot be used, or that there is no client.
    pub(crate) fn try_new(
        address: Result<Address, InvalidSetting>,
        token: Option<&SecretString>,
        timeout: Duration,
        checks: SettingChecks,
    ) -> Result<Self, InvalidChannel> {
        let mut headers = HeaderMap::new();
        let bearer =
            token.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim())));
        let is_token = bearer.as_ref().is_none_or(Result::is_ok);
        let checks = checks.require(is_token, "token", Hidden, "printable ASCII");
        let timeouts = Duration::from_millis(50)..=Duration::from_mins(1);
        let checks = checks.require(timeouts.contains(&timeout), "timeout", timeout, TIMEOUT_BOUND);
        let (address, mut wrong) = match address {
            Ok(address) => (Some(address), Vec::new()),
            Err(wrong) => (None, vec![wrong]),
        };
        wrong.extend(checks.finish(()).err().unwrap_or_default());
        let Some(address) = address.filter(|_| wrong.is_empty()) else {
            return Err(InvalidChannel::Settings(wrong));
        };
        if let Some(Ok(mut bearer)) = bearer {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let mut secrets = Secrets::default();
        address.add_to(&mut secrets);
        token.inspect(|token| secrets.add(token.expose_secret().trim()));
        let client =
            client(&address, timeout).map_err(|e| InvalidChannel::Client(root_cause(&e.without_url())))?;
        Ok(Self { client, address, headers, timeout, secrets })
    }

    /// Keeps another secret out of every reason.
    pub(crate) fn hide(&mut self, secret: &SecretString) {
        self.secrets.add(secret.expose_secret().trim());
    }

    /// How long so many requests, one after the other, are waited for.
    pub(crate) fn patience(&self, requests: usize) -> Duration {
        self.timeout * u32::try_from(requests).unwrap_or(u32::MAX) + GRACE
    }

    /// Posts a body.
    ///
    /// # Errors
    /// That no complete answer came.
    pub(crate) async fn post(&self, body: &Value) -> Result<Answer, Outcome> {
        self.post_bytes(body.to_string().into_bytes(), HeaderMap::new()).await
    }

    /// Posts these bytes of JSON with these headers more.
    ///
    /// # Errors
    /// That no complete answer came.
    pub(crate) async fn post_bytes(&self, body: Vec<u8>, mut headers: HeaderMap) -> Result<Answer, Outcome> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        self.exchange(self.request(Method::POST).headers(headers).body(body)).await
    }

    /// Makes a request that says nothing but that it is made.
    ///
    /// # Errors
    /// That no complete answer came.
    pub(crate) async fn touch(&self, method: Method) -> Result<Answer, Outcome> {
        self.exchange(self.request(method).body(Vec::new())).await
    }

    fn request(&self, method: Method) -> RequestBuilder {
        self.client.request(method, self.address.url().clone()).headers(self.headers.clone())
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Answer, Outcome> {
        self.try_exchange(request).await.map_err(|lost| self.lost(lost))
    }

    async fn try_exchange(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let mut response = request.send().await?;
        let (status, retry_after) = (response.status().as_u16(), retry_after::of_headers(response.headers()));
        let body = match body(&mut response).await {
            Ok(body) => body,
            // What a receiver says of an error is for people alone.
            Err(_) if !response.status().is_success() => Vec::new(),
            Err(lost) => return Err(lost),
        };
        Ok(Answer { status, retry_after, body })
    }

    /// What became of a message that was answered with an error.
    pub(crate) fn failure(&self, answer: &Answer, said: Said) -> Outcome {
        answer.failure(answer.status, said, &self.secrets)
    }

    /// The same where the receiver's own code says more than the status.
    pub(crate) fn failure_by(&self, code: u16, answer: &Answer, said: Said) -> Outcome {
        answer.failure(code, said, &self.secrets)
    }

    /// What became of a message whose answer says nothing.
    pub(crate) fn unclear(&self, answer: &Answer) -> Outcome {
        answer.unclear(&self.secrets)
    }

    fn lost(&self, error: reqwest::Error) -> Outcome {
        let error = error.without_url();
        let why = if error.is_timeout() && !error.is_connect() {
            format!("no answer within {:?}", self.timeout)
        } else {
            let what = if error.is_connect() { "cannot connect" } else { "the connection was lost" };
            format!("{what}: {}", self.secrets.without(&root_cause(&error)))
        };
        Outcome::Retry { after: None, why }
    }
}

/// Stands for a value that is not shown.
pub(crate) struct Hidden;

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

fn client(address: &Address, timeout: Duration) -> Result<Client, reqwest::Error> {
    // Fails if the process has a provider already, which is fine.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never());
    if !address.is_https() {
        // Without TLS no root certificates are needed, and a machine may have none.
        builder = builder.tls_certs_only([]);
    }
    if address.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// The body up to the bound; what is beyond is not read.
async fn body(response: &mut Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < MOST_BYTES {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(MOST_BYTES - body.len())]);
    }
    Ok(body)
}

/// The error of the system or the TLS library; the layers above add nothing.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}
