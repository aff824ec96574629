//! The request of `ttm status`, and the one-line error when it fails or another program answers.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::DATE;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The timeout; a service on this machine answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Much larger than any health report.
const MAX_BYTES: usize = 1024 * 1024;
const STATUSES: [&str; 4] = ["healthy", "degraded", "critical", "unknown"];

/// The URL of a service, which contains no secret.
#[derive(Debug)]
pub(super) struct Target(Url);

impl Target {
    /// Parses a URL from the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a URL such as http://127.0.0.1:8080";
        let Some((scheme @ ("http" | "https"), rest)) = text.split_once("://") else {
            return Err(format!("--url does not start with http:// or https://; {EXPECTED}"));
        };
        if rest.contains('@') {
            return Err(format!("--url contains an @; {EXPECTED}, and the token in a file: --token-file"));
        }
        let mut url = Url::parse(text).map_err(|error| format!("--url is {text:?}: {error}; {EXPECTED}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("--url has more than {scheme}, host and port; {EXPECTED}"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL for messages, without a trailing slash.
    pub(super) fn shown(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

/// The health report, and its age when it was sent.
pub(super) struct Answer {
    pub(super) health: Value,
    pub(super) age: Option<Duration>,
    /// Whether the request had a token.
    pub(super) with_token: bool,
}

/// Requests the health report.
///
/// # Errors
/// Why there is none, in one line.
pub(super) async fn fetch(target: &Target, token: Option<&SecretString>) -> Result<Answer, String> {
    // Fails if one is installed already, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().redirect(Policy::none());
    if target.0.scheme() == "http" {
        // Without TLS no root certificates are needed, and a machine may have none.
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        format!("cannot send requests: {cause}")
    })?;
    let mut request = client.get(format!("{}/health/detailed", target.shown()));
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    let mut response = request.send().await.map_err(|error| no_answer(target, &error))?;
    let status = response.status();
    let sent = sent_at(&response);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| no_answer(target, &error))? {
        body.extend_from_slice(&part);
        if body.len() > MAX_BYTES {
            return Err(format!("answered with more than {MAX_BYTES} bytes; is this a ttm service?"));
        }
    }
    let ours = serde_json::from_slice::<Value>(&body).ok().filter(is_ours);
    match (ours, status) {
        (Some(health), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE) => {
            let age = age(&health, sent);
            Ok(Answer { health, age, with_token: token.is_some() })
        }
        (_, StatusCode::UNAUTHORIZED) if token.is_some() => {
            Err(format!("answered {status}: the token is wrong"))
        }
        (_, StatusCode::UNAUTHORIZED) => {
            Err(format!("answered {status}: the token is required, as --token-file FILE or --config FILE"))
        }
        (_, StatusCode::OK) => Err("answered, but is not a ttm service".to_owned()),
        _ if target.0.path() != "/" => {
            let path = target.0.path();
            Err(format!("answered {status}; is this a ttm service, and does the URL need the path {path}?"))
        }
        _ => Err(format!("answered {status}; is this a ttm service?")),
    }
}

/// Reads a token from a file given on the command line.
pub(super) fn token(path: &Path) -> Result<SecretString, String> {
    crate::config::read_token(path).map_err(|problem| format!("--token-file is {problem}"))
}

/// Whether this is a health report, if only its status, as without the right token.
fn is_ours(body: &Value) -> bool {
    body["status"].as_str().is_some_and(|status| STATUSES.contains(&status))
}

/// When the response was sent, by the clock of the machine that made the report.
fn sent_at(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    rfc2822::parse(date).ok().map(|date| date.timestamp())
}

fn age(health: &Value, sent: Option<Timestamp>) -> Option<Duration> {
    let made = health["at"].as_str()?.parse::<Timestamp>().ok()?;
    sent?.duration_since(made).try_into().ok()
}

fn no_answer(target: &Target, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        causes.push(next);
        cause = next.source();
    }
    let refused = |cause: &&(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    if causes.iter().any(refused) {
        return "connection refused; is the service running?".to_owned();
    }
    let deepest = causes.last().map_or_else(|| "no answer".to_owned(), ToString::to_string);
    let deepest: String = deepest.lines().next().unwrap_or_default().chars().take(200).collect();
    match target.0.scheme() {
        "https" if error.is_connect() => format!("no TLS answer: {deepest}; does it speak http://?"),
        _ => format!("no answer: {deepest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_url_is_refused_without_showing_its_password() {
        for (url, expected) in [
            ("127.0.0.1:8080", "--url does not start with http:// or https://"),
            ("localhost", "--url does not start with http:// or https://"),
            ("ftp://h", "--url does not start with http:// or https://"),
            ("http://", "--url is \"http://\": empty host"),
            ("http://bob:hunter2@h", "--url contains an @"),
            ("http://h:notaport", "invalid port number"),
            ("http://h/?x=1", "--url has more than http, host and port"),
        ] {
            let error = Target::parse(url).expect_err(url);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
        assert_eq!(Target::parse("http://h:1//").expect("valid").shown(), "http://h:1");
        assert_eq!(Target::parse("https://h/ttm/").expect("valid").shown(), "https://h/ttm");
    }

    #[test]
    fn the_age_of_a_report_is_by_the_clock_of_its_machine() {
        let health = serde_json::json!({"at": "2026-11-23T20:00:00.5Z"});
        let sent = "2026-11-23T20:00:43Z".parse().ok();
        assert_eq!(age(&health, sent), Some(Duration::from_millis(42_500)));
        let early = "2026-11-23T20:00:00Z".parse().ok();
        assert_eq!(age(&health, early), None, "the header has whole seconds");
    }
}
