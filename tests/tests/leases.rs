//! The real program and a lease whose holder is on another machine, where it cannot be checked whether it is alive.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use ttm_e2e::{Database, Program, get, market, ttm};

const TOKENS: usize = 40;

#[expect(clippy::disallowed_methods, reason = "the test measures how long a shutdown takes")]
fn now() -> Instant {
    Instant::now()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn service(folder: &Path, store: &str) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        // Nothing listens there.
        ("TTM_DEXSCREENER__BASE_URL", "http://127.0.0.1:1"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

/// Makes the holder look like a process on another machine.
const ELSEWHERE: &str = "UPDATE lease SET boot = 'another', host = 'elsewhere'";

/// Waits until the start reports that it waits for the holder on another machine, and until when.
fn waits_visibly(program: &mut Program) {
    let address = program.listening();
    let waits = program.wait_for_message("the start waits");
    assert_eq!(waits["waiting_for"], "the lease on the store", "{waits}");
    let error = waits["error"].as_str().expect("a reason");
    assert!(
        error.contains(" on elsewhere, since 20") && error.contains("; its lease expires at 20"),
        "{error}"
    );
    assert_eq!(get(address, "/health/ready").status, 503);
    assert_eq!(get(address, "/health/live").status, 200);
    let reasons = get(address, "/health/detailed").json()["reasons"].to_string();
    assert!(reasons.contains("its lease expires at 20"), "{reasons}");
}

#[test]
fn a_start_waits_until_the_lease_of_a_dead_process_on_another_machine_expires() {
    let (folder, database) = (folder(), Database::create());
    let mut first = Program::start(&mut service(folder.path(), &database.url()));
    first.wait_for_message("started");
    first.signal(Signal::KILL);
    drop(first);
    database.ask(&format!("{ELSEWHERE}, expires_at = now() + interval '6 s'"));
    let mut second = Program::start(&mut service(folder.path(), &database.url()));
    waits_visibly(&mut second);
    second.wait_for_message("started");
    second.signal(Signal::TERM);
    assert_eq!(second.end().code, Some(0));
}

#[test]
fn a_fenced_process_ends_at_once_and_counts_what_is_not_stored() {
    let (folder, database, market) = (folder(), Database::create(), market(TOKENS));
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.path().join("mints.txt"), mints.join("\n")).expect("written");
    let mut import = ttm(folder.path());
    import.args(["tokens", "import", "mints.txt"]).env("TTM_STORE__URL", database.url());
    assert_eq!(Program::start(&mut import).end().code, Some(0));
    let mut program = Program::start(service(folder.path(), &database.url()).envs([
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
    ]));
    for _ in 0..3 {
        program.wait_for_message("run ended");
    }
    database.ask("UPDATE writer SET epoch = epoch + 1");
    let why = "stopped because another process took over the store: epoch 1 is fenced off by epoch 2";
    let told = program.wait_for_message("stopping in order");
    assert_eq!(told["failure"], why, "{told}");
    let begun = now();
    let outcome = program.end();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains(why) && last.ends_with(" events that were not stored"), "{last}");
}

#[test]
fn a_start_is_refused_while_a_process_on_another_machine_renews_its_lease() {
    let (folder, database) = (folder(), Database::create());
    let mut first = Program::start(&mut service(folder.path(), &database.url()));
    first.wait_for_message("started");
    database.ask(ELSEWHERE);
    let mut second = Program::start(&mut service(folder.path(), &database.url()));
    waits_visibly(&mut second);
    let refused = second.end();
    assert_eq!(refused.code, Some(75), "{}", refused.stderr);
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("another process holds the store: process "), "{last}");
    assert!(last.contains("; its lease expires at 20") && last.ends_with(" unless it is renewed"), "{last}");
    first.signal(Signal::TERM);
    assert_eq!(first.end().code, Some(0), "the first one was not affected");
}
