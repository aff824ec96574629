//! Recoveries that are read from a store while no service answers.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::Runtime;
use ttm_e2e::{Database, ttm};
use ttm_kernel::{Epoch, FailureClass, FencingToken};
use ttm_market::TokenStore as _;
use ttm_postgres_state::PostgresTokenStore;
use ttm_recovery::{By, Entry, EntryKey, Fact, Outcome, RecoveryLedger, Step};
use ttm_sqlite_state::SqliteTokenStore;

const STORE: &str = "sqlite://ttm-data/ttm.db";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that succeeds.
#[track_caller]
fn told(done: &Output) -> String {
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

/// The third process: one part recovered, another needs a person.
fn entries(epoch: Epoch) -> Vec<Entry> {
    let key = |number| EntryKey { epoch, number };
    let entry = |number, recovery, subject: &str, fact| Entry {
        key: key(number),
        recovery: key(recovery),
        at: Timestamp::from_second(1_795_921_000 + i64::try_from(number).expect("small")).expect("in range"),
        subject: subject.to_owned(),
        fact,
    };
    let began = |cause: &str, evidence: Option<&str>| Fact::Began {
        cause: cause.to_owned(),
        class: FailureClass::System,
        by: By::Service,
        evidence: evidence.map(str::to_owned),
    };
    let step = |step, charged| Fact::Step { step, charged };
    let ended = |outcome, seconds| Fact::Ended { outcome, took: Duration::from_secs(seconds) };
    vec![
        entry(0, 0, Entry::PROCESS, Fact::Booted),
        entry(1, 1, "hot-group", began("no progress for 2m", Some("thread work-1 R\nqueue 12"))),
        entry(2, 1, "hot-group", step(Step::Graceful, true)),
        entry(3, 1, "hot-group", step(Step::Emergency, false)),
        entry(4, 1, "hot-group", ended(Outcome::Recovered, 35)),
        entry(5, 5, "token-writer", began("it panicked: boom", None)),
        entry(6, 5, "token-writer", step(Step::Start, true)),
        entry(7, 5, "token-writer", ended(Outcome::Escalated, 4_500)),
    ]
}

/// Fills the ledger of a new store, and has the command read it while nothing listens.
fn the_ledger_is_read(
    folder: &Path,
    store: &str,
    ledger: &dyn RecoveryLedger,
    epoch: Epoch,
    runtime: &Runtime,
) {
    let appended = runtime.block_on(ledger.append(FencingToken::first(epoch), &entries(epoch)));
    appended.expect("it works");
    let command = |arguments: &[&str]| {
        let environment = [("TTM_STORE__URL", store), ("TTM_API__LISTEN", "127.0.0.1:1")];
        ttm(folder).args(arguments).envs(environment).output().expect("it starts")
    };
    let done = command(&["recovery"]);
    let said = text(&done.stderr);
    assert!(said.starts_with("http://127.0.0.1:1: connection refused") && !said.contains("error"), "{said}");
    let shown = told(&done);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert!(lines[1].starts_with(&format!("{epoch}-5")) && lines[1].contains("escalated  1h15m"), "{shown}");
    assert!(lines[1].ends_with("it panicked: boom"), "{shown}");
    assert!(lines[2].contains("hot-group     graceful, emergency  recovered  35.0s"), "{shown}");
    assert_eq!(lines[3], format!("next: ttm recovery show {epoch}-5"), "{shown}");
    let one = told(&command(&["recovery", "show", &format!("{epoch}-1")]));
    assert!(one.contains("evidence\n    thread work-1 R\n    queue 12\n"), "{one}");
    let last = told(&command(&["recovery", "show", &format!("{epoch}-5")]));
    assert!(last.ends_with("next: ttm restart token-writer\n"), "{last}");
    let newest: Value = told(&command(&["recovery", "--json", "--limit", "1"])).parse().expect("JSON");
    assert_eq!(newest["recoveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(newest["recoveries"][0]["steps"][0]["step"], "start");
    let unknown = command(&["recovery", "show", "9-9"]);
    assert_eq!(unknown.status.code(), Some(1));
    let expected = ": unknown recovery \"9-9\"; /api/v1/recoveries, or `ttm recovery` without an id, lists those that are \
                    remembered\n";
    assert!(text(&unknown.stderr).ends_with(expected), "{}", text(&unknown.stderr));
}

#[test]
fn without_a_service_recoveries_are_read_from_sqlite() {
    let (folder, runtime) = (folder(), Runtime::new().expect("a runtime"));
    fs::create_dir(folder.path().join("ttm-data")).expect("made");
    let path = folder.path().join("ttm-data/ttm.db");
    let (store, epoch) = runtime.block_on(async {
        let store = SqliteTokenStore::open(&path).await.expect("it opens");
        let epoch = store.claim().await.expect("it works");
        (store, epoch)
    });
    the_ledger_is_read(folder.path(), STORE, &store.recoveries(), epoch, &runtime);
    runtime.block_on(store.close());
}

#[test]
fn without_a_service_recoveries_are_read_from_postgres() {
    let (folder, runtime, database) = (folder(), Runtime::new().expect("a runtime"), Database::create());
    let (store, epoch) = runtime.block_on(async {
        let store = PostgresTokenStore::open(&database.url()).await.expect("it opens");
        let epoch = store.claim().await.expect("it works");
        (store, epoch)
    });
    the_ledger_is_read(folder.path(), &database.url(), &store.recoveries(), epoch, &runtime);
    runtime.block_on(store.close());
}

#[test]
fn reading_recoveries_creates_nothing_and_says_what_is_missing() {
    let folder = folder();
    let listen = ("TTM_API__LISTEN", "127.0.0.1:1");
    let done = ttm(folder.path()).arg("recovery").envs([listen]).output().expect("it starts");
    assert_eq!(done.status.code(), Some(1));
    let lines = text(&done.stderr);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("error: sqlite://ttm-data/ttm.db: there is no database yet"), "{lines}");
    assert!(!folder.path().join("ttm-data").exists());
    fs::write(folder.path().join("text.db"), "these are no pages of a database").expect("written");
    let store = ("TTM_STORE__URL", "sqlite://text.db");
    let done = ttm(folder.path()).arg("recovery").envs([listen, store]).output().expect("it starts");
    assert_eq!(
        (done.status.code(), text(&done.stderr).lines().count()),
        (Some(1), 2),
        "{}",
        text(&done.stderr)
    );
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("ours").map(|file| file.expect("a file").file_name()).collect();
    assert_eq!(names, ["text.db"]);
}
