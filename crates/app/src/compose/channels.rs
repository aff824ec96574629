//! The channels of alerts, made by their adapters: nothing is sent yet. What an adapter refuses is told with its place in the
//! config.

mod log;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::words::Words;
use ttm_alert::{ChannelId, Feed, Heartbeat, Notifier};
use ttm_kernel::{Clock, Instance, InvalidSetting};
use ttm_notify_email::{Credentials, EmailConfig, EmailNotifier, InvalidEmail, Security};
use ttm_notify_http::{
    Alertmanager, AlertmanagerConfig, Discord, HeartbeatConfig, HttpHeartbeat, InvalidChannel, NTFY_SERVER,
    Ntfy, NtfyConfig, PAGERDUTY_API, PagerDuty, PagerDutyConfig, SLACK_API, SlackBot, SlackBotConfig,
    SlackWebhook, TELEGRAM_API, Telegram, TelegramConfig, Webhook, WebhookConfig,
};

use super::error::ComposeError;
use crate::config::{
    AlertSettings, ChannelKind, ChannelSettings, ConfigError, Draft, EmailSettings, HeartbeatSettings,
    MailSecurity, Origin,
};
use log::LogNotifier;

/// Who tells what the service has to say of its alerts.
pub struct Channels {
    /// Those that take messages, by their names; the log is among them.
    pub notifiers: Vec<(ChannelId, Arc<dyn Notifier>)>,
    /// Those that are told everything that fires.
    pub feeds: Vec<(ChannelId, Arc<dyn Feed>)>,
    /// What tells somebody that this process lives, and how often.
    pub heartbeat: Option<(Arc<dyn Heartbeat>, Duration)>,
}

/// A channel.
#[derive(Clone)]
pub enum Channel {
    /// It takes messages.
    Notifier(Arc<dyn Notifier>),
    /// It is told everything that fires.
    Feed(Arc<dyn Feed>),
}

/// Why there is no channel or no heartbeat.
enum Unmade {
    /// What its adapter refuses of its settings.
    Settings(Vec<InvalidSetting>),
    /// What the machine lacks.
    Machine(String),
}

impl Channels {
    /// Makes all of them. `words` says what alerts mean, and `instance` whose they are; the clock is read for signatures alone.
    ///
    /// # Errors
    /// The first that cannot be made, which [`check`](super::check) has told before unless the machine changed.
    pub fn make(
        settings: &AlertSettings,
        instance: &Instance,
        clock: &Arc<dyn Clock>,
        words: &Arc<dyn Words>,
    ) -> Result<Self, ComposeError> {
        let (mut notifiers, mut feeds) = (Vec::new(), Vec::new());
        for (id, of) in &settings.channels {
            match channel(id, of, instance, clock, words)? {
                Channel::Notifier(notifier) => notifiers.push((id.clone(), notifier)),
                Channel::Feed(feed) => feeds.push((id.clone(), feed)),
            }
        }
        let heartbeat = settings.heartbeat.as_ref().map(|of| {
            let heartbeat = heartbeat(of).map_err(|unmade| unmade.told(HEARTBEAT))?;
            Ok::<_, ComposeError>((Arc::new(heartbeat) as Arc<dyn Heartbeat>, of.every))
        });
        Ok(Self { notifiers, feeds, heartbeat: heartbeat.transpose()? })
    }
}

const HEARTBEAT: &str = "alerts.heartbeat";

fn section(id: &ChannelId) -> String {
    format!("alerts.channels.{id}")
}

/// Makes one channel.
///
/// # Errors
/// That it cannot be made.
pub fn channel(
    id: &ChannelId,
    settings: &ChannelSettings,
    instance: &Instance,
    clock: &Arc<dyn Clock>,
    words: &Arc<dyn Words>,
) -> Result<Channel, ComposeError> {
    made(settings, instance, clock, words).map_err(|unmade| unmade.told(&section(id)))
}

/// What the adapters refuse of the settings, with its place in the config, unless something wrong with the same key is told already.
/// What the machine lacks is no error of the config.
pub(super) fn refused(draft: &Draft, clock: &Arc<dyn Clock>, words: &Arc<dyn Words>) -> Vec<ConfigError> {
    // Whichever it is, no adapter refuses it.
    let (settings, instance) = (&draft.alerts, Instance::default());
    let heartbeat = settings.heartbeat.as_ref().map(|of| (HEARTBEAT.to_owned(), heartbeat(of).err()));
    let channels =
        settings.channels.iter().map(|(id, of)| (section(id), made(of, &instance, clock, words).err()));
    let unmade = channels.chain(heartbeat).filter_map(|(section, unmade)| Some((section, unmade?)));
    let mut errors = Vec::new();
    for (section, unmade) in unmade {
        let Unmade::Settings(wrong) = unmade else { continue };
        for wrong in wrong {
            let given = ["", "_file"].map(|end| format!("{section}.{}{end}", key(&wrong)));
            if given.iter().any(|name| draft.is_told(name)) {
                continue;
            }
            let is_set = |name: &&String| draft.place(name) != Origin::Default;
            let name = given.iter().find(is_set).unwrap_or(&given[0]);
            let value = if wrong.key == "security" { "plain" } else { &*wrong.value };
            let message = format!("{name} is {value}, expected {}", wrong.bound);
            errors.push(ConfigError { origin: draft.place(name), message });
        }
    }
    errors
}

/// The key of a setting in the config, where the adapter calls it otherwise.
fn key(wrong: &InvalidSetting) -> &str {
    match wrong.key {
        "credentials" => "user",
        "authority" => "authority_file",
        key => key,
    }
}

impl Unmade {
    fn told(self, section: &str) -> ComposeError {
        match self {
            Self::Machine(why) => ComposeError::Process(format!("{section}: {why}")),
            Self::Settings(wrong) => {
                let line = |wrong: &InvalidSetting| format!("{section}.{}: {wrong}", key(wrong));
                ComposeError::Config(wrong.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl From<InvalidChannel> for Unmade {
    fn from(error: InvalidChannel) -> Self {
        match error {
            InvalidChannel::Settings(wrong) => Self::Settings(wrong),
            error @ InvalidChannel::Client(_) => Self::Machine(error.to_string()),
        }
    }
}

impl From<InvalidEmail> for Unmade {
    fn from(error: InvalidEmail) -> Self {
        match error {
            InvalidEmail::Settings(wrong) => Self::Settings(wrong),
            error @ InvalidEmail::Tls(_) => Self::Machine(error.to_string()),
        }
    }
}

fn heartbeat(settings: &HeartbeatSettings) -> Result<HttpHeartbeat, Unmade> {
    let HeartbeatSettings { url, is_post, token, timeout, .. } = settings;
    let config = HeartbeatConfig { url: url.clone(), is_post: *is_post, token: token.clone() };
    Ok(HttpHeartbeat::try_new(&config, *timeout)?)
}

fn made(
    settings: &ChannelSettings,
    instance: &Instance,
    clock: &Arc<dyn Clock>,
    words: &Arc<dyn Words>,
) -> Result<Channel, Unmade> {
    let (timeout, words) = (settings.timeout, words.clone());
    let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
    let notifier: Arc<dyn Notifier> = match &settings.kind {
        ChannelKind::Log => Arc::new(LogNotifier::new(words)),
        ChannelKind::SlackWebhook { url } => Arc::new(SlackWebhook::try_new(url, words, timeout)?),
        ChannelKind::SlackBot { api, channel, token } => {
            let (channel, token) = (channel.clone(), token.clone());
            let config = SlackBotConfig { api: or(api, SLACK_API), channel, token };
            Arc::new(SlackBot::try_new(&config, words, timeout)?)
        }
        ChannelKind::Telegram { api, chat, thread, token } => {
            let (chat, token) = (chat.clone(), token.clone());
            let config = TelegramConfig { api: or(api, TELEGRAM_API), chat, topic: *thread, token };
            Arc::new(Telegram::try_new(&config, words, timeout)?)
        }
        ChannelKind::Email(email) => Arc::new(EmailNotifier::try_new(&email_config(email, timeout), words)?),
        ChannelKind::Webhook { url, secret } => {
            let config = WebhookConfig { url: url.clone(), secret: secret.clone() };
            Arc::new(Webhook::try_new(&config, clock.clone(), words, timeout)?)
        }
        ChannelKind::Alertmanager { url, token } => {
            let config =
                AlertmanagerConfig { url: url.clone(), token: token.clone(), instance: instance.clone() };
            return Ok(Channel::Feed(Arc::new(Alertmanager::try_new(&config, words, timeout)?)));
        }
        ChannelKind::Discord { url } => Arc::new(Discord::try_new(url, words, timeout)?),
        ChannelKind::Ntfy { url, topic, token } => {
            let server = url.clone().unwrap_or_else(|| NTFY_SERVER.into());
            let config = NtfyConfig { server, topic: topic.clone(), token: token.clone() };
            // The adapter's name for what every other channel calls its URL.
            let renamed = |error| match Unmade::from(error) {
                Unmade::Settings(wrong) => Unmade::Settings(wrong.into_iter().map(as_url).collect()),
                unmade @ Unmade::Machine(_) => unmade,
            };
            Arc::new(Ntfy::try_new(&config, words, timeout).map_err(renamed)?)
        }
        ChannelKind::PagerDuty { api, routing_key, source } => {
            let (routing_key, source) = (routing_key.clone(), source.clone());
            let config = PagerDutyConfig { api: or(api, PAGERDUTY_API), routing_key, source };
            Arc::new(PagerDuty::try_new(&config, words, timeout)?)
        }
    };
    Ok(Channel::Notifier(notifier))
}

fn as_url(wrong: InvalidSetting) -> InvalidSetting {
    InvalidSetting { key: if wrong.key == "server" { "url" } else { wrong.key }, ..wrong }
}

fn email_config(settings: &EmailSettings, timeout: Duration) -> EmailConfig {
    let EmailSettings { server, port, security, authority, credentials, from, to } = settings.clone();
    let security = match security {
        MailSecurity::Tls => Security::Tls,
        MailSecurity::StartTls => Security::StartTls,
        MailSecurity::Plain => Security::PlainOnLoopback,
    };
    let credentials = credentials.map(|(user, password)| Credentials { user, password });
    EmailConfig { server, port, security, authority, credentials, from, to, timeout }
}
