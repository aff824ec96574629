//! The catalogue of the history: every series that the service writes, and nothing else. `docs/metrics.md` is made from it, a
//! sample under a name or labels that are not in it cannot be made, and tests hold what a running service writes against it.

use super::entry::{Kind, Label, Scope, Series, Unit, Written};

use Kind::{Event, Gauge};
use Scope::{Process, Token, Tokens};
use Written::{Happens, HealthCheck, PerformanceCheck, ResourceCheck, RunEnd, Score};

const MINT: Label = Label { name: "mint", values: "the address of the token" };
const GROUP: Label = Label { name: "group", values: "`hot`, `cold`" };
const LANE: Label = Label { name: "lane", values: "`hot`, `cold`" };
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
    run("run.failed", Unit::Tokens, "Tokens that a run could not refresh."),
    run("run.stale", Unit::Tokens, "Of the failed and the deferred, those that are served on, marked."),
    run("run.skipped", Unit::Tokens, "Of the failed and the deferred, those of which too little is known."),
    run("run.cached", Unit::Tokens, "Tokens that were due and had been seen just before."),
    run("run.deferred", Unit::Tokens, "Tokens that were due and did not fit."),
    api("api.requests_per_minute", Unit::PerMinute, "Attempts of the last minute."),
    api("api.error_rate", Unit::Share, "The share of failed attempts over five minutes."),
    api("api.p50_ms", Unit::Milliseconds, "Median time of an attempt over five minutes."),
    api("api.p95_ms", Unit::Milliseconds, "95th percentile of the time of an attempt over five minutes."),
    api("api.p99_ms", Unit::Milliseconds, "99th percentile of the time of an attempt over five minutes."),
    resource("resource.memory_bytes", Unit::Bytes, "Resident memory."),
    resource("resource.cpu_percent", Unit::Percent, "CPU time, of what the process may use."),
    resource(
        "resource.disk_usage_percent",
        Unit::Percent,
        "How full the fullest file system with a database is.",
    ),
    resource("resource.open_file_descriptors", Unit::Count, "Open file descriptors."),
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

/// One of the process.
const fn resource(name: &'static str, unit: Unit, means: &'static str) -> Series {
    Series { name, labels: &[], unit, kind: Gauge, written: ResourceCheck, scope: Process, means }
}

/// One of all tokens together.
const fn tokens(name: &'static str, labels: &'static [Label], unit: Unit, means: &'static str) -> Series {
    Series { name, labels, unit, kind: Gauge, written: HealthCheck, scope: Tokens, means }
}
