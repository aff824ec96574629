//! Bad input gets one clear line, the right exit code, and leaves nothing half done.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use ttm_e2e::{Database, Outcome, Program, ttm};

const GOOD: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    Program::start(ttm(folder).args(arguments).envs(environment.iter().copied())).end()
}

#[track_caller]
fn check(outcome: &Outcome, code: i32, line: &str) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    assert_eq!(outcome.stderr, format!("error: {line}\n"), "{outcome:?}");
}

#[test]
fn an_invalid_mint_is_reported_with_the_reason_and_nothing_is_stored() {
    let folder = folder();
    let outcome = run(folder.path(), &["tokens", "add", GOOD, "So1"], &[]);
    check(&outcome, 2, "\"So1\" is not a valid mint: 3 characters, expected 32 to 44 of base58");
    assert!(!folder.path().join("ttm-data").exists());
}

#[test]
fn an_unknown_key_is_reported_with_its_line_and_a_suggestion() {
    let folder = folder();
    fs::write(folder.path().join("ttm.toml"), "[scheduler]\nhot_intervall = \"5s\"\n").expect("written");
    for arguments in [["run", "--config", "ttm.toml"], ["--config", "ttm.toml", "run"]] {
        let outcome = run(folder.path(), &arguments, &[]);
        check(
            &outcome,
            78,
            "ttm.toml:2: unknown key scheduler.hot_intervall; did you mean scheduler.hot_interval?",
        );
    }
}

#[test]
fn an_invalid_duration_is_reported_with_what_was_expected() {
    let folder = folder();
    let outcome = run(folder.path(), &["run"], &[("TTM_SCHEDULER__HOT_INTERVAL", "soon")]);
    check(
        &outcome,
        78,
        "TTM_SCHEDULER__HOT_INTERVAL: scheduler.hot_interval is \"soon\", expected a duration such as 30s or 5m",
    );
}

#[test]
fn a_route_that_no_alert_ever_takes_is_reported_with_its_line() {
    let folder = folder();
    let label = "match = { rule = \"disk\", labels = { lane = \"hot\" } }\nchannels = []\n";
    let all = "channels = []\n[[alerts.routes]]\nmatch = { rule = \"disk\" }\nchannels = []\n";
    for (routes, line) in [
        (
            label,
            "2: alerts.routes.1.match.labels.lane: alerts of disk have no label \"lane\"; they have none",
        ),
        (
            all,
            "3: alerts.routes.2 is never reached: alerts.routes.1 matches all that it does, and the first that matches counts",
        ),
    ] {
        let config = format!("[[alerts.routes]]\n{routes}");
        fs::write(folder.path().join("ttm.toml"), config).expect("written");
        for arguments in [&["run", "--config", "ttm.toml"][..], &["config", "check", "ttm.toml"]] {
            check(&run(folder.path(), arguments, &[]), 78, &format!("ttm.toml:{line}"));
        }
    }
}

#[test]
fn a_missing_config_file_is_a_config_error() {
    let outcome = run(folder().path(), &["config", "check", "--config", "none.toml"], &[]);
    assert_eq!(outcome.code, Some(78));
    assert!(outcome.stderr.starts_with("error: none.toml: cannot be read: "), "{outcome:?}");
}

#[test]
fn a_port_in_use_is_reported_and_nothing_is_created() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let outcome = run(folder.path(), &["run"], &[("TTM_API__LISTEN", &address)]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains(&address) && outcome.stderr.contains("in use"), "{outcome:?}");
    assert!(!folder.path().join("ttm-data").exists());
}

#[test]
fn a_data_folder_that_cannot_be_created_is_reported() {
    // Not even root can create a folder here.
    let store = ("TTM_STORE__URL", "sqlite:///dev/pts/ttm/ttm.db");
    let outcome = run(folder().path(), &["run"], &[store, ("TTM_API__LISTEN", "127.0.0.1:0")]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(
        matches!(told[..], [line] if line.starts_with("error: sqlite:///dev/pts/ttm/ttm.db: ")),
        "{outcome:?}"
    );
}

#[test]
fn a_start_waits_for_an_unreachable_store_and_names_it_without_its_password() {
    // Nothing listens on port 1.
    let store = ("TTM_STORE__URL", "postgres://ttm:hunter2@127.0.0.1:1/ttm");
    let folder = folder();
    let mut program = ttm(folder.path());
    let mut program = Program::start(program.arg("run").envs([store, ("TTM_API__LISTEN", "127.0.0.1:0")]));
    let waits = program.wait_for_message("the start waits");
    assert!(waits["error"].as_str().is_some_and(|text| text.contains("connection refused")), "{waits}");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("postgres://127.0.0.1:1/ttm"), "{outcome:?}");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
}

#[test]
fn one_bad_line_in_ten_thousand_is_reported_and_nothing_is_imported() {
    let folder = folder();
    let mut text = String::new();
    for number in 0..10_000_u32 {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let mint = ttm_market::Mint::from_bytes(bytes);
        let line = if number == 5_000 { "l1l1l1".repeat(7) } else { mint.to_string() };
        writeln!(text, "{line}").expect("a string");
    }
    fs::write(folder.path().join("mints.txt"), text).expect("written");
    let outcome = run(folder.path(), &["tokens", "import", "mints.txt"], &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "error: mints.txt:5001: \"l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1l1\" is not a valid mint: 'l' at position 1 is not base58",
            "error: mints.txt: 1 bad line; nothing was imported",
        ]
    );
    assert!(!folder.path().join("ttm-data").exists());
}

/// Commands that list or remove tokens do not change a database without tables.
fn reading_creates_nothing(store: &str, name: &str, folder: &Path) {
    let store = ("TTM_STORE__URL", store);
    for arguments in [&["tokens", "list"][..], &["tokens", "remove", GOOD]] {
        let outcome = run(folder, arguments, &[store]);
        check(&outcome, 1, &format!("{name}: there are no tables yet: run `ttm migrate` to create them"));
    }
}

#[test]
fn reading_creates_nothing_in_an_empty_file() {
    let folder = folder();
    fs::write(folder.path().join("empty.db"), "").expect("written");
    reading_creates_nothing("sqlite://empty.db", "empty.db", folder.path());
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").flatten().map(|file| file.path()).collect();
    assert_eq!(left, [folder.path().join("empty.db")]);
    assert_eq!(fs::metadata(&left[0]).expect("it is there").len(), 0);
}

#[test]
fn reading_creates_nothing_on_a_server_and_reports_a_schema_that_is_too_old() {
    let (folder, database) = (folder(), Database::create());
    let server = format!("PostgreSQL at {}/{}", database.host(), database.name());
    reading_creates_nothing(&database.url(), &server, folder.path());
    assert_eq!(
        database.ask("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "0"
    );
    let store = ("TTM_STORE__URL", database.url());
    let store = (store.0, store.1.as_str());
    assert_eq!(run(folder.path(), &["migrate"], &[store]).code, Some(0));
    assert_eq!(run(folder.path(), &["tokens", "list"], &[store]).code, Some(0));
    database.ask("DELETE FROM _ttm_state_migrations WHERE version > 2");
    let outcome = run(folder.path(), &["tokens", "list"], &[store]);
    let line = "schema version 2, but this program needs 8: run `ttm migrate` to upgrade it";
    check(&outcome, 1, &format!("{server}: {line}"));
}

#[test]
fn a_base_url_without_a_scheme_is_reported_with_what_was_expected() {
    let environment = [("TTM_DEXSCREENER__BASE_URL", "api.dexscreener.com")];
    let outcome = run(folder().path(), &["run"], &environment);
    check(
        &outcome,
        78,
        "TTM_DEXSCREENER__BASE_URL: dexscreener.base_url is \"api.dexscreener.com\", expected an http or https URL such as https://api.dexscreener.com",
    );
}

#[test]
fn an_unsupported_chain_is_reported_with_the_supported_one() {
    let outcome = run(folder().path(), &["run"], &[("TTM_DEXSCREENER__CHAIN", "solanaa")]);
    check(&outcome, 78, "TTM_DEXSCREENER__CHAIN: dexscreener.chain is \"solanaa\", expected solana");
}

/// Starts the service with an unusable token source.
fn run_with_source(folder: &Path, key: &str, value: &str) -> Outcome {
    run(folder, &["run", "--log", "off"], &[(key, value), ("TTM_API__LISTEN", "127.0.0.1:0")])
}

#[test]
fn bad_lines_in_the_file_of_mints_are_reported_each() {
    let folder = folder();
    fs::write(folder.path().join("mints.txt"), format!("{GOOD}\nSo1\n\nSo2\n")).expect("written");
    let outcome = run_with_source(folder.path(), "TTM_SOURCES__FILE", "mints.txt");
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(
        lines,
        [
            "error: mints.txt:2: \"So1\" is not a valid mint: 3 characters, expected 32 to 44 of base58",
            "error: mints.txt:4: \"So2\" is not a valid mint: 3 characters, expected 32 to 44 of base58",
            "error: TTM_SOURCES__FILE: sources.file: mints.txt: 2 bad lines; none of it is used",
        ]
    );
}

#[test]
fn an_empty_or_missing_file_of_mints_is_reported() {
    let folder = folder();
    let outcome = run_with_source(folder.path(), "TTM_SOURCES__FILE", "mints.txt");
    let key = "TTM_SOURCES__FILE: sources.file:";
    check(&outcome, 78, &format!("{key} mints.txt: cannot be read: No such file or directory (os error 2)"));
    fs::write(folder.path().join("mints.txt"), "# none yet\n").expect("written");
    let outcome = run_with_source(folder.path(), "TTM_SOURCES__FILE", "mints.txt");
    check(&outcome, 78, &format!("{key} mints.txt: contains no mints, expected at least one, one per line"));
}

#[test]
fn an_external_database_without_the_table_is_reported_with_what_was_expected() {
    let database = Database::create();
    let outcome = run_with_source(folder().path(), "TTM_SOURCES__POSTGRES_URL", &database.url());
    let url = database.url();
    let server = url.trim_start_matches("postgres://");
    let server = server.rsplit_once('@').map_or(server, |(_, server)| server);
    let line = format!(
        "PostgreSQL at {server}: relation \"tokens\" does not exist (SQLSTATE 42P01); expected a table tokens with the columns mint_address and status"
    );
    check(&outcome, 78, &line);
}

#[test]
fn an_unreachable_external_database_is_reported_without_its_password() {
    let key = "TTM_SOURCES__POSTGRES_URL";
    let outcome = run_with_source(folder().path(), key, "postgres://moon:hunter2@127.0.0.1:1/moon");
    check(&outcome, 1, "PostgreSQL at 127.0.0.1:1/moon: connection refused (os error 111)");
    let outcome = run_with_source(folder().path(), key, "mysql://moon:hunter2@db/moon");
    let line = "sources.postgres_url is not such a URL, expected postgres://user@host/database, or empty";
    check(&outcome, 78, &format!("{key}: {line}"));
}

#[test]
fn the_check_and_the_start_report_the_same_for_a_source_that_is_not_a_file() {
    let folder = folder();
    fs::write(
        folder.path().join("ttm.toml"),
        "[api]\nlisten = \"127.0.0.1:0\"\n[sources]\nfile = \"mints\"\n",
    )
    .expect("written");
    mkfifoat(CWD, folder.path().join("mints"), Mode::RUSR | Mode::WUSR).expect("made");
    for arguments in [&["config", "check"][..], &["run", "--log", "off"]] {
        let outcome = run(folder.path(), &[arguments, &["--config", "ttm.toml"]].concat(), &[]);
        let line = "ttm.toml:4: sources.file: mints: cannot be read: it is a pipe, expected a file";
        check(&outcome, 78, line);
    }
}

#[test]
fn an_endless_file_is_refused_at_the_limit() {
    for (arguments, code, line) in [
        (
            &["tokens", "import", "/dev/zero"][..],
            1,
            "/dev/zero: cannot be read: it is larger than 67108864 bytes",
        ),
        (
            &["tokens", "import", "/dev/full"],
            1,
            "/dev/full: cannot be read: it is larger than 67108864 bytes",
        ),
        (
            &["config", "check", "/dev/zero"],
            78,
            "/dev/zero: cannot be read: it is larger than 67108864 bytes; expected a TOML file",
        ),
    ] {
        check(&run(folder().path(), arguments, &[]), code, line);
    }
    let folder = folder();
    let zero = fs::File::open("/dev/zero").expect("opened");
    let outcome = Program::start(ttm(folder.path()).args(["tokens", "import", "-"]).stdin(zero)).end();
    check(&outcome, 1, "standard input: cannot be read: it is larger than 67108864 bytes");
}

#[test]
fn a_store_that_is_not_a_file_is_refused_before_anything_is_created() {
    for (url, what) in [
        ("sqlite:///etc", "is /etc, which is not a file"),
        ("sqlite://.", "is ., which is not a file"),
        ("sqlite:///dev/zero", "is /dev/zero, which is not a file"),
        ("sqlite://d/ttm.db?mode=rwc", "has a ? or # in its path"),
    ] {
        let folder = folder();
        for arguments in [&["config", "check"][..], &["run", "--log", "off"], &["tokens", "add", GOOD]] {
            let outcome = run(folder.path(), arguments, &[("TTM_STORE__URL", url)]);
            let expected = "expected sqlite://path or postgres://user@host/database";
            check(&outcome, 78, &format!("TTM_STORE__URL: store.url {what}, {expected}"));
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
