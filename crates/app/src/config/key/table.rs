//! The table of keys: the one place that names them, with kind, default, meaning, and what a change of each needs.

use super::{Key, Kind, Restart};

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    restart: Restart,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, restart, doc }
}

/// The HTTP server: it binds its address and reads its token when it starts.
const API: &str = "api";
/// The part that polls the lists of tokens: its interval and limit are fixed when it starts.
const SOURCES: &str = "sources";

/// Every key, by section, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "store.url",
        Kind::Text("sqlite://path or postgres://user@host/database"),
        "sqlite://ttm-data/ttm.db",
        Restart::Process,
        "Where tokens, scores and metrics are kept. A relative path is relative to the config file. A server's URL may \
         end in parameters as libpq has them: application_name, dbname, host, hostaddr, password, port, sslcert, sslkey, \
         sslmode, sslrootcert, user; options[search_path] names a schema. Of libpq's environment only PGPASSWORD and PGPASSFILE count.",
    ),
    key(
        "monitoring.health_check_interval",
        Kind::Duration("100ms", "24h"),
        "30s",
        Restart::None,
        "How often health figures are recorded as history. The report itself is made every second.",
    ),
    key(
        "monitoring.resource_check_interval",
        Kind::Duration("100ms", "24h"),
        "60s",
        Restart::None,
        "How often memory, CPU, disk and descriptors are sampled.",
    ),
    key(
        "monitoring.performance_check_interval",
        Kind::Duration("100ms", "24h"),
        "120s",
        Restart::None,
        "How often API latencies and error rates are recorded as history.",
    ),
    key(
        "monitoring.alert_cooldown",
        Kind::Duration("1s", "720h"),
        "300s",
        Restart::None,
        "Accepted and checked; takes effect when alerts are configured.",
    ),
    key(
        "recovery.max_restart_attempts",
        Kind::Integer(0, 1_000),
        "3",
        Restart::None,
        "Accepted and checked; takes effect with self-healing.",
    ),
    key(
        "recovery.restart_cooldown",
        Kind::Duration("1s", "24h"),
        "300s",
        Restart::None,
        "Accepted and checked; takes effect with self-healing.",
    ),
    key(
        "recovery.graceful_shutdown_timeout",
        Kind::Duration("10ms", "1h"),
        "30s",
        Restart::None,
        "How long a stop may take: half of it for requests under way, the rest for the store.",
    ),
    key(
        "recovery.emergency_restart_threshold",
        Kind::Duration("1s", "24h"),
        "600s",
        Restart::None,
        "A group without progress for this long makes /health/live answer 503.",
    ),
    key(
        "breaker.dexscreener.failure_threshold",
        Kind::Integer(1, 1_000_000),
        "5",
        Restart::None,
        "Failures in a row that open the breaker of the API.",
    ),
    key(
        "breaker.dexscreener.recovery_timeout",
        Kind::Duration("1ms", "24h"),
        "60s",
        Restart::None,
        "How long the breaker stays open before it probes.",
    ),
    key(
        "breaker.dexscreener.half_open_max_calls",
        Kind::Integer(1, 1_000),
        "3",
        Restart::None,
        "Probes admitted at once while it is half-open, all of which must succeed.",
    ),
    key(
        "breaker.dexscreener.window",
        Kind::Text("calls such as \"100 calls\", a duration such as \"60s\", or nothing"),
        "",
        Restart::None,
        "Which calls are the last ones, of which a share may open the breaker too. Nothing leaves it to failures in a row.",
    ),
    key(
        "breaker.dexscreener.minimum_calls",
        Kind::Integer(1, 1_000_000),
        "20",
        Restart::None,
        "Calls that the window must hold before a share of them says anything.",
    ),
    key(
        "breaker.dexscreener.failure_rate_percent",
        Kind::Percent,
        "50",
        Restart::None,
        "Share of failed calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.slow_call_duration",
        Kind::Text("a duration such as 2s, or nothing"),
        "",
        Restart::None,
        "A call in the window that took at least so long is slow. Nothing leaves slowness out.",
    ),
    key(
        "breaker.dexscreener.slow_call_rate_percent",
        Kind::Percent,
        "100",
        Restart::None,
        "Share of slow calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.metrics_only",
        Kind::Boolean,
        "false",
        Restart::None,
        "Whether the breaker only counts and says when it would have opened: to try settings out.",
    ),
    key(
        "sources.file",
        Kind::Text("the path of a file with one mint a line, or nothing"),
        "",
        Restart::Process,
        "A file that lists tokens; the service follows it. A relative path is relative to the config file.",
    ),
    key(
        "sources.postgres_url",
        Kind::Text("postgres://user@host/database, or nothing"),
        "",
        Restart::Process,
        "The database of an existing To The Moon system, whose table tokens the service follows. It is only read. \
         The URL is as in store.url.",
    ),
    key(
        "sources.profiles",
        Kind::Boolean,
        "false",
        Restart::Process,
        "Whether tokens that get a profile on DexScreener are followed: about one new token a minute.",
    ),
    key(
        "sources.profiles_limit",
        Kind::Integer(1, 1_000_000),
        "1000",
        Restart::Part(SOURCES),
        "So many of them at most. Those that are archived make room for new ones.",
    ),
    key(
        "sources.poll_interval",
        Kind::Duration("100ms", "24h"),
        "10s",
        Restart::Part(SOURCES),
        "How often the sources of tokens are asked what they list.",
    ),
    key(
        "scheduler.hot_interval",
        Kind::Duration("10ms", "24h"),
        "10s",
        Restart::None,
        "How often the hot group runs.",
    ),
    key(
        "scheduler.cold_interval",
        Kind::Duration("10ms", "24h"),
        "45s",
        Restart::None,
        "How often the cold group runs.",
    ),
    key(
        "dexscreener.base_url",
        Kind::Text("an http or https URL such as https://api.dexscreener.com"),
        "https://api.dexscreener.com",
        Restart::Process,
        "The API.",
    ),
    key(
        "dexscreener.chain",
        Kind::Text("solana"),
        "solana",
        Restart::Process,
        "The chain whose pools count. Mints are addresses of Solana, so no other can work.",
    ),
    key(
        "dexscreener.user_agent",
        Kind::Text("printable ASCII"),
        concat!("ttm/", env!("CARGO_PKG_VERSION")),
        Restart::Process,
        "How the client names itself; the API refuses nameless ones.",
    ),
    key(
        "dexscreener.timeout",
        Kind::Duration("1ms", "1h"),
        "5s",
        Restart::Process,
        "How long one attempt may take.",
    ),
    key(
        "dexscreener.requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "300",
        Restart::None,
        "What the API allows per address; 2 % of it are left as headroom.",
    ),
    key(
        "dexscreener.profile_requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "60",
        Restart::None,
        "What the API allows per address for profiles, which it counts apart; 2 % of it are left as headroom.",
    ),
    key(
        "api.listen",
        Kind::Text("an address and port such as 127.0.0.1:8080"),
        "127.0.0.1:8080",
        Restart::Part(API),
        "Where health, metrics and the API answer. Anything but loopback needs a token.",
    ),
    key(
        "api.token_file",
        Kind::Text("the path of a file that holds the bearer token"),
        "",
        Restart::Part(API),
        "The bearer token of the API, in a file of its own that nobody else may read (chmod 600). Once it is set, every request needs it.",
    ),
];
