//! Which channels an alert is told on, how soon, how often, and who is told next when nobody answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks, Severity};

use crate::{AlertKey, Labels};

/// The name of a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// The channel with this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which alerts are meant; what is not named matches every alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// The name of the rule.
    pub rule: Option<String>,
    /// The severity.
    pub severity: Option<Severity>,
    /// Labels that the alert must have.
    pub labels: Option<Labels>,
}

impl Matcher {
    /// Whether an alert is meant.
    pub fn matches(&self, key: &AlertKey, severity: Severity) -> bool {
        self.rule.as_deref().is_none_or(|rule| rule == &*key.rule)
            && self.severity.is_none_or(|only| only == severity)
            && self
                .labels
                .iter()
                .flat_map(Labels::iter)
                .all(|(label, value)| key.labels.get(label) == Some(value))
    }

    /// Whether everything that another one matches is matched by this one as well.
    pub fn covers(&self, other: &Self) -> bool {
        let has = |label, value| other.labels.as_ref().and_then(|labels| labels.get(label)) == Some(value);
        (self.rule.is_none() || self.rule == other.rule)
            && (self.severity.is_none() || self.severity == other.severity)
            && self.labels.iter().flat_map(Labels::iter).all(|(label, value)| has(label, value))
    }
}

/// Alerts that go to channels of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which.
    pub matcher: Matcher,
    /// Where they go.
    pub channels: Vec<ChannelId>,
}

/// Who is told next while nobody acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Escalation {
    /// When each step is taken for CRITICAL, from when it could first be told.
    pub critical: Vec<Duration>,
    /// The same for ERROR.
    pub error: Vec<Duration>,
    /// Whom each step tells; the last one is told by all steps beyond.
    pub channels: Vec<ChannelId>,
    /// Who is told what another channel has refused for good.
    pub fallback: Option<ChannelId>,
}

/// What [`NotifyConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// Where alerts go that no route names. INFO goes only where a route says so.
    pub default_channels: Vec<ChannelId>,
    /// The routes; the first that matches counts.
    pub routes: Vec<Route>,
    /// Who is told next.
    pub escalation: Escalation,
    /// How long the first message of a group waits for others to join.
    pub group_wait: Duration,
    /// The least time between two messages of a group that nothing makes urgent.
    pub group_interval: Duration,
    /// The least time between two messages of one episode, except about more severity and about its end.
    pub cooldown: Duration,
    /// How often CRITICAL, ERROR and WARNING are repeated.
    pub repeat: [Duration; 3],
    /// How long a commit may take before CRITICAL is sent from memory.
    pub commit_patience: Duration,
    /// How long a start may take to evaluate everything; after that it tells what it knows.
    pub start_patience: Duration,
}

impl Default for NotifySettings {
    fn default() -> Self {
        let minutes = |list: &[u64]| list.iter().map(|minutes| Duration::from_mins(*minutes)).collect();
        Self {
            default_channels: Vec::new(),
            routes: Vec::new(),
            escalation: Escalation {
                critical: minutes(&[0, 5, 15]),
                error: minutes(&[0, 30]),
                channels: Vec::new(),
                fallback: None,
            },
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_mins(5),
            cooldown: Duration::from_mins(5),
            repeat: [Duration::from_hours(1), Duration::from_hours(4), Duration::from_hours(24)],
            commit_patience: Duration::from_millis(500),
            start_patience: Duration::from_mins(1),
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyConfig(NotifySettings);

impl NotifyConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: NotifySettings) -> Result<Self, Vec<InvalidSetting>> {
        const DAY: Duration = Duration::from_hours(24);
        const MINUTE: Duration = Duration::from_mins(1);
        let rising = |steps: &[Duration]| steps.is_sorted_by(|one, next| one < next) && steps.len() <= 10;
        let s = &settings;
        SettingChecks::default()
            .require(s.group_wait <= DAY, "group_wait", s.group_wait, "at most 24h")
            .require(s.group_interval <= DAY, "group_interval", s.group_interval, "at most 24h")
            .require(s.cooldown <= DAY, "alert_cooldown", s.cooldown, "at most 24h")
            .require(
                s.repeat.iter().all(|repeat| *repeat >= MINUTE.max(s.cooldown)),
                "repeat",
                s.repeat,
                "at least 1m and not shorter than alert_cooldown",
            )
            .require(s.commit_patience <= MINUTE, "commit_patience", s.commit_patience, "at most 1m")
            .require(s.start_patience <= MINUTE, "start_patience", s.start_patience, "at most 1m")
            .require(
                rising(&s.escalation.critical),
                "escalation.critical",
                &s.escalation.critical,
                "at most ten times, each later than the one before",
            )
            .require(
                rising(&s.escalation.error),
                "escalation.error",
                &s.escalation.error,
                "at most ten times, each later than the one before",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &NotifySettings {
        &self.0
    }

    /// How long until an alert of this severity is told again; `None` if it is not.
    pub(crate) fn repeat(&self, severity: Severity) -> Option<Duration> {
        let [critical, error, warning] = self.0.repeat;
        match severity {
            Severity::Critical => Some(critical),
            Severity::Error => Some(error),
            Severity::Warning => Some(warning),
            Severity::Info => None,
        }
    }

    /// When a step of the escalation is taken, and whom it tells; `None` if it is none. Step zero is taken at once, and tells nobody
    /// if the first is to be taken later.
    pub(crate) fn step(&self, severity: Severity, step: u8) -> Option<(Duration, &ChannelId)> {
        let Escalation { critical, error, channels, .. } = &self.0.escalation;
        let steps = match severity {
            Severity::Critical => critical,
            Severity::Error => error,
            Severity::Warning | Severity::Info => return None,
        };
        let before = usize::from(steps.first().is_some_and(|first| !first.is_zero()));
        let place = usize::from(step).checked_sub(before)?;
        Some((*steps.get(place)?, channels.get(place).or(channels.last())?))
    }

    /// The channels of an alert by its routes. One about a channel itself goes to others, if there are any.
    pub(crate) fn channels(&self, key: &AlertKey, severity: Severity) -> Vec<&ChannelId> {
        let route = self.0.routes.iter().find(|route| route.matcher.matches(key, severity));
        let is_asked_for = |route: &&Route| severity != Severity::Info || route.matcher.severity.is_some();
        let of_route = match (route.filter(is_asked_for), severity) {
            (Some(route), _) => &route.channels,
            (None, Severity::Info) => return Vec::new(),
            (None, _) => &self.0.default_channels,
        };
        let about = key.labels.get("channel");
        let others: Vec<&ChannelId> =
            of_route.iter().filter(|channel| Some(channel.as_str()) != about).collect();
        if others.is_empty() {
            // Rather on the fallback than on the one that fails.
            let fallback = self.0.escalation.fallback.iter().filter(|_| !of_route.is_empty());
            let fallback: Vec<&ChannelId> = fallback.filter(|it| Some(it.as_str()) != about).collect();
            return if fallback.is_empty() { of_route.iter().collect() } else { fallback };
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rule: &str, labels: &str) -> AlertKey {
        AlertKey::new(rule, Labels::parse(labels).expect("valid"))
    }

    fn channels(names: &[&str]) -> Vec<ChannelId> {
        names.iter().map(|name| ChannelId::new(name)).collect()
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(NotifyConfig::try_new(NotifySettings::default()), Ok(NotifyConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let long = Duration::from_hours(25);
        let errors = NotifyConfig::try_new(NotifySettings {
            group_wait: long,
            group_interval: long,
            cooldown: long,
            commit_patience: long,
            start_patience: long,
            escalation: Escalation {
                critical: vec![Duration::from_mins(5), Duration::from_mins(5)],
                error: vec![Duration::ZERO; 11],
                ..Escalation::default()
            },
            ..NotifySettings::default()
        });
        let errors = errors.expect_err("all of them are wrong");
        let keys: Vec<&str> = errors.iter().map(|error| error.key).collect();
        let expected = [
            "group_wait",
            "group_interval",
            "alert_cooldown",
            "repeat",
            "commit_patience",
            "start_patience",
            "escalation.critical",
            "escalation.error",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn an_alert_goes_where_its_first_route_says_and_info_only_where_asked() {
        let route = |rule: Option<&str>, severity, names: &[&str]| Route {
            matcher: Matcher { rule: rule.map(str::to_owned), severity, labels: None },
            channels: channels(names),
        };
        let config = NotifyConfig(NotifySettings {
            default_channels: channels(&["ops"]),
            routes: vec![
                route(None, Some(Severity::Critical), &["phone"]),
                route(Some("cpu"), None, &["dev"]),
                route(None, Some(Severity::Info), &["log"]),
            ],
            ..NotifySettings::default()
        });
        for (rule, severity, expected) in [
            ("cpu", Severity::Critical, vec!["phone"]),
            ("cpu", Severity::Warning, vec!["dev"]),
            ("cpu", Severity::Info, vec![]),
            ("disk", Severity::Info, vec!["log"]),
            ("disk", Severity::Error, vec!["ops"]),
        ] {
            let key = key(rule, "");
            let to: Vec<&str> = config.channels(&key, severity).into_iter().map(ChannelId::as_str).collect();
            assert_eq!(to, expected, "{rule} {severity}");
        }
    }

    #[test]
    fn one_that_covers_another_matches_all_that_it_does_and_no_other_does() {
        let mut all = Vec::new();
        for rule in [None, Some("data_stale"), Some("group_errors")] {
            for severity in [None, Some(Severity::Warning), Some(Severity::Error)] {
                for labels in ["", "lane=hot", "api=x", "api=x,lane=hot"] {
                    let labels = Some(Labels::parse(labels).expect("valid")).filter(|_| !labels.is_empty());
                    all.push(Matcher { rule: rule.map(str::to_owned), severity, labels });
                }
            }
        }
        let mut alerts = Vec::new();
        for rule in ["data_stale", "group_errors", "cpu"] {
            for labels in ["", "lane=hot", "lane=cold", "api=x", "api=x,lane=hot", "api=y,lane=hot"] {
                alerts.extend(Severity::ALL.map(|severity| (key(rule, labels), severity)));
            }
        }
        for one in &all {
            for other in &all {
                let is_left =
                    |(key, of): &(AlertKey, Severity)| other.matches(key, *of) && !one.matches(key, *of);
                assert_eq!(one.covers(other), !alerts.iter().any(is_left), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_alert_about_a_channel_goes_to_another_one() {
        let escalation = Escalation { fallback: Some(ChannelId::new("mail")), ..Escalation::default() };
        let config = NotifyConfig(NotifySettings {
            default_channels: channels(&["ops", "dev"]),
            escalation,
            ..NotifySettings::default()
        });
        let to = |of: &str| config.channels(&key("channel_failing", of), Severity::Error);
        assert_eq!(to("channel=ops"), [&ChannelId::new("dev")]);
        let one = NotifyConfig(NotifySettings { default_channels: channels(&["ops"]), ..config.0.clone() });
        let to = one.channels(&key("channel_failing", "channel=ops"), Severity::Error);
        assert_eq!(to, [&ChannelId::new("mail")]);
    }
}
