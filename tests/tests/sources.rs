//! The real program follows external token lists, and keeps the last good one when a list becomes unusable.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use ttm_e2e::{Database, Market, Program, get, market, ttm};
use ttm_market::Mint;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A service that polls its sources every second.
fn start(folder: &Path, market: &Market, key: &str, value: &str) -> Program {
    Program::start(ttm(folder).args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_SOURCES__POLL_INTERVAL", "1s"),
        (key, value),
    ]))
}

/// The mints in the API.
fn shown(address: SocketAddr) -> Vec<String> {
    let page = get(address, "/api/v1/tokens?limit=100&sort=mint").json();
    let tokens = page["tokens"].as_array().expect("a list");
    tokens.iter().map(|token| token["mint"].as_str().expect("a mint").to_owned()).collect()
}

fn sorted(mut mints: Vec<Mint>) -> Vec<String> {
    mints.sort_unstable();
    mints.iter().map(ToString::to_string).collect()
}

fn reasons(address: SocketAddr) -> String {
    get(address, "/health/detailed").json()["reasons"].to_string()
}

/// Waits until the API shows these mints: runs end every second, and an edit is noticed within ten.
fn becomes(program: &mut Program, address: SocketAddr, expected: &[String]) {
    for _ in 0..60 {
        if shown(address) == expected {
            return;
        }
        program.wait_for("a run that ended", |entry| entry["message"] == "run ended");
    }
    assert_eq!(shown(address), expected);
}

fn add_by_hand(folder: &Path, mint: Mint) {
    let outcome = Program::start(ttm(folder).args(["tokens", "add", &mint.to_string()])).end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn an_external_database_is_followed_and_tokens_added_by_hand_stay() {
    let (database, folder, market) = (Database::create(), folder(), market(4));
    let mints = market.mints();
    database.ask("CREATE TABLE tokens (mint_address text PRIMARY KEY, status text)");
    database.ask(&format!(
        "INSERT INTO tokens VALUES ('{}', 'active'), ('{}', NULL), ('{}', 'Archived'), ('junk', 'active')",
        mints[0], mints[1], mints[2]
    ));
    add_by_hand(folder.path(), mints[3]);
    let mut program = start(folder.path(), &market, "TTM_SOURCES__POSTGRES_URL", &database.url());
    let junk = program.wait_for_message("entries of the list are not valid mints; they are left out");
    assert_eq!(junk["unusable"], 1, "{junk}");
    let address = program.address();
    assert_eq!(shown(address), sorted(vec![mints[0], mints[1], mints[3]]), "at the start");

    database.ask(&format!("DELETE FROM tokens WHERE mint_address = '{}'", mints[0]));
    database.ask(&format!("UPDATE tokens SET status = 'monitoring' WHERE mint_address = '{}'", mints[2]));
    let expected = sorted(vec![mints[1], mints[2], mints[3]]);
    becomes(&mut program, address, &expected);

    database.ask("ALTER TABLE tokens RENAME TO hidden");
    let told = program.wait_for_message("the list of tokens is not usable; the last one stays");
    assert!(told["problem"].as_str().is_some_and(|line| line.contains("mint_address")), "{told}");
    while !reasons(address).contains("source postgres") {
        program.wait_for("a run that ended", |entry| entry["message"] == "run ended");
    }
    database.ask("ALTER TABLE hidden RENAME TO tokens");
    program.wait_for_message("the list of tokens is usable again");
    assert_eq!(shown(address), expected, "an error is not an empty list");

    // As when the table is refilled.
    database.ask("CREATE TABLE kept AS SELECT * FROM tokens");
    database.ask("TRUNCATE tokens");
    let told = program.wait_for_message("the list of tokens is not usable; the last one stays");
    let problem = told["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("the table has no token that is not archived"), "{told}");
    database.ask("INSERT INTO tokens SELECT * FROM kept");
    program.wait_for_message("the list of tokens is usable again");
    assert_eq!(shown(address), expected, "a table that is empty for a moment changes nothing");
}

#[test]
fn a_file_is_followed_and_truncating_it_removes_nothing() {
    let (folder, market) = (folder(), market(3));
    let mints = market.mints();
    let file = folder.path().join("mints.txt");
    std::fs::write(&file, format!("# ours\n{}\n{}\n", mints[0], mints[1])).expect("written");
    let mut program = start(folder.path(), &market, "TTM_SOURCES__FILE", "mints.txt");
    let address = program.address();
    assert_eq!(shown(address), sorted(vec![mints[0], mints[1]]));

    std::fs::write(&file, format!("{}\n{}\n", mints[1], mints[2])).expect("written");
    let expected = sorted(vec![mints[1], mints[2]]);
    becomes(&mut program, address, &expected);

    std::fs::write(&file, "").expect("written");
    let told = program.wait_for_message("the list of tokens is not usable; the last one stays");
    assert_eq!(
        told["problem"],
        Value::from("mints.txt: contains no mints, expected at least one, one per line")
    );
    for _ in 0..3 {
        program.wait_for("a run that goes on", |entry| entry["message"] == "run ended");
    }
    assert_eq!(shown(address), expected);
    let metrics = get(address, "/metrics").body;
    assert!(metrics.contains("ttm_source_failures_total{origin=\"file\"}"), "{metrics}");
}

#[test]
fn tokens_with_a_new_profile_are_followed_within_the_rate_limit() {
    let (folder, market) = (folder(), market(3));
    add_by_hand(folder.path(), market.mints()[0]);
    let mut program = start(folder.path(), &market, "TTM_SOURCES__PROFILES", "true");
    let address = program.address();
    // It starts with the stored tokens: profiles are polled after the start.
    assert_eq!(shown(address), sorted(vec![market.mints()[0]]));
    becomes(&mut program, address, &sorted(market.mints()));
    let url = format!("http://{address}");
    let status = Program::start(ttm(folder.path()).args(["status", "--url", &url])).end();
    assert!(status.stdout.contains("profiles 3 tokens"), "{status:?}");
    let metrics = get(address, "/metrics").body;
    for line in [
        "ttm_source_up{origin=\"profiles\"} 1",
        "ttm_api_requests_total{endpoint=\"token-profiles\",outcome=\"ok\"}",
        "ttm_api_requests_total{endpoint=\"tokens\",outcome=\"ok\"}",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
