//! Who is told, how soon and how often: `[alerts]`, `[alerts.repeat]` and `[alerts.escalation]`.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_alert::{ChannelId, Escalation, NotifyConfig, NotifySettings};

use super::AlertSettings;
use crate::config::Origin;
use crate::config::settings::reader::Reader;
use crate::config::suggest::did_you_mean;

impl Reader<'_> {
    /// What is wrong by itself is reported and replaced, so that what contradicts itself is found as well.
    pub(super) fn notify(&mut self) -> Option<NotifyConfig> {
        let default_channels = self.told("alerts.default_channels");
        let routes = self.routes();
        let group_wait = self.duration("alerts.group_wait");
        let group_interval = self.duration("alerts.group_interval");
        let cooldown = self.duration("monitoring.alert_cooldown");
        let repeat = ["critical", "error", "warning"].map(|of| self.repeat(of, cooldown));
        let escalation = self.escalation();
        let usual = NotifySettings::default();
        let settings = NotifySettings {
            default_channels: default_channels.unwrap_or_default(),
            routes: routes.unwrap_or_default(),
            escalation,
            group_wait: group_wait.unwrap_or(usual.group_wait),
            group_interval: group_interval.unwrap_or(usual.group_interval),
            // These two are compared with each other.
            cooldown: cooldown.unwrap_or(Duration::ZERO),
            repeat: repeat.map(|repeat| repeat.unwrap_or(Duration::MAX)),
            ..usual
        };
        self.checked("alerts", NotifyConfig::try_new(settings))
    }

    /// How often an alert of this severity is repeated: not more often than two messages about it may follow each other.
    fn repeat(&mut self, severity: &str, cooldown: Option<Duration>) -> Option<Duration> {
        const COOLDOWN: &str = "monitoring.alert_cooldown";
        let name = format!("alerts.repeat.{severity}");
        let repeat = self.duration(&name)?;
        let Some(cooldown) = cooldown.filter(|cooldown| repeat < *cooldown) else { return Some(repeat) };
        let origin = Some(self.place(&name)).filter(|place| *place != Origin::Default);
        let message =
            format!("{name} is {repeat:?} while {COOLDOWN} is {cooldown:?}, expected at least that");
        self.refuse(origin.unwrap_or_else(|| self.place(COOLDOWN)), message);
        None
    }

    fn escalation(&mut self) -> Escalation {
        let critical = self.steps("alerts.escalation.critical");
        let error = self.steps("alerts.escalation.error");
        let channels = self.named("alerts.escalation.channels");
        let fallback = self.named("alerts.escalation.fallback");
        Escalation {
            critical: critical.unwrap_or_default(),
            error: error.unwrap_or_default(),
            channels: channels.unwrap_or_default(),
            fallback: fallback.unwrap_or_default().into_iter().next(),
        }
    }

    fn steps(&mut self, name: &str) -> Option<Vec<Duration>> {
        let steps = self.list(name);
        self.read(name, |_| {
            steps.iter().map(|step| SpanParser::new().parse_unsigned_duration(step).ok()).collect()
        })
    }

    /// The channels that are told something; the log, if there are none.
    pub(super) fn told(&mut self, name: &str) -> Option<Vec<ChannelId>> {
        let channels = self.named(name)?;
        Some(if channels.is_empty() { vec![ChannelId::new(AlertSettings::LOG)] } else { channels })
    }

    /// The channels that a key names; each has to be one that takes messages.
    fn named(&mut self, name: &str) -> Option<Vec<ChannelId>> {
        let named = self.list(name);
        let before = self.errors.len();
        for channel in &named {
            let message = match self.takes_messages(channel) {
                Some(true) => continue,
                Some(false) => {
                    format!(
                        "{name} has {channel:?}, an Alertmanager, which is told all that fires anyway, and takes no messages"
                    )
                }
                None => {
                    let known = self.values.chosen("alerts.channels").into_iter().map(|(known, _)| known);
                    let near = did_you_mean(channel, known.chain([AlertSettings::LOG]));
                    format!("{name} has {channel:?}, and there is no such channel{near}")
                }
            };
            self.refuse(self.place(name), message);
        }
        (self.errors.len() == before).then(|| named.iter().map(|channel| ChannelId::new(channel)).collect())
    }
}
