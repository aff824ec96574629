//! `ttm config check` finds what `ttm run` would refuse, shows no secrets, and creates nothing.

use std::fs;
use std::path::Path;

use ttm_e2e::{Outcome, Program, ttm};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    Program::start(ttm(folder).args(arguments).envs(environment.iter().copied())).end()
}

/// The one-line error of a command.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], environment: &[(&str, &str)], code: i32) -> String {
    let outcome = run(folder, arguments, environment);
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| !line.starts_with('{')).collect();
    let [line] = told[..] else { panic!("one line: {outcome:?}") };
    line.strip_prefix("error: ").unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
}

const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const CHECK: &[&str] = &["config", "check"];
const RUN: &[&str] = &["run", "--log", "off"];

#[test]
fn unknown_parameters_of_a_url_are_refused_and_their_values_not_shown() {
    for (key, name) in [
        ("TTM_STORE__URL", "store.url"),
        ("TTM_STORE__METRICS_URL", "store.metrics_url"),
        ("TTM_STORE__READER_URL", "store.reader_url"),
        ("TTM_SOURCES__POSTGRES_URL", "sources.postgres_url"),
    ] {
        for (end, wrong) in [
            ("?passwrd=hunter2", "unknown parameter passwrd; did you mean password?"),
            ("?sslmode=require&zzz=hunter2", "unknown parameter zzz; the known ones are "),
            ("?options=-c%20default_transaction_read_only=off", "options are not sent to the server"),
            ("?password=hunt%ZZer2", "write a literal % as %25"),
            ("?sslrootcert=/nowhere.pem", "sslrootcert: /nowhere.pem cannot be read: No such file"),
        ] {
            let url = format!("postgres://ann@127.0.0.1:1/ttm{end}");
            for arguments in [CHECK, RUN] {
                // Last, so that it wins.
                let both = [("TTM_STORE__METRICS_URL", "postgres://127.0.0.1:1/history"), (key, &*url)];
                let line = refused(folder().path(), arguments, &both, 78);
                let place = format!("{key}: {name}: the database URL is invalid: ");
                assert!(line.starts_with(&place) && line.contains(wrong), "{line}");
            }
        }
    }
}

#[test]
fn the_environment_variables_of_libpq_do_not_configure_the_store() {
    let store = ("TTM_STORE__URL", "postgres://127.0.0.1/ttm");
    for (variable, value) in [
        ("PGPORT", "notaport"),
        ("PGPORT", "5433"),
        ("PGUSER", "bob"),
        ("PGSSLMODE", "nonsense"),
        ("PGSSLROOTCERT", "/nowhere.pem"),
        ("PGOPTIONS", "-c default_transaction_read_only=off"),
    ] {
        let line = refused(folder().path(), CHECK, &[store, (variable, value)], 78);
        assert!(line.contains(&format!("{variable} is set")) && !line.contains(value), "{line}");
    }
    let complete = "postgres://ann@127.0.0.1:1/ttm?sslmode=disable";
    let outcome = run(
        folder().path(),
        CHECK,
        &[("TTM_STORE__URL", complete), ("PGPORT", "2"), ("PGSSLMODE", "x"), ("PGPASSWORD", "hunter2")],
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_file_that_is_not_a_database_is_reported_and_left_unchanged() {
    let folder = folder();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "not a database, but a text file with some notes in it\n").expect("written");
    for arguments in [CHECK, RUN] {
        let listen = ("TTM_API__LISTEN", "127.0.0.1:0");
        let line = refused(folder.path(), arguments, &[("TTM_STORE__URL", "sqlite://notes.txt"), listen], 1);
        assert!(line.starts_with("notes.txt is not a usable store: file is not a database"), "{line}");
    }
    let text = fs::read_to_string(&file).expect("it is there");
    assert_eq!(text, "not a database, but a text file with some notes in it\n");
}

#[test]
fn what_is_wrong_with_the_file_of_the_history_is_told_with_its_key_and_its_place() {
    let folder = folder();
    fs::write(folder.path().join("notes.txt"), "not a database, but a text file with notes")
        .expect("written");
    let line = refused(folder.path(), CHECK, &[("TTM_STORE__METRICS_URL", "sqlite://notes.txt")], 1);
    let expected = "TTM_STORE__METRICS_URL: store.metrics_url: notes.txt is not a usable store: ";
    assert!(line.starts_with(expected), "{line}");
    fs::write(folder.path().join("ttm.toml"), "[store]\nmetrics_url = \"sqlite://notes.txt\"\n")
        .expect("written");
    let line = refused(folder.path(), &["config", "check", "ttm.toml"], &[], 1);
    assert!(line.starts_with("ttm.toml:2: store.metrics_url: notes.txt is not a usable store: "), "{line}");
}

#[test]
fn a_store_that_cannot_be_created_is_reported() {
    for (path, system) in [("/proc/x/ttm.db", "/proc"), ("/sys/ttm.db", "/sys")] {
        let url = format!("sqlite://{path}");
        for arguments in [CHECK, RUN, &["tokens", "add", MINT]] {
            let line = refused(folder().path(), arguments, &[("TTM_STORE__URL", &url)], 78);
            let wrong = format!("is {path}, and {system} is a system directory that cannot hold files");
            assert!(line.starts_with(&format!("TTM_STORE__URL: store.url {wrong}, expected ")), "{line}");
        }
    }
    let folder = folder();
    for (name, content) in [("none.db", None), ("deep/er/none.db", None), ("empty.db", Some(""))] {
        if let Some(content) = content {
            fs::write(folder.path().join(name), content).expect("written");
        }
        let url = format!("sqlite://{name}");
        let outcome = run(folder.path(), CHECK, &[("TTM_STORE__URL", &url)]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "only the empty file: {left:?}");
}

#[test]
fn all_errors_are_reported_at_once() {
    let folder = folder();
    let config = [
        "[scheduler]",
        "hot_interval = \"soon\"",
        "[sources]",
        "file = \".\"",
        "postgres_url = \"postgres://ann@db/moon?passwrd=hunter2\"",
        "[dexscreener]",
        "base_url = \"https://api.example:notaport\"",
        "[api]",
        "listen = \"80\"",
        "token_file = \"none\"",
    ];
    fs::write(folder.path().join("ttm.toml"), config.join("\n")).expect("written");
    fs::write(folder.path().join("notes.txt"), "notes, not a database").expect("written");
    let told = |arguments: &[&str]| {
        let with_config = [arguments, &["--config", "ttm.toml"]].concat();
        let outcome = run(folder.path(), &with_config, &[("TTM_STORE__URL", "sqlite://notes.txt")]);
        assert_eq!(outcome.code, Some(78), "{outcome:?}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
        let line = |line: &str| line.trim_start_matches("error: ").split(" is ").next().map(str::to_owned);
        outcome.stderr.lines().filter_map(line).collect::<Vec<_>>()
    };
    let both = [
        "ttm.toml:2: scheduler.hot_interval",
        "ttm.toml:9: api.listen",
        "ttm.toml:10: api.token_file",
        "ttm.toml:7: dexscreener.base_url",
        "ttm.toml:5: sources.postgres_url: the database URL",
    ];
    assert_eq!(told(RUN), both);
    assert_eq!(told(&["tokens", "add", MINT]), both);
    let file = "ttm.toml:4: sources.file: .: cannot be read: it";
    assert_eq!(told(CHECK), [&both[..], &[file, "notes.txt"]].concat());
}

#[test]
fn a_database_with_two_hard_links_is_reported() {
    let folder = folder();
    let made = run(folder.path(), &["tokens", "add", MINT], &[]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(run(folder.path(), CHECK, &[]).code, Some(0));
    fs::hard_link(folder.path().join("ttm-data/ttm.db"), folder.path().join("two.db")).expect("linked");
    let line = refused(folder.path(), CHECK, &[], 1);
    assert!(line.contains("it has 2 names (hard links)"), "{line}");
}

#[test]
fn a_config_is_not_read_from_standard_input() {
    for arguments in [&["config", "check", "-"][..], &["run", "--config", "-"]] {
        let line = refused(folder().path(), arguments, &[], 78);
        assert_eq!(
            line,
            "-: a config is not read from standard input, expected a TOML file; a file of this name is ./-"
        );
    }
}

#[test]
fn a_key_is_also_explained_by_its_variable_and_a_section_suggested_in_any_case() {
    let folder = folder();
    let outcome = run(folder.path(), &["config", "explain", "TTM_STORE__URL"], &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("store.url\n"), "{outcome:?}");
    assert!(outcome.stdout.ends_with("  restart   the process\n"), "{outcome:?}");
    let line = refused(folder.path(), &["config", "explain", "TTM_STORE__URLL"], &[], 2);
    assert_eq!(line, "unknown key TTM_STORE__URLL; did you mean store.url?");
    fs::write(folder.path().join("ttm.toml"), "[Store]\nurl = \"sqlite://x.db\"\n").expect("written");
    let line = refused(folder.path(), &["config", "check", "ttm.toml"], &[], 78);
    assert_eq!(line, "ttm.toml:1: unknown key Store; did you mean store?");
}

#[test]
fn a_key_with_a_name_of_the_users_choice_is_explained_by_that_name() {
    let folder = folder();
    for (given, variable) in [
        ("alerts.channels.ops.url", "TTM_ALERTS__CHANNELS__OPS__URL"),
        ("alerts.channels.*.url", "TTM_ALERTS__CHANNELS__*__URL"),
        ("alerts.routes.1.channels", "none: a list of tables is set in the file alone"),
    ] {
        let outcome = run(folder.path(), &["config", "explain", given], &[]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.starts_with(&format!("{given}\n")), "{outcome:?}");
        assert!(outcome.stdout.contains(&format!("  variable  {variable}\n")), "{outcome:?}");
    }
    let outcome = run(folder.path(), &["config", "explain", "TTM_ALERTS__CHANNELS__OPS__TO"], &[]);
    assert!(outcome.stdout.starts_with("alerts.channels.ops.to\n"), "{outcome:?}");
    assert!(outcome.stdout.contains("ops@example.org; separated by commas in the variable\n"), "{outcome:?}");
    let line = refused(folder.path(), &["config", "explain", "alerts.channels.ops.ulr"], &[], 2);
    assert_eq!(line, "unknown key alerts.channels.ops.ulr; did you mean alerts.channels.ops.url?");
}

#[test]
fn an_import_without_mints_is_an_error_and_creates_nothing() {
    let folder = folder();
    fs::write(folder.path().join("mints.txt"), "# none yet\n\n").expect("written");
    for (file, name) in [("-", "standard input"), ("mints.txt", "mints.txt")] {
        let line = refused(folder.path(), &["tokens", "import", file], &[], 1);
        assert_eq!(line, format!("{name}: contains no mints, expected at least one, one per line"));
        assert!(!folder.path().join("ttm-data").exists());
    }
}
