//! Self-healing of the real program: what hangs, spins, panics or leaks is restarted, and whatever interrupts that is survived.

mod ends;
mod ledgers;
mod stuck;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use ttm_e2e::{Market, Program, get, ttm_faulty};

pub(crate) const TOKENS: usize = 40;
pub(crate) const STORE: &str = "sqlite://ttm-data/ttm.db";

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A service that runs every second, and does not wait long for what hangs.
pub(crate) fn service(folder: &Path, market: &Market, store: &str) -> Command {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let mut command = ttm_faulty(folder);
    command.args(["run", "--log", "info,ttm_service=debug"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_RECOVERY__GRACEFUL_SHUTDOWN_TIMEOUT", "2s"),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

/// A run of the hot group, which has most of the tokens.
pub(crate) fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["group"] == "hot" && entry["processed"].as_u64() > Some(0)
}

pub(crate) fn scores_again(program: &mut Program) {
    program.wait_for("a run that scored", scored);
}

pub(crate) fn said(message: &str, part: &str) -> impl Fn(&Value) -> bool {
    move |entry| entry["message"] == message && entry["part"] == part
}

pub(crate) fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

pub(crate) fn id(entry: &Value) -> String {
    entry["id"].as_str().expect("a recovery has an id").to_owned()
}

/// What the service remembers of a recovery.
pub(crate) fn recovery(address: SocketAddr, id: &str) -> Value {
    get(address, &format!("/api/v1/recoveries/{id}")).json()
}

pub(crate) fn steps(recovery: &Value) -> Vec<&str> {
    let steps = recovery["steps"].as_array().expect("a list");
    steps.iter().map(|step| step["step"].as_str().expect("a word")).collect()
}

/// Tokens with a score, as the API gives them.
pub(crate) fn scores(address: SocketAddr) -> usize {
    let page = get(address, "/api/v1/tokens?limit=1000").json();
    let tokens = page["tokens"].as_array().expect("a list");
    assert_eq!(tokens.len(), TOKENS, "no token is lost");
    tokens.iter().filter(|token| token["score"].is_number()).count()
}
