//! The program with broken streams, an unusual environment or invalid arguments.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Signal, kill_process};
use ttm_e2e::{get, market, ttm};

const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("it exists on Linux")
}

/// A pipe whose reader is closed.
fn pipe_without_reader() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer
}

fn output(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the service with this standard error, checks that it answers for a while, and shuts it down.
fn the_service_works_with(stderr: Stdio, then: impl FnOnce()) {
    let folder = folder();
    let market = market(4);
    // Its log cannot be read, so the port has to be known.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.expect("a free port");
    let mut command = ttm(folder.path());
    command.args(["run", "--log", "trace"]).stderr(stderr).envs([
        ("TTM_API__LISTEN", address.to_string()),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s".to_owned()),
    ]);
    let mut child = command.spawn().expect("it starts");
    let pid = rustix::process::Pid::from_child(&child);
    while std::net::TcpStream::connect(address).is_err() {
        assert_eq!(child.try_wait().expect("a child"), None, "it ended at its start");
    }
    then();
    // Each response is logged at this level, and the log is not read.
    for _ in 0..500 {
        assert!(get(address, "/health/live").status >= 200);
    }
    kill_process(pid, Signal::TERM).expect("it is there");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_service_survives_the_end_of_the_reader_of_its_log() {
    the_service_works_with(pipe_without_reader().into(), || {});
    let (reader, writer) = std::io::pipe().expect("a pipe");
    the_service_works_with(writer.into(), || drop(reader));
}

#[test]
fn the_service_survives_a_full_disk_under_its_log() {
    the_service_works_with(full().into(), || {});
}

#[test]
fn the_service_does_not_wait_for_the_reader_of_its_log() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    the_service_works_with(writer.into(), || {});
    drop(reader);
}

#[test]
fn a_closed_standard_output_is_ignored_and_a_full_one_is_an_error() {
    let folder = folder();
    fs::write(folder.path().join("mints.txt"), MINT).expect("written");
    let commands: [&[&str]; 5] = [
        &["tokens", "import", "mints.txt"],
        &["tokens", "list"],
        &["config", "default"],
        &["config", "schema"],
        &["--help"],
    ];
    for arguments in commands {
        let closed = output(ttm(folder.path()).args(arguments).stdout(pipe_without_reader()));
        assert_eq!((closed.status.code(), text(&closed.stderr).as_str()), (Some(0), ""), "{arguments:?}");
        let full = output(ttm(folder.path()).args(arguments).stdout(full()));
        let told = text(&full.stderr);
        assert_eq!(full.status.code(), Some(1), "{arguments:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains("standard output cannot be written: No space left"), "{told}");
        assert_eq!(
            told.contains("already there; but "),
            arguments[0] == "tokens" && arguments[1] == "import"
        );
    }
    let unheard = output(ttm(folder.path()).args(["tokens", "add", "So1"]).stderr(full()));
    assert_eq!(unheard.status.code(), Some(2), "the exit code is right even without standard error");
}

#[test]
fn a_variable_that_is_not_unicode_is_ignored_without_our_prefix() {
    let folder = folder();
    let junk = OsString::from_vec(b"caf\xe9".to_vec());
    fs::write(folder.path().join("mints.txt"), MINT).expect("written");
    for arguments in
        [&["config", "check"][..], &["tokens", "import", "mints.txt"], &["tokens", "list"], &["migrate"]]
    {
        let done = output(ttm(folder.path()).args(arguments).env("LS_JUNK", &junk).env(&junk, "x"));
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", text(&done.stderr));
    }
    let ours = output(ttm(folder.path()).args(["config", "check"]).env("TTM_API__LISTEN", &junk));
    assert_eq!(ours.status.code(), Some(78));
    assert_eq!(
        text(&ours.stderr),
        "error: TTM_API__LISTEN: api.listen is not Unicode, expected an address and port such as 127.0.0.1:8080\n"
    );
    let argument = output(ttm(folder.path()).args(["tokens", "add"]).arg(&junk));
    assert_eq!(argument.status.code(), Some(2), "{}", text(&argument.stderr));
    let file = output(ttm(folder.path()).args(["config", "check"]).arg(&junk));
    assert_eq!(file.status.code(), Some(78), "{}", text(&file.stderr));
}

#[test]
fn a_config_with_the_database_of_another_system_is_checked_without_a_panic() {
    let folder = folder();
    let check = |text_of: &str| {
        fs::write(folder.path().join("ttm.toml"), text_of).expect("written");
        let done = output(ttm(folder.path()).args(["config", "check", "ttm.toml"]));
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let good = check("[sources]\npostgres_url = \"postgres://reader@db/tothemoon\"\n");
    assert_eq!(good, (Some(0), "ttm.toml: valid\n".to_owned()));
    for (key, wrong) in [
        ("store.url", "[store]\nurl = \"postgres://ann:hunter2@db:notaport/moon\"\n"),
        ("sources.postgres_url", "[sources]\npostgres_url = \"postgres://ann:hunter2@db:notaport/moon\"\n"),
        ("sources.file: mints.txt", "[sources]\nfile = \"mints.txt\"\n"),
    ] {
        let (code, told) = check(wrong);
        assert_eq!(code, Some(78), "{told}");
        assert!(
            told.starts_with(&format!("error: ttm.toml:2: {key}")) && !told.contains("hunter2"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
        let run = output(ttm(folder.path()).args(["run", "--config", "ttm.toml", "--log", "off"]));
        assert_eq!((run.status.code(), text(&run.stderr)), (Some(78), told));
    }
}

#[test]
fn commands_that_only_read_create_nothing() {
    let folder = folder();
    for (arguments, code) in [
        (&["tokens", "list"][..], 1),
        (&["tokens", "remove", MINT], 1),
        (&["migrate"], 0),
        (&["config", "check"], 0),
        (&["status", "--url", "http://127.0.0.1:1"], 3),
    ] {
        let done = output(ttm(folder.path()).args(arguments));
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", text(&done.stderr));
        assert!((text(&done.stdout) + &text(&done.stderr)).lines().count() == 1, "{done:?}");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "{arguments:?}");
    }
}

#[test]
fn mints_are_imported_from_standard_input_in_chunks_after_all_were_validated() {
    let folder = folder();
    let mint = |number: u32| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        ttm_market::Mint::from_bytes(bytes).to_string()
    };
    let mints: Vec<String> = (0..6_000).map(mint).collect();
    let import = |lines: &str| {
        fs::write(folder.path().join("input"), lines).expect("written");
        let input = File::open(folder.path().join("input")).expect("there");
        let done = output(ttm(folder.path()).args(["tokens", "import", "-"]).stdin(input));
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let bad = import(&format!("{}\nSo1\n", mints.join("\n")));
    assert_eq!(bad.0, Some(1));
    assert!(bad.1.contains("standard input:6001: \"So1\" is not a valid mint"), "{}", bad.1);
    let all = (Some(0), "6000 added, 0 unarchived, 0 already there\n".to_owned());
    assert_eq!(import(&mints.join("\n")), all);
    let again = (Some(0), "0 added, 0 unarchived, 6000 already there\n".to_owned());
    assert_eq!(import(&mints.join("\n")), again);
}

#[track_caller]
fn status_says(folder: &Path, url: &str, expected: &str) {
    let done = output(ttm(folder).args(["status", "--url", url]));
    let told = text(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{told}");
    assert!(told.lines().count() == 1 && told.contains(expected), "{told}");
    assert!(done.stdout.is_empty() && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_status_without_a_service_at_the_url_is_an_error_of_one_line() {
    let folder = folder();
    let other = market(1).base_url();
    status_says(folder.path(), "127.0.0.1:8080", "--url does not start with http:// or https://");
    status_says(folder.path(), "http://127.0.0.1:1", "connection refused; is the service running?");
    status_says(folder.path(), "http://bob:hunter2@127.0.0.1:1", "--url contains an @");
    let market = market(1);
    status_says(folder.path(), &market.base_url(), "is this a ttm service?");
    status_says(
        folder.path(),
        &format!("{}/health", market.base_url()),
        "does the URL need the path /health?",
    );
    status_says(folder.path(), &market.base_url().replace("http:", "https:"), "does it speak http://?");
    status_says(folder.path(), &other, "connection refused");
}

#[test]
fn invalid_arguments_end_with_two() {
    let folder = folder();
    for (arguments, expected) in [
        (&["--log", "nonsense=", "config", "check"][..], "is not a level"),
        (&["run", "--log", "infoo"], "did you mean info?"),
        (&["config", "explain", "hot_interval"], "did you mean scheduler.hot_interval?"),
        (&["config", "explain", "scheduler"], "scheduler is a section, not a key"),
        (&["demo", "--listen", "0.0.0.0:8080"], "the demo answers on loopback alone"),
        (&["demo", "--listen", "80"], "expected an address and port"),
    ] {
        let done = output(ttm(folder.path()).args(arguments));
        let told = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{told}");
        assert!(told.contains(expected) && !told.contains("TTM_"), "{told}");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "{arguments:?}");
    }
}
