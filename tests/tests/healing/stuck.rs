//! Groups that stall, threads that spin, memory that leaks, and a restart by hand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use ttm_e2e::{Answer, Database, Faults, Program, get, market, post, ttm};

use super::{STORE, TOKENS, folder, id, recovery, said, scores, scores_again, seconds, service, steps};

#[expect(clippy::disallowed_methods, reason = "the test measures how long an answer takes")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_stalled_group_is_restarted_within_its_bound_and_no_token_is_lost_or_scored_twice() {
    let (market, folder, database) = (market(TOKENS), folder(), Database::create());
    let faults = Faults::in_folder(folder.path());
    let mut program = Program::start(&mut service(folder.path(), &market, &database.url()));
    let address = program.address();
    scores_again(&mut program);
    let before = scores(address);
    faults.make(&["hot-group: stall"]);
    let began = program.wait_for("that the group is stuck", said("recovering", "hot-group"));
    faults.end();
    let silent: f64 = began["cause"]
        .as_str()
        .and_then(|cause| cause.strip_prefix("it has not got on for ")?.strip_suffix(" s")?.parse().ok())
        .unwrap_or_else(|| panic!("{began}"));
    // A minute is the least patience; the bound is two, and one look.
    assert!((60.0..=121.0).contains(&silent), "{began}");
    let over = program.wait_for("that it gets on", said("recovery over", "hot-group"));
    assert_eq!((&over["outcome"], id(&over)), (&json!("recovered"), id(&began)));
    assert!(seconds(&over["took_s"]) <= 30.0, "{over}");
    scores_again(&mut program);
    let recovery = recovery(address, &id(&over));
    assert_eq!(steps(&recovery), ["graceful", "emergency"], "{recovery}");
    let evidence = recovery["evidence"].as_str().expect("it was stuck");
    assert!(evidence.contains("request: hot, "), "{evidence}");
    assert!(scores(address) >= before);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let twice = database.ask(
        "SELECT count(*) FROM (SELECT ts - lag(ts) OVER (PARTITION BY series_id ORDER BY ts) AS gap \
         FROM sample JOIN series USING (series_id) WHERE key LIKE 'token.score%') AS gaps WHERE gap < '0.1 s'",
    );
    assert_eq!(twice, "0", "no token is scored twice for one instant");
    let stored = database.ask("SELECT kind || ' ' || coalesce(step, outcome, '') FROM recovery WHERE subject = 'hot-group' ORDER BY number");
    assert_eq!(
        stored.lines().collect::<Vec<_>>(),
        ["began ", "step graceful", "step emergency", "ended recovered"]
    );
}

#[test]
fn requests_that_panic_are_told_with_what_they_said_and_nobody_blames_the_api() {
    let (market, folder) = (market(TOKENS), folder());
    let faults = Faults::in_folder(folder.path());
    let mut program = Program::start(&mut service(folder.path(), &market, STORE));
    let address = program.address();
    scores_again(&mut program);
    faults.make(&["hot-group: panic 3"]);
    let told = program.wait_for("that they panic", |entry| {
        entry["message"].as_str().is_some_and(|said| said.starts_with("requests panic"))
    });
    assert_eq!(told["group"], "hot", "{told}");
    // Reports are as far apart as runs.
    for _ in 0..3 {
        scores_again(&mut program);
    }
    let health = get(address, "/health/detailed").json();
    let reasons = health["reasons"].to_string();
    assert!(
        reasons.contains("requests of the hot group panicked: ") && reasons.contains("a test ordered it"),
        "{reasons}"
    );
    let apis = &health["apis"];
    assert_eq!(
        (&apis["dexscreener_status"], &apis["last_error"]),
        (&json!("healthy"), &json!(null)),
        "{health}"
    );
    let metrics = get(address, "/metrics").body;
    assert!(metrics.contains("ttm_request_panics_total{group=\"hot\"} 3"), "{metrics}");
    scores(address);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn groups_that_wait_for_the_lease_say_so_until_the_process_ends_for_its_keeper() {
    let (market, folder, database) = (market(TOKENS), folder(), Database::create());
    let faults = Faults::in_folder(folder.path());
    let mut program = Program::start(&mut service(folder.path(), &market, &database.url()));
    let address = program.address();
    scores_again(&mut program);
    faults.make(&["lease-keeper: stall"]);
    program.wait_for("that its keeper is stuck", said("recovering", "lease-keeper"));
    let blocked = |group| format!("the {group} group has been blocked for ");
    let said = loop {
        let reasons = get(address, "/health/detailed").json()["reasons"].to_string();
        if reasons.contains("could not renew its lease on the store") {
            break reasons;
        }
    };
    assert!(said.contains(&blocked("hot")) && said.contains(&blocked("cold")), "{said}");
    assert_eq!(get(address, "/health/live").status, 200);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(70), "{}", outcome.stderr);
}

#[test]
fn a_stop_that_finds_the_lease_lapsed_replaces_its_keeper_and_stores_everything() {
    let (market, folder, database) = (market(TOKENS), folder(), Database::create());
    let faults = Faults::in_folder(folder.path());
    let mut program = Program::start(&mut service(folder.path(), &market, &database.url()));
    let address = program.address();
    scores_again(&mut program);
    faults.make(&["lease-keeper: stall 2"]);
    program.wait_for("that its keeper is stuck", said("recovering", "lease-keeper"));
    while !get(address, "/health/detailed").body.contains("could not renew its lease on the store") {}
    program.signal(Signal::TERM);
    let stopped = program.wait_for_message("stopped");
    assert_eq!(stopped["in_time"], true, "{stopped}");
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

/// Asks whether the process is alive, again and again, until something is logged. Each answer comes within a second.
fn lives_until(
    program: &mut Program,
    address: SocketAddr,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let asks = scope.spawn(move || {
            let (mut slowest, mut answers) = (Duration::ZERO, 0);
            while is_over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let begun = now();
                let Answer { status, body, .. } = get(address, "/health/live");
                assert_eq!(status, 200, "{body}");
                (slowest, answers) = (slowest.max(begun.elapsed()), answers + 1);
            }
            (slowest, answers)
        });
        let entry = program.wait_for(what, wanted);
        drop(over);
        let (slowest, answers) = asks.join().expect("every answer is good");
        assert!(
            slowest < Duration::from_secs(1) && answers > 0,
            "{answers} answers, the slowest took {slowest:?}"
        );
        entry
    })
}

#[test]
fn threads_that_spin_are_left_behind_and_named_and_the_process_stays_live() {
    let (market, folder) = (market(TOKENS), folder());
    let faults = Faults::in_folder(folder.path());
    let mut program = Program::start(&mut service(folder.path(), &market, STORE));
    let address = program.address();
    scores_again(&mut program);
    faults.make(&["hot-group: spin 2"]);
    let over =
        lives_until(&mut program, address, "that the plane is new", said("recovery over", "work-plane"));
    assert_eq!(over["outcome"], "recovered", "{over}");
    assert!(seconds(&over["took_s"]) <= 5.0, "{over}");
    scores_again(&mut program);
    let url = format!("http://{address}");
    let shown = ttm(folder.path()).args(["recovery", "show", &id(&over), "--url", &url]).output();
    let shown = String::from_utf8(shown.expect("it starts").stdout).expect("text");
    assert!(shown.contains("rebuild_plane") || shown.contains("rebuild plane"), "{shown}");
    let work: Vec<&str> = shown.lines().filter(|line| line.contains(" work: ")).collect();
    let used = |line: &&str| {
        line.split_once(": R, ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok())
    };
    assert!(work.len() == 2 && work.iter().all(|line| used(line).is_some()), "both run: {shown}");
    // They share the processor with whatever else runs.
    assert!(work.iter().filter_map(used).sum::<u64>() > 0, "{shown}");
    assert!(shown.contains("it has not got on for 10 s"), "{shown}");
    // The threads go on, and what they were asked for comes to nothing.
    faults.end();
    scores_again(&mut program);
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_leak_ends_the_process_in_order() {
    let (market, folder) = (market(TOKENS), folder());
    let faults = Faults::in_folder(folder.path());
    faults.make(&["all: patience 3", "all: memory 400"]);
    let mut program = Program::start(
        service(folder.path(), &market, STORE).env("TTM_MONITORING__RESOURCE_CHECK_INTERVAL", "1s"),
    );
    scores_again(&mut program);
    faults.make(&["all: memory 400", "pulse: leak 30"]);
    let began = program.wait_for("that memory is short", said("recovering", "process"));
    assert!(began["cause"].as_str().is_some_and(|cause| cause.contains(" MiB of memory, ")), "{began}");
    let stopped = program.wait_for_message("stopped");
    assert_eq!((&stopped["in_time"], &stopped["tokens_left"]), (&json!(true), &json!(0)), "{stopped}");
    let outcome = program.end();
    assert_eq!(outcome.code, Some(70), "{}", outcome.stderr);
}

#[test]
fn an_operator_restarts_a_group_over_http_and_by_command() {
    let (market, folder) = (market(TOKENS), folder());
    let token = folder.path().join("token");
    std::fs::write(&token, "correct-horse-battery-staple").expect("written");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    let mut program =
        Program::start(service(folder.path(), &market, STORE).env("TTM_API__TOKEN_FILE", "token"));
    let address = program.address();
    scores_again(&mut program);
    let bearer = "authorization: Bearer correct-horse-battery-staple\r\n";
    let Answer { status, head, body } = post(address, "/api/v1/scheduler/hot/restart", bearer);
    assert_eq!(status, 202, "{body}");
    let first = program.wait_for("that it gets on", said("recovery over", "hot-group"));
    let follow = format!("location: /api/v1/recoveries/{}", id(&first));
    assert!(head.to_lowercase().contains(&follow), "{head}");

    let url = format!("http://{address}");
    let ask = |words: &[&str]| {
        let done = ttm(folder.path()).args(words).args(["--url", &url, "--token-file", "token"]).output();
        let done = done.expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    };
    assert!(ask(&["restart", "cold-group"]).contains("cold-group"));
    let second = program.wait_for("that it gets on", said("recovery over", "cold-group"));
    scores_again(&mut program);
    let listed: Value = ask(&["recovery", "--json"]).parse().expect("JSON");
    for (at, over) in [(0, second), (1, first)] {
        let one = &listed["recoveries"][at];
        assert_eq!(
            (&one["id"], &one["by"], &one["outcome"]),
            (&json!(id(&over)), &json!("operator"), &json!("recovered"))
        );
        assert_eq!(steps(one), ["graceful"], "{one}");
    }
    program.signal(Signal::TERM);
    assert_eq!(program.end().code, Some(0));
}
