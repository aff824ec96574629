//! The ports over HTTP: each call is one request, without retries or state.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{Client, Response, StatusCode, redirect};
use ttm_market::{Listing, MAX_BATCH, Mint, PairBatch, PairSource, PairSourceError, ProfileSource};

use crate::error::Answer;
use crate::retry_after::retry_after;
use crate::{BuildError, Decoded, DexscreenerConfig, decode, decode_profiles, error, gzip};

/// The connect timeout: a connection that takes longer will not be a good one. The rest of the timeout is for the response.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How much of the body of an error is read for the message.
const EXCERPT_BYTES: usize = 512;

/// The [`PairSource`] and [`ProfileSource`] on the DexScreener API.
#[derive(Clone, Debug)]
pub struct DexscreenerSource {
    client: Client,
    config: DexscreenerConfig,
}

impl DexscreenerSource {
    /// A source that reuses its connections. Sends nothing yet.
    ///
    /// # Errors
    /// [`BuildError`] if the API needs TLS and the machine has no usable root certificates.
    pub fn new(config: DexscreenerConfig) -> Result<Self, BuildError> {
        // Fails if the process has a provider already, which is fine.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut builder = Client::builder()
            .user_agent(config.user_agent())
            .default_headers(headers)
            .timeout(config.timeout())
            .connect_timeout(config.timeout().min(CONNECT_TIMEOUT))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never());
        if !config.is_https() {
            // Without TLS no root certificates are needed, and a machine may have none.
            builder = builder.tls_certs_only([]);
        }
        if config.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(BuildError::new)?;
        Ok(Self { client, config })
    }

    /// Requests the pools of `asked` from one endpoint.
    async fn ask(&self, path: &str, asked: &[Mint]) -> Result<PairBatch, PairSourceError> {
        match decode(&self.get(path).await?, self.config.chain(), asked) {
            Ok(Decoded::Pairs(batch)) => Ok(batch),
            Ok(Decoded::Null) => Err(error::of_null()),
            Err(undecodable) => Err(error::of_undecodable(&undecodable)),
        }
    }

    /// Requests JSON from one endpoint, whose path needs no escaping.
    async fn get(&self, path: &str) -> Result<Vec<u8>, PairSourceError> {
        let url = format!("{}/{path}", self.config.base_url());
        let timeout = self.config.timeout();
        let lost = |lost| error::of_transport(lost, timeout);
        let mut response = self.client.get(url).send().await.map_err(lost)?;
        let status = response.status();
        let wait = retry_after(response.headers());
        if status != StatusCode::OK {
            let location = redirected_to(&response);
            let excerpt = excerpt(&mut response).await;
            let answer = Answer { status, content_type: header(&response, &CONTENT_TYPE), body: &excerpt };
            return Err(error::of_status(&answer, wait, location.as_deref()));
        }
        let packed = self.body(&mut response).await?;
        let encoding = header(&response, &CONTENT_ENCODING);
        let body =
            gzip::unpack(packed, encoding, self.config.max_body_bytes()).map_err(|e| error::of_body(&e))?;
        let answer = Answer { status, content_type: header(&response, &CONTENT_TYPE), body: &body };
        error::of_non_json(&answer, wait).map_or(Ok(()), Err)?;
        Ok(body)
    }

    /// The whole body before decompression. Both the announced and the received length are limited.
    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, PairSourceError> {
        let limit = self.config.max_body_bytes();
        let too_large = || error::of_body(&gzip::UnpackError::TooLarge(limit));
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        let timeout = self.config.timeout();
        while let Some(chunk) = response.chunk().await.map_err(|lost| error::of_transport(lost, timeout))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The value of a header, if it is text.
fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The target of a redirect without its user and query, which may be secret.
fn redirected_to(response: &Response) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let mut to = response.url().join(header(response, &LOCATION)?).ok()?;
    to.set_query(None);
    to.set_fragment(None);
    // Fails for a URL that cannot have a user, which is fine.
    let _has_none = (to.set_username(""), to.set_password(None));
    Some(to.into())
}

/// The first bytes of the body of an error. They are only for the message, so a failure to read them is ignored.
async fn excerpt(response: &mut Response) -> Vec<u8> {
    let mut excerpt = Vec::new();
    while excerpt.len() < EXCERPT_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        excerpt.extend_from_slice(&chunk[..chunk.len().min(EXCERPT_BYTES - excerpt.len())]);
    }
    gzip::unpack_start(excerpt, header(response, &CONTENT_ENCODING), EXCERPT_BYTES)
}

#[async_trait]
impl PairSource for DexscreenerSource {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        let unique: Vec<Mint> = mints.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        if unique.is_empty() || unique.len() > MAX_BATCH {
            // The API silently drops what is too much.
            let message = format!("{} mints in a batch, expected 1 to {MAX_BATCH}", unique.len());
            return Err(PairSourceError::Rejected { message });
        }
        let list = unique.iter().map(Mint::to_string).collect::<Vec<_>>().join(",");
        self.ask(&format!("tokens/v1/{}/{list}", self.config.chain()), &unique).await
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        self.ask(&format!("token-pairs/v1/{}/{mint}", self.config.chain()), &[mint]).await
    }
}

#[async_trait]
impl ProfileSource for DexscreenerSource {
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError> {
        match decode_profiles(&self.get("token-profiles/latest/v1").await?, self.config.chain()) {
            Ok(Some(listing)) => Ok(listing),
            Ok(None) => Err(error::of_null()),
            Err(undecodable) => Err(error::of_undecodable(&undecodable)),
        }
    }
}
