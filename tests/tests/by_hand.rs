//! Operators: who may give orders, and what becomes of them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::{Value, json};
use ttm_e2e::{Answer, Market, Program, market, post, send, ttm};

const TOKEN: &str = "correct-horse-battery-staple";
const STORE: &str = "sqlite://ttm-data/ttm.db";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).expect("written");
    fs::set_permissions(token, fs::Permissions::from_mode(0o600)).expect("ours");
    folder
}

fn service(folder: &Path, market: &Market, store: &str) -> Command {
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.join("mints.txt"), mints.join("\n")).expect("written");
    let mut command = ttm(folder);
    command.args(["run", "--log", "info,ttm_service=debug"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_SOURCES__FILE", "mints.txt"),
        ("TTM_STORE__URL", store),
    ]);
    command
}

fn guarded(folder: &Path, market: &Market, store: &str) -> Command {
    let mut command = service(folder, market, store);
    command.env("TTM_API__TOKEN_FILE", "token");
    command
}

/// A command about the service at this address, with its token.
fn ask(folder: &Path, address: SocketAddr, arguments: &[&str]) -> Output {
    let url = format!("http://{address}");
    let mut command = ttm(folder);
    command.args(arguments).args(["--url", &url, "--token-file", "token"]);
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that succeeds.
#[track_caller]
fn told(done: &Output) -> String {
    assert!(done.status.success(), "{}", text(&done.stderr));
    text(&done.stdout)
}

/// The one line of a command that fails with 1.
#[track_caller]
fn complaint(done: &Output) -> String {
    let line = text(&done.stderr);
    assert_eq!((done.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    line.strip_prefix("error: ").expect("an error").trim_end().to_owned()
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().expect("a problem document").to_owned()
}

const ORDERS: [&str; 4] = [
    "/api/v1/breakers/dexscreener/force-open",
    "/api/v1/breakers/dexscreener/disable",
    "/api/v1/parts/monitor/restart",
    "/api/v1/scheduler/hot/restart",
];

#[test]
fn an_order_needs_the_configured_token_and_carries_no_body() {
    let (market, folder) = (market(5), folder());
    let (open, closed) = (folder.path().join("open"), folder.path().join("closed"));
    for folder in [&open, &closed] {
        fs::create_dir(folder).expect("made");
    }
    let mut without = Program::start(&mut service(&open, &market, STORE));
    let mut with = Program::start(guarded(&closed, &market, STORE).env("TTM_API__TOKEN_FILE", "../token"));
    let (without, with) = (without.address(), with.address());
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    for path in ORDERS {
        for header in ["", &bearer] {
            let refused = post(without, path, header);
            assert_eq!(refused.status, 403, "{path}");
            assert!(detail(&refused).contains("api.token_file or TTM_API__TOKEN_FILE"), "{path}");
        }
        assert_eq!(post(with, path, "").status, 401, "{path}");
        assert_eq!(post(with, path, &bearer.replace("horse", "house")).status, 401, "{path}");
        let page = "origin: https://evil.example\r\ncontent-type: text/plain\r\n";
        assert_eq!(post(with, path, page).status, 401, "{path}");
        let body = format!("{bearer}content-length: 2\r\n");
        assert_eq!(detail(&send(with, "POST", path, &body, "{}")), "an order carries no body", "{path}");
        let chunked = format!("{bearer}transfer-encoding: chunked\r\n");
        assert_eq!(send(with, "POST", path, &chunked, "2\r\n{}\r\n0\r\n\r\n").status, 400, "{path}");
    }
    for address in [without, with] {
        let breakers = send(address, "GET", "/api/v1/breakers", &bearer, "");
        assert_eq!(breakers.json()["breakers"][0]["state"], "closed", "nothing was carried out");
    }
}

#[test]
fn a_breaker_that_is_forced_open_withholds_scoring_until_it_is_reset_and_a_restart_does_not_end_that() {
    let (market, folder) = (market(20), folder());
    let folder = folder.path();
    let mut first = Program::start(&mut guarded(folder, &market, STORE));
    let address = first.address();
    first.wait_for("a run that scored", scored);
    let listed = told(&ask(folder, address, &["breaker"]));
    assert!(listed.starts_with("dexscreener closed      since "), "{listed}");

    let forced = told(&ask(folder, address, &["breaker", "dexscreener", "force-open"]));
    assert!(
        forced.starts_with("dexscreener forced open since ") && forced.contains(", operator, "),
        "{forced}"
    );
    let next = format!("next: ttm breaker dexscreener reset --url http://{address} --token-file token\n");
    assert!(forced.ends_with(&next), "{forced}");
    let status = ask(folder, address, &["status"]);
    assert!(text(&status.stdout).contains("breaker forced open, "), "at once: {}", text(&status.stdout));
    let json: Value = text(&ask(folder, address, &["status", "--json"]).stdout).parse().expect("JSON");
    assert_eq!(json["apis"]["circuit_breaker_state"], "forced_open");
    let changed = first.wait_for_message("breaker state changed");
    assert_eq!((&changed["to"], &changed["reason"]), (&json!("forced_open"), &json!("operator")));
    let health = first.wait_for("that health says so", |entry| {
        entry["message"] == "health changed"
            && entry["reason"].as_str().is_some_and(|why| why.contains("operator"))
    });
    assert_eq!((&health["status"], &health["ready"]), (&json!("degraded"), &json!(true)));
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let health = send(address, "GET", "/health/detailed", &bearer, "").body;
    assert!(
        health.contains("held open by an operator; `ttm breaker dexscreener reset` ends that"),
        "{health}"
    );
    // The work plans anew a moment later: no time ends it.
    let planned = || {
        let health = send(address, "GET", "/health/detailed", &bearer, "").json();
        health["plan"]["hot"]["comes_within_seconds"].clone()
    };
    while !planned().is_null() {}
    let asked = market.requests();
    first.wait_for("that a run was withheld", |entry| entry["withheld"].as_u64() > Some(0));
    let scores = send(address, "GET", "/api/v1/tokens?limit=1", &bearer, "");
    assert!(scores.json()["tokens"][0]["score"].is_number(), "the last scores are served: {}", scores.body);
    assert_eq!(market.requests(), asked);
    first.signal(Signal::KILL);
    drop(first);

    fs::write(folder.join("my ttm.toml"), "").expect("written");
    let mut second = Program::start(guarded(folder, &market, STORE).args(["--config", "my ttm.toml"]));
    let restored = second.wait_for_message("restored breaker state");
    assert_eq!((&restored["breaker"], &restored["to"]), (&json!("dexscreener"), &json!("forced_open")));
    let address = second.address();
    second.wait_for("that a run was withheld", |entry| entry["withheld"].as_u64() > Some(0));
    assert_eq!(market.requests(), asked);
    let health = send(address, "GET", "/health/detailed", &bearer, "").body;
    let ends =
        format!("`ttm breaker dexscreener reset --config '{}/my ttm.toml'` ends that", folder.display());
    assert!(health.contains(&ends), "{health}");
    let json: Value =
        told(&ask(folder, address, &["breaker", "dexscreener", "--json"])).parse().expect("JSON");
    assert_eq!(json["state"], "forced_open");
    let reset = told(&ask(folder, address, &["breaker", "dexscreener", "reset"]));
    assert!(reset.starts_with("dexscreener closed ") && reset.contains("next: ttm status"), "{reset}");
    second.wait_for("a run that scored", scored);
    assert!(market.requests() > asked);
}

#[test]
fn a_part_that_is_restarted_by_hand_goes_on_as_its_next_incarnation_and_the_order_is_kept() {
    let (market, folder) = (market(20), folder());
    let folder = folder.path();
    let mut first = Program::start(&mut guarded(folder, &market, STORE));
    let address = first.address();
    first.wait_for("a run that scored", scored);
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    let parts = || send(address, "GET", "/api/v1/parts", &bearer, "").json()["parts"].clone();
    let incarnation = |name: &str| {
        let parts = parts();
        let part = parts.as_array().expect("a list").iter().find(|part| part["name"] == name);
        part.expect("there is one")["incarnation"].as_u64().expect("a number")
    };
    let before = ["hot-group", "token-writer"].map(incarnation);

    let ordered = told(&ask(folder, address, &["restart", "hot-group"]));
    let id = ordered
        .strip_prefix("the part hot-group is being restarted: recovery ")
        .and_then(|rest| rest.lines().next());
    let id = id.unwrap_or_else(|| panic!("{ordered}"));
    let next = format!("next: ttm recovery show {id} --url http://{address} --token-file token\n");
    assert!(ordered.ends_with(&next), "{ordered}");
    first.wait_for("a run that scored afterwards", scored);
    let answer = post(address, "/api/v1/parts/token-writer/restart", &bearer);
    assert_eq!(answer.status, 202, "{answer:?}");
    let second = answer.json()["recovery"].as_str().expect("an id").to_owned();
    let recovered = |id: &str| loop {
        let recovery = send(address, "GET", &format!("/api/v1/recoveries/{id}"), &bearer, "").json();
        if !recovery["outcome"].is_null() {
            assert_eq!(
                (&recovery["outcome"], &recovery["by"]),
                (&json!("recovered"), &json!("operator")),
                "{recovery}"
            );
            assert_eq!(recovery["steps"][0]["step"], "graceful", "{recovery}");
            break;
        }
    };
    recovered(id);
    recovered(&second);
    assert_eq!(["hot-group", "token-writer"].map(incarnation), before.map(|number| number + 1));
    assert_eq!(post(address, "/api/v1/scheduler/cold/restart", &bearer).status, 202);
    first.signal(Signal::TERM);
    assert_eq!(first.end().code, Some(0));

    let stored =
        ttm(folder).args(["recovery"]).env("TTM_API__LISTEN", "127.0.0.1:1").output().expect("it starts");
    let stored = told(&stored);
    assert!(stored.contains(id) && stored.contains(&second), "{stored}");
}

fn scored(entry: &Value) -> bool {
    entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
}

#[test]
fn an_order_that_cannot_be_carried_out_is_one_clear_line() {
    let (market, folder) = (market(5), folder());
    let folder = folder.path();
    let mut program = Program::start(&mut guarded(folder, &market, STORE));
    let address = program.address();
    let url = format!("http://{address}");
    assert_eq!(
        complaint(&ask(folder, address, &["breaker", "dexscrener", "reset"])),
        format!(
            "{url}: unknown breaker \"dexscrener\"; did you mean \"dexscreener\"?; the breakers are dexscreener"
        )
    );
    assert_eq!(
        complaint(&ask(folder, address, &["breaker", "a/b"])),
        format!("{url}: unknown breaker \"a/b\"; the breakers are dexscreener")
    );
    assert_eq!(
        complaint(&ask(folder, address, &["breaker", "dexscrener"])),
        format!(
            "{url}: unknown breaker \"dexscrener\"; did you mean \"dexscreener\"?; the breakers are dexscreener"
        )
    );
    let before = ["--url", &url, "--token-file", "token", "breaker", "--json"];
    let all: Value = told(&ttm(folder).args(before).output().expect("it starts")).parse().expect("JSON");
    assert_eq!(all["breakers"][0]["name"], "dexscreener");
    for (words, expected) in [
        (
            &["recovery", "show", "x", "--url", &url][..],
            "error: \"x\" is no id of a recovery; one looks like 12-3\n",
        ),
        (
            &["--token-file", "token", "run"],
            "error: --token-file is for status, recovery, restart, breaker, and alerts but for test and explain\n",
        ),
    ] {
        let done = ttm(folder).args(words).output().expect("it starts");
        assert_eq!((done.status.code(), text(&done.stderr).as_str()), (Some(2), expected), "{words:?}");
    }
    let unknown = complaint(&ask(folder, address, &["restart", "monitors"]));
    let expected = format!("{url}: unknown part \"monitors\"; did you mean \"monitor\"?; the parts are ");
    assert!(unknown.starts_with(&expected), "{unknown}");
    let without =
        ttm(folder).args(["breaker", "dexscreener", "reset", "--url", &url]).output().expect("it starts");
    assert!(complaint(&without).ends_with("the token is required, as --token-file FILE or --config FILE"));
    for words in [&["breaker", "dexscreener", "close"][..], &["restart"], &["recovery", "show"]] {
        let done = ttm(folder).args(words).output().expect("it starts");
        assert_eq!(done.status.code(), Some(2), "{words:?}");
    }
    assert_eq!(
        told(&ask(folder, address, &["recovery", "--json"])).parse::<Value>().expect("JSON")["recoveries"],
        json!([])
    );
    let none = "no recoveries: nothing was restarted, and no restart was withheld\n";
    assert!(told(&ask(folder, address, &["recovery"])).starts_with(none));
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
    for words in [&["breaker"][..], &["restart", "monitor"], &["recovery"]] {
        let silent = complaint(&ask(folder, address, words));
        assert_eq!(silent, format!("{url}: connection refused; is the service running?"), "{words:?}");
    }
}
