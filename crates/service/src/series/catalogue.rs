//! The catalogue of the history: every series that the service writes, and nothing else. `docs/metrics.md` is made from it, a
//! sample under a name or labels that are not in it cannot be made, and tests hold what a running service writes against it.

use super::entry::{Kind, Label, Scope, Series, Unit, Written};

use Kind::{Count, Event, Gauge};
use Scope::{Process, Token, Tokens};
use Written::{Happens, HealthCheck, NextRun, PerformanceCheck, ResourceCheck, RunEnd, Score};

const MINT: Label = Label { name: "mint", values: "the address of the token" };
const GROUP: Label = Label { name: "group", values: "`hot`, `cold`" };
const LANE: Label = Label { name: "lane", values: "`hot`, `cold`" };
const COMPONENT: Label = Label { name: "component", values: "`api`, `service`" };
const API: Label = Label { name: "api", values: "`dexscreener`, `profiles`: the name of its breaker" };
const ENDPOINT: Label = Label { name: "endpoint", values: "`tokens`, `token-pairs`, `token-profiles`" };
const ERROR: Label = Label {
    name: "error",
    values: "`transient`, `timeout`, `rate_limited`, `forbidden`, `rejected`, `malformed`",
};
const REASON: Label = Label {
    name: "reason",
    values: "`quote_side`, `other_chain`, `not_asked`, `bad_price`, `bad_address`, `malformed`",
};
const ROUTE: Label =
    Label { name: "route", values: "a path of the API, as `/api/v1/tokens/:mint`, or `other`" };
const STORE: Label = Label { name: "store", values: "`state`, `history`" };
const TO: Label = Label { name: "to", values: "`closed`, `open`, `half_open`, `forced_open`, `disabled`" };
const USE: Label = Label {
    name: "use",
    values: "what a store is used for, as `/health/detailed` names it, with `-` for spaces: `token-writes`",
};
const PART: Label =
    Label { name: "part", values: "a part, as `GET /api/v1/parts` calls it, `work-plane` or `process`" };
const STEP: Label =
    Label { name: "step", values: "`start`, `graceful`, `emergency`, `rebuild_plane`, `end_process`" };

/// Every series, in the order of the document.
pub const CATALOGUE: &[Series] = &[
    token("token.score", "The raw score."),
    token("token.smoothed_score", "The score after the EWMA."),
    token("token.tx_accel", "A component of the score, as computed."),
    token("token.vol_momentum", "A component of the score, as computed."),
    token("token.freshness", "A component of the score, as computed."),
    token("token.orderflow", "A component of the score, as computed."),
    run("run.duration_ms", Unit::Milliseconds, "From a run's start to its end."),
    run("run.attempted", Unit::Tokens, "Tokens that a run requested."),
    run("run.processed", Unit::Tokens, "Tokens that a run refreshed."),
    run("run.failed", Unit::Tokens, "Tokens that a run could not refresh."),
    run("run.stale", Unit::Tokens, "Of the failed and the deferred, those that are served on, marked."),
    run("run.skipped", Unit::Tokens, "Of the failed and the deferred, those of which too little is known."),
    run("run.cached", Unit::Tokens, "Tokens that were due and had been seen just before."),
    run("run.deferred", Unit::Tokens, "Tokens that were due and did not fit."),
    Series {
        labels: &[COMPONENT, GROUP],
        ..run("run.errors", Unit::Tokens, "Of the failed, those that failed because of this component.")
    },
    Series {
        written: NextRun,
        ..run("run.interval_ms", Unit::Milliseconds, "From the start of a run to that of the next one.")
    },
    Series {
        written: NextRun,
        ..run("run.tokens_per_minute", Unit::PerMinute, "Tokens that a run refreshed, over that interval.")
    },
    api("api.requests_per_minute", Unit::PerMinute, "Attempts of the last minute."),
    api("api.error_rate", Unit::Share, "The share of failed attempts over five minutes."),
    api("api.p50_ms", Unit::Milliseconds, "Median time of an attempt over five minutes."),
    api("api.p95_ms", Unit::Milliseconds, "95th percentile of the time of an attempt over five minutes."),
    api("api.p99_ms", Unit::Milliseconds, "99th percentile of the time of an attempt over five minutes."),
    counted("api.endpoint_calls", &[ENDPOINT], "Attempts of calls."),
    Series {
        labels: &[ENDPOINT],
        ..api("api.endpoint_mean_ms", Unit::Milliseconds, "Mean time of these attempts.")
    },
    Series {
        labels: &[ENDPOINT],
        ..api("api.endpoint_max_ms", Unit::Milliseconds, "The longest time of these attempts.")
    },
    counted("api.endpoint_errors", &[ENDPOINT, ERROR], "Attempts that failed."),
    counted("api.rate_limit_pauses", &[API], "Times that a refusal for the rate made all calls pause."),
    counted("api.breaker_transitions", &[API, TO], "Times that the circuit breaker got into a state."),
    counted("api.pairs_skipped", &[REASON], "Pairs that were left out of answers."),
    counted("api.numbers_unusable", &[], "Figures of pools that were negative or not finite."),
    counted("api.tokens_missing", &[], "Tokens that were missing from a batch and from a single answer."),
    counted("api.batches_suspicious", &[], "Batches of many tokens that were answered without a pair."),
    resource("resource.memory_bytes", Unit::Bytes, "Resident memory."),
    resource("resource.cpu_percent", Unit::Percent, "CPU time, of what the process may use."),
    resource(
        "resource.disk_usage_percent",
        Unit::Percent,
        "How full the fullest file system with a database is.",
    ),
    resource("resource.open_file_descriptors", Unit::Count, "Open file descriptors."),
    Series {
        labels: &[STORE],
        ..resource("resource.connections_in_use", Unit::Count, "Connections to a store that are in use.")
    },
    Series {
        labels: &[STORE],
        ..resource("resource.connections_max", Unit::Count, "The most connections to a store.")
    },
    counted("resource.store_errors", &[USE], "Times that a store did not do what it was asked to."),
    counted("http.requests", &[ROUTE], "Requests to the service's own API."),
    Series {
        labels: &[ROUTE],
        ..api("http.mean_ms", Unit::Milliseconds, "Mean time until such a request was answered.")
    },
    Series {
        labels: &[ROUTE],
        ..api("http.max_ms", Unit::Milliseconds, "The longest time until such a request was answered.")
    },
    tokens("tokens.followed", &[LANE], Unit::Tokens, "Tokens of the lane."),
    tokens(
        "tokens.stale",
        &[LANE],
        Unit::Tokens,
        "Those of them whose data is older than their lane allows.",
    ),
    tokens("tokens.per_minute", &[], Unit::PerMinute, "Tokens scored in the last minute."),
    tokens("tokens.age_p95_seconds", &[LANE], Unit::Seconds, "95th percentile of the age of the data."),
    Series {
        name: "recovery.step",
        labels: &[PART, STEP],
        unit: Unit::Count,
        kind: Event,
        written: Happens,
        scope: Process,
        means: "Self-healing took a step: 1 at the time of each.",
    },
];

/// One of a token, with each of its scores.
const fn token(name: &'static str, means: &'static str) -> Series {
    Series { name, labels: &[MINT], unit: Unit::Score, kind: Gauge, written: Score, scope: Token, means }
}

/// One of a run, when it ends.
const fn run(name: &'static str, unit: Unit, means: &'static str) -> Series {
    Series { name, labels: &[GROUP], unit, kind: Gauge, written: RunEnd, scope: Process, means }
}

/// One of all calls of the API.
const fn api(name: &'static str, unit: Unit, means: &'static str) -> Series {
    Series { name, labels: &[], unit, kind: Gauge, written: PerformanceCheck, scope: Process, means }
}

/// One of what is counted between two performance checks.
const fn counted(name: &'static str, labels: &'static [Label], means: &'static str) -> Series {
    Series { name, labels, unit: Unit::Count, kind: Count, written: PerformanceCheck, scope: Process, means }
}

/// One of the process.
const fn resource(name: &'static str, unit: Unit, means: &'static str) -> Series {
    Series { name, labels: &[], unit, kind: Gauge, written: ResourceCheck, scope: Process, means }
}

/// One of all tokens together.
const fn tokens(name: &'static str, labels: &'static [Label], unit: Unit, means: &'static str) -> Series {
    Series { name, labels, unit, kind: Gauge, written: HealthCheck, scope: Tokens, means }
}
