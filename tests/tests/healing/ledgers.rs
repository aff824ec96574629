//! What is not the service's own doing: pauses of the whole process, and ledgers that cannot be read.

use std::fs;

use rustix::process::Signal;
use serde_json::json;
use ttm_e2e::{Database, Faults, Program, get, market, ttm};

use super::{STORE, TOKENS, folder, scores_again, service};

#[test]
fn on_sqlite_a_pause_longer_than_every_deadline_restarts_nothing_and_is_one_event() {
    a_pause_restarts_nothing(STORE);
}

#[test]
fn on_postgres_a_pause_longer_than_every_deadline_restarts_nothing_and_is_one_event() {
    let database = Database::create();
    a_pause_restarts_nothing(&database.url());
}

fn a_pause_restarts_nothing(store: &str) {
    let (market, folder) = (market(TOKENS), folder());
    let faults = Faults::in_folder(folder.path());
    faults.make(&["all: patience 5"]);
    let mut program = Program::start(&mut service(folder.path(), &market, store));
    let address = program.address();
    scores_again(&mut program);
    // Another one runs once a second meanwhile.
    let elsewhere = super::folder();
    let mut witness =
        Program::start(ttm(elsewhere.path()).args(["run", "--log", "info,ttm_service=debug"]).envs([
            ("TTM_API__LISTEN", "127.0.0.1:0"),
            ("TTM_DEXSCREENER__BASE_URL", "http://127.0.0.1:1"),
            ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
            ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ]));
    witness.address();
    program.signal(Signal::STOP);
    for _ in 0..18 {
        witness.wait_for("a run", |entry| entry["message"] == "run ended" && entry["group"] == "hot");
    }
    program.signal(Signal::CONT);
    for _ in 0..5 {
        scores_again(&mut program);
    }
    let paused = || {
        get(address, "/api/v1/events?kind=process.paused").json()["events"]
            .as_array()
            .expect("a list")
            .clone()
    };
    let mut seen = paused();
    while seen.is_empty() {
        seen = paused();
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0]["payload"]["lasted_s"].as_f64() > Some(15.0), "{seen:?}");
    assert_eq!(get(address, "/api/v1/recoveries").json()["recoveries"], json!([]));
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

/// The problem that the start reported, after which it went on.
fn goes_on(program: &mut Program) -> String {
    let problem =
        program.wait_for_message("the record of earlier restarts, or a part of it, is lost")["problem"]
            .as_str()
            .expect("a reason")
            .to_owned();
    let address = program.address();
    scores_again(program);
    let set_aside = || get(address, "/api/v1/events?kind=recovery.ledger_set_aside").json()["events"].clone();
    let mut events = set_aside();
    while events == json!([]) {
        events = set_aside();
    }
    assert_eq!(events[0]["payload"]["problem"], problem.as_str(), "{events}");
    program.signal(Signal::TERM);
    problem
}

#[test]
fn a_corrupt_row_of_the_ledger_is_set_aside_and_the_start_goes_on() {
    let (market, folder, database) = (market(TOKENS), folder(), Database::create());
    let service = || Program::start(&mut service(folder.path(), &market, &database.url()));
    let mut first = service();
    first.address();
    first.signal(Signal::TERM);
    assert_eq!(first.end().code, Some(0));
    database.ask("ALTER TABLE recovery DROP CONSTRAINT recovery_kind_check");
    database.ask("UPDATE recovery SET kind = 'nonsense' WHERE number = 0");
    let rows = database.ask("SELECT count(*) FROM recovery");

    let mut second = service();
    let problem = goes_on(&mut second);
    assert!(
        problem.contains("every budget counts as spent for an hour") && problem.contains("nonsense"),
        "{problem}"
    );
    assert_eq!(second.end().code, Some(0));
    assert_eq!(database.ask("SELECT count(*) FROM recovery_set_aside"), rows, "kept for a person");
    let mut third = service();
    third.address();
    third.signal(Signal::TERM);
    let outcome = third.end();
    assert!(
        !outcome.stderr.contains("the record of earlier restarts, or a part of it, is lost"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_corrupt_journal_is_set_aside_and_the_start_goes_on() {
    let (market, folder) = (market(TOKENS), folder());
    let data = folder.path().join("ttm-data");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("ttm.db-recovery"), "this is no journal\n").expect("written");
    let mut program = Program::start(&mut service(folder.path(), &market, STORE));
    let problem = goes_on(&mut program);
    assert!(problem.contains("the local file: "), "{problem}");
    assert_eq!(program.end().code, Some(0));
    let names =
        fs::read_dir(&data).expect("ours").filter_map(|file| file.ok()?.file_name().into_string().ok());
    // Beside the one for which room is kept.
    let kept: Vec<String> = names.filter(|name| name.starts_with("ttm.db-recovery.")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read_to_string(data.join(&kept[0])).expect("kept"), "this is no journal\n");
}
