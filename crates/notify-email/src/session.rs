//! One conversation with a mail server, step by step.
//!
//! The steps are not left to lettre's transport: a receiver that the server refuses must not keep the others from being told, and an
//! accepted message is delivered, whatever becomes of the farewell after it.

use std::error::Error as _;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Severity;
use secrecy::ExposeSecret;

use crate::config::{Checked, Security};

/// How long a server may take to say goodbye.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Whether it passes by itself.
    pub(crate) passes: bool,
    /// What was being done, and what the server said.
    pub(crate) why: String,
}

impl Failure {
    fn of(doing: &str, error: &Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        let said = match (error.status(), error.source()) {
            (Some(code), Some(text)) => format!("{code} {text}"),
            (Some(code), None) => code.to_string(),
            (None, _) => cause.to_string(),
        };
        // A client's error is that the server cannot do what it is asked for, such as TLS.
        let passes = !error.is_permanent() && !error.is_client();
        Self { passes, why: format!("{doing}: {said}") }
    }
}

/// A connection that is secure, and whose other end knows who sends.
pub(crate) struct Session(AsyncSmtpConnection);

impl Session {
    /// Connects, and does what comes before the first message.
    pub(crate) async fn open(config: &Checked) -> Result<Self, Failure> {
        let hello = ClientId::Domain(config.from.email.domain().to_owned());
        let (server, timeout) = ((&*config.server, config.port), Some(config.timeout));
        let at_once = config.tls.clone().filter(|_| config.security == Security::Tls);
        let connected = AsyncSmtpConnection::connect_tokio1(server, timeout, &hello, at_once, None).await;
        let mut connection = connected.map_err(|error| Failure::of("cannot connect", &error))?;
        if let Some(tls) = config.tls.clone().filter(|_| config.security == Security::StartTls) {
            connection.starttls(tls, &hello).await.map_err(|error| Failure::of("STARTTLS", &error))?;
        }
        if let Some(credentials) = &config.credentials {
            let password = credentials.password.expose_secret().to_owned();
            let credentials = Credentials::new(credentials.user.clone(), password);
            let known = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            known.map_err(|error| Failure::of("authentication", &error))?;
        }
        Ok(Self(connection))
    }

    /// Begins a message of this sender.
    pub(crate) async fn from(&mut self, sender: &Address) -> Result<(), Failure> {
        let command = Mail::new(Some(sender.clone()), Vec::new());
        self.0.command(command).await.map(drop).map_err(|error| Failure::of("the sender", &error))
    }

    /// Adds a receiver.
    pub(crate) async fn to(&mut self, receiver: &Address) -> Result<(), Failure> {
        let command = Rcpt::new(receiver.clone(), Vec::new());
        let doing = receiver.to_string();
        self.0.command(command).await.map(drop).map_err(|error| Failure::of(&doing, &error))
    }

    /// Hands the message over.
    pub(crate) async fn message(&mut self, email: &[u8]) -> Result<(), Failure> {
        const DOING: &str = "the message";
        self.0.command(Data).await.map_err(|error| Failure::of(DOING, &error))?;
        let answer = self.0.message(email).await.map_err(|error| Failure::of(DOING, &error))?;
        match answer.code().severity {
            Severity::PositiveCompletion => Ok(()),
            _ => Err(Failure {
                passes: true,
                why: format!("{DOING}: {}, which is no end of it", answer.code()),
            }),
        }
    }

    /// Says goodbye, if the server is quick to answer.
    #[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
    pub(crate) async fn close(mut self) {
        let _too_late = tokio::time::timeout(FAREWELL, self.0.abort()).await;
    }
}
