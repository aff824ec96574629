//! The settings, and what is wrong with them.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, TlsParameters, TlsParametersBuilder};
use secrecy::{ExposeSecret, SecretString};
use ttm_kernel::{InvalidSetting, SettingChecks};

/// How a connection is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte on, usually on port 465.
    Tls,
    /// TLS after the greeting, usually on port 587. A server that does not offer it gets neither password nor message.
    StartTls,
    /// None, on loopback alone: for a mail server on this machine, usually on port 25.
    PlainOnLoopback,
}

impl Security {
    /// The usual port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::PlainOnLoopback => 25,
        }
    }
}

/// Who sends, for servers that ask.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name of the user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Where e-mail goes, and through which server.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// The name or the address of the server.
    pub server: String,
    /// Its port; the [usual one](Security::port) if there is none.
    pub port: Option<u16>,
    /// How connections are secured.
    pub security: Security,
    /// The certificate of an authority of your own, as PEM, beside those that the machine trusts.
    pub authority: Option<String>,
    /// Who sends, for servers that ask.
    pub credentials: Option<Credentials>,
    /// The sender, as `To The Moon <ttm@example.org>` or an address alone.
    pub from: String,
    /// The receivers: 1 to 20, written like the sender.
    pub to: Vec<String>,
    /// How long a whole message may take, from the name of the server to its last answer: 50 ms to 2 min.
    pub timeout: Duration,
}

/// Why there is no such channel. It names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// Settings that cannot be used, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<InvalidSetting>),
    /// There can be no TLS: in practice, the machine has no root certificates.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_mins(2);
const RECEIVERS: RangeInclusive<usize> = 1..=20;
const ADDRESS_BOUND: &str = "an address in ASCII, such as ttm@example.org or To The Moon <ttm@example.org>";

/// The settings once they are valid.
pub(crate) struct Checked {
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    /// There are some unless the connection is plain.
    pub(crate) tls: Option<TlsParameters>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
    pub(crate) timeout: Duration,
}

impl Checked {
    pub(crate) fn try_new(config: &EmailConfig) -> Result<Self, InvalidEmail> {
        let server = config.server.trim();
        let is_name =
            !server.is_empty() && !server.contains(|c: char| !c.is_ascii_graphic() || "/@[]".contains(c));
        let may_be_plain = config.security != Security::PlainOnLoopback || is_loopback(server);
        let from = mailbox(&config.from);
        let to: Option<Vec<Mailbox>> = config.to.iter().map(|to| mailbox(to)).collect();
        let authority = config.authority.as_deref().map(|pem| Certificate::from_pem(pem.as_bytes()));
        // Text without any certificate is no error of the parser.
        let has_one =
            config.authority.as_deref().is_none_or(|pem| pem.contains("-----BEGIN CERTIFICATE-----"));
        let is_authority = has_one && authority.as_ref().is_none_or(Result::is_ok);
        let named = config.credentials.as_ref();
        let is_named = named.is_none_or(|it| !it.user.is_empty() && !it.password.expose_secret().is_empty());
        let checks = SettingChecks::default()
            .require(is_name, "server", server, "the name or the address of a mail server")
            .require(
                may_be_plain,
                "security",
                config.security,
                "tls or starttls, since the server is not on this machine",
            )
            .require(
                is_named,
                "credentials",
                named.map(|it| &it.user),
                "a user and a password, neither empty",
            )
            .require(is_authority, "authority", "(not shown)", "a certificate as PEM")
            .require(from.is_some(), "from", &config.from, ADDRESS_BOUND)
            .require(to.is_some(), "to", &config.to, ADDRESS_BOUND)
            .require(RECEIVERS.contains(&config.to.len()), "to", config.to.len(), "1 to 20 receivers")
            .require(TIMEOUT.contains(&config.timeout), "timeout", config.timeout, "50ms to 2min");
        let wrong = checks.finish(()).err();
        let (Some(from), Some(to), None) = (from, to, wrong.clone()) else {
            return Err(InvalidEmail::Settings(wrong.unwrap_or_default()));
        };
        let tls = match config.security {
            Security::PlainOnLoopback => None,
            Security::Tls | Security::StartTls => {
                let builder = TlsParameters::builder(server.to_owned());
                let builder =
                    authority.into_iter().flatten().fold(builder, TlsParametersBuilder::add_root_certificate);
                Some(builder.build().map_err(|error| InvalidEmail::Tls(error.to_string()))?)
            }
        };
        Ok(Self {
            server: server.to_owned(),
            port: config.port.unwrap_or(config.security.port()),
            security: config.security,
            tls,
            credentials: config.credentials.clone(),
            from,
            to,
            timeout: config.timeout,
        })
    }
}

/// A mailbox whose address needs no extension of the protocol.
fn mailbox(text: &str) -> Option<Mailbox> {
    text.trim().parse::<Mailbox>().ok().filter(|mailbox| mailbox.email.to_string().is_ascii())
}

fn is_loopback(server: &str) -> bool {
    server == "localhost" || server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> EmailConfig {
        EmailConfig {
            server: "localhost".to_owned(),
            port: None,
            security: Security::PlainOnLoopback,
            authority: None,
            credentials: Some(Credentials { user: "ttm".to_owned(), password: "hunter2".into() }),
            from: "To The Moon <ttm@example.org>".to_owned(),
            to: vec!["ops@example.org".to_owned()],
            timeout: Duration::from_secs(30),
        }
    }

    #[test]
    fn the_usual_ports_are_those_of_the_standards() {
        assert_eq!(Checked::try_new(&good()).map(|it| it.port), Ok(25));
        assert_eq!(Security::Tls.port(), 465);
        assert_eq!(Security::StartTls.port(), 587);
    }

    #[test]
    fn what_cannot_be_used_is_named_without_secrets() {
        let wrong = |change: &dyn Fn(&mut EmailConfig)| {
            let mut config = good();
            change(&mut config);
            let error = Checked::try_new(&config).map(drop).expect_err("wrong").to_string();
            assert!(!error.contains("hunter2") && !error.contains("; "), "{error}");
            error
        };
        for server in ["", "mail server", "smtp://localhost", "user@localhost"] {
            assert!(
                Checked::try_new(&EmailConfig {
                    server: server.to_owned(),
                    security: Security::Tls,
                    ..good()
                })
                .is_err()
            );
        }
        let plain = wrong(&|it| "mail.example.org".clone_into(&mut it.server));
        assert!(plain.starts_with("security is PlainOnLoopback: it must be tls or starttls"), "{plain}");
        wrong(&|it| it.credentials = Some(Credentials { user: String::new(), password: "hunter2".into() }));
        wrong(&|it| it.authority = Some("hunter2".to_owned()));
        wrong(&|it| "nobody".clone_into(&mut it.from));
        wrong(&|it| it.to = vec![]);
        wrong(&|it| it.to = vec!["ops@example.org".to_owned(); 21]);
        wrong(&|it| it.to.push("öps@example.org".to_owned()));
        wrong(&|it| it.to.push("a@example.org\r\nBcc: b@example.org".to_owned()));
        wrong(&|it| it.timeout = Duration::ZERO);
        assert!(!format!("{:?}", good()).contains("hunter2"));
    }
}
