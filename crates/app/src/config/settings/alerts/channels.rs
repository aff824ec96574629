//! The sections `[alerts.channels.NAME]`. What a value means to its service is checked by the adapter, when it is made.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use ttm_alert::ChannelId;

use super::AlertSettings;
use crate::config::settings::reader::Reader;
use crate::config::{Origin, file};

/// A channel.
#[derive(Clone, Debug)]
pub struct ChannelSettings {
    /// What it is.
    pub kind: ChannelKind,
    /// The timeout of one request, or of a whole conversation with a mail server; the log needs none.
    pub timeout: Duration,
}

/// What a channel is, with the settings of its kind. Addresses that are missing are those of the service itself.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the adapters say what each setting is")]
pub enum ChannelKind {
    /// The log of this process.
    Log,
    /// An incoming webhook of Slack.
    SlackWebhook { url: SecretString },
    /// A bot of Slack.
    SlackBot { api: Option<String>, channel: String, token: SecretString },
    /// A bot of Telegram.
    Telegram { api: Option<String>, chat: String, thread: Option<i64>, token: SecretString },
    /// E-mail.
    Email(Box<EmailSettings>),
    /// A webhook of the operator's own.
    Webhook { url: SecretString, secret: Option<SecretString> },
    /// Prometheus Alertmanager, which is told what fires, and takes no messages.
    Alertmanager { url: SecretString, token: Option<SecretString> },
    /// A webhook of Discord.
    Discord { url: SecretString },
    /// A topic of ntfy.
    Ntfy { url: Option<SecretString>, topic: SecretString, token: Option<SecretString> },
    /// The Events API v2 of PagerDuty.
    PagerDuty { api: Option<String>, routing_key: SecretString, source: String },
}

impl ChannelKind {
    /// The word for it in a config.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::SlackWebhook { .. } | Self::SlackBot { .. } => "slack",
            Self::Telegram { .. } => "telegram",
            Self::Email(_) => "email",
            Self::Webhook { .. } => "webhook",
            Self::Alertmanager { .. } => "alertmanager",
            Self::Discord { .. } => "discord",
            Self::Ntfy { .. } => "ntfy",
            Self::PagerDuty { .. } => "pagerduty",
        }
    }
}

/// Where e-mail goes, and through which server.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// The server.
    pub server: String,
    /// Its port; the usual one if there is none.
    pub port: Option<u16>,
    /// How connections are secured.
    pub security: MailSecurity,
    /// The certificate of an authority, as PEM.
    pub authority: Option<String>,
    /// User and password, for servers that ask.
    pub credentials: Option<(String, SecretString)>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// How connections to a mail server are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte on.
    Tls,
    /// TLS after the greeting.
    StartTls,
    /// None, to a server on this machine.
    Plain,
}

/// What the table of keys says as well.
const TIMEOUT: Duration = Duration::from_secs(10);
/// That of a mail server: many scan a mail before they say that they have it, and deliver it though nobody waited for that.
const MAIL_TIMEOUT: Duration = Duration::from_mins(1);

/// What one section is read with.
struct Section<'a> {
    folder: &'a Path,
    name: String,
    /// Where it begins, for what is missing in it.
    origin: Origin,
}

impl Section<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }
}

impl Reader<'_> {
    /// The channels whose kind is known. What is wrong with one is reported and replaced, so that its adapter can judge the rest.
    pub(super) fn channels(&mut self, folder: &Path) -> BTreeMap<ChannelId, ChannelSettings> {
        let log = ChannelSettings { kind: ChannelKind::Log, timeout: TIMEOUT };
        let mut channels = BTreeMap::from([(ChannelId::new(AlertSettings::LOG), log)]);
        for (name, origin) in self.values.chosen("alerts.channels") {
            let section = Section { folder, name: format!("alerts.channels.{name}"), origin };
            if let Some(settings) = self.channel(name, &section) {
                channels.insert(ChannelId::new(name), settings);
            }
        }
        channels
    }

    /// Whether there is such a channel, and it takes messages; also where something is wrong with it.
    pub(super) fn takes_messages(&self, channel: &str) -> Option<bool> {
        let is_there = |(name, _): &(&str, Origin)| *name == channel;
        let is_there =
            channel == AlertSettings::LOG || self.values.chosen("alerts.channels").iter().any(is_there);
        is_there.then(|| self.raw(&format!("alerts.channels.{channel}.kind")).1 != "alertmanager")
    }

    fn channel(&mut self, name: &str, at: &Section<'_>) -> Option<ChannelSettings> {
        let kind = self.required(at, "kind")?;
        if name == AlertSettings::LOG && kind != "log" {
            let message =
                format!("{} is {kind:?}, expected log: this channel is always there", at.key("kind"));
            self.refuse(self.place(&at.key("kind")), message);
            return None;
        }
        let timeout = self.duration(&at.key("timeout")).unwrap_or(TIMEOUT);
        let is_set = self.values.get(&at.key("timeout")).is_some();
        let timeout = if kind == "email" && !is_set { MAIL_TIMEOUT } else { timeout };
        let keys: &[&str] = match &*kind {
            "log" => &[],
            "slack" if self.has_secret(at, "token") => &["token", "channel", "api", "timeout"],
            "slack" | "discord" => &["url", "timeout"],
            "telegram" => &["token", "chat", "thread", "api", "timeout"],
            "email" => {
                &["server", "port", "security", "authority_file", "user", "password", "from", "to", "timeout"]
            }
            "webhook" => &["url", "secret", "timeout"],
            "alertmanager" => &["url", "token", "timeout"],
            "ntfy" => &["url", "topic", "token", "timeout"],
            "pagerduty" => &["routing_key", "source", "api", "timeout"],
            _ => return self.read(&at.key("kind"), |_| None),
        };
        self.has_only(at, &kind, keys);
        let kind = match &*kind {
            "log" => ChannelKind::Log,
            "slack" if keys[0] == "token" => self.slack_bot(at),
            "slack" => ChannelKind::SlackWebhook { url: self.required_secret(at, "url") },
            "discord" => ChannelKind::Discord { url: self.required_secret(at, "url") },
            "telegram" => self.telegram(at),
            "email" => self.email(at),
            "webhook" => self.webhook(at),
            "alertmanager" => self.alertmanager(at),
            "ntfy" => self.ntfy(at),
            _ => self.pagerduty(at),
        };
        Some(ChannelSettings { kind, timeout })
    }

    fn slack_bot(&mut self, at: &Section<'_>) -> ChannelKind {
        let token = self.required_secret(at, "token");
        let channel = self.required(at, "channel").unwrap_or_default();
        ChannelKind::SlackBot { api: self.optional(at, "api"), channel, token }
    }

    fn telegram(&mut self, at: &Section<'_>) -> ChannelKind {
        let token = self.required_secret(at, "token");
        let chat = self.required(at, "chat").unwrap_or_default();
        let thread = self.number(at, "thread");
        ChannelKind::Telegram { api: self.optional(at, "api"), chat, thread, token }
    }

    fn webhook(&mut self, at: &Section<'_>) -> ChannelKind {
        ChannelKind::Webhook { url: self.required_secret(at, "url"), secret: self.secret_of(at, "secret") }
    }

    fn alertmanager(&mut self, at: &Section<'_>) -> ChannelKind {
        ChannelKind::Alertmanager { url: self.required_secret(at, "url"), token: self.secret_of(at, "token") }
    }

    fn ntfy(&mut self, at: &Section<'_>) -> ChannelKind {
        let url = self.secret_of(at, "url");
        let topic = self.required_secret(at, "topic");
        ChannelKind::Ntfy { url, topic, token: self.secret_of(at, "token") }
    }

    fn pagerduty(&mut self, at: &Section<'_>) -> ChannelKind {
        let routing_key = self.required_secret(at, "routing_key");
        ChannelKind::PagerDuty {
            api: self.optional(at, "api"),
            routing_key,
            source: self.text(&at.key("source")),
        }
    }

    fn email(&mut self, at: &Section<'_>) -> ChannelKind {
        // One on this machine may be spoken to in every way.
        let server = self.required(at, "server").unwrap_or_else(|| "localhost".to_owned());
        let port = self.number(at, "port");
        let security = self.read(&at.key("security"), |text| match text {
            "tls" => Some(MailSecurity::Tls),
            "starttls" => Some(MailSecurity::StartTls),
            "plain" => Some(MailSecurity::Plain),
            _ => None,
        });
        let authority = self.if_set(&at.key("authority_file"), None, |reader, name| {
            let path = at.folder.join(reader.raw(name).1);
            let read = file::read_text(&path);
            read.map_err(|error| {
                let message = format!("{name} is {}, which cannot be read: {error}", path.display());
                reader.refuse(reader.place(name), message);
            })
            .ok()
            .map(Some)
        });
        let credentials = self.credentials(at);
        let from = self.required(at, "from").unwrap_or_default();
        let to = self.required(at, "to").map(|_| self.list(&at.key("to")));
        ChannelKind::Email(Box::new(EmailSettings {
            server,
            port,
            security: security.unwrap_or(MailSecurity::Tls),
            authority: authority.flatten(),
            credentials,
            from,
            to: to.unwrap_or_default(),
        }))
    }

    /// Both of user and password, or neither.
    fn credentials(&mut self, at: &Section<'_>) -> Option<(String, SecretString)> {
        if !self.is_set(&at.key("user")) && !self.has_secret(at, "password") {
            return None;
        }
        let (user, password) = (self.required(at, "user"), self.required_secret(at, "password"));
        Some((user?, password)).filter(|(_, password)| !password.expose_secret().is_empty())
    }

    /// A number that may be missing.
    fn number<T: FromStr>(&mut self, at: &Section<'_>, key: &str) -> Option<T> {
        let read = |reader: &mut Self, name: &str| reader.integer(name).map(Some);
        self.if_set(&at.key(key), None, read).flatten()
    }

    /// A text that may be missing.
    fn optional(&self, at: &Section<'_>, key: &str) -> Option<String> {
        Some(self.text(&at.key(key))).filter(|text| !text.is_empty())
    }

    /// A text that must not be missing.
    fn required(&mut self, at: &Section<'_>, key: &str) -> Option<String> {
        let name = at.key(key);
        if self.is_set(&name) {
            return Some(self.text(&name));
        }
        if !self.is_told(&name) {
            let message = format!("{name} is not set, expected {}", self.raw(&name).0.kind.expected());
            self.refuse(at.origin.clone(), message);
        }
        None
    }

    fn has_secret(&self, at: &Section<'_>, key: &str) -> bool {
        self.is_set(&at.key(key)) || self.is_set(&at.key(&format!("{key}_file")))
    }

    /// A secret that may be missing.
    fn secret_of(&mut self, at: &Section<'_>, key: &str) -> Option<SecretString> {
        self.secret(at.folder, &at.key(key)).ok().flatten()
    }

    /// A secret that must not be missing; an empty one if it cannot be used.
    fn required_secret(&mut self, at: &Section<'_>, key: &str) -> SecretString {
        let name = at.key(key);
        let named = format!("{name}_file");
        if !self.has_secret(at, key) && !self.is_told(&name) && !self.is_told(&named) {
            let expected = self.raw(&name).0.kind.expected();
            self.refuse(at.origin.clone(), format!("{name} is not set, expected {expected}, or {named}"));
        }
        self.secret_of(at, key).unwrap_or_default()
    }

    /// Refuses what is set and this kind has no use for: most likely it was meant for another kind.
    fn has_only(&mut self, at: &Section<'_>, kind: &str, keys: &[&str]) {
        let is_known = |set: &str| {
            set == "kind" || keys.contains(&set.strip_suffix("_file").unwrap_or(set)) || keys.contains(&set)
        };
        let unknown: Vec<String> =
            self.values.keys_in(&at.name).filter(|set| !is_known(set)).map(|set| at.key(set)).collect();
        for name in &unknown {
            let message = match keys {
                [] => format!("{name} is set, expected nothing but kind: {kind} needs no settings"),
                _ => format!("{name} is set, expected one of the keys of {kind}: {}", keys.join(", ")),
            };
            self.refuse(self.place(name), message);
        }
    }
}
