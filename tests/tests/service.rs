//! The real program against the exchange stand-in: it scores, survives a kill, and shuts down gracefully.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Market, Program, Proxy, get, market, market_that_is_down, ttm};

const TOKENS: usize = 40;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A service that runs every second against `market`.
fn service(folder: &Path, market: &Market, store: &str) -> Command {
    service_that_logs("info", folder, market, store)
}

fn service_that_logs(filter: &str, folder: &Path, market: &Market, store: &str) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", filter]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

fn import(folder: &Path, market: &Market, store: &str) {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let outcome =
        Program::start(ttm(folder).args(["tokens", "import", "mints.txt"]).env("TTM_STORE__URL", store))
            .end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout, format!("{TOKENS} added, 0 unarchived, 0 already there\n"));
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// Tokens with a score, as the API gives them.
fn scores(address: SocketAddr) -> Vec<Value> {
    let page = get(address, "/api/v1/tokens?limit=1000").json();
    let tokens = page["tokens"].as_array().expect("a list").clone();
    tokens.into_iter().filter(|token| token["score"].is_number()).collect()
}

/// Scores, is killed, starts again with the stored scores, and shuts down gracefully.
fn scores_survive_a_kill(store: &str, folder: &Path) {
    let market = market(TOKENS);
    import(folder, &market, store);
    let mut first = Program::start(&mut service(folder, &market, store));
    let address = first.listening();
    first
        .wait_for("that it is ready", |entry| entry["message"] == "health changed" && entry["ready"] == true);
    assert_eq!(get(address, "/health/ready").status, 200);
    assert_eq!(get(address, "/health/startup").status, 200);
    first.wait_for("a run that scored", scored);
    assert!(get(address, "/metrics").body.contains("ttm_tokens_scored_total"));
    // After a few runs, the results of the first one are stored.
    for _ in 0..4 {
        first.wait_for("another run", scored);
    }
    let before = scores(address).len();
    assert!(before > TOKENS / 2, "{before} of {TOKENS} have a score");
    first.signal(Signal::KILL);
    drop(first);

    // The API is unreachable, so every score must have been stored.
    let mut second = service(folder, &market, store);
    let mut second = Program::start(second.env("TTM_DEXSCREENER__BASE_URL", "http://127.0.0.1:1"));
    let address = second.address();
    let after = scores(address);
    assert!(after.len() > TOKENS / 2, "{} of {before} scores survived", after.len());
    assert!(after.iter().all(|token| token["components"]["tx_accel"].is_number()), "{after:?}");
    second.signal(Signal::TERM);
    let outcome = second.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("stopping: no new requests"), "{}", outcome.stderr);
}

#[test]
fn on_sqlite_scores_survive_a_kill_and_shutdown_is_graceful() {
    let folder = folder();
    scores_survive_a_kill("sqlite://ttm-data/ttm.db", folder.path());
}

#[test]
fn on_postgres_scores_survive_a_kill_and_shutdown_is_graceful() {
    let database = Database::create();
    scores_survive_a_kill(&database.url(), folder().path());
}

/// Opens its breaker, is killed, and starts again with an open breaker, without a request.
fn an_open_breaker_survives_a_kill(store: &str, folder: &Path) {
    let market = market_that_is_down(TOKENS);
    import(folder, &market, store);
    let mut first = Program::start(&mut service_that_logs("info,ttm_service=debug", folder, &market, store));
    first.wait_for("that its breaker is open", |entry| {
        entry["message"] == "breaker state changed" && entry["to"] == "open"
    });
    first.wait_for("that the breaker's state is stored", |entry| {
        entry["message"] == "stored" && entry["store"] == "breaker state"
    });
    first.signal(Signal::KILL);
    drop(first);

    let mut second = Program::start(&mut service(folder, &market, store));
    let restored = second.wait_for_message("restored breaker state");
    let asked = market.requests();
    assert_eq!(restored["to"], "open", "{restored}");
    let retry_in = restored["retry_in_s"].as_f64().expect("a time");
    assert!(retry_in > 0.0 && retry_in <= 60.0, "{restored}");
    let address = second.address();
    second.wait_for("a run", |entry| entry["message"] == "run ended");
    let state = || get(address, "/health/apis").json()["circuit_breaker_state"].clone();
    let mut seen = state();
    while seen.is_null() {
        // There is no report of the new process yet.
        seen = state();
    }
    assert_eq!(seen, "open");
    // Deferred tokens have to wait for the breaker, longer than an interval.
    let plan = || get(address, "/health/detailed").json()["plan"]["cold"].clone();
    let mut told = plan();
    while told["deferred"].as_u64().is_none_or(|deferred| deferred == 0) {
        told = plan();
    }
    assert!(told["comes_within_seconds"].as_f64() > Some(5.0), "{told}");
    assert_eq!(market.requests(), asked, "no request before the recovery timeout");
}

#[test]
fn on_sqlite_an_open_breaker_survives_a_kill() {
    an_open_breaker_survives_a_kill("sqlite://ttm-data/ttm.db", folder().path());
}

#[test]
fn on_postgres_an_open_breaker_survives_a_kill() {
    let database = Database::create();
    an_open_breaker_survives_a_kill(&database.url(), folder().path());
}

#[test]
fn an_outage_of_the_store_neither_stops_scoring_nor_loses_data() {
    let database = Database::create();
    let proxy = Proxy::to(database.host());
    let store = database.url_at(&proxy.address().to_string());
    let (folder, market) = (folder(), market(TOKENS));
    import(folder.path(), &market, &store);
    let mut program = Program::start(&mut service(folder.path(), &market, &store));
    let address = program.address();
    program.wait_for("a run that scored", scored);
    proxy.cut();
    program.wait_for_message("the store failed; what is to be stored is kept");
    for _ in 0..4 {
        program.wait_for("a run that scored without a store", scored);
    }
    // The queue has room, and scores are served: the process is still useful.
    assert_eq!(get(address, "/health/ready").status, 200);
    assert_eq!(get(address, "/health/live").status, 200);
    proxy.mend();
    program.wait_for_message("the store answers again");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let gaps = database.ask(
        "SELECT count(*) FROM sample JOIN series USING (series_id) WHERE key LIKE 'run.attempted%' \
         AND ts > now() - interval '1 hour'",
    );
    assert!(gaps.parse::<u32>().expect("a count") >= 5, "{gaps} runs are in the history");
}

#[test]
fn tokens_added_to_a_running_service_are_scored() {
    let (folder, market) = (folder(), market(TOKENS));
    let store = "sqlite://ttm-data/ttm.db";
    let mut program = Program::start(&mut service(folder.path(), &market, store));
    let address = program.address();
    assert!(scores(address).is_empty());
    import(folder.path(), &market, store);
    program.wait_for_message("the set of tokens was edited");
    program.wait_for("a run that scored", scored);
    assert!(!scores(address).is_empty());
}

#[test]
fn the_demo_scores_without_network_database_or_config_and_ends_at_ctrl_c() {
    let folder = folder();
    let mut demo =
        Program::start(ttm(folder.path()).args(["demo", "--listen", "127.0.0.1:0", "--log", "info"]));
    let address = demo.address();
    demo.wait_for("a run that scored", scored);
    let status =
        Program::start(ttm(folder.path()).args(["status", "--url", &format!("http://{address}")])).end();
    assert!(matches!(status.code, Some(0 | 1)), "{status:?}");
    assert!(status.stdout.contains("breaker closed"), "{status:?}");
    demo.signal(Signal::INT);
    let outcome = demo.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("600 tokens of a made-up market"), "{}", outcome.stdout);
}

#[test]
fn a_demo_does_not_touch_data_that_another_process_uses() {
    let folder = folder();
    let demo = ["demo", "--listen", "127.0.0.1:0", "--log", "info"];
    let mut first = Program::start(ttm(folder.path()).args(demo));
    first.wait_for("a run that scored", scored);
    let second = Program::start(ttm(folder.path()).args(demo)).end();
    assert_eq!(second.code, Some(75), "{second:?}");
    assert!(second.stderr.ends_with("another demo runs in this folder\n"), "{}", second.stderr);
    // If its file had been replaced, it would notice that when it renews its lease.
    first.signal(Signal::INT);
    let first = first.end();
    assert_eq!(first.code, Some(0), "{}", first.stderr);

    let config = [("TTM_STORE__URL", "sqlite://ttm-data/demo.db"), ("TTM_API__LISTEN", "127.0.0.1:0")];
    let mut service = Program::start(ttm(folder.path()).args(["run", "--log", "info"]).envs(config));
    service.wait_for_message("started");
    let third = Program::start(ttm(folder.path()).args(demo)).end();
    assert_eq!(third.code, Some(75), "{third:?}");
    assert!(third.stderr.contains("another process holds the store"), "{}", third.stderr);
    service.signal(Signal::INT);
    assert_eq!(service.end().code, Some(0));
}

#[test]
fn the_status_shows_the_last_error_at_once_and_distinguishes_a_wrong_token_from_none() {
    let folder = folder();
    let market = market_that_is_down(TOKENS);
    let store = "sqlite://ttm-data/ttm.db";
    import(folder.path(), &market, store);
    let token = |name: &str, token: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, token).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("made private");
        file
    };
    let (right, wrong) = (token("right", &"a".repeat(32)), token("wrong", &"b".repeat(32)));
    let mut program =
        Program::start(service(folder.path(), &market, store).env("TTM_API__TOKEN_FILE", &right));
    let url = format!("http://{}", program.address());
    program.wait_for("a run that failed", |entry| entry["failed"].as_u64() > Some(0));
    let status = |file: Option<&Path>| {
        let mut command = ttm(folder.path());
        command.args(["status", "--url", &url]);
        if let Some(file) = file {
            command.arg("--token-file").arg(file);
        }
        Program::start(&mut command).end().stdout
    };
    let told = status(Some(&right));
    assert!(told.contains("last error: 503"), "{told}");
    let told = status(Some(&wrong));
    assert!(told.contains("shows only its status: the token is wrong"), "{told}");
    let told = status(None);
    assert!(told.contains("without its token: --token-file FILE"), "{told}");
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_status_without_a_service_ends_with_three() {
    let status = Program::start(ttm(folder().path()).args(["status", "--url", "http://127.0.0.1:1"])).end();
    assert_eq!(status.code, Some(3), "{status:?}");
    assert_eq!(status.stderr, "error: http://127.0.0.1:1: connection refused; is the service running?\n");
}
