//! What happens to the files of SQLite under the running program: whatever is lost is told, and nothing is told that is not so.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Market, Outcome, Program, get, market, ttm};

const TOKENS: usize = 40;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn tokens(folder: &Path, arguments: &[&str]) -> Outcome {
    Program::start(ttm(folder).arg("tokens").args(arguments)).end()
}

fn start(folder: &Path, market: &Market) -> Program {
    Program::start(ttm(folder).args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
    ]))
}

/// A service with tokens that has stored some scores.
fn running(folder: &Path, market: &Market) -> (Program, SocketAddr) {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let imported = tokens(folder, &["import", "mints.txt"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let mut program = start(folder, market);
    let address = program.address();
    for _ in 0..4 {
        program.wait_for("a run that scored", scored);
    }
    (program, address)
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// The health is critical and not ready with this reason, and stays so for as long as nobody acts.
fn is_critical_until_a_person_acts(program: &mut Program, address: SocketAddr, reason: &str) {
    program.wait_for("that it is critical", |entry| {
        entry["message"] == "health changed" && entry["status"] == "critical"
    });
    for _ in 0..4 {
        program.wait_for("a run that scored", scored);
        let health = get(address, "/health/detailed").json();
        assert_eq!(
            (&health["status"], get(address, "/health/ready").status),
            (&"critical".into(), 503),
            "{health}"
        );
        assert_eq!(get(address, "/health/live").status, 200, "a restart by a machine mends nothing");
        let reasons = health["reasons"].to_string();
        assert!(reasons.contains(reason), "{reasons}");
        assert!(reasons.contains("given up until a person has mended the store"), "{reasons}");
    }
}

/// Deletes a file beside the database of a running service.
fn is_missed(end: &str) {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, address) = running(folder.path(), &market);
    fs::remove_file(folder.path().join(format!("ttm-data/ttm.db{end}")))
        .expect("it is there while it is used");
    let told = program.wait_for_message("given up: mend the store, then restart this process");
    let what = format!("ttm.db{end} was deleted or moved away while it was in use");
    assert!(told["error"].as_str().is_some_and(|text| text.contains(&what)), "{told}");
    assert!(told["error"].as_str().is_some_and(|text| text.contains("stop this process in order")), "{told}");
    is_critical_until_a_person_acts(&mut program, address, &what);

    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "what was not stored is not hidden: {}", outcome.stderr);
    // What had been committed was merged at the end.
    let listed = tokens(folder.path(), &["list", "--limit", "1000"]);
    let with_a_score = listed.stdout.lines().skip(1).filter(|line| !line.ends_with("never")).count();
    assert!(with_a_score > TOKENS / 2, "{listed:?}");
}

#[test]
fn a_log_that_is_deleted_under_the_service_is_told_and_what_was_committed_is_kept() {
    is_missed("-wal");
}

#[test]
fn an_index_of_the_log_that_is_deleted_under_the_service_is_told_and_what_was_committed_is_kept() {
    is_missed("-shm");
}

/// Overwrites all pages but the first, which says that the file is a database.
fn overwrite_pages(folder: &Path) {
    let path = folder.join("ttm-data/ttm.db");
    let length = fs::metadata(&path).expect("it is there").len();
    let mut file = OpenOptions::new().write(true).open(&path).expect("it can be written");
    file.seek(SeekFrom::Start(4096)).expect("it has a second page");
    let junk = vec![0x5a; usize::try_from(length.saturating_sub(4096)).expect("it is small")];
    file.write_all(&junk).expect("written");
}

#[test]
fn pages_that_are_damaged_under_the_service_are_critical_until_a_person_acts() {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, address) = running(folder.path(), &market);
    overwrite_pages(folder.path());
    let told = program.wait_for_message("given up: mend the store, then restart this process");
    assert!(told["error"].as_str().is_some_and(|text| text.contains("(SQLITE_CORRUPT, 11)")), "{told}");
    is_critical_until_a_person_acts(&mut program, address, "(SQLITE_CORRUPT, 11)");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("stopped with a store that a person must mend: "), "{}", outcome.stderr);

    // The next start meets the damage at once.
    let refused = start(folder.path(), &market).end();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("(SQLITE_CORRUPT, 11)"), "{}", refused.stderr);
}
