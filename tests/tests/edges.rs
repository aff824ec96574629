//! Starts and stops of the real program: two processes on one store, signals at any time, and an unreachable API.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Program, get, market, market_that_is_down, ttm};

const TOKENS: usize = 40;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn service(folder: &Path, base_url: &str, store: &str) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", base_url),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

fn import(folder: &Path, mints: &[ttm_market::Mint], store: &str) {
    let mints: Vec<String> = mints.iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let mut import = ttm(folder);
    let outcome =
        Program::start(import.args(["tokens", "import", "mints.txt"]).env("TTM_STORE__URL", store)).end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

fn ran(entry: &Value) -> bool {
    entry["message"] == "run ended"
}

fn a_second_process_is_refused(store: &str, folder: &Path) {
    let market = market(TOKENS);
    import(folder, &market.mints(), store);
    let mut first = Program::start(&mut service(folder, &market.base_url(), store));
    let address = first.listening().to_string();
    first.wait_for("a run", ran);
    // With another port, and with the config of the first one.
    for listen in ["127.0.0.1:0", &address] {
        let mut second = service(folder, &market.base_url(), store);
        let second = Program::start(second.env("TTM_API__LISTEN", listen)).end();
        assert_eq!(second.code, Some(75), "{}", second.stderr);
        let last = second.stderr.lines().last().unwrap_or_default();
        assert!(last.contains("another process holds the store: "), "{}", second.stderr);
        first.wait_for("another run", ran);
    }
    // Editing the tokens needs no lease.
    let mut list = ttm(folder);
    let list = Program::start(list.args(["tokens", "list"]).env("TTM_STORE__URL", store)).end();
    assert_eq!(list.code, Some(0), "{}", list.stderr);

    // A killed process does not hold the store.
    first.signal(Signal::KILL);
    drop(first);
    let mut third = Program::start(&mut service(folder, &market.base_url(), store));
    third.wait_for("a run", ran);
    third.signal(Signal::TERM);
    let outcome = third.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    // Nor does one that has ended gracefully.
    let mut fourth = Program::start(&mut service(folder, &market.base_url(), store));
    fourth.wait_for("a run", ran);
}

#[test]
fn on_sqlite_a_second_process_is_refused_while_the_first_one_lives() {
    a_second_process_is_refused("sqlite://ttm-data/ttm.db", folder().path());
}

#[test]
fn on_postgres_a_second_process_is_refused_while_the_first_one_lives() {
    let database = Database::create();
    a_second_process_is_refused(&database.url(), folder().path());
}

#[test]
fn every_signal_to_stop_ends_gracefully() {
    let folder = folder();
    let market = market(TOKENS);
    import(folder.path(), &market.mints(), "sqlite://ttm-data/ttm.db");
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::HUP, "SIGHUP")] {
        let mut program =
            Program::start(&mut service(folder.path(), &market.base_url(), "sqlite://ttm-data/ttm.db"));
        program.wait_for("a run", ran);
        program.signal(signal);
        let stopping = program.wait_for_message("stopping");
        assert_eq!(stopping["order"], name);
        program.wait_for_message("stopped");
        let outcome = program.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
}

/// A Ctrl-C reaches every process of a terminal, and what started the service passes on the order that it got itself.
#[test]
fn a_ctrl_c_that_comes_with_another_order_gives_nothing_up() {
    let folder = folder();
    let market = market(TOKENS);
    import(folder.path(), &market.mints(), "sqlite://ttm-data/ttm.db");
    for other in [Signal::TERM, Signal::HUP] {
        let mut program =
            Program::start(&mut service(folder.path(), &market.base_url(), "sqlite://ttm-data/ttm.db"));
        program.wait_for("a run", ran);
        // Both are there when it looks.
        for signal in [Signal::STOP, Signal::INT, other, Signal::CONT] {
            program.signal(signal);
        }
        program.wait_for_message("stopped");
        let outcome = program.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
}

/// The maximum number of listed tokens: the output must fit into a pipe, which is read after the log.
const LISTED: usize = 100;

/// The number of tokens in a copy of the database file, without its write-ahead log.
fn listed_from_a_copy(folder: &Path) -> usize {
    std::fs::copy(folder.join("ttm-data/ttm.db"), folder.join("copy.db")).expect("copied");
    let mut list = ttm(folder);
    list.args(["tokens", "list", "--limit", &LISTED.to_string()]).env("TTM_STORE__URL", "sqlite://copy.db");
    let outcome = Program::start(&mut list).end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let heading = 1;
    outcome.stdout.lines().count() - heading
}

#[test]
fn every_command_leaves_the_database_in_a_single_file() {
    let folder = folder();
    let (market, store) = (market(TOKENS), "sqlite://ttm-data/ttm.db");
    let mints = market.mints();
    import(folder.path(), &mints, store);
    assert_eq!(listed_from_a_copy(folder.path()), TOKENS);
    let first = mints[0].to_string();
    for arguments in [&["tokens", "remove", &first][..], &["migrate"], &["tokens", "list"]] {
        let outcome = Program::start(ttm(folder.path()).args(arguments).env("TTM_STORE__URL", store)).end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!folder.path().join("ttm-data/ttm.db-wal").exists(), "{arguments:?}");
        assert_eq!(listed_from_a_copy(folder.path()), TOKENS - 1, "{arguments:?}");
    }

    let mut program = Program::start(&mut service(folder.path(), &market.base_url(), store));
    program.wait_for("a run", ran);
    import(folder.path(), &mints, store);
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
    assert!(!folder.path().join("ttm-data/ttm.db-wal").exists());
    assert_eq!(listed_from_a_copy(folder.path()), TOKENS);
}

#[test]
fn an_import_ended_by_a_signal_leaves_what_it_stored_in_a_single_file() {
    const MINTS: u32 = 100_000;
    let mint = |number: u32| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        ttm_market::Mint::from_bytes(bytes).to_string()
    };
    let mints = (0..MINTS).map(mint).collect::<Vec<_>>().join("\n");
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP"), (Signal::INT, "SIGINT")] {
        let folder = folder();
        std::fs::write(folder.path().join("mints.txt"), &mints).expect("written");
        let import = Program::start(ttm(folder.path()).args(["tokens", "import", "mints.txt"]));
        // More than only the schema takes.
        let log = folder.path().join("ttm-data/ttm.db-wal");
        while std::fs::metadata(&log).map_or(0, |log| log.len()) < 1_000_000 {
            std::thread::yield_now();
        }
        import.signal(signal);
        let outcome = import.end();
        assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.stderr);
        let told = format!("error: ended by {name}; ");
        assert!(outcome.stderr.starts_with(&told), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.ends_with("run the same command again for the rest\n"), "{}", outcome.stderr);
        assert!(!log.exists(), "{name}");
        assert_eq!(listed_from_a_copy(folder.path()), LISTED + 1, "{name}: and a line about the others");
    }
}

#[test]
fn a_start_that_waits_for_its_database_answers_probes_and_can_be_stopped() {
    let folder = folder();
    // Nothing listens there.
    let store = "postgres://ttm@127.0.0.1:1/ttm";
    let mut program = Program::start(&mut service(folder.path(), "http://127.0.0.1:1", store));
    let address = program.listening();
    for (path, code) in [("/health/live", 200), ("/health/ready", 503), ("/health/startup", 503)] {
        assert_eq!(get(address, path).status, code, "{path}");
    }
    let waits = program.wait_for_message("the start waits");
    assert_eq!(waits["waiting_for"], "the lease on the store", "{waits}");
    let reason = get(address, "/health/detailed").json()["reasons"][0].clone();
    assert!(reason.as_str().is_some_and(|text| text.starts_with("the start waits for ")), "{reason}");
    program.signal(Signal::TERM);
    let line = program.wait_for_message("stopped before the start was over");
    assert!(line["waited_for"].as_str().is_some_and(|text| text.contains("connection refused")), "{line}");
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn an_unreachable_api_is_a_warning_with_its_reason_and_the_service_stays_live() {
    let folder = folder();
    let market = market_that_is_down(TOKENS);
    import(folder.path(), &market.mints(), "sqlite://ttm-data/ttm.db");
    let mut program =
        Program::start(&mut service(folder.path(), &market.base_url(), "sqlite://ttm-data/ttm.db"));
    let address = program.listening();
    // With an open breaker, runs end without attempts.
    program.wait_for("a run that was held up", |entry| {
        ran(entry) && entry["attempted"] == 0 && entry["withheld"].as_u64() > Some(0)
    });
    program.wait_for("another one", |entry| ran(entry) && entry["attempted"] == 0);
    for path in ["/health/live", "/health/ready", "/health/startup", "/health"] {
        assert_eq!(get(address, path).status, 200, "{path}");
    }
    assert_eq!(get(address, "/health").json()["status"], "warn");
    let scheduler = get(address, "/health/scheduler").json();
    assert_eq!(scheduler["status"], "degraded", "{scheduler}");
    let apis = get(address, "/health/apis").json();
    assert!(apis["last_error"].as_str().is_some_and(|text| text.contains("503")), "{apis}");
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
}
