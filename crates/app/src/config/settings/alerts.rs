//! The sections of alerts: what is watched, who is told, and on which channels.

mod channels;
mod notify;
mod routes;
mod rules;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use ttm_alert::{ChannelId, NotifyConfig, RuleSet};
use ttm_service::ServiceSettings;

use super::reader::{Reader, SECRETIVE};
use rules::default_rules;

pub use channels::{ChannelKind, ChannelSettings, EmailSettings, MailSecurity};

/// Who is told what.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// What is watched: the rules that are on without any config, as far as they are not overridden, and those of the config.
    pub rules: RuleSet,
    /// Who is told, how soon and how often. Every channel that it names is one of `channels`, and takes messages.
    pub notify: NotifyConfig,
    /// The channels; `log` is always there.
    pub channels: BTreeMap<ChannelId, ChannelSettings>,
    /// What tells somebody that this process lives.
    pub heartbeat: Option<HeartbeatSettings>,
    /// Where people reach the API, without a slash at the end.
    pub public_url: Option<String>,
}

impl AlertSettings {
    /// The channel that is always there, and gets what goes nowhere else.
    pub const LOG: &str = "log";
}

/// A request that is sent while the process lives.
#[derive(Clone, Debug)]
pub struct HeartbeatSettings {
    /// Where it is sent.
    pub url: SecretString,
    /// How often.
    pub every: Duration,
    /// Whether it is a POST; a GET otherwise.
    pub is_post: bool,
    /// A bearer token.
    pub token: Option<SecretString>,
    /// The timeout of one.
    pub timeout: Duration,
}

impl Reader<'_> {
    /// The settings of alerts. What is wrong is reported, and left out or replaced by its default, so that all else is checked
    /// as well.
    pub(super) fn alerts(&mut self, folder: &Path, service: Option<&ServiceSettings>) -> AlertSettings {
        let defaults = ServiceSettings::default();
        let of = service.unwrap_or(&defaults);
        let (health, resources) = (of.health_check_interval, of.resource_check_interval);
        let channels = self.channels(folder);
        let rules = self.rules(health, resources);
        AlertSettings {
            rules: rules.unwrap_or_else(|| default_rules(health, resources)),
            notify: self.notify().unwrap_or_default(),
            channels,
            heartbeat: self.heartbeat(folder),
            public_url: self.public_url(),
        }
    }

    fn heartbeat(&mut self, folder: &Path) -> Option<HeartbeatSettings> {
        const SECTION: &str = "alerts.heartbeat";
        let url = self.secret(folder, "alerts.heartbeat.url");
        let token = self.secret(folder, "alerts.heartbeat.token");
        let every = self.duration("alerts.heartbeat.every");
        let timeout = self.duration("alerts.heartbeat.timeout");
        let is_post = self.read("alerts.heartbeat.method", |text| match text {
            "get" => Some(false),
            "post" => Some(true),
            _ => None,
        });
        let of = |key: &str| [format!("{SECTION}.{key}"), format!("{SECTION}.{key}_file")];
        let is_url_told = of("url").iter().any(|name| self.is_told(name));
        if let (Ok(None), false) = (&url, is_url_told) {
            for name in of("token") {
                if self.is_set(&name) && !self.is_told(&name) {
                    let message = format!("{name} is set without {SECTION}.url, expected both or neither");
                    self.refuse(self.place(&name), message);
                }
            }
            return None;
        }
        // What is wrong is replaced, so that the adapter can judge the rest.
        Some(HeartbeatSettings {
            url: url.ok().flatten().unwrap_or_default(),
            every: every.unwrap_or(Duration::from_mins(1)),
            is_post: is_post.unwrap_or_default(),
            token: token.ok().flatten(),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
        })
    }

    fn public_url(&mut self) -> Option<String> {
        const KEY: &str = "api.public_url";
        if !self.is_set(KEY) {
            return None;
        }
        self.read(KEY, |text| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
            let is_address = |c: char| c.is_ascii_graphic() && !SECRETIVE.contains(&c);
            let is_url = !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(is_address);
            is_url.then(|| text.trim_end_matches('/').to_owned())
        })
    }
}
