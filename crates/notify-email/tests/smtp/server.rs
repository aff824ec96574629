//! A mail server on loopback that speaks STARTTLS and implicit TLS, takes nothing that the standards forbid, and answers as it is told.

use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use ttm_alert::testing::notifier_conformance::{Answer, Receiver};
use ttm_notify_email::Security;

use crate::example::{PASSWORD, USER};

/// A place in a conversation at which the server can do something else than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Greeting,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Body,
    Quit,
}

/// What it does there.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Says this.
    Says(String),
    /// Says nothing, and keeps the connection.
    Hangs,
    /// Closes the connection.
    Closes,
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) to: Vec<String>,
    pub(crate) email: String,
    pub(crate) was_secure: bool,
}

#[derive(Default)]
struct State {
    answer: Mutex<Answer>,
    deed: Mutex<Option<(Step, Deed)>>,
    /// Receivers that are refused, with what is said.
    unknown: Mutex<Vec<(String, String)>>,
    offers_tls: Mutex<bool>,
    /// The id of each message that was begun.
    begun: Mutex<Vec<String>>,
    taken: Mutex<Vec<Taken>>,
    broken: Mutex<Vec<String>>,
    commands: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// The certificate of the authority that its own is from, as PEM.
    pub(crate) authority: String,
    security: Security,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "the server is the test's")]
    pub(crate) async fn start(security: Security) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (acceptor, authority) = acceptor();
        let state =
            Arc::new(State { offers_tls: Mutex::new(security == Security::StartTls), ..State::default() });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *shared.connections.lock() += 1;
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move { serve(stream, security, &acceptor, &state).await });
            }
        });
        Self { port, authority, security, state, task }
    }

    /// Does this at that step from now on.
    pub(crate) fn does(&self, step: Step, deed: Deed) {
        *self.state.deed.lock() = Some((step, deed));
    }

    /// Says this at that step from now on.
    pub(crate) fn says(&self, step: Step, line: &str) {
        self.does(step, Deed::Says(line.to_owned()));
    }

    /// Knows no such receiver.
    pub(crate) fn refuses(&self, receiver: &str, line: &str) {
        self.state.unknown.lock().push((receiver.to_owned(), line.to_owned()));
    }

    /// Does not offer STARTTLS, as if somebody in between had taken that away.
    pub(crate) fn offers_no_tls(&self) {
        *self.state.offers_tls.lock() = false;
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.taken.lock().clone()
    }

    pub(crate) fn last(&self) -> Taken {
        self.taken().pop().expect("a message")
    }

    /// The rules that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.state.broken.lock().clone()
    }

    /// The commands of all conversations.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.commands.lock().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock()
    }
}

impl Receiver for Server {
    fn answers(&self, answer: Answer) {
        *self.state.answer.lock() = answer;
    }

    fn requests(&self) -> Vec<String> {
        self.state.begun.lock().clone()
    }

    fn secret(&self) -> Option<String> {
        // Without TLS nobody has a password.
        Some(PASSWORD.to_owned()).filter(|_| self.security != Security::PlainOnLoopback)
    }

    fn can_ask_to_wait(&self) -> bool {
        false
    }
}

fn acceptor() -> (TlsAcceptor, String) {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("it fits");
    (TlsAcceptor::from(Arc::new(config)), authority)
}

async fn serve(stream: TcpStream, security: Security, acceptor: &TlsAcceptor, state: &State) {
    if security == Security::Tls {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        Talk { state, is_secure: true, is_first: true }.run(&mut stream).await;
        return;
    }
    let mut stream = stream;
    let mut talk = Talk { state, is_secure: false, is_first: true };
    if talk.run(&mut stream).await == Next::StartTls {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        Talk { state, is_secure: true, is_first: false }.run(&mut stream).await;
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Over,
    StartTls,
}

struct Talk<'a> {
    state: &'a State,
    is_secure: bool,
    is_first: bool,
}

impl Talk<'_> {
    /// One conversation, up to its end or to the change to TLS.
    async fn run(&mut self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Next {
        let mut stream = BufReader::new(stream);
        let (mut is_known, mut from, mut to) = (false, None::<String>, Vec::new());
        if self.is_first && !self.say(&mut stream, Step::Greeting, "220 test ESMTP").await {
            return Next::Over;
        }
        while let Some(line) = self.line(&mut stream).await {
            self.state.commands.lock().push(line.clone());
            let upper = line.to_uppercase();
            let is_going_on = if upper.starts_with("EHLO ") {
                let tls =
                    if *self.state.offers_tls.lock() && !self.is_secure { "250-STARTTLS\r\n" } else { "" };
                let hello = format!("250-test\r\n{tls}250-AUTH PLAIN LOGIN\r\n250 SIZE 10485760");
                self.say(&mut stream, Step::Hello, &hello).await
            } else if upper == "STARTTLS" {
                self.rule(!self.is_secure, "STARTTLS within TLS");
                if self.say(&mut stream, Step::StartTls, "220 go ahead").await {
                    return Next::StartTls;
                }
                false
            } else if let Some(sent) = line.strip_prefix("AUTH PLAIN ") {
                self.rule(self.is_secure, "a password that everybody can read");
                is_known = decoded(sent) == format!("\0{USER}\0{PASSWORD}");
                let said = if is_known {
                    "235 welcome".to_owned()
                } else {
                    format!("535 5.7.8 no such user: {line}")
                };
                self.say(&mut stream, Step::Auth, &said).await && is_known
            } else if upper.starts_with("MAIL FROM:<") {
                self.rule(is_known || !self.is_secure, "mail of nobody");
                from = Some(line.clone());
                self.say(&mut stream, Step::Mail, "250 ok").await
            } else if upper.starts_with("RCPT TO:<") {
                self.rule(from.is_some(), "a receiver before the sender");
                let unknown = self.state.unknown.lock().iter().find(|(it, _)| line.contains(it)).cloned();
                let said = if let Some((_, said)) = unknown {
                    said
                } else {
                    to.push(line["RCPT TO:<".len()..].trim_end_matches('>').to_owned());
                    "250 ok".to_owned()
                };
                self.say(&mut stream, Step::Rcpt, &said).await
            } else if upper == "DATA" {
                self.rule(!to.is_empty(), "a message for nobody");
                self.say(&mut stream, Step::Data, "354 end with a dot").await
                    && self.message(&mut stream, std::mem::take(&mut to)).await
            } else if upper == "QUIT" {
                self.say(&mut stream, Step::Quit, "221 bye").await;
                return Next::Over;
            } else {
                self.rule(false, &format!("the command {line}"));
                false
            };
            if !is_going_on {
                break;
            }
        }
        Next::Over
    }

    /// A message after DATA.
    async fn message(
        &self,
        stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
        to: Vec<String>,
    ) -> bool {
        let mut email = String::new();
        loop {
            let Some(line) = self.line(stream).await else { return false };
            if line == "." {
                break;
            }
            self.rule(line.len() <= 998, "a line of more than 998 characters");
            self.rule(line.is_ascii(), "eight bits without 8BITMIME");
            email.push_str(line.strip_prefix('.').unwrap_or(&line));
            email.push_str("\r\n");
        }
        for name in ["From", "To", "Date", "Message-ID", "Subject", "MIME-Version", "Auto-Submitted"] {
            let count = crate::example::headers(&email).iter().filter(|(it, _)| it == name).count();
            self.rule(count == 1, &format!("{count} times the header {name}"));
        }
        self.state.begun.lock().push(crate::example::header(&email, "Message-ID"));
        let answer = *self.state.answer.lock();
        let said = match answer {
            Answer::Takes => "250 2.0.0 queued".to_owned(),
            Answer::Busy => "451 4.7.1 come back later".to_owned(),
            Answer::Fails => format!("452 4.3.1 disk full, {PASSWORD}"),
            Answer::Refuses => format!("554 5.7.1 no, {PASSWORD}"),
        };
        if answer == Answer::Takes {
            self.state.taken.lock().push(Taken { to, email, was_secure: self.is_secure });
        }
        self.say(stream, Step::Body, &said).await
    }

    /// A line without its end, which must be CR and LF.
    async fn line(&self, stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<String> {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.ok()?;
        let line = String::from_utf8(line).expect("UTF-8");
        let line = line.strip_suffix('\n')?;
        self.rule(line.ends_with('\r'), "a bare LF");
        let line = line.strip_suffix('\r').unwrap_or(line);
        self.rule(!line.contains('\r'), "a bare CR");
        Some(line.to_owned())
    }

    /// Says a line, or what is to be done instead; whether the conversation goes on.
    async fn say(
        &self,
        stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
        step: Step,
        line: &str,
    ) -> bool {
        let deed = self.state.deed.lock().clone().filter(|(at, _)| *at == step).map(|(_, deed)| deed);
        let line = match deed {
            Some(Deed::Hangs) => std::future::pending().await,
            Some(Deed::Closes) => return false,
            Some(Deed::Says(line)) => line,
            None => line.to_owned(),
        };
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.is_ok()
            && stream.get_mut().flush().await.is_ok()
    }

    fn rule(&self, holds: bool, rule: &str) {
        if !holds {
            self.state.broken.lock().push(rule.to_owned());
        }
    }
}

fn decoded(sent: &str) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(sent).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}
