//! Starts that have to wait: they answer probes, report what they wait for, and can be stopped.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use ttm_e2e::{Database, Program, Proxy, get, ttm};

/// A start that is stopped ends within this.
const PROMPTLY: Duration = Duration::from_secs(2);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn service(folder: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        // Nothing listens there.
        ("TTM_DEXSCREENER__BASE_URL", "http://127.0.0.1:1"),
    ]);
    command.envs(environment.iter().copied());
    command
}

fn migrate(store: &str) {
    let outcome = Program::start(ttm(folder().path()).arg("migrate").env("TTM_STORE__URL", store)).end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[expect(clippy::disallowed_methods, reason = "the test measures how long a stop takes")]
fn now() -> Instant {
    Instant::now()
}

/// Within a second, the probes report that the start is not over and what it waits for.
fn says_that_it_waits_for(what: &str, address: SocketAddr) {
    let begun = now();
    let waits = format!("the start waits for {what}");
    loop {
        assert_eq!(get(address, "/health/live").status, 200);
        for path in ["/health/ready", "/health/startup"] {
            assert_eq!(get(address, path).status, 503, "{path}");
        }
        let reasons = get(address, "/health/detailed").json()["reasons"].to_string();
        if reasons.contains(&waits) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "after a second: {reasons}");
    }
}

/// After SIGTERM it ends at once, and logs what it waited for.
fn ends_promptly(mut program: Program, waited_for: &str) {
    let begun = now();
    program.signal(Signal::TERM);
    let line = program.wait_for_message("stopped before the start was over");
    assert!(line["waited_for"].as_str().is_some_and(|text| text.contains(waited_for)), "{line}");
    let outcome = program.end();
    let took = begun.elapsed();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(took < PROMPTLY, "it took {took:?}");
}

/// Starts while another client holds this lock: once to be stopped, and once until the lock is released. The holder is `named` so
/// in time.
fn waits_for_a_lock(database: &Database, lock: &str, named: &[&str], in_time: Duration) {
    let (folder, store) = (folder(), database.url());
    let held = database.hold(lock);
    for is_told_to_stop in [true, false] {
        let mut program = Program::start(&mut service(folder.path(), &[("TTM_STORE__URL", &store)]));
        let address = program.listening();
        says_that_it_waits_for("the store of the tokens", address);
        if is_told_to_stop {
            // It leaves a session in front of the second one that waits for the same lock until its own time is over.
            database.has_a_session_that_waits();
            ends_promptly(program, "the store of the tokens");
            continue;
        }
        let begun = now();
        let waits = program.wait_for_message("the start waits");
        let took = begun.elapsed();
        let error = waits["error"].as_str().expect("a reason");
        assert!(named.iter().all(|each| error.contains(each)), "{waits}");
        assert!(took < in_time, "the holder was reported after {took:?}");
        let detailed = get(address, "/health/detailed").json()["reasons"].to_string();
        assert!(named.iter().all(|each| detailed.contains(each)), "{detailed}");
        drop(held);
        program.wait_for_message("started");
        return;
    }
}

#[test]
fn a_start_that_waits_for_its_turn_to_migrate_names_the_holder_and_can_be_stopped() {
    let database = Database::create();
    migrate(&database.url());
    database.ask("ALTER TABLE breaker DROP COLUMN rate_share, DROP COLUMN paused_for_us; DELETE FROM _ttm_state_migrations WHERE version = 4");
    database.ask("UPDATE _ttm_migration_lease SET holder = 'process 7 on elsewhere'");
    let lock = "SELECT * FROM _ttm_migration_lease FOR UPDATE";
    // One turn is waited for as long as a dead holder's would last, and a little longer.
    let named = "waiting for process 7 on elsewhere, which migrates since ";
    waits_for_a_lock(&database, lock, &[named], Duration::from_secs(18));
}

#[test]
fn a_start_that_waits_for_the_table_of_migrations_names_the_holder_and_can_be_stopped() {
    let database = Database::create();
    migrate(&database.url());
    let lock = "LOCK TABLE _ttm_state_migrations IN ACCESS EXCLUSIVE MODE";
    let named = ["waiting for _ttm_state_migrations, locked by", "application another, user postgres"];
    waits_for_a_lock(&database, lock, &named, Duration::from_secs(3));
}

/// Starts on an empty database on a server that freezes when it receives this.
fn waits_for_a_server_that_freezes_at(words: &str) {
    let (folder, database) = (folder(), Database::create());
    let proxy = Proxy::to(database.host());
    let store = database.url_at(&proxy.address().to_string());
    proxy.freeze_at(words);
    let mut program = Program::start(&mut service(folder.path(), &[("TTM_STORE__URL", &store)]));
    let address = program.listening();
    says_that_it_waits_for("the store of the tokens", address);
    let waits = program.wait_for_message("the start waits");
    assert_eq!(waits["waiting_for"], "the store of the tokens", "{waits}");
    assert!(waits["error"].to_string().contains("no answer within "), "{waits}");
    ends_promptly(program, "no answer within ");

    let mut program = Program::start(&mut service(folder.path(), &[("TTM_STORE__URL", &store)]));
    program.wait_for_message("the start waits");
    proxy.thaw();
    program.wait_for_message("started");
}

#[test]
fn a_server_that_freezes_during_the_check_of_its_schema_is_retried() {
    waits_for_a_server_that_freezes_at("_ttm_state_migrations");
}

#[test]
fn a_server_that_freezes_when_it_is_asked_for_a_turn_to_migrate_is_retried() {
    waits_for_a_server_that_freezes_at("INSERT INTO _ttm_migration_lease");
}

#[test]
fn a_start_that_waits_for_a_token_source_can_be_stopped() {
    let folder = folder();
    mkfifoat(CWD, folder.path().join("mints.txt"), Mode::RWXU).expect("a pipe without a writer");
    // Accepts connections and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://ann@{}/moon", silent.local_addr().expect("an address"));
    for source in [("TTM_SOURCES__FILE", "mints.txt"), ("TTM_SOURCES__POSTGRES_URL", url.as_str())] {
        let mut program = Program::start(&mut service(folder.path(), &[source]));
        let address = program.listening();
        says_that_it_waits_for("the sources of tokens", address);
        ends_promptly(program, "the sources of tokens");
    }
}

#[test]
fn a_start_without_its_database_says_how_to_create_it_and_continues_afterwards() {
    let (folder, server) = (folder(), Database::create());
    let name = format!("made_later_{}", std::process::id());
    let store = server.url().replace(server.name(), &name);
    let mut program = Program::start(&mut service(folder.path(), &[("TTM_STORE__URL", &store)]));
    let address = program.listening();
    let waits = program.wait_for_message("the start waits until an operator has repaired this");
    assert_eq!(waits["level"], "ERROR", "{waits}");
    let error = waits["error"].as_str().expect("a reason");
    let mend = "does not exist (SQLSTATE 3D000); create it, as in CREATE DATABASE ttm ENCODING 'UTF8'";
    assert!(error.contains(mend), "{waits}");
    for (path, status) in [("/health", 503), ("/health/ready", 503), ("/health/live", 200)] {
        assert_eq!(get(address, path).status, status, "{path}");
    }
    let reasons = get(address, "/health/detailed").json()["reasons"].to_string();
    assert!(
        reasons.contains("the start waits until an operator has repaired the lease on the store"),
        "{reasons}"
    );

    server.ask(&format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"));
    program.wait_for_message("started");
    program.signal(Signal::TERM);
    let outcome = program.end();
    server.ask(&format!("DROP DATABASE {name}"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn recoveries_are_read_from_the_store_while_a_start_waits() {
    let folder = folder();
    let folder = folder.path();
    let data = folder.join("ttm.db");
    let store = format!("sqlite://{}", data.display());
    migrate(&store);
    // Accepts connections and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let source = format!("postgres://ann@{}/moon", silent.local_addr().expect("an address"));
    let environment = [("TTM_STORE__URL", &*store), ("TTM_SOURCES__POSTGRES_URL", &*source)];
    let mut program = Program::start(&mut service(folder, &environment));
    let address = program.listening();
    says_that_it_waits_for("the sources of tokens", address);
    let listen = ("TTM_API__LISTEN", &*address.to_string());
    let done = ttm(folder).args(["recovery"]).envs(environment).envs([listen]).output().expect("it starts");
    let (said, shown) = (String::from_utf8_lossy(&done.stderr), String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{said}");
    assert!(
        said.contains(": the service is starting; ") && said.contains("these are from sqlite://"),
        "{said}"
    );
    assert!(shown.starts_with("no recoveries: "), "{shown}");
    ends_promptly(program, "the sources of tokens");
}
