//! From values as text to settings that hold only valid ones. It names every key that is wrong, and where it stands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_dispatch::{DispatchConfig, DispatchSettings};
use ttm_guard::{GuardConfig, GuardSettings};
use ttm_health::Thresholds;
use ttm_kernel::{InvalidSetting, SettingChecks};
use ttm_market::MarketConfig;
use ttm_perf::{ControlConfig, ControlSettings};
use ttm_retry::RetryPolicy;
use ttm_schedule::{Group, ScheduleConfig, ScheduleSettings};

mod breaker;
mod draft;
mod secret;
mod sources;
mod store;
mod token_file;

pub use draft::Draft;
use secret::hides_password;
pub use secret::{Secret, StoreUrl};
pub use sources::SourceSettings;
pub(crate) use token_file::read as read_token;

use super::{ConfigError, Key, Kind, Origin, Values};
use ttm_service::ServiceSettings;

/// Everything that was configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where tokens, scores and metrics are kept.
    pub store: StoreUrl,
    /// Lists of tokens that are kept elsewhere.
    pub sources: SourceSettings,
    /// What the service needs to know.
    pub service: ServiceSettings,
    /// The price API.
    pub exchange: ExchangeSettings,
    /// The listener.
    pub api: ApiSettings,
    /// How long a stop may take.
    pub graceful_shutdown_timeout: Duration,
    /// Where each key stands that was set.
    places: BTreeMap<&'static str, Origin>,
}

/// The price API, as its adapter wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Where it answers.
    pub base_url: String,
    /// Whose pools count.
    pub chain: String,
    /// How the client names itself.
    pub user_agent: String,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// The listener of health, metrics and API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The bearer token; there is one whenever the listener is not loopback.
    pub token: Option<Secret>,
}

impl Settings {
    /// Where a key was set, for what is found wrong with it later.
    pub fn place(&self, key: &str) -> Origin {
        place(&self.places, key)
    }
}

fn place(places: &BTreeMap<&'static str, Origin>, key: &str) -> Origin {
    places.get(key).cloned().unwrap_or(Origin::Default)
}

/// The one chain that can work: mints are its addresses, and so are the quotes that pools are compared by.
const SOLANA: &str = "solana";

/// What begins or ends a part of a URL that may be a secret, and that the API's has no use for.
const SECRETIVE: [char; 3] = ['@', '?', '#'];

/// The size of the budget that scoring lives on.
const BUDGET: &str = "requests_per_minute";

/// Reads typed values and collects what is wrong with them.
struct Reader<'a> {
    values: &'a Values,
    errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    fn raw(&self, name: &str) -> (&'static Key, &str, Origin) {
        let key = Key::find(name).expect("every name here is in the table of keys");
        let (text, origin) = self.values.get(key);
        (key, text, origin)
    }

    fn parsed<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.read(name, |text| text.parse().ok())
    }

    /// A whole number within the bounds of the key.
    fn integer<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let number = self.read(name, |text| text.parse::<i128>().ok())?;
        let (key, text, _) = self.raw(name);
        let fits = match key.kind {
            Kind::Integer(least, most) => (i128::from(least)..=i128::from(most)).contains(&number),
            _ => true,
        };
        let value = text.parse().ok().filter(|_| fits);
        self.bounded(name, value)
    }

    /// A duration within the bounds of the key.
    fn duration(&mut self, name: &str) -> Option<Duration> {
        let signed = self.read(name, |text| SpanParser::new().parse_duration(text).ok())?;
        let bound = |text: &str| SpanParser::new().parse_unsigned_duration(text).ok();
        let duration = Duration::try_from(signed).ok().filter(|duration| match self.raw(name).0.kind {
            Kind::Duration(least, most) => {
                bound(least).is_none_or(|least| least <= *duration)
                    && bound(most).is_none_or(|most| *duration <= most)
            }
            _ => true,
        });
        self.bounded(name, duration)
    }

    /// Takes a value that is of its kind; none is out of the key's bounds.
    fn bounded<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let (key, text, origin) = self.raw(name);
            let bounds = key.kind.bounds().unwrap_or_default();
            let message = format!("{name} is {text}, expected {bounds}");
            self.errors.push(ConfigError { origin, message });
        }
        value
    }

    fn text(&self, name: &str) -> String {
        self.raw(name).1.to_owned()
    }

    fn read<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (key, text, origin) = self.raw(name);
        let value = parse(text);
        if value.is_none() {
            let message = if hides_password(text) {
                format!(
                    "{name} has an @ behind the host: a / ? or # in a user name or password is to be percent-encoded, as in %2F %3F %23"
                )
            } else {
                // These may hold a password.
                let shown = match name {
                    "store.url" => "not a store".to_owned(),
                    "sources.postgres_url" => "no such URL".to_owned(),
                    "dexscreener.base_url" if text.contains(SECRETIVE) => {
                        "a URL with a user name, a query or a fragment".to_owned()
                    }
                    _ if text.contains('@') => "no such URL".to_owned(),
                    _ => format!("{text:?}"),
                };
                format!("{name} is {shown}, expected {}", key.kind.expected())
            };
            self.errors.push(ConfigError { origin, message });
        }
        value
    }

    /// Takes a domain's verdict, whose settings stand in `section`.
    fn checked<T>(&mut self, section: &str, verdict: Result<T, Vec<InvalidSetting>>) -> Option<T> {
        verdict
            .map_err(|wrong| {
                for InvalidSetting { key, value, bound } in wrong {
                    let name = format!("{section}.{key}");
                    let origin = Key::find(&name).map_or(Origin::Default, |key| self.values.get(key).1);
                    let message = format!("{name} is {value}, expected {bound}");
                    self.errors.push(ConfigError { origin, message });
                }
            })
            .ok()
    }

    fn service(&mut self, timeout: Option<Duration>) -> Option<ServiceSettings> {
        let schedule = self.schedule();
        let dispatch = schedule.as_ref().and_then(|schedule| self.dispatch(schedule));
        let control = self.control(timeout);
        let breaker = self.breaker();
        let guard = self.guard(BUDGET, timeout, GuardSettings::default().deadline);
        // Longer than its deadline no look at the profiles waits, whatever scoring does.
        let look = timeout.map(|timeout| timeout.min(ServiceSettings::PROFILES_DEADLINE));
        let profiles = self.guard("profile_requests_per_minute", look, ServiceSettings::PROFILES_DEADLINE);
        let profiles_limit = self.profiles_limit();
        let health_check_interval = self.duration("monitoring.health_check_interval");
        let resource_check_interval = self.duration("monitoring.resource_check_interval");
        let performance_check_interval = self.duration("monitoring.performance_check_interval");
        let source_poll_interval = self.duration("sources.poll_interval");
        let stalled = self.duration("recovery.emergency_restart_threshold");
        Some(ServiceSettings {
            market: MarketConfig::default(),
            schedule: schedule?,
            dispatch: dispatch?,
            control: control?,
            guard: guard?,
            profiles: profiles?,
            profiles_limit: profiles_limit?,
            breaker: breaker?,
            retry: RetryPolicy::default(),
            thresholds: Thresholds::default().with_stall_after(stalled?),
            report_interval: Duration::from_secs(1),
            health_check_interval: health_check_interval?,
            resource_check_interval: resource_check_interval?,
            performance_check_interval: performance_check_interval?,
            source_poll_interval: source_poll_interval?,
            sample_capacity: ServiceSettings::SAMPLE_CAPACITY,
        })
    }

    fn profiles_limit(&mut self) -> Option<usize> {
        let limit = self.integer::<usize>("sources.profiles_limit")?;
        let checks = SettingChecks::default().require(
            (1..=1_000_000).contains(&limit),
            "profiles_limit",
            limit,
            "at least 1 and at most 1000000",
        );
        self.checked("sources", checks.finish(limit))
    }

    fn schedule(&mut self) -> Option<ScheduleConfig> {
        let hot_interval = self.duration("scheduler.hot_interval");
        let cold_interval = self.duration("scheduler.cold_interval");
        let settings = ScheduleSettings { hot_interval: hot_interval?, cold_interval: cold_interval? };
        self.checked("scheduler", ScheduleConfig::try_new(settings))
    }

    /// The guard of one of the API's budgets, which is named by the key of its size.
    fn guard(
        &mut self,
        budget: &'static str,
        timeout: Option<Duration>,
        deadline: Duration,
    ) -> Option<GuardConfig> {
        let requests_per_minute = self.integer(&format!("dexscreener.{budget}"));
        // A timeout that is wrong is told already; the rest is checked all the same.
        let attempt_timeout = timeout.unwrap_or(GuardSettings::default().attempt_timeout);
        let settings = GuardSettings {
            attempt_timeout,
            deadline: deadline.max(attempt_timeout),
            requests_per_minute: Some(requests_per_minute?),
            ..GuardSettings::default()
        };
        let config = GuardConfig::try_new(settings).map_err(|mut wrong| {
            // The domain knows of one budget.
            wrong.iter_mut().filter(|setting| setting.key == BUDGET).for_each(|setting| setting.key = budget);
            wrong
        });
        self.checked("dexscreener", config)
    }

    /// What was seen just before is as good as an answer, but not for a whole interval: every run sees something new.
    fn dispatch(&mut self, schedule: &ScheduleConfig) -> Option<DispatchConfig> {
        let defaults = DispatchSettings::default();
        let settings = DispatchSettings {
            hot_fresh_for: defaults.hot_fresh_for.min(schedule.interval(Group::Hot) / 2),
            cold_fresh_for: defaults.cold_fresh_for.min(schedule.interval(Group::Cold) * 2 / 3),
            ..defaults
        };
        self.checked("scheduler", DispatchConfig::try_new(settings))
    }

    /// The configured timeout is the most that an attempt may take.
    fn control(&mut self, timeout: Option<Duration>) -> Option<ControlConfig> {
        let timeout_ceiling = timeout?;
        let defaults = ControlSettings::default();
        let timeout_floor = defaults.timeout_floor.min(timeout_ceiling);
        let settings = ControlSettings { timeout_floor, timeout_ceiling, ..defaults };
        self.checked("dexscreener", ControlConfig::try_new(settings))
    }

    fn exchange(&mut self, timeout: Option<Duration>) -> Option<ExchangeSettings> {
        let base_url = self.read("dexscreener.base_url", |text| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
            (!rest.is_empty() && !rest.contains(SECRETIVE)).then(|| text.trim_end_matches('/').to_owned())
        });
        let chain = self.read("dexscreener.chain", |text| (text == SOLANA).then(|| text.to_owned()));
        let user_agent = self.read("dexscreener.user_agent", |text| {
            (!text.trim().is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' '))
                .then(|| text.to_owned())
        });
        Some(ExchangeSettings {
            base_url: base_url?,
            chain: chain?,
            user_agent: user_agent?,
            timeout: timeout?,
        })
    }

    fn api(&mut self, folder: &Path) -> Option<ApiSettings> {
        let listen = self.parsed::<SocketAddr>("api.listen");
        let file = self.text("api.token_file");
        if file.is_empty() {
            let listen = listen?;
            if !listen.ip().is_loopback() {
                let message = format!(
                    "api.listen is {listen}, which is not loopback: expected api.token_file to be set too"
                );
                let origin = self.raw("api.listen").2;
                self.errors.push(ConfigError { origin, message });
                return None;
            }
            return Some(ApiSettings { listen, token: None });
        }
        match token_file::read(&folder.join(file)) {
            Ok(token) => Some(ApiSettings { listen: listen?, token: Some(Secret(token)) }),
            Err(problem) => {
                let message = format!("api.token_file is {problem}");
                let origin = self.raw("api.token_file").2;
                self.errors.push(ConfigError { origin, message });
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_shown_without_its_password() {
        let store: StoreUrl = "postgres://ttm:se@cret@db.example:5432/ttm?sslkey=x".parse().expect("a store");
        assert_eq!(store.to_string(), "postgres://db.example:5432/ttm");
        assert!(!format!("{store:?}").contains("cret"));
        assert_eq!("mysql://x".parse::<StoreUrl>(), Err(()));
        assert_eq!("sqlite://".parse::<StoreUrl>(), Err(()));
    }
}
