//! The client of a running service: where it is, with which token it is asked, and the one-line error when it does not answer
//! or another program does.

use std::error::Error as _;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::failure::Failure;
use super::load::draft;
use super::output::{OutputError, printable, say};
use super::quote::{quoted, quoted_path};

/// The timeout; a service on this machine answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// That of an order, which is answered once it is stored, or given up after some seconds.
const PATIENCE_OF_ORDERS: Duration = Duration::from_secs(12);
/// Larger than a thousand recoveries with their evidence.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The longest sentence of an answer that is shown: longer than any of this service, in case another program answers.
pub(super) const SENTENCE: usize = 1_000;

/// Which service `status`, `recovery`, `restart`, `breaker` and `alerts` ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which service status, recovery, restart, breaker and alerts ask")]
pub(super) struct ServiceArguments {
    /// Its URL; by default, the address in the config
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,

    /// The file with its bearer token; by default, the one in the config
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServiceArguments {
    /// Refuses them for a command that asks no service.
    ///
    /// # Errors
    /// The one that was given.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        let given = self.url.as_ref().map(|_| "--url").or(self.token_file.as_ref().map(|_| "--token-file"));
        given.map_or(Ok(()), |name| {
            let commands = "status, recovery, restart, breaker, and alerts but for test and explain";
            Err(Failure::Arguments(format!("{name} is for {commands}")))
        })
    }

    /// Whether a service was named instead of the config's own.
    pub(super) const fn names_another(&self) -> bool {
        self.url.is_some()
    }

    /// The service, which is not asked yet.
    ///
    /// # Errors
    /// What is wrong with the config or the arguments.
    pub(super) fn service(&self, file: Option<&Path>) -> Result<Service, Failure> {
        let mut token = None;
        let url = match &self.url {
            // The token of the config goes only to its own service, or to a URL that is given along with the config.
            Some(url) if file.is_none() => url.clone(),
            url => {
                let settings = draft(file).settled()?;
                token = settings.api.token;
                url.clone().unwrap_or_else(|| format!("http://{}", reachable(settings.api.listen)))
            }
        };
        let target = Target::parse(&url).map_err(Failure::Arguments)?;
        let given = self.token_file.as_deref().map(read_token).transpose().map_err(Failure::Arguments)?;
        let same = [
            ("--config", file.map(quoted_path)),
            ("--url", self.url.as_deref().map(quoted)),
            ("--token-file", self.token_file.as_deref().map(quoted_path)),
        ];
        let same = same.into_iter().filter_map(|(name, value)| Some(format!(" {name} {}", value?))).collect();
        Ok(Service { target, token: given.or(token), same })
    }
}

/// A service that listens on all addresses is reached on loopback.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    listen
}

/// Reads a token from a file given on the command line.
fn read_token(path: &Path) -> Result<SecretString, String> {
    crate::config::read_token(path).map_err(|problem| format!("--token-file is {problem}"))
}

/// A service and the token for it.
#[derive(Debug)]
pub(super) struct Service {
    target: Target,
    token: Option<SecretString>,
    /// The arguments that name it, for the next command.
    same: String,
}

/// Whatever came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// When it was sent, by the clock of its machine.
    pub(super) sent: Option<Timestamp>,
}

/// Why there is no usable answer, in one line.
#[derive(Debug)]
pub(super) struct NoAnswer {
    message: String,
    /// Whether nothing answered at all, or a service that cannot answer this now, as while it starts.
    pub(super) is_silent: bool,
}

impl NoAnswer {
    pub(super) const fn told(message: String) -> Self {
        Self { message, is_silent: false }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Service {
    /// The URL, for messages.
    pub(super) fn shown(&self) -> &str {
        self.target.shown()
    }

    /// Prints the next command to type, which is about the same service.
    pub(super) fn next(&self, command: &str) -> Result<(), OutputError> {
        say!("next: {}", self.command(command))
    }

    /// A command to type, which is about the same service.
    pub(super) fn command(&self, command: &str) -> String {
        format!("ttm {command}{}", self.same)
    }

    /// The path of the URL; `/` if it has none.
    pub(super) fn path(&self) -> &str {
        self.target.0.path()
    }

    /// Whether it is asked with a token.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Makes one request, without a body.
    pub(super) async fn ask(&self, method: Method, path: &str) -> Result<Reply, NoAnswer> {
        self.request(method, path, None).await
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, NoAnswer> {
        // Fails if one is installed already, which is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let is_order = method != Method::GET;
        let patience = if is_order { PATIENCE_OF_ORDERS } else { PATIENCE };
        let mut client = reqwest::Client::builder().timeout(patience).no_proxy().redirect(Policy::none());
        if self.target.0.scheme() == "http" {
            // Without TLS no root certificates are needed, and a machine may have none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(below) = cause.source() {
                cause = below;
            }
            NoAnswer::told(format!("cannot send requests: {cause}"))
        })?;
        let mut request = client.request(method, format!("{}{path}", self.shown()));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let silent = |error: &reqwest::Error| {
            let mut message = no_answer(&self.target, error, patience);
            if is_order && error.is_timeout() {
                message.push_str("; the order may be carried out all the same");
            }
            NoAnswer { message, is_silent: true }
        };
        let mut response = request.send().await.map_err(|error| silent(&error))?;
        let (status, sent) = (response.status(), sent_at(&response));
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| silent(&error))? {
            body.extend_from_slice(&part);
            if body.len() > MAX_BYTES {
                let message = format!("answered with more than {MAX_BYTES} bytes; is this a ttm service?");
                return Err(NoAnswer::told(message));
            }
        }
        Ok(Reply { status, body, sent })
    }

    /// Asks the API: the JSON of its answer, or the sentence of its problem document.
    pub(super) async fn ask_api(&self, method: Method, path: &str) -> Result<Value, NoAnswer> {
        self.read(self.ask(method, path).await?)
    }

    /// The same of an order that says in its body what is wanted.
    pub(super) async fn order_of_api(&self, path: &str, body: &Value) -> Result<Value, NoAnswer> {
        self.read(self.request(Method::POST, path, Some(body)).await?)
    }

    fn read(&self, Reply { status, body, .. }: Reply) -> Result<Value, NoAnswer> {
        let answer = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            _ if status == StatusCode::UNAUTHORIZED => Err(NoAnswer::told(self.unauthorized(status))),
            Some(problem) if problem["detail"].is_string() => {
                let message = printable(problem["detail"].as_str().unwrap_or_default(), SENTENCE);
                Err(NoAnswer { message, is_silent: status == StatusCode::SERVICE_UNAVAILABLE })
            }
            _ => Err(NoAnswer::told(self.of_another(status))),
        }
    }

    /// The error of an answer that says so.
    pub(super) fn unauthorized(&self, status: StatusCode) -> String {
        let why = if self.has_token() {
            "the token is wrong"
        } else {
            "the token is required, as --token-file FILE or --config FILE"
        };
        format!("answered {status}: {why}")
    }

    /// The error of an answer that is none of ours.
    pub(super) fn of_another(&self, status: StatusCode) -> String {
        match self.path() {
            _ if status == StatusCode::OK => "answered, but is not a ttm service".to_owned(),
            "/" => format!("answered {status}; is this a ttm service?"),
            path => {
                format!("answered {status}; is this a ttm service, and does the URL need the path {path}?")
            }
        }
    }
}

/// What a name in a path may contain as it is, besides letters and digits.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A name in a path: percent-encoded, so that it may contain anything.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// The URL of a service, which contains no secret.
#[derive(Debug)]
struct Target(Url);

impl Target {
    /// Parses a URL from the command line.
    fn parse(text: &str) -> Result<Self, String> {
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
    fn shown(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

fn sent_at(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    rfc2822::parse(date).ok().map(|date| date.timestamp())
}

fn no_answer(target: &Target, error: &reqwest::Error, patience: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", patience.as_secs());
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
    fn a_name_in_a_path_may_contain_anything() {
        assert_eq!(segment("dexscreener"), "dexscreener");
        assert_eq!([segment("hot-group"), segment("hot group")], ["hot-group", "hot%20group"]);
        assert_eq!(segment("api/pairs?a#b%2F.."), "api%2Fpairs%3Fa%23b%252F%2E%2E");
        assert_eq!(segment("é\n"), "%C3%A9%0A");
    }
}
