//! Output for a person: it fits the terminal, reports all errors, and is up to date.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::json;
use ttm_e2e::{Program, get, market, market_that_is_down, on_a_terminal, ttm};

const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn output(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The errors of a command, without their prefix.
fn errors(done: &Output) -> Vec<String> {
    let told = text(&done.stderr);
    told.lines().map(|line| line.strip_prefix("error: ").expect("an error").to_owned()).collect()
}

const HELP: [&[&str]; 34] = [
    &["--help"],
    &["demo", "--help"],
    &["run", "--help"],
    &["alerts", "--help"],
    &["alerts", "test", "--help"],
    &["alerts", "list", "--help"],
    &["alerts", "show", "--help"],
    &["alerts", "ack", "--help"],
    &["alerts", "silence", "--help"],
    &["alerts", "silences", "--help"],
    &["alerts", "unsilence", "--help"],
    &["alerts", "maintenance", "--help"],
    &["alerts", "channels", "--help"],
    &["alerts", "dead-letters", "--help"],
    &["alerts", "tell-again", "--help"],
    &["alerts", "explain", "--help"],
    &["alerts", "maintenance", "add", "--help"],
    &["alerts", "maintenance", "list", "--help"],
    &["alerts", "maintenance", "end", "--help"],
    &["config", "--help"],
    &["config", "check", "--help"],
    &["config", "default", "--help"],
    &["config", "explain", "--help"],
    &["config", "schema", "--help"],
    &["tokens", "--help"],
    &["tokens", "add", "--help"],
    &["tokens", "remove", "--help"],
    &["tokens", "list", "--help"],
    &["tokens", "import", "--help"],
    &["status", "--help"],
    &["recovery", "--help"],
    &["recovery", "show", "--help"],
    &["restart", "--help"],
    &["breaker", "--help"],
];
const ANSWERS: [&[&str]; 8] = [
    &["alerts", "explain", "breaker_open"],
    &["config", "default"],
    &["config", "schema"],
    &["config", "explain", "store.url"],
    &["config", "explain", "alerts.channels.ops.url"],
    &["config", "explain", "breaker.dexscreener.window"],
    &["tokens", "list"],
    &["migrate", "--help"],
];

#[test]
fn output_fits_a_terminal_of_eighty_columns_and_is_not_wrapped_elsewhere() {
    let folder = folder();
    let added = output(ttm(folder.path()).args(["tokens", "add", MINT]));
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    for arguments in HELP.into_iter().chain(ANSWERS) {
        let shown = on_a_terminal(folder.path(), 80, arguments);
        assert!(shown.len() > 1, "{arguments:?}: {shown:?}");
        let wide: Vec<_> = shown.iter().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{arguments:?}: {wide:?}");
    }
    for arguments in ANSWERS {
        let (wide, piped) =
            (on_a_terminal(folder.path(), 500, arguments), output(ttm(folder.path()).args(arguments)));
        if arguments[1] != "--help" {
            assert_eq!(wide, text(&piped.stdout).lines().collect::<Vec<_>>(), "{arguments:?}");
        }
    }
}

#[test]
fn up_to_twenty_invalid_mints_are_reported_and_nothing_is_changed() {
    let folder = folder();
    let run = |arguments: &[&str]| output(ttm(folder.path()).args(arguments));
    let so1 = "\"So1\" is not a valid mint: 3 characters, expected 32 to 44 of base58";
    for what in ["add", "remove"] {
        let done = run(&["tokens", what, "foo", "So1", MINT]);
        assert_eq!(done.status.code(), Some(2));
        let foo = so1.replace("So1", "foo");
        assert_eq!(errors(&done), [foo.as_str(), so1], "{what}");
        let many = run(&[&["tokens", what, MINT], &["So1"; 23][..]].concat());
        assert_eq!(many.status.code(), Some(2));
        let told = errors(&many);
        assert_eq!((told.len(), told[0].as_str(), told[20].as_str()), (21, so1, "and 3 more"), "{what}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was created");
    assert_eq!(run(&["tokens", "add", MINT]).status.code(), Some(0));
    assert_eq!(run(&["tokens", "remove", MINT, "So1"]).status.code(), Some(2));
    let list = text(&run(&["tokens", "list"]).stdout);
    assert!(list.contains(MINT), "it was not removed: {list}");
}

#[test]
fn a_demo_ends_with_an_error_if_standard_output_cannot_be_written() {
    let folder = folder();
    let full = File::options().write(true).open("/dev/full").expect("it exists on Linux");
    let done = output(ttm(folder.path()).args(["demo", "--listen", "127.0.0.1:0"]).stdout(full));
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("error: standard output cannot be written: No space left"));
}

/// A service in this folder that scores every second.
fn service(folder: &Path, base_url: &str) -> Program {
    fs::write(folder.join("mints.txt"), MINT).expect("written");
    let mut command = ttm(folder);
    Program::start(command.arg("run").envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", base_url),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
    ]))
}

#[test]
fn a_change_of_health_is_logged_with_its_reason_in_each_phase() {
    let (folder, market) = (folder(), market(4));
    let mut service = service(folder.path(), &market.base_url());
    service
        .wait_for("that it is ready", |entry| entry["message"] == "health changed" && entry["ready"] == true);
    service.signal(Signal::TERM);
    let outcome = service.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let lines =
        outcome.stderr.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let changes: Vec<_> = lines.filter(|entry| entry["message"] == "health changed").collect();
    let last = changes.last().expect("it was ready once");
    assert_eq!((&last["ready"], &last["reason"]), (&false.into(), &"the service was ordered to stop".into()));
    assert_eq!(last["phase"], "stopping");
    assert!(changes.iter().all(|entry| entry["reason"] != ""), "{changes:#?}");
}

#[test]
fn a_rule_that_the_config_overrides_moves_the_limit_of_health() {
    let (folder, market) = (folder(), market(4));
    let mut command = ttm(folder.path());
    let mut service = Program::start(command.arg("run").envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &*market.base_url()),
        ("TTM_ALERTS__RULES__DISK__ENTER", "0"),
        ("TTM_ALERTS__RULES__DISK__EXIT", "0"),
    ]));
    let address = service.listening();
    service
        .wait_for("that it is ready", |entry| entry["message"] == "health changed" && entry["ready"] == true);
    let findings = get(address, "/health/resources").json()["findings"].clone();
    let disk = findings.as_array().and_then(|all| all.iter().find(|finding| finding["kind"] == "disk"));
    let disk = disk.unwrap_or_else(|| panic!("any disk is beyond that: {findings}"));
    assert_eq!((&disk["status"], &disk["limit"]), (&json!("degraded"), &json!({"enter": 0.0, "exit": 0.0})));
    let shown =
        text(&output(ttm(folder.path()).args(["status", "--url", &format!("http://{address}")])).stdout);
    assert!(shown.contains(disk["sentence"].as_str().expect("a sentence")), "{shown}");
}

#[test]
fn a_status_over_http_needs_no_root_certificates() {
    let (folder, market) = (folder(), market_that_is_down(4));
    let mut service = service(folder.path(), &market.base_url());
    let url = format!("http://{}", service.address());
    let mut status = ttm(folder.path());
    status.args(["status", "--url", &url]).env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
    let done = output(&mut status);
    assert!(text(&done.stdout).contains(&url), "{}", text(&done.stderr));
}

#[test]
fn the_status_of_a_start_shows_its_duration_and_what_it_waits_for() {
    let folder = folder();
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.expect("a free port");
    let store = ("TTM_STORE__URL", "postgres://ttm@127.0.0.1:1/ttm");
    let mut command = ttm(folder.path());
    let mut start =
        Program::start(command.arg("run").envs([store, ("TTM_API__LISTEN", &address.to_string())]));
    start.wait_for_message("the start waits");
    let uptime = || get(address, "/health/detailed").json()["uptime_seconds"].as_f64().expect("a time");
    let first = uptime();
    while uptime() <= first {}
    let shown = output(ttm(folder.path()).args(["status", "--url", &format!("http://{address}")]));
    let shown = text(&shown.stdout);
    assert!(shown.contains("  starting for ") && !shown.contains(" up "), "{shown}");
    assert!(shown.contains("the start waits for the lease on the store: "), "{shown}");
    assert!(!shown.contains("this report is"), "{shown}");
}
