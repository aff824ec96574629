//! The real program on a disk that fills up: it reports that, goes on, and stores everything once there is room again.
//!
//! The disk is a small tmpfs in a mount namespace of the program.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use ttm_e2e::{Market, Program, fill, get, in_a_namespace, market, ttm};

const TOKENS: usize = 40;
const STORE: &str = "sqlite://disk/ttm.db";

/// Mounts the disk, imports the tokens, and execs the service, so that it is one process.
const ON_A_SMALL_DISK: &str = "mkdir disk && mount -t tmpfs -o size=24m tmpfs disk \
    && \"$0\" tokens import mints.txt >&2 && exec \"$0\" run --log info";

/// The same on a disk that is full before the service starts, after running other commands.
const ON_A_FULL_DISK: &str = "mkdir disk && mount -t tmpfs -o size=4m tmpfs disk \
    && \"$0\" tokens import mints.txt >&2 || exit 9; cat /dev/zero > disk/ballast 2> /dev/null; \
    for command in 'tokens list' 'tokens import mints.txt' migrate; do \"$0\" $command >> told 2>&1; echo $? >> codes; done; \
    exec \"$0\" run --log info";

/// The service on a disk of its own.
fn service_on_a_small_disk(folder: &Path, base_url: &str, script: &str) -> Program {
    let mut command = in_a_namespace(folder, script);
    command.envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", base_url),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_STORE__URL", STORE),
    ]);
    Program::start(&mut command)
}

fn with_mints() -> (TempDir, Market) {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(TOKENS));
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.path().join("mints.txt"), mints.join("\n")).expect("written");
    (folder, market)
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// Waits until samples and tokens have both logged this, and returns the lines.
fn both_said(program: &mut Program, message: &str) -> Vec<Value> {
    ["samples", "token writes"].into_iter().fold(Vec::new(), |mut said: Vec<Value>, _| {
        said.push(program.wait_for(message, |entry| {
            entry["message"] == message
                && matches!(entry["store"].as_str(), Some("samples" | "token writes"))
                && said.iter().all(|other| other["store"] != entry["store"])
        }));
        said
    })
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

#[test]
fn a_full_disk_is_reported_and_everything_is_stored_once_there_is_room_again() {
    let (folder, market) = with_mints();
    let mut program = service_on_a_small_disk(folder.path(), &market.base_url(), ON_A_SMALL_DISK);
    let address = program.address();
    let ballast = program.folder().join("disk/ballast");
    health_within(30, &mut program, address, |health| health["status"] == "healthy");

    fill(&ballast);
    for failed in both_said(&mut program, "the store failed; what is to be stored is kept") {
        assert!(failed["error"].to_string().contains("(SQLITE_FULL, 13)"), "{failed}");
    }
    let named = |health: &Value| health["reasons"].to_string().contains("(SQLITE_FULL, 13)");
    let health = health_within(90, &mut program, address, named);
    assert_ne!(health["status"], "healthy", "{health}");
    assert_eq!(get(address, "/health/live").status, 200);

    std::fs::remove_file(&ballast).expect("removed");
    both_said(&mut program, "the store answers again");
    health_within(90, &mut program, address, |health| health["status"] == "healthy");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_file_size_limit_is_an_error_like_a_full_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = ttm(folder.path()).get_program().to_owned();
    let mut limited = Command::new("/bin/sh");
    limited.current_dir(folder.path()).env_clear();
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mint = ttm_market::Mint::WSOL.to_string();
    limited.args(["-c", r#"ulimit -f 1; exec "$0" tokens add "$1""#]).arg(program).arg(mint);
    let outcome = Program::start(&mut limited).end();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
}

#[test]
fn a_start_reports_a_full_disk_and_waits_for_room() {
    let (folder, market) = with_mints();
    for is_told_to_stop in [true, false] {
        let mut program = service_on_a_small_disk(folder.path(), &market.base_url(), ON_A_FULL_DISK);
        let address = program.listening();
        let waits = program.wait_for_message("the start waits until an operator has repaired this");
        assert!(waits["error"].as_str().is_some_and(|text| text.contains("disk is full")), "{waits}");
        for (path, status) in
            [("/health/live", 200), ("/health", 503), ("/health/ready", 503), ("/health/startup", 503)]
        {
            assert_eq!(get(address, path).status, status, "{path}");
        }
        let reasons = get(address, "/health/detailed").json()["reasons"].to_string();
        assert!(reasons.contains("disk is full"), "{reasons}");
        if !is_told_to_stop {
            std::fs::remove_file(program.folder().join("disk/ballast")).expect("removed");
            program.wait_for_message("started");
            health_within(30, &mut program, address, |health| health["status"] == "healthy");
        }
        program.signal(Signal::TERM);
        let outcome = program.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        // Each command reported it in one line.
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("it was written");
        let (told, codes) = (read("told"), read("codes"));
        assert_eq!(codes, "1\n1\n1\n", "{told}");
        assert!(
            told.lines().count() == 3 && told.lines().all(|line| line.contains("disk is full")),
            "{told}"
        );
        for name in ["told", "codes", "disk"] {
            let path = folder.path().join(name);
            if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) }
                .expect("removed");
        }
    }
}
