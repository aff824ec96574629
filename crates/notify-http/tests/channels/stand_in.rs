//! A stand-in for a service: it checks every request as strictly as the service is documented, counts what it gets, and answers in
//! the service's words as it is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use ttm_alert::Notifier;
use ttm_alert::testing::notifier_conformance::{Answer, Receiver};
use ttm_alert::words::Words;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

use crate::example::words;

/// What is particular to a service.
pub(crate) trait Service: Send + Sync + 'static {
    /// A word that is the same for the same message alone, or the rule of the service that a request breaks.
    fn check(&self, request: &Request) -> Result<String, String>;

    /// What the service says. Errors repeat what they may know of the secret.
    fn answer(&self, answer: Answer) -> ResponseTemplate;

    /// What no reason may contain.
    fn secret(&self) -> Option<String>;

    /// The channel to the service at this address.
    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier>;
}

/// A running stand-in.
pub(crate) struct StandIn {
    server: MockServer,
    state: Arc<State>,
}

struct State {
    service: Box<dyn Service>,
    answer: Mutex<Answer>,
    /// Answers every request with this, whatever it is.
    scripted: Mutex<Option<ResponseTemplate>>,
    /// Answers the next request with this.
    once: Mutex<Option<ResponseTemplate>>,
    keys: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Value>>,
    broken: Mutex<Vec<String>>,
}

struct Responder(Arc<State>);

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let state = &self.0;
        state.bodies.lock().push(serde_json::from_slice(&request.body).unwrap_or(Value::Null));
        match state.service.check(request) {
            Ok(key) => state.keys.lock().push(key),
            Err(rule) => {
                state.broken.lock().push(rule.clone());
                return ResponseTemplate::new(400).set_body_json(json!({ "broken": rule }));
            }
        }
        let once = state.once.lock().take();
        let scripted = once.or_else(|| state.scripted.lock().clone());
        scripted.unwrap_or_else(|| state.service.answer(*state.answer.lock()))
    }
}

impl StandIn {
    pub(crate) async fn start(service: impl Service) -> Self {
        let state = Arc::new(State {
            service: Box::new(service),
            answer: Mutex::default(),
            scripted: Mutex::default(),
            once: Mutex::default(),
            keys: Mutex::default(),
            bodies: Mutex::default(),
            broken: Mutex::default(),
        });
        let server = MockServer::start().await;
        Mock::given(matchers::any()).respond_with(Responder(Arc::clone(&state))).mount(&server).await;
        Self { server, state }
    }

    /// The channel to it.
    pub(crate) fn channel(&self) -> Box<dyn Notifier> {
        self.channel_with(words())
    }

    /// The same that says this.
    pub(crate) fn channel_with(&self, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        self.state.service.channel(&self.address(), words)
    }

    /// Its address, without a slash at the end.
    pub(crate) fn address(&self) -> String {
        self.server.uri()
    }

    /// Answers everything with this from now on.
    pub(crate) fn says(&self, answer: ResponseTemplate) {
        *self.state.scripted.lock() = Some(answer);
    }

    /// Answers the next request with this.
    pub(crate) fn says_once(&self, answer: ResponseTemplate) {
        *self.state.once.lock() = Some(answer);
    }

    /// The bodies of all requests, as JSON.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.state.bodies.lock().clone()
    }

    pub(crate) fn last(&self) -> Value {
        self.bodies().pop().expect("a request")
    }

    /// How many requests had the key of one before.
    pub(crate) fn duplicates(&self) -> usize {
        let keys = self.requests();
        keys.len() - keys.iter().collect::<BTreeSet<_>>().len()
    }

    /// The rules that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.state.broken.lock().clone()
    }
}

impl Receiver for StandIn {
    fn answers(&self, answer: Answer) {
        *self.state.answer.lock() = answer;
    }

    fn requests(&self) -> Vec<String> {
        self.state.keys.lock().clone()
    }

    fn secret(&self) -> Option<String> {
        self.state.service.secret()
    }
}

/// The JSON of a POST to this path, sent as JSON.
pub(crate) fn posted(request: &Request, path: &str) -> Result<Value, String> {
    if request.method.as_str() != "POST" || request.url.path() != path {
        return Err(format!("{} {}", request.method, request.url.path()));
    }
    match header(request, "content-type") {
        Some(text) if text.starts_with("application/json") => {}
        other => return Err(format!("the content type {other:?}")),
    }
    serde_json::from_slice(&request.body).map_err(|error| format!("no JSON: {error}"))
}

pub(crate) fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

/// A text of the body.
pub(crate) fn text<'a>(body: &'a Value, pointer: &str) -> Result<&'a str, String> {
    body.pointer(pointer).and_then(Value::as_str).ok_or_else(|| format!("no text at {pointer}"))
}

/// That nothing but these fields is there.
pub(crate) fn only(body: &Value, known: &[&str]) -> Result<(), String> {
    let fields = body.as_object().ok_or("no object")?;
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => Err(format!("the unknown field {unknown}")),
        None => Ok(()),
    }
}

/// What stands after this word in a text, up to the next space or quote: the key in a message's last line.
pub(crate) fn key_in(text: &str) -> Result<String, String> {
    let (_, key) = text.rsplit_once("Message ").ok_or("no key in it")?;
    Ok(key.trim_end().to_owned())
}

/// Fails with the rule unless it holds.
pub(crate) fn rule(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}
