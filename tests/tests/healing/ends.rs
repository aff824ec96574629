//! Processes that end themselves, and processes that are killed while they heal.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Faults, Market, Program, Proxy, get, market};

use super::{STORE, TOKENS, folder, said, scored, scores, scores_again, service};

#[test]
fn a_panic_at_each_start_ends_the_process_and_the_next_one_knows_that_without_the_store() {
    let (market, folder, database) = (market(TOKENS), folder(), Database::create());
    let proxy = Proxy::to(database.host());
    let store = database.url_at(&proxy.address().to_string());
    let (faults, state) = (Faults::in_folder(folder.path()), folder.path().join("state"));
    fs::create_dir(&state).expect("made");
    let service = || {
        let mut command = service(folder.path(), &market, &store);
        command.env("STATE_DIRECTORY", &state);
        command
    };
    let mut first = Program::start(&mut service());
    first.address();
    scores_again(&mut first);
    proxy.cut();
    faults.make(&["work: panic"]);
    let outcome = first.end();
    assert_eq!(outcome.code, Some(70), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("ended by self-healing, to be started again: work: it ended by itself: it panicked: a test ordered it"), "{last}");
    let ends = "SELECT count(*) FROM recovery WHERE step = 'end_process'";
    assert_eq!(database.ask(ends), "0", "the store was away");
    assert!(state.join("ttm-recovery").exists());

    faults.end();
    proxy.mend();
    let mut second = Program::start(&mut service());
    second.wait_for("that it was a help", |entry| {
        said("recovery over", "work")(entry) && entry["outcome"] == "recovered"
    });
    second.signal(Signal::TERM);
    let outcome = second.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(database.ask(ends), "1", "once");
    let journal = fs::read(state.join("ttm-recovery"));
    assert!(journal.as_ref().map_or(true, Vec::is_empty), "{journal:?}");
}

#[test]
fn after_three_ends_the_process_stays_for_a_person() {
    let (market, folder) = (market(TOKENS), folder());
    let faults = Faults::in_folder(folder.path());
    faults.make(&["all: ends apart 1", "work: panic"]);
    for end in 1..=3 {
        let outcome = Program::start(&mut service(folder.path(), &market, STORE)).end();
        assert_eq!(outcome.code, Some(70), "end {end}: {}", outcome.stderr);
    }
    let mut program = Program::start(&mut service(folder.path(), &market, STORE));
    let address = program.address();
    program.wait_for("that a person is needed", |entry| {
        entry["part"] == "work"
            && entry["message"].as_str().is_some_and(|text| text.starts_with("a person is needed"))
    });
    program.wait_for("that it is critical", |entry| {
        entry["message"] == "health changed" && entry["status"] == "critical"
    });
    assert_eq!(get(address, "/health/live").status, 200);
    assert_eq!(get(address, "/health/ready").status, 503);
    assert_eq!(get(address, "/health").status, 503);
    program.signal(Signal::TERM);
    program.end();
}

#[test]
fn a_process_that_is_killed_again_and_again_says_so() {
    let (market, folder) = (market(TOKENS), folder());
    for _ in 0..3 {
        let mut program = Program::start(&mut service(folder.path(), &market, STORE));
        program.wait_for("that it works", scored);
        program.signal(Signal::KILL);
        program.end();
    }
    let mut program = Program::start(&mut service(folder.path(), &market, STORE));
    let address = program.address();
    program.wait_for("that it is told", |entry| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        reason.starts_with("the process has ended 3 times within an hour without an order")
    });
    assert_eq!(get(address, "/health/ready").status, 200);
    program.signal(Signal::TERM);
    program.end();
}

/// A service that loses patience after three seconds, and restarts what ends at once.
fn hasty(folder: &Path, market: &Market, store: &str) -> Command {
    let mut command = service(folder, market, store);
    command.envs([("TTM_RECOVERY__MAX_RESTART_ATTEMPTS", "1"), ("TTM_RECOVERY__RESTART_COOLDOWN", "1h")]);
    command
}

/// Kills the program as it takes a step, and looks whether the next one goes on from there.
fn is_killed_in(step: &str, faults: &[&str], part: &str, store: &str, folder: &Path) {
    let market = market(TOKENS);
    let made = Faults::in_folder(folder);
    made.make(&["all: patience 3"]);
    let mut first = Program::start(&mut hasty(folder, &market, store));
    let address = first.address();
    scores_again(&mut first);
    let before = scores(address);
    made.make(faults);
    first.wait_for(step, |entry| said("recovery step", part)(entry) && entry["step"] == step);
    first.signal(Signal::KILL);
    drop(first);

    made.end();
    let mut second = Program::start(&mut hasty(folder, &market, store));
    let address = second.address();
    scores_again(&mut second);
    assert!(scores(address) >= before, "{step}");
    second.signal(Signal::TERM);
    let outcome = second.end();
    assert_eq!(outcome.code, Some(0), "{step}: {}", outcome.stderr);

    let mut third = Program::start(&mut hasty(folder, &market, store));
    let address = third.address();
    let known = get(address, "/api/v1/recoveries?limit=100").json();
    let open = |one: &&Value| one["outcome"].is_null();
    let all = known["recoveries"].as_array().expect("a list");
    assert_eq!(all.iter().filter(open).count(), 0, "{step}: every recovery has ended: {known}");
    let died = |one: &&Value| {
        one["cause"].as_str().is_some_and(|cause| cause.contains("left no word that it stopped in order"))
    };
    // One that was about to end itself has said so, if that was stored in time.
    let deaths = all.iter().filter(died).count();
    assert!(deaths == 1 || (deaths == 0 && step == "end_process"), "{step}: {known}");
}

/// Each step, what leads to it, and the part that it is of.
const STEPS: [(&str, &[&str], &str); 5] = [
    ("start", &["work: panic 1"], "work"),
    ("graceful", &["hot-group: stall"], "hot-group"),
    ("emergency", &["hot-group: stall"], "hot-group"),
    ("rebuild_plane", &["hot-group: spin 2"], "work-plane"),
    ("end_process", &["work: panic"], "work"),
];

#[test]
fn on_sqlite_a_kill_in_the_middle_of_each_step_loses_nothing() {
    for (step, faults, part) in STEPS {
        is_killed_in(step, faults, part, STORE, folder().path());
    }
}

#[test]
fn on_postgres_a_kill_in_the_middle_of_each_step_loses_nothing() {
    for (step, faults, part) in STEPS {
        is_killed_in(step, faults, part, &Database::create().url(), folder().path());
    }
}
