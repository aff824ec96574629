//! The history is read by a role that may do nothing else; where it may not even do that, scores are made all the same.

use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Database, Market, Program, get, market, ttm};

fn start(folder: &Path, market: &Market, store: &str, reader: &str) -> Program {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let stores = [("TTM_STORE__URL", store), ("TTM_STORE__READER_URL", reader)];
    let imported = Program::start(ttm(folder).args(["tokens", "import", "mints.txt"]).envs(stores)).end();
    assert_eq!(imported.code, Some(0), "{imported:?}");
    Program::start(ttm(folder).args(["run", "--log", "info"]).envs(stores).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", market.base_url().as_str()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
    ]))
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

/// A run's series, once there is one.
fn series(program: &mut Program, address: SocketAddr) -> String {
    for _ in 0..60 {
        program.wait_for("a run that scored", scored);
        let page = get(address, "/api/v1/metrics?prefix=run.");
        assert_eq!(page.status, 200, "{}", page.body);
        if let Some(first) = page.json()["series"].as_array().and_then(|series| series.first()) {
            return first.as_str().expect("a name").to_owned();
        }
    }
    panic!("no series is stored");
}

#[test]
fn queries_log_in_as_the_reader_and_one_without_rights_holds_up_no_score() {
    let (folder, market, database) = (tempfile::tempdir().expect("a folder"), market(5), Database::create());
    let role = format!("e2e_reader_{}", std::process::id());
    database.ask(&format!("DROP ROLE IF EXISTS {role}"));
    database.ask(&format!("CREATE ROLE {role} LOGIN"));
    let reader = format!("postgres://{role}@{}/{}", database.host(), database.name());

    let mut program = start(folder.path(), &market, &database.url(), &reader);
    let told = program.wait_for_message("the history cannot be read until this is repaired");
    assert_eq!((&told["level"], &told["key"]), (&"ERROR".into(), &"store.reader_url".into()), "{told}");
    assert_eq!(told["code"], "SQLSTATE 42501", "{told}");
    let address = program.address();
    program.wait_for("a run that scored", scored);
    assert_eq!(get(address, "/api/v1/metrics?prefix=run.").status, 503);
    assert_eq!(get(address, "/health/ready").status, 200);

    database.ask(&format!("GRANT SELECT ON series, sample, event TO {role}"));
    let series = series(&mut program, address);
    for path in [format!("/api/v1/metrics/{series}"), "/api/v1/events".to_owned()] {
        let answer = get(address, &path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let sessions = format!("SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = '{role}'");
    assert_eq!(database.ask(&sessions), "t", "it is the reader that reads");
    let rights = format!("SELECT has_table_privilege('{role}', 'sample', 'INSERT')");
    assert_eq!(database.ask(&rights), "f");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    database.ask(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
