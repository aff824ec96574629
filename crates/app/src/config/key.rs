//! The table of keys: the one place that names them, their kinds, defaults and meaning. It reads nothing.

/// The prefix of the environment variables that set keys: `TTM_SCHEDULER__HOT_INTERVAL` is `scheduler.hot_interval`.
pub const ENV_PREFIX: &str = "TTM_";

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A duration as text with units, from one to the other.
    Duration(&'static str, &'static str),
    /// A whole number, from one to the other.
    Integer(u64, u64),
    /// A whole number from 1 to 100.
    Percent,
    /// Yes or no.
    Boolean,
    /// Text, with what is expected of it.
    Text(&'static str),
}

impl Kind {
    /// What is expected, for messages.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Duration(..) => "a duration such as 30s or 5m",
            Self::Integer(..) => "a whole number",
            Self::Percent => "a whole number from 1 to 100",
            Self::Boolean => "true or false",
            Self::Text(expected) => expected,
        }
    }

    /// The bounds of a value that is of the kind, for messages.
    pub fn bounds(self) -> Option<String> {
        match self {
            Self::Duration(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Integer(least, most) => Some(format!("at least {least} and at most {most}")),
            Self::Percent | Self::Boolean | Self::Text(_) => None,
        }
    }

    /// The name of the kind, for the schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duration(..) => "duration",
            Self::Integer(..) | Self::Percent => "integer",
            Self::Boolean => "boolean",
            Self::Text(_) => "text",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its full name, as `section.key`.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its default as it would stand in the file, without quotes; empty means "not set".
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl Key {
    /// The key with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key that this environment variable sets.
    pub fn of_variable(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.variable() == name)
    }

    /// The section and the last part of the name.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("{}{}", ENV_PREFIX, self.name.replace('.', "__").to_uppercase())
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, doc }
}

/// Every key, by section, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "store.url",
        Kind::Text("sqlite://path or postgres://user@host/database"),
        "sqlite://ttm-data/ttm.db",
        "Where tokens, scores and metrics are kept. A relative path is relative to the config file. A server's URL may \
         end in parameters as libpq has them: application_name, dbname, host, hostaddr, password, port, sslcert, sslkey, \
         sslmode, sslrootcert, user; options[search_path] names a schema. Of libpq's environment only PGPASSWORD and PGPASSFILE count.",
    ),
    key(
        "monitoring.health_check_interval",
        Kind::Duration("100ms", "24h"),
        "30s",
        "How often health figures are recorded as history. The report itself is made every second.",
    ),
    key(
        "monitoring.resource_check_interval",
        Kind::Duration("100ms", "24h"),
        "60s",
        "How often memory, CPU, disk and descriptors are sampled.",
    ),
    key(
        "monitoring.performance_check_interval",
        Kind::Duration("100ms", "24h"),
        "120s",
        "How often API latencies and error rates are recorded as history.",
    ),
    key(
        "monitoring.alert_cooldown",
        Kind::Duration("1s", "720h"),
        "300s",
        "Accepted and checked; takes effect when alerts are configured.",
    ),
    key(
        "recovery.max_restart_attempts",
        Kind::Integer(0, 1_000),
        "3",
        "Accepted and checked; takes effect with self-healing.",
    ),
    key(
        "recovery.restart_cooldown",
        Kind::Duration("1s", "24h"),
        "300s",
        "Accepted and checked; takes effect with self-healing.",
    ),
    key(
        "recovery.graceful_shutdown_timeout",
        Kind::Duration("10ms", "1h"),
        "30s",
        "How long a stop may take: half of it for requests under way, the rest for the store.",
    ),
    key(
        "recovery.emergency_restart_threshold",
        Kind::Duration("1s", "24h"),
        "600s",
        "A group without progress for this long makes /health/live answer 503.",
    ),
    key(
        "breaker.dexscreener.failure_threshold",
        Kind::Integer(1, 1_000_000),
        "5",
        "Failures in a row that open the breaker of the API.",
    ),
    key(
        "breaker.dexscreener.recovery_timeout",
        Kind::Duration("1ms", "24h"),
        "60s",
        "How long the breaker stays open before it probes.",
    ),
    key(
        "breaker.dexscreener.half_open_max_calls",
        Kind::Integer(1, 1_000),
        "3",
        "Probes admitted at once while it is half-open, all of which must succeed.",
    ),
    key(
        "breaker.dexscreener.window",
        Kind::Text("calls such as \"100 calls\", a duration such as \"60s\", or nothing"),
        "",
        "Which calls are the last ones, of which a share may open the breaker too. Nothing leaves it to failures in a row.",
    ),
    key(
        "breaker.dexscreener.minimum_calls",
        Kind::Integer(1, 1_000_000),
        "20",
        "Calls that the window must hold before a share of them says anything.",
    ),
    key(
        "breaker.dexscreener.failure_rate_percent",
        Kind::Percent,
        "50",
        "Share of failed calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.slow_call_duration",
        Kind::Text("a duration such as 2s, or nothing"),
        "",
        "A call in the window that took at least so long is slow. Nothing leaves slowness out.",
    ),
    key(
        "breaker.dexscreener.slow_call_rate_percent",
        Kind::Percent,
        "100",
        "Share of slow calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.metrics_only",
        Kind::Boolean,
        "false",
        "Whether the breaker only counts and says when it would have opened: to try settings out.",
    ),
    key(
        "sources.file",
        Kind::Text("the path of a file with one mint a line, or nothing"),
        "",
        "A file that lists tokens; the service follows it. A relative path is relative to the config file.",
    ),
    key(
        "sources.postgres_url",
        Kind::Text("postgres://user@host/database, or nothing"),
        "",
        "The database of an existing To The Moon system, whose table tokens the service follows. It is only read. \
         The URL is as in store.url.",
    ),
    key(
        "sources.profiles",
        Kind::Boolean,
        "false",
        "Whether tokens that get a profile on DexScreener are followed: about one new token a minute.",
    ),
    key(
        "sources.profiles_limit",
        Kind::Integer(1, 1_000_000),
        "1000",
        "So many of them at most. Those that are archived make room for new ones.",
    ),
    key(
        "sources.poll_interval",
        Kind::Duration("100ms", "24h"),
        "10s",
        "How often the sources of tokens are asked what they list.",
    ),
    key("scheduler.hot_interval", Kind::Duration("10ms", "24h"), "10s", "How often the hot group runs."),
    key("scheduler.cold_interval", Kind::Duration("10ms", "24h"), "45s", "How often the cold group runs."),
    key(
        "dexscreener.base_url",
        Kind::Text("an http or https URL such as https://api.dexscreener.com"),
        "https://api.dexscreener.com",
        "The API.",
    ),
    key(
        "dexscreener.chain",
        Kind::Text("solana"),
        "solana",
        "The chain whose pools count. Mints are addresses of Solana, so no other can work.",
    ),
    key(
        "dexscreener.user_agent",
        Kind::Text("printable ASCII"),
        concat!("ttm/", env!("CARGO_PKG_VERSION")),
        "How the client names itself; the API refuses nameless ones.",
    ),
    key("dexscreener.timeout", Kind::Duration("1ms", "1h"), "5s", "How long one attempt may take."),
    key(
        "dexscreener.requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "300",
        "What the API allows per address; 2 % of it are left as headroom.",
    ),
    key(
        "dexscreener.profile_requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "60",
        "What the API allows per address for profiles, which it counts apart; 2 % of it are left as headroom.",
    ),
    key(
        "api.listen",
        Kind::Text("an address and port such as 127.0.0.1:8080"),
        "127.0.0.1:8080",
        "Where health, metrics and the API answer. Anything but loopback needs a token.",
    ),
    key(
        "api.token_file",
        Kind::Text("the path of a file that holds the bearer token"),
        "",
        "The bearer token of the API, in a file of its own that nobody else may read (chmod 600). Once it is set, every request needs it.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_give_their_variable() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[i + 1..].iter().all(|other| other.name != key.name), "{}", key.name);
        }
        let key = Key::find("breaker.dexscreener.failure_threshold").expect("a key");
        assert_eq!(key.variable(), "TTM_BREAKER__DEXSCREENER__FAILURE_THRESHOLD");
        assert_eq!(key.split(), ("breaker.dexscreener", "failure_threshold"));
    }
}
