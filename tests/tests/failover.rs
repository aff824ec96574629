//! The real program while its database is read-only, or lacks a privilege, for a while.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Market, Program, get, market, ttm};

const TOKENS: usize = 40;

fn service(folder: &Path, market: &Market, store: &str) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// The detailed health once it is as wanted, checked after each of this many runs.
fn health_within(
    runs: u32,
    program: &mut Program,
    address: SocketAddr,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let mut health = Value::Null;
    for _ in 0..runs {
        program.wait_for("a run that scored", scored);
        health = get(address, "/health/detailed").json();
        if wanted(&health) {
            return health;
        }
    }
    panic!("after {runs} runs: {health}");
}

/// Waits until each of these uses of the store has logged this, and returns the lines.
fn all_said(program: &mut Program, uses: &[&str], message: &str) -> Vec<Value> {
    uses.iter().fold(Vec::new(), |mut said: Vec<Value>, _| {
        said.push(program.wait_for(message, |entry| {
            entry["message"] == message
                && uses.iter().any(|each| entry["store"] == *each)
                && said.iter().all(|other| other["store"] != entry["store"])
        }));
        said
    })
}

/// The service, with every token of the market imported.
fn with_all_tokens(folder: &Path, market: &Market, store: &str) -> Program {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let mut import = ttm(folder);
    let imported =
        Program::start(import.args(["tokens", "import", "mints.txt"]).env("TTM_STORE__URL", store));
    assert_eq!(imported.end().code, Some(0));
    Program::start(&mut service(folder, market, store))
}

/// Runs until these uses of the store have reported what `breaks` did, then `mends` it: nothing is lost, each use logs once
/// that it recovered, and the health is as before.
fn nothing_is_lost(
    role: Option<&str>,
    uses: &[&str],
    (status, said): (&str, &str),
    breaks: impl Fn(&Database),
    mends: impl Fn(&Database),
) {
    let (folder, market, database) =
        (tempfile::tempdir().expect("a folder"), market(TOKENS), Database::create());
    let store = match role {
        None => database.url(),
        Some(role) => {
            database.ask(&format!("DROP ROLE IF EXISTS {role}"));
            database.ask(&format!("CREATE ROLE {role} LOGIN; ALTER SCHEMA public OWNER TO {role}"));
            format!("postgres://{role}@{}/{}", database.host(), database.name())
        }
    };
    let mut program = with_all_tokens(folder.path(), &market, &store);
    let address = program.address();
    health_within(30, &mut program, address, |health| health["store"]["status"] == "healthy");

    breaks(&database);
    for failed in all_said(&mut program, uses, "the store failed; what is to be stored is kept") {
        assert!(failed["error"].as_str().is_some_and(|text| text.contains(said)), "{failed}");
    }
    // Eight runs of a second each, and the health in between.
    for _ in 0..8 {
        program.wait_for("a run that goes on", scored);
        assert_eq!(get(address, "/health/ready").status, 200, "scores are served, and the queue has room");
    }
    let is_told =
        |health: &Value| health["store"]["status"] == status && health["reasons"].to_string().contains(said);
    health_within(8, &mut program, address, is_told);

    mends(&database);
    all_said(&mut program, uses, "the store answers again");
    health_within(90, &mut program, address, |health| health["store"]["status"] == "healthy");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let told = |message: &str, of: &str| {
        let of = format!("\"store\":\"{of}\"");
        outcome.stderr.lines().filter(|line| line.contains(message) && line.contains(&of)).count()
    };
    for of in ["token reads", "token writes", "breaker state", "samples", "events", "lease"] {
        let (failed, again) = (told("the store failed", of), told("the store answers again", of));
        assert_eq!(failed, again, "{of}: {}", outcome.stderr);
        assert!(failed == 1 || (failed == 0 && !uses.contains(&of)), "{of}, {failed}: {}", outcome.stderr);
    }
    // Every run is in the history, including those during the outage.
    let runs = outcome.stderr.lines().filter(|line| line.contains("\"run ended\"")).count();
    let stored = database.ask(
        "SELECT count(*) FROM sample JOIN series USING (series_id) WHERE key LIKE 'run.attempted%' \
         AND ts > now() - interval '1 hour'",
    );
    assert_eq!(stored.parse::<usize>().expect("a count"), runs, "runs in the history");
}

/// Terminates all other sessions.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn a_failover_to_a_read_only_server_loses_nothing() {
    let turn = |database: &Database, how: &str| {
        let name = database.name();
        database.ask(&format!("BEGIN; SET TRANSACTION READ WRITE; ALTER DATABASE {name} {how}; COMMIT"));
        database.ask(CUT);
    };
    nothing_is_lost(
        None,
        &["token writes", "samples"],
        ("degraded", "(SQLSTATE 25006)"),
        |database| turn(database, "SET default_transaction_read_only = on"),
        |database| turn(database, "RESET default_transaction_read_only"),
    );
}

#[test]
fn a_privilege_revoked_for_a_while_loses_nothing() {
    // Privileges cannot be revoked from a superuser.
    let role = format!("failover_{}", std::process::id());
    nothing_is_lost(
        Some(&role),
        &["samples"],
        ("degraded", "(SQLSTATE 42501)"),
        |database| drop(database.ask(&format!("REVOKE INSERT ON sample FROM {role}"))),
        |database| drop(database.ask(&format!("GRANT INSERT ON sample TO {role}"))),
    );
}

#[test]
fn credentials_refused_for_a_while_are_critical_and_lose_nothing() {
    let role = format!("refused_{}", std::process::id());
    nothing_is_lost(
        Some(&role),
        &["token reads", "token writes", "samples", "lease"],
        ("critical", "(SQLSTATE 28000)"),
        |database| {
            database.ask(&format!("ALTER ROLE {role} NOLOGIN"));
            database.ask(CUT);
        },
        |database| drop(database.ask(&format!("ALTER ROLE {role} LOGIN"))),
    );
}

#[test]
fn recreated_tables_are_not_an_edit_that_removes_all_tokens() {
    let (folder, market, database) =
        (tempfile::tempdir().expect("a folder"), market(TOKENS), Database::create());
    let store = database.url();
    let mut program = with_all_tokens(folder.path(), &market, &store);
    let address = program.address();
    health_within(30, &mut program, address, |health| health["store"]["status"] == "healthy");

    database.ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let migrated = Program::start(ttm(folder.path()).arg("migrate").env("TTM_STORE__URL", &store)).end();
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let anew = "its tables were recreated, or restored from an older copy";
    let health =
        health_within(60, &mut program, address, |health| health["reasons"].to_string().contains(anew));
    assert_eq!(health["status"], "critical", "{health}");
    assert_eq!(get(address, "/health/ready").status, 503);
    assert_eq!(get(address, "/health/live").status, 200);
    let page = get(address, "/api/v1/tokens?limit=1000").json();
    assert_eq!(
        page["tokens"].as_array().map(Vec::len),
        Some(TOKENS),
        "known tokens are still served: {page}"
    );
    program.wait_for("a run that scored", scored);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.lines().last().is_some_and(|line| line.contains(anew)), "{}", outcome.stderr);
}

#[test]
fn a_lease_whose_table_was_dropped_is_taken_again_and_still_excludes_others() {
    let (folder, market, database) =
        (tempfile::tempdir().expect("a folder"), market(TOKENS), Database::create());
    let store = database.url();
    let mut program = with_all_tokens(folder.path(), &market, &store);
    program.wait_for("a run that scored", scored);
    database.ask("DROP TABLE lease");
    let is_there = || database.ask("SELECT to_regclass('lease') IS NOT NULL") == "t";
    for _ in 0..20 {
        program.wait_for("a run that scored", scored);
        if is_there() {
            break;
        }
    }
    assert!(is_there(), "it was recreated");
    let refused = Program::start(&mut service(folder.path(), &market, &store)).end();
    assert_eq!(refused.code, Some(75), "{}", refused.stderr);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}
