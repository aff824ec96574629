//! The history in a database of its own: whatever befalls it, the state goes on, and everybody is told which of the two it is.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Market, Outcome, Program, Proxy, get, market, ttm};

const TOKENS: usize = 20;
const STATE_FILE: &str = "sqlite://ttm-data/ttm.db";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A command with the state and the history at these places.
fn with_stores(folder: &Path, arguments: &[&str], state: &str, history: &str) -> Command {
    let mut command = ttm(folder);
    command.args(arguments).envs([("TTM_STORE__URL", state), ("TTM_STORE__METRICS_URL", history)]);
    command
}

fn run(folder: &Path, arguments: &[&str], state: &str, history: &str) -> Outcome {
    Program::start(&mut with_stores(folder, arguments, state, history)).end()
}

fn start(folder: &Path, market: &Market, state: &str, history: &str) -> Program {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let imported = run(folder, &["tokens", "import", "mints.txt"], state, history);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    Program::start(&mut service(folder, market, state, history))
}

fn service(folder: &Path, market: &Market, state: &str, history: &str) -> Command {
    let mut command = with_stores(folder, &["run", "--log", "info"], state, history);
    command.envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_MONITORING__HEALTH_CHECK_INTERVAL", "1s"),
    ]);
    command
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// The detailed health once it is as wanted, looked at after each run.
fn health(program: &mut Program, address: SocketAddr, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut health = Value::Null;
    for _ in 0..90 {
        program.wait_for("a run that scored", scored);
        health = get(address, "/health/detailed").json();
        if wanted(&health) {
            return health;
        }
    }
    panic!("it never came to be so: {health}");
}

/// The status of a use, and the database that it is in.
fn of_use<'a>(health: &'a Value, name: &str) -> (&'a str, &'a str) {
    let uses = health["store"]["uses"].as_array().expect("a list");
    let each = uses.iter().find(|each| each["name"] == name).expect("it is used");
    (each["status"].as_str().expect("a word"), each["database"].as_str().unwrap_or("none"))
}

/// All is well, and everything that a run leaves was stored at least once.
fn is_healthy(health: &Value) -> bool {
    let uses = health["store"]["uses"].as_array().expect("a list");
    let is_used = |name: &str| uses.iter().any(|each| each["name"] == name);
    health["store"]["status"] == "healthy" && ["token writes", "samples", "events"].into_iter().all(is_used)
}

/// Stops it, and returns how many runs it logged.
fn stop(program: Program, code: i32) -> (usize, Outcome) {
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    (outcome.stderr.lines().filter(|line| line.contains("\"run ended\"")).count(), outcome)
}

const RUNS: &str =
    "SELECT count(*) FROM sample JOIN series USING (series_id) WHERE key LIKE 'run.attempted%'";

#[test]
fn the_state_goes_on_while_the_server_of_the_history_is_away_and_nothing_is_lost() {
    let (folder, market, database) = (folder(), market(TOKENS), Database::create());
    let proxy = Proxy::to(database.host());
    let at = proxy.address().to_string();
    let url = database.url_at(&at);
    let shown = format!("postgres://{at}/{}", database.name());
    let mut program = start(folder.path(), &market, STATE_FILE, &url);
    let begun = program.wait_for_message("listening; starting");
    assert_eq!(begun["history"], *shown, "{begun}");
    let address = program.address();
    let before = health(&mut program, address, is_healthy);
    assert_eq!(of_use(&before, "samples"), ("healthy", &*shown));
    let (status, state) = of_use(&before, "token writes");
    assert!(status == "healthy" && state.ends_with("/ttm-data/ttm.db"), "{state}");

    proxy.cut();
    let failed = program.wait_for_message("the store failed; what is to be stored is kept");
    assert!(failed["store"] == "samples" || failed["store"] == "events", "{failed}");
    assert_eq!(failed["database"], *shown, "{failed}");
    let told = format!("samples in {shown}: failing for ");
    let away = health(&mut program, address, |health| health["reasons"].to_string().contains(&told));
    assert_eq!(
        (of_use(&away, "samples").0, &away["store"]["status"]),
        ("degraded", &Value::from("degraded"))
    );
    // A minute of runs, at the pace at which they come.
    for _ in 0..60 {
        program.wait_for("a run that goes on", scored);
        assert_eq!(get(address, "/health/ready").status, 200);
    }
    let away = get(address, "/health/detailed").json();
    for name in ["token writes", "token reads", "lease"] {
        assert_eq!(of_use(&away, name).0, "healthy", "{away}");
    }
    assert_eq!(away["store"]["tokens_waiting"].as_u64().map(|waiting| waiting <= TOKENS as u64), Some(true));

    proxy.mend();
    health(&mut program, address, is_healthy);
    let (runs, outcome) = stop(program, 0);
    assert!(!outcome.stderr.contains("\"store\":\"token writes\""), "{}", outcome.stderr);
    assert_eq!(database.ask(RUNS), runs.to_string(), "each run is in the history");
    assert_eq!(database.ask("SELECT to_regclass('token') IS NULL"), "t", "the state is not in there");
}

#[test]
fn a_history_in_a_file_and_a_state_on_a_server_each_keep_their_own() {
    let (folder, market, database) = (folder(), market(TOKENS), Database::create());
    let history = "sqlite://history/metrics.db";
    let mut program = start(folder.path(), &market, &database.url(), history);
    let address = program.address();
    let seen = health(&mut program, address, is_healthy);
    assert!(of_use(&seen, "events").1.ends_with("/history/metrics.db"), "{seen}");
    let page = get(address, "/api/v1/metrics?prefix=run.").json();
    assert!(page["series"].as_array().is_some_and(|series| !series.is_empty()), "{page}");
    stop(program, 0);
    assert_eq!(database.ask("SELECT to_regclass('sample') IS NULL"), "t", "no history in there");
    let scores = database.ask("SELECT count(*) FROM token WHERE scored_at IS NOT NULL");
    assert_eq!(scores, TOKENS.to_string());
    assert!(folder.path().join("history/metrics.db").exists() && !folder.path().join("ttm-data").exists());
}

#[test]
fn a_history_that_is_gone_is_given_up_alone_and_named_at_the_end() {
    let (folder, market) = (folder(), market(TOKENS));
    let mut program = start(folder.path(), &market, STATE_FILE, "sqlite://metrics.db");
    let address = program.address();
    health(&mut program, address, is_healthy);
    fs::remove_file(folder.path().join("metrics.db")).expect("it is there");
    health(&mut program, address, |health| of_use(health, "samples").0 == "critical");
    for _ in 0..3 {
        program.wait_for("a run that goes on", scored);
    }
    let after = get(address, "/health/detailed").json();
    for name in ["token writes", "token reads", "lease"] {
        assert_eq!(of_use(&after, name).0, "healthy", "{after}");
    }
    let (_, outcome) = stop(program, 1);
    let last = outcome.stderr.lines().last().expect("it says why");
    let named = last.contains("metrics.db: stopped with a store that an operator must repair: ");
    assert!(last.starts_with("error: sqlite://") && named && !last.contains("ttm-data"), "{last}");
}

#[test]
fn the_lease_is_on_the_state_whatever_history_another_process_has() {
    let (folder, market) = (folder(), market(TOKENS));
    let mut program = start(folder.path(), &market, STATE_FILE, "sqlite://one.db");
    program.wait_for("a run that scored", scored);
    let refused = Program::start(&mut service(folder.path(), &market, STATE_FILE, "sqlite://two.db")).end();
    assert_eq!(refused.code, Some(75), "{}", refused.stderr);
    assert!(!folder.path().join("two.db").exists(), "it touched no store");
    stop(program, 0);
}

#[test]
fn both_are_migrated_each_with_a_line_of_its_own_and_neither_file_is_made() {
    let (folder, database) = (folder(), Database::create());
    let migrate = |state: &str, history: &str| run(folder.path(), &["migrate"], state, history);
    let shown = format!("postgres://{}/{}", database.host(), database.name());
    let outcome = migrate("sqlite://none.db", &database.url());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let told: Vec<&str> = outcome.stdout.lines().collect();
    let [state, history] = told[..] else { panic!("{outcome:?}") };
    assert!(state.starts_with("sqlite://none.db: there is no database yet; "), "{state}");
    assert_eq!(history, format!("{shown}: the schema is up to date"));
    assert_eq!(database.ask("SELECT to_regclass('sample') IS NOT NULL"), "t");
    assert_eq!(database.ask("SELECT to_regclass('token') IS NULL"), "t");

    let outcome = migrate(&database.url(), "sqlite://none.db");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let told: Vec<&str> = outcome.stdout.lines().collect();
    let [state, history] = told[..] else { panic!("{outcome:?}") };
    assert_eq!(state, format!("{shown}: the schema is up to date"));
    assert!(history.starts_with("sqlite://none.db: there is no database of the history yet; "), "{history}");
    assert!(!folder.path().join("none.db").exists());

    let refused = migrate("sqlite://none.db", "postgres://ann:hunter2@127.0.0.1:1/history");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let line = refused.stderr.lines().last().expect("it says why");
    let expected = "error: store.metrics_url: cannot connect to PostgreSQL at 127.0.0.1:1/history: ";
    assert!(line.starts_with(expected) && !refused.stderr.contains("hunter2"), "{line}");
}
