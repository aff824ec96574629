//! The table of keys: the one place that names them, with kind, default, meaning, and what a change of each needs.

mod alerts;

use super::{Key, Kind, Restart};
use alerts::ALERTS;

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
/// The part that polls the token sources: it reads its interval when it starts.
const SOURCES: &str = "sources";

/// Every key, by section, in the order of the example file.
pub const KEYS: &[Key] = &joined();

const fn joined() -> [Key; SERVICE.len() + ALERTS.len()] {
    let mut all = [SERVICE[0]; SERVICE.len() + ALERTS.len()];
    let mut at = 1;
    while at < all.len() {
        all[at] = if at < SERVICE.len() { SERVICE[at] } else { ALERTS[at - SERVICE.len()] };
        at += 1;
    }
    all
}

/// All but those of alerts.
const SERVICE: &[Key] = &[
    key(
        "service.instance",
        Kind::Text("1 to 64 ASCII letters, digits and any of . _ - : /, or empty"),
        "",
        Restart::Process,
        "Which of several services this is: the label `instance` of what the history keeps of the process (api, resource, run) and \
         of alerts in Alertmanager. If set, messages name it too. If empty, the name of the host, without other characters. \
         Two services on one machine, or in containers, need names of their own.",
    ),
    key(
        "store.url",
        Kind::Text("sqlite://path or postgres://user@host/database"),
        "sqlite://ttm-data/ttm.db",
        Restart::Process,
        "Where tokens, scores, breakers, alerts and, unless store.metrics_url is set, metrics are stored. A relative path is relative to the config file. The URL of a server \
         may end with the libpq parameters application_name, dbname, host, hostaddr, password, port, sslcert, sslkey, \
         sslmode, sslrootcert, user; options[search_path] names a schema. Of the libpq environment variables only PGPASSWORD and PGPASSFILE are used.",
    ),
    key(
        "store.metrics_url",
        Kind::Text("sqlite://path or postgres://user@host/database, or empty"),
        "",
        Restart::Process,
        "Where the history is stored: metrics and events. If empty, beside the rest, in the database of store.url. With a \
         database of its own, the history can be away or damaged while everything else goes on. The URL is as in store.url.",
    ),
    key(
        "store.reader_url",
        Kind::Text("postgres://user@host/database, or empty"),
        "",
        Restart::Process,
        "How the history is read where it is on a server: by a role that needs no right but SELECT on series, sample and \
         event. If empty, queries log in as the rest does. They have connections of their own either way. The URL is as \
         in store.url, and may lead to a replica.",
    ),
    key(
        "monitoring.health_check_interval",
        Kind::Duration("100ms", "24h"),
        "30s",
        Restart::None,
        "How often health figures are recorded as history. The health report is updated every second.",
    ),
    key(
        "monitoring.resource_check_interval",
        Kind::Duration("100ms", "24h"),
        "60s",
        Restart::None,
        "How often memory, CPU, disk and file descriptors are sampled.",
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
        Kind::Duration("1s", "24h"),
        "300s",
        Restart::None,
        "The least time between two messages about one alert, unless it gets worse or is over.",
    ),
    key(
        "recovery.max_restart_attempts",
        Kind::Integer(0, 1_000),
        "3",
        Restart::None,
        "Restarts of one part within restart_cooldown. When it needs another one, the threads or the process of a critical \
         part are replaced, and for any other part a person is called. docs/recovery.md says which value is for which wish.",
    ),
    key(
        "recovery.restart_cooldown",
        Kind::Duration("1s", "24h"),
        "300s",
        Restart::None,
        "The sliding window in which max_restart_attempts counts.",
    ),
    key(
        "recovery.max_restarts_per_hour",
        Kind::Integer(0, 1_000),
        "10",
        Restart::None,
        "Restarts of all parts together within a sliding hour; at least max_restart_attempts.",
    ),
    key(
        "recovery.graceful_shutdown_timeout",
        Kind::Duration("10ms", "1h"),
        "30s",
        Restart::None,
        "How long a shutdown may take: half of it for requests in flight, the rest for the store. A graceful restart of \
         a part waits as long for what is in flight.",
    ),
    key(
        "recovery.emergency_restart_threshold",
        Kind::Duration("1s", "24h"),
        "600s",
        Restart::None,
        "A part without progress for this long is aborted and started again, whatever a graceful restart is at; at least \
         graceful_shutdown_timeout. /health/live answers 503 when a group has made no progress for this long.",
    ),
    key(
        "breaker.dexscreener.failure_threshold",
        Kind::Integer(1, 1_000_000),
        "5",
        Restart::None,
        "Consecutive failures that open the breaker of the API.",
    ),
    key(
        "breaker.dexscreener.recovery_timeout",
        Kind::Duration("1ms", "24h"),
        "60s",
        Restart::None,
        "How long the breaker stays open before it sends probes.",
    ),
    key(
        "breaker.dexscreener.half_open_max_calls",
        Kind::Integer(1, 1_000),
        "3",
        Restart::None,
        "Concurrent probes while the breaker is half-open; all of them must succeed to close it.",
    ),
    key(
        "breaker.dexscreener.window",
        Kind::Text("calls such as \"100 calls\", a duration such as \"60s\", or empty"),
        "",
        Restart::None,
        "The window of calls whose failure rate can open the breaker, too. If empty, only consecutive failures do.",
    ),
    key(
        "breaker.dexscreener.minimum_calls",
        Kind::Integer(1, 1_000_000),
        "20",
        Restart::None,
        "The minimum number of calls in the window before its rates are evaluated.",
    ),
    key(
        "breaker.dexscreener.failure_rate_percent",
        Kind::Percent,
        "50",
        Restart::None,
        "The share of failed calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.slow_call_duration",
        Kind::Text("a duration such as 2s, or empty"),
        "",
        Restart::None,
        "A call that takes at least this long is slow. If empty, slow calls are not counted.",
    ),
    key(
        "breaker.dexscreener.slow_call_rate_percent",
        Kind::Percent,
        "100",
        Restart::None,
        "The share of slow calls in the window that opens the breaker.",
    ),
    key(
        "breaker.dexscreener.metrics_only",
        Kind::Boolean,
        "false",
        Restart::None,
        "Whether the breaker only counts and logs when it would have opened, to try out settings.",
    ),
    key(
        "sources.file",
        Kind::Text("the path of a file with one mint per line, or empty"),
        "",
        Restart::Process,
        "A file of mints that the service follows. A relative path is relative to the config file.",
    ),
    key(
        "sources.postgres_url",
        Kind::Text("postgres://user@host/database, or empty"),
        "",
        Restart::Process,
        "The database of an existing To The Moon system, whose table tokens the service follows, read-only. The URL is \
         as in store.url.",
    ),
    key(
        "sources.profiles",
        Kind::Boolean,
        "false",
        Restart::Process,
        "Whether to follow tokens with a new profile on DexScreener: about one new token a minute.",
    ),
    key(
        "sources.profiles_limit",
        Kind::Integer(1, 1_000_000),
        "1000",
        Restart::Process,
        "The maximum number of tokens followed for their profile. Archived ones make room for new ones.",
    ),
    key(
        "sources.poll_interval",
        Kind::Duration("100ms", "24h"),
        "10s",
        Restart::Part(SOURCES),
        "How often the token sources are polled.",
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
        "The base URL of the API.",
    ),
    key(
        "dexscreener.chain",
        Kind::Text("solana"),
        "solana",
        Restart::Process,
        "The chain whose pools are scored. Mints are Solana addresses, so there is no other choice.",
    ),
    key(
        "dexscreener.user_agent",
        Kind::Text("printable ASCII"),
        concat!("ttm/", env!("CARGO_PKG_VERSION")),
        Restart::Process,
        "The User-Agent of requests; the API refuses requests without one.",
    ),
    key(
        "dexscreener.timeout",
        Kind::Duration("1ms", "1h"),
        "5s",
        Restart::Process,
        "The timeout of one attempt.",
    ),
    key(
        "dexscreener.requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "300",
        Restart::None,
        "The rate limit of the API per client address; the service leaves 2 % of it unused.",
    ),
    key(
        "dexscreener.profile_requests_per_minute",
        Kind::Integer(1, 1_000_000),
        "60",
        Restart::None,
        "The separate rate limit of the API for profiles, per client address; the service leaves 2 % of it unused.",
    ),
    key(
        "api.listen",
        Kind::Text("an address and port such as 127.0.0.1:8080"),
        "127.0.0.1:8080",
        Restart::Part(API),
        "The address of health, metrics and the API. Any address but loopback requires a token.",
    ),
    key(
        "api.token_file",
        Kind::Text("the path of a file that holds the bearer token"),
        "",
        Restart::Part(API),
        "A file with the bearer token of the API, readable by its owner only (chmod 600). If set, every request requires the token, \
         except for the bare status of /health.",
    ),
    key(
        "api.public_url",
        Kind::Text("an http or https URL such as https://ttm.example.org, or empty"),
        "",
        Restart::None,
        "Where people reach the API, for links in alerts. If empty, alerts have commands instead of links.",
    ),
];
