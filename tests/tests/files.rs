//! Files of SQLite that are deleted, moved or replaced under the running program: every loss is reported, and nothing else.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Market, Outcome, Program, get, market, market_that_hangs, ttm};

const TOKENS: usize = 40;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn tokens(folder: &Path, arguments: &[&str]) -> Outcome {
    Program::start(ttm(folder).arg("tokens").args(arguments)).end()
}

fn service(folder: &Path, market: &Market) -> Command {
    let mut command = ttm(folder);
    command.args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
    ]);
    command
}

fn start(folder: &Path, market: &Market) -> Program {
    Program::start(&mut service(folder, market))
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

/// The health is critical and not ready with this reason, and stays so until an operator acts.
fn is_critical_until_a_person_acts(program: &mut Program, address: SocketAddr, reason: &str) {
    program.wait_for("that it is critical", |entry| {
        entry["message"] == "health changed" && entry["status"] == "critical"
    });
    stays_critical(program, address, reason);
}

fn stays_critical(program: &mut Program, address: SocketAddr, reason: &str) {
    for _ in 0..4 {
        program.wait_for("a run that scored", scored);
        let health = get(address, "/health/detailed").json();
        assert_eq!(
            (&health["status"], get(address, "/health/ready").status),
            (&"critical".into(), 503),
            "{health}"
        );
        assert_eq!(get(address, "/health/live").status, 200, "an automatic restart would not help");
        let reasons = health["reasons"].to_string();
        assert!(reasons.contains(reason), "{reasons}");
        assert!(reasons.contains("given up until an operator has repaired the store"), "{reasons}");
    }
}

/// Most tokens are stored with a score and readable.
fn is_whole(folder: &Path) {
    let listed = tokens(folder, &["list", "--limit", "1000"]);
    let with_a_score = listed.stdout.lines().skip(1).filter(|line| !line.ends_with("never")).count();
    assert!(with_a_score > TOKENS / 2, "{listed:?}");
}

/// Deletes a file next to the database of a running service.
fn is_missed(folder: &Path, database: &str, end: &str) {
    let market = market(TOKENS);
    let (mut program, address) = running(folder, &market);
    fs::remove_file(folder.join(format!("{database}{end}"))).expect("it exists while it is used");
    let told = program.wait_for_message("given up: mend the store, then restart this process");
    let what = format!("ttm.db{end} was deleted or moved away while it was in use");
    assert!(told["error"].as_str().is_some_and(|text| text.contains(&what)), "{told}");
    assert!(
        told["error"].as_str().is_some_and(|text| text.contains("stop this process gracefully")),
        "{told}"
    );
    is_critical_until_a_person_acts(&mut program, address, &what);

    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "unstored data is an error: {}", outcome.stderr);
    let tries_again =
        |line: &str| line.contains(&what) && line.contains("the store failed; what is to be stored is kept");
    assert!(!outcome.stderr.lines().any(tries_again), "it is reported once: {}", outcome.stderr);
    // Committed data was merged at the end.
    is_whole(folder);
}

#[test]
fn a_deleted_write_ahead_log_is_reported_and_committed_data_is_kept() {
    is_missed(folder().path(), "ttm-data/ttm.db", "-wal");
}

#[test]
fn a_deleted_write_ahead_log_is_reported_behind_symbolic_links() {
    let folder = folder();
    let place = |name: &str| folder.path().join(name);
    for made in ["disk", "ttm-data"] {
        fs::create_dir(place(made)).expect("made");
    }
    // The database itself does not exist yet.
    symlink("../other.db", place("ttm-data/ttm.db")).expect("linked");
    symlink("disk/ttm.db", place("other.db")).expect("linked");
    is_missed(folder.path(), "disk/ttm.db", "-wal");
    assert!(place("disk/ttm.db.lock").exists() && !place("ttm-data/ttm.db.lock").exists());
}

#[test]
fn a_deleted_index_of_the_write_ahead_log_is_reported_and_committed_data_is_kept() {
    is_missed(folder().path(), "ttm-data/ttm.db", "-shm");
}

/// Overwrites all pages but the first, which identifies the file as a database.
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
    // Nothing is written any more, whichever use of the store found the damage.
    let written = || {
        ["ttm.db", "ttm.db-wal"].map(|name| {
            let file = fs::metadata(folder.path().join("ttm-data").join(name)).expect("it is there");
            (file.len(), file.modified().expect("a time"))
        })
    };
    let before = written();
    for _ in 0..3 {
        program.wait_for("a run that scored", scored);
    }
    assert_eq!(written(), before);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("stopped with a store that an operator must repair: "), "{}", outcome.stderr);

    // The next start finds the damage at once.
    let refused = start(folder.path(), &market).end();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("(SQLITE_CORRUPT, 11)"), "{}", refused.stderr);
}

/// A second process that opens the database of the running one under another name is refused.
fn is_refused(program: &mut Program, second: &mut Command) {
    let refused = Program::start(second).end();
    assert_eq!(refused.code, Some(75), "{}", refused.stderr);
    let last = refused.stderr.lines().last().unwrap_or_default();
    let pid = program.pid();
    assert!(last.contains(&format!("another process holds the store: process {pid}, ")), "{last}");
    program.wait_for("another run", scored);
}

#[test]
fn a_second_process_is_refused_over_a_hard_link() {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, _) = running(folder.path(), &market);
    for link in ["hard.db", "ttm-data/beside.db"] {
        let path = folder.path().join(link);
        fs::hard_link(folder.path().join("ttm-data/ttm.db"), &path).expect("linked");
        let url = format!("sqlite://{link}");
        is_refused(&mut program, service(folder.path(), &market).env("TTM_STORE__URL", &url));
        // Commands without a lease refuse it, too: each name has a write-ahead log of its own, and one of them is lost.
        let mut list = ttm(folder.path());
        let list = Program::start(list.args(["tokens", "list"]).env("TTM_STORE__URL", &url)).end();
        assert_eq!(list.code, Some(1), "{list:?}");
        assert!(list.stderr.contains("it has 2 names (hard links)"), "{}", list.stderr);
        fs::remove_file(path).expect("removed");
    }
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    is_whole(folder.path());
}

#[test]
fn a_second_process_is_refused_over_a_bind_mount() {
    const ON_A_BIND_MOUNT: &str =
        "touch other.db && mount --bind ttm-data/ttm.db other.db && exec \"$0\" run --log info";
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, _) = running(folder.path(), &market);
    let mut second = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        second.arg("--map-root-user");
    }
    let second = second.args(["--mount", "sh", "-c", ON_A_BIND_MOUNT]).arg(ttm(folder.path()).get_program());
    second.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    second.env_clear().envs([
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_STORE__URL", "sqlite://other.db"),
    ]);
    is_refused(&mut program, second);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    is_whole(folder.path());
}

#[test]
fn a_deleted_lock_file_does_not_admit_a_second_process() {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, _) = running(folder.path(), &market);
    let lock = folder.path().join("ttm-data/ttm.db.lock");
    fs::remove_file(&lock).expect("it exists while the lease is held");
    is_refused(&mut program, &mut service(folder.path(), &market));
    for _ in 0..7 {
        program.wait_for("another run", scored);
    }
    assert!(lock.exists(), "it is recreated");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_folder_that_is_moved_away_and_back_is_used_again_after_a_restart() {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, address) = running(folder.path(), &market);
    let (data, elsewhere) = (folder.path().join("ttm-data"), folder.path().join("elsewhere"));
    fs::rename(&data, &elsewhere).expect("moved");
    let advice = "while it was in use; put the original file back and restart this process, which stores nothing until then";
    is_critical_until_a_person_acts(&mut program, address, advice);
    fs::rename(&elsewhere, &data).expect("moved back");
    // As the reason says: the file may have been changed meanwhile.
    for _ in 0..7 {
        program.wait_for("a run that scored", scored);
    }
    stays_critical(&mut program, address, advice);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("stopped with a store that an operator must repair: "),
        "{}",
        outcome.stderr
    );

    is_whole(folder.path());
    let mut again = start(folder.path(), &market);
    let address = again.address();
    for _ in 0..4 {
        again.wait_for("a run that scored", scored);
    }
    assert_eq!(get(address, "/health/ready").status, 200);
    again.signal(Signal::TERM);
    let outcome = again.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_folder_that_is_moved_away_is_reported_and_another_database_in_its_place_ends_the_service() {
    let (folder, market) = (folder(), market(TOKENS));
    let (mut program, address) = running(folder.path(), &market);
    fs::rename(folder.path().join("ttm-data"), folder.path().join("elsewhere")).expect("moved");
    is_critical_until_a_person_acts(
        &mut program,
        address,
        "ttm.db was deleted or moved away while it was in use",
    );
    let other = start(folder.path(), &market);
    let told = program.wait_for_message("stopping in order");
    assert!(
        told["failure"].as_str().is_some_and(|text| text.ends_with("ttm.db was replaced by another file")),
        "{told}"
    );
    let outcome = program.end();
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("took over"), "no other process did: {}", outcome.stderr);
    other.signal(Signal::TERM);
    other.end();
}

#[test]
fn the_first_ctrl_c_during_a_stop_by_the_service_itself_does_not_abort_it() {
    // Its requests are in flight for as long as the shutdown allows.
    let (folder, market) = (folder(), market_that_hangs(TOKENS));
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.path().join("mints.txt"), mints.join("\n")).expect("written");
    assert_eq!(tokens(folder.path(), &["import", "mints.txt"]).code, Some(0));
    let mut program = start(folder.path(), &market);
    program.wait_for_message("started");
    fs::rename(folder.path().join("ttm-data"), folder.path().join("elsewhere")).expect("moved");
    let other = start(folder.path(), &market);
    program.wait_for_message("stopping in order");
    // The shutdown is in progress. The operator may not have noticed, and wants what happens anyway.
    program.wait_for_message("health changed");
    program.signal(Signal::INT);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("replaced by another file"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("second Ctrl-C"), "{}", outcome.stderr);
    other.signal(Signal::TERM);
    other.end();
}
