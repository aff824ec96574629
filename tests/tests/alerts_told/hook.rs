//! A receiver of the webhook: it answers as it is told, remembers what it was asked, and takes nothing that breaks the contract.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};
use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Port, Program};

use crate::contract::{check_body, check_signature};

/// How long a test waits for a message: much longer than it takes.
const PATIENCE: Duration = Duration::from_secs(40);

/// What it does with a request that is in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reaction {
    /// Answers 204.
    Takes,
    /// Answers with this status, and this line in its head.
    Says(u16, &'static str),
    /// Does not answer before its client gives up.
    Hangs,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its path, which is the name of the channel.
    pub(crate) channel: String,
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) reaction: Reaction,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct State {
    /// For the next requests of a channel; those after that are taken.
    reactions: BTreeMap<String, VecDeque<Reaction>>,
    requests: Vec<Request>,
    /// What was wrong with requests.
    broken: Vec<String>,
}

struct Shared {
    port: Port,
    state: Mutex<State>,
    asked: Condvar,
}

/// A running receiver. Its threads end with the process of the test.
#[derive(Clone)]
pub(crate) struct Hook(Arc<Shared>);

impl Request {
    /// What it says of its alert: which rule, and what is new.
    pub(crate) fn says(&self) -> (&str, &str) {
        let of = |field: &str| self.body[field].as_str().expect("it is in order");
        (of("rule"), of("news"))
    }

    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.reaction, Reaction::Takes)
    }
}

impl Hook {
    pub(crate) fn start() -> Self {
        let (state, asked) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { port: Port::open(), state, asked });
        let accepting = Arc::clone(&shared);
        start(move || {
            loop {
                let (stream, shared) = (accepting.port.accept(), Arc::clone(&accepting));
                start(move || shared.serve(&stream));
            }
        });
        Self(shared)
    }

    /// The URL for a channel with this name.
    pub(crate) fn url(&self, channel: &str) -> String {
        format!("http://{}/{channel}", self.0.port.address())
    }

    /// What it does with the next requests of a channel.
    pub(crate) fn reacts_to(&self, channel: &str, reactions: &[Reaction]) {
        self.0.state.lock().reactions.entry(channel.to_owned()).or_default().extend(reactions);
    }

    /// Refuses connections from now on.
    pub(crate) fn goes_down(&self) {
        self.0.port.close();
    }

    pub(crate) fn is_back(&self) {
        self.0.port.reopen();
    }

    /// All requests so far, which were all in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let state = self.0.state.lock();
        assert!(state.broken.is_empty(), "{:?}", state.broken);
        state.requests.clone()
    }

    /// The messages that it took.
    pub(crate) fn told(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_taken).collect()
    }

    /// How often each message was sent, whatever became of it.
    pub(crate) fn counts(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for request in self.requests() {
            *counts.entry((request.channel, request.key)).or_default() += 1;
        }
        counts
    }

    /// Waits until what it was asked is as wanted. If it is not in time, kills the program, to show its log.
    pub(crate) fn wait_until(
        &self,
        program: &mut Program,
        what: &str,
        wanted: impl Fn(&[Request]) -> bool,
    ) -> Vec<Request> {
        let mut state = self.0.state.lock();
        let waits = |state: &mut State| state.broken.is_empty() && !wanted(&state.requests);
        let outcome = self.0.asked.wait_while_for(&mut state, waits, PATIENCE);
        let told: Vec<_> = state.requests.iter().map(|it| (&it.channel, &it.key, it.says())).collect();
        if outcome.timed_out() {
            program.signal(Signal::KILL);
            program.wait_for(&format!("{what}; it was asked {told:?}"), |_| false);
        }
        drop(state);
        self.requests()
    }

    /// Waits for the next message that it takes, beyond so many.
    pub(crate) fn message(&self, program: &mut Program, after: usize) -> Request {
        let is_more = |requests: &[Request]| requests.iter().filter(|it| it.is_taken()).count() > after;
        self.wait_until(program, "that a message is taken", is_more);
        self.told().swap_remove(after)
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        // Fails when its client is killed in the middle.
        let Some((head, body)) = read(stream) else { return };
        let reaction = self.take(&head, &body);
        let answer = match reaction {
            Reaction::Takes => "204 No Content\r\n".to_owned(),
            Reaction::Says(status, line) => format!("{status} So\r\n{line}\r\n"),
            Reaction::Hangs => return drop((&*stream).read(&mut [0])),
        };
        let answer = format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n");
        drop((&*stream).write_all(answer.as_bytes()));
    }

    fn take(&self, head: &[String], body: &[u8]) -> Reaction {
        let checked = check(head, body);
        let mut state = self.state.lock();
        let reaction = match checked {
            Ok((channel, key, body)) => {
                let next = state.reactions.get_mut(&channel).and_then(VecDeque::pop_front);
                let reaction = next.unwrap_or(Reaction::Takes);
                state.requests.push(Request { channel, key, body, reaction, at: now() });
                reaction
            }
            Err(why) => {
                state.broken.push(format!("{why}: {head:?} {}", String::from_utf8_lossy(body)));
                Reaction::Says(422, "")
            }
        };
        self.asked.notify_all();
        reaction
    }
}

/// The channel, the key and the body of a request that is in order.
fn check(head: &[String], body: &[u8]) -> Result<(String, String, Value), String> {
    let header = |name: &str| header(head, name);
    let request = head.first().and_then(|line| line.strip_prefix("POST /")?.strip_suffix(" HTTP/1.1"));
    let channel = request.ok_or("it is no POST")?;
    let kind = header("content-type").unwrap_or_default();
    if kind.split(';').next() != Some("application/json") {
        return Err(format!("it is {kind}"));
    }
    check_signature(header, body, wall())?;
    let key = header("webhook-id").unwrap_or_default();
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    check_body(&body, &key)?;
    Ok((channel.to_owned(), key, body))
}

fn read(stream: &TcpStream) -> Option<(Vec<String>, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        head.push(line.to_owned());
    }
    let mut body = vec![0; header(&head, "content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn header(head: &[String], name: &str) -> Option<String> {
    let mut headers = head.iter().filter_map(|line| line.split_once(':'));
    let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a stand-in tells when it was asked")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a receiver checks when a request was signed")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[expect(clippy::disallowed_methods, reason = "blocking sockets need threads")]
fn start(body: impl FnOnce() + Send + 'static) {
    drop(std::thread::spawn(body));
}
