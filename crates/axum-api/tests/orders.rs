//! What operators see and order: breakers, recoveries and parts, and who may give an order.

mod surface;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use jiff::Timestamp;
use serde_json::{Value, json};
use surface::{Answer, LOOPBACK, PUBLIC, Surface, TOKEN};
use ttm_breaker::{BreakerControl as _, BreakerView, Counts, Order, State, TransitionReason, WindowCounts};
use ttm_kernel::{Clock as _, Epoch, FailureClass};
use ttm_recovery::testing::MockRecoveryControl;
use ttm_recovery::{
    Budget, Budgets, By, EntryKey, Lately, Outcome, PartView, Recovery, RestartRefused, Step, Taken,
};
use ttm_testkit::ManualRuntime;

const ORDERS: [&str; 5] = [
    "/api/v1/breakers/dexscreener/force-open",
    "/api/v1/breakers/dexscreener/disable",
    "/api/v1/breakers/dexscreener/reset",
    "/api/v1/parts/hot-group/restart",
    "/api/v1/scheduler/hot/restart",
];

/// A loopback listener with a token.
fn surface() -> Surface {
    Surface::new(Vec::new()).on(LOOPBACK, Some(TOKEN))
}

fn with_token(surface: &Surface, method: Method, path: &str) -> Answer {
    surface.ask(method, path, &[("authorization", &format!("Bearer {TOKEN}"))])
}

fn post(surface: &Surface, path: &str) -> Answer {
    with_token(surface, Method::POST, path)
}

fn get(surface: &Surface, path: &str) -> Value {
    let answer = with_token(surface, Method::GET, path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn key(number: u64) -> EntryKey {
    EntryKey { epoch: Epoch::new(12), number }
}

fn recovery() -> Recovery {
    Recovery {
        id: key(3),
        subject: "hot-group".to_owned(),
        began: at(60),
        cause: "no progress for 2m".to_owned(),
        class: Some(FailureClass::System),
        by: By::Service,
        withheld_for: None,
        steps: vec![Taken { step: Step::Graceful, at: at(61), charged: true }],
        ended: Some((Outcome::Recovered, Duration::from_millis(4_500))),
        evidence: Some("thread work-1 R".to_owned()),
    }
}

fn withheld() -> Recovery {
    Recovery {
        id: key(7),
        class: None,
        withheld_for: Some("dexscreener".to_owned()),
        steps: Vec::new(),
        ended: None,
        evidence: None,
        ..recovery()
    }
}

fn parts() -> Vec<PartView> {
    let part = |name: &str| PartView {
        name: name.to_owned(),
        critical: true,
        state: ttm_recovery::State::Running,
        given_up: false,
        incarnation: 2,
        since_progress: Some(Duration::from_millis(1_500)),
        problem: None,
    };
    vec![part("hot-group"), part("cold-group"), PartView { since_progress: None, ..part("monitor") }]
}

fn budgets() -> Budgets {
    let whole = |most| Budget { left: most, most, window: Duration::from_mins(5), more_at: None };
    let spent = Budget { left: 2, more_at: Some(at(300)), ..whole(3) };
    Budgets {
        parts: vec![("hot-group".to_owned(), spent)],
        work_plane: whole(3),
        process: spent,
        restarts: whole(10),
        rebuilds: whole(2),
        ends: whole(3),
        unordered_ends: 1,
    }
}

/// Self-healing that answers every order so.
fn restarting(answer: impl Fn(&str) -> Result<EntryKey, RestartRefused> + Send + Sync + 'static) -> Surface {
    let mut recovery = MockRecoveryControl::new();
    recovery.expect_parts().returning(parts);
    // An hour before the surface's time.
    let an_hour_ago = |since: &Timestamp| *since + Duration::from_hours(1) == ManualRuntime::new(1).wall();
    let lately = Lately { restarted: 2, withheld: 1, escalated: 0 };
    recovery.expect_lately().withf(an_hour_ago).returning(move |_| lately);
    recovery.expect_budgets().returning(|| Some(budgets()));
    recovery.expect_restart().returning(move |part| answer(part));
    surface().with_recovery(recovery)
}

#[test]
fn without_a_configured_token_every_order_is_refused_and_says_how_to_configure_one() {
    for listen in [LOOPBACK, "[::1]:80"] {
        // Self-healing is a mock that expects nothing.
        let surface = Surface::new(Vec::new()).on(listen, None);
        for path in ORDERS {
            for headers in [&[][..], &[("authorization", "Bearer anything")]] {
                let sentence = surface.ask(Method::POST, path, headers).problem(403);
                assert!(sentence.contains("api.token_file or TTM_API__TOKEN_FILE"), "{sentence}");
            }
        }
        assert!(surface.breakers.orders().is_empty());
        assert_eq!(surface.get("/api/v1/breakers").status, 200, "reads stay open");
    }
}

#[test]
fn without_the_token_every_order_is_refused() {
    for listen in [LOOPBACK, PUBLIC] {
        let surface = Surface::new(Vec::new()).on(listen, Some(TOKEN));
        for path in ORDERS {
            let prefix = &TOKEN[..TOKEN.len() - 1];
            for token in ["", "wrong", prefix, &format!("{TOKEN}x"), &TOKEN.to_uppercase()] {
                let answer =
                    surface.ask(Method::POST, path, &[("authorization", &format!("Bearer {token}"))]);
                answer.problem(401);
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            }
            surface.ask(Method::POST, path, &[]).problem(401);
        }
        assert!(surface.breakers.orders().is_empty());
    }
}

#[test]
fn a_web_page_in_a_browser_on_this_machine_can_give_no_order() {
    let page = [
        ("origin", "https://evil.example"),
        ("content-type", "text/plain"),
        ("sec-fetch-site", "cross-site"),
    ];
    for token in [None, Some(TOKEN)] {
        let surface = Surface::new(Vec::new()).on(LOOPBACK, token);
        for path in ORDERS {
            // Without a header of its own the browser asks nobody first ...
            let answer = surface.ask(Method::POST, path, &page);
            answer.problem(if token.is_some() { 401 } else { 403 });
            // ... and for one it asks whether it may: it may not.
            let asked = [
                page[0],
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization"),
            ];
            let answer = surface.ask(Method::OPTIONS, path, &asked);
            assert!(answer.status.is_client_error(), "{path}");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        }
        assert!(surface.breakers.orders().is_empty());
    }
}

#[test]
fn an_order_with_a_body_or_unknown_parameters_is_refused() {
    let surface = surface();
    for path in ORDERS {
        let request = |body: Body| {
            let token = format!("Bearer {TOKEN}");
            let request = Request::post(path).header("host", "localhost").header("authorization", token);
            request.body(body).expect("a request")
        };
        assert_eq!(surface.send(request("{}".into())).problem(400), "an order carries no body");
        surface.send(request("x".repeat(65 * 1024).into())).problem(413);
        let sentence = post(&surface, &format!("{path}?force=true")).problem(400);
        assert!(sentence.starts_with("unknown parameter \"force\""), "{sentence}");
    }
    assert!(surface.breakers.orders().is_empty());
}

#[test]
fn an_order_is_a_post() {
    let surface = surface();
    for path in ORDERS {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = with_token(&surface, method, path);
            answer.problem(405);
            assert_eq!(answer.header("allow"), Some("POST"), "{path}");
        }
    }
    for path in ["/api/v1/breakers", "/api/v1/recoveries", "/api/v1/recoveries/12-3", "/api/v1/parts"] {
        post(&surface, path).problem(405);
    }
    assert!(surface.breakers.orders().is_empty());
}

#[test]
fn before_the_service_has_started_operators_are_told_to_wait() {
    let surface = surface().starting();
    for path in ["/api/v1/breakers", "/api/v1/recoveries", "/api/v1/recoveries/12-3", "/api/v1/parts"] {
        let answer = with_token(&surface, Method::GET, path);
        assert!(answer.problem(503).starts_with("the service is starting"), "{path}");
    }
    for path in ORDERS {
        assert_eq!(post(&surface, path).header("retry-after"), Some("1"), "{path}");
    }
}

#[test]
fn a_breaker_is_shown_with_everything_that_is_known_of_it() {
    let surface = surface();
    surface.breakers.show(&BreakerView {
        name: "dexscreener".to_owned(),
        state: State::Open,
        since: at(60),
        reason: Some(TransitionReason::FailureRate),
        cause: Some("403, an HTML page".to_owned()),
        retry_at: Some(at(120)),
        counts: Counts { failures: 5, consecutive_failures: 5, ..Counts::default() },
        window: Some(WindowCounts { calls: 20, failures: 5, slow: 1 }),
        probes_in_flight: 2,
    });
    let counts = json!({
        "successes": 0, "failures": 5, "consecutive_failures": 5, "slow": 0, "ignored": 0, "rate_limited": 0,
    });
    let breakers = get(&surface, "/api/v1/breakers");
    assert_eq!(
        breakers["breakers"][0],
        json!({
            "name": "dexscreener", "state": "open", "since": "1970-01-01T00:01:00Z", "reason": "failure_rate",
            "cause": "403, an HTML page", "retry_at": "1970-01-01T00:02:00Z", "counts": counts,
            "window": {"calls": 20, "failures": 5, "slow": 1}, "probes_in_flight": 2,
        })
    );
    let other = &breakers["breakers"][1];
    assert_eq!(
        (&other["state"], &other["reason"], &other["window"]),
        (&json!("closed"), &Value::Null, &Value::Null)
    );
}

#[test]
fn each_order_reaches_the_breaker_that_the_path_names_and_returns_it() {
    let surface = surface();
    for (order, state) in [("force-open", "forced_open"), ("disable", "disabled"), ("reset", "closed")] {
        let answer = post(&surface, &format!("/api/v1/breakers/dexscreener%2Ftoken-pairs/{order}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let breaker = answer.json();
        assert_eq!(breaker["name"], "dexscreener/token-pairs");
        assert_eq!((&breaker["state"], &breaker["reason"]), (&json!(state), &json!("operator")));
        assert_eq!(breaker["stored"], true);
    }
    let name = || "dexscreener/token-pairs".to_owned();
    assert_eq!(
        surface.breakers.orders(),
        [(name(), Order::ForceOpen), (name(), Order::Disable), (name(), Order::Reset)]
    );
    assert_eq!(surface.breakers.breakers()[0].reason, None, "the other one is as it was");
}

#[test]
fn an_order_that_is_not_stored_yet_is_accepted_and_says_so() {
    let surface = surface();
    surface.breakers.stores(false);
    let answer = post(&surface, "/api/v1/breakers/dexscreener/force-open");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let breaker = answer.json();
    assert_eq!((&breaker["state"], &breaker["stored"]), (&json!("forced_open"), &json!(false)));
}

#[test]
fn an_order_while_the_service_stops_is_refused() {
    let surface = surface();
    surface.breakers.stop();
    let refused = post(&surface, "/api/v1/breakers/dexscreener/force-open").problem(409);
    assert_eq!(refused, "the service is stopping");
    assert!(surface.breakers.orders().is_empty());
}

#[test]
fn an_unknown_breaker_gets_a_suggestion_and_the_names_of_all() {
    let surface = surface();
    assert_eq!(
        post(&surface, "/api/v1/breakers/dexscrener/reset").problem(404),
        "unknown breaker \"dexscrener\"; did you mean \"dexscreener\"?; the breakers are dexscreener, dexscreener/token-pairs"
    );
    post(&surface, "/api/v1/breakers/%FF/reset").problem(400);
    post(&surface, "/api/v1/breakers/dexscreener/close").problem(404);
}

#[test]
fn recoveries_are_shown_with_cause_steps_outcome_and_evidence_the_newest_first() {
    let mut control = MockRecoveryControl::new();
    let all = || vec![withheld(), recovery()].into_iter();
    control.expect_recoveries().returning(move |limit| all().take(limit).collect());
    control.expect_problem().returning(|| Some("the ledger was lost".to_owned()));
    let surface = surface().with_recovery(control);
    let whole = json!({
        "id": "12-3", "subject": "hot-group", "cause": "no progress for 2m", "class": "system", "by": "service",
        "began_at": "1970-01-01T00:01:00Z",
        "steps": [{"step": "graceful", "at": "1970-01-01T00:01:01Z", "charged": true}],
        "withheld_for": null, "outcome": "recovered", "duration_seconds": 4.5, "evidence": "thread work-1 R",
    });
    let all = get(&surface, "/api/v1/recoveries");
    assert_eq!((&all["recoveries"][1], &all["problem"]), (&whole, &json!("the ledger was lost")));
    let newest = &all["recoveries"][0];
    assert_eq!((&newest["id"], &newest["withheld_for"]), (&json!("12-7"), &json!("dexscreener")));
    assert_eq!([&newest["class"], &newest["outcome"], &newest["duration_seconds"]], [&Value::Null; 3]);
    assert_eq!(get(&surface, "/api/v1/recoveries?limit=1")["recoveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(get(&surface, "/api/v1/recoveries/12-3"), whole);
    let unknown = with_token(&surface, Method::GET, "/api/v1/recoveries/12-4").problem(404);
    assert!(unknown.starts_with("unknown recovery \"12-4\"; "), "{unknown}");
    with_token(&surface, Method::GET, "/api/v1/recoveries/x").problem(400);
    for limit in ["0", "501", "many"] {
        let refused =
            with_token(&surface, Method::GET, &format!("/api/v1/recoveries?limit={limit}")).problem(400);
        assert!(refused.ends_with("expected a whole number from 1 to 500"), "{refused}");
    }
}

#[test]
fn parts_are_shown_in_the_order_of_their_table() {
    let surface = restarting(|_| Ok(key(9)));
    let parts = get(&surface, "/api/v1/parts");
    assert_eq!(
        parts["parts"][0],
        json!({
            "name": "hot-group", "critical": true, "state": "running", "given_up": false, "incarnation": 2,
            "seconds_since_progress": 1.5, "problem": null,
            "budget": {"left": 2, "most": 3, "window_seconds": 300, "more_at": "1970-01-01T00:05:00Z"},
        })
    );
    assert_eq!(parts["lately"], json!({"restarted": 2, "withheld": 1, "escalated": 0}));
    assert_eq!(parts["budgets"]["process"], parts["parts"][0]["budget"]);
    let others = ["work_plane", "restarts", "plane_rebuilds", "process_ends"];
    assert_eq!(others.map(|of| &parts["budgets"][of]["left"]), [3, 10, 2, 3]);
    let monitor = &parts["parts"][2];
    assert_eq!((&monitor["name"], &monitor["seconds_since_progress"]), (&json!("monitor"), &Value::Null));
}

#[test]
fn a_restart_is_accepted_with_the_recovery_that_it_began() {
    let surface = restarting(|part| if part == "cold-group" { Ok(key(9)) } else { Ok(key(8)) });
    for (path, part, id) in [
        ("/api/v1/parts/token-writer/restart", "token-writer", "12-8"),
        ("/api/v1/parts/cold-group/restart", "cold-group", "12-9"),
        ("/api/v1/scheduler/cold/restart", "cold-group", "12-9"),
        ("/api/v1/scheduler/hot/restart", "hot-group", "12-8"),
    ] {
        let answer = post(&surface, path);
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.json(), json!({"part": part, "recovery": id}));
        assert_eq!(answer.header("location"), Some(&*format!("/api/v1/recoveries/{id}")));
    }
}

#[test]
fn a_restart_that_is_refused_says_why() {
    let surface = restarting(|part| {
        let part = part.to_owned();
        Err(match part.as_str() {
            "hot-group" => RestartRefused::UnderWay(part),
            "monitor" => RestartRefused::NotRunning("stopping"),
            _ => RestartRefused::Unknown { part, known: "hot-group, cold-group, monitor".to_owned() },
        })
    });
    let refused = |path: &str, status| post(&surface, path).problem(status);
    assert_eq!(
        refused("/api/v1/scheduler/hot/restart", 409),
        "the part hot-group is being restarted already"
    );
    assert_eq!(refused("/api/v1/parts/monitor/restart", 409), "the service is stopping");
    assert_eq!(
        refused("/api/v1/parts/hotgrupe/restart", 404),
        "unknown part \"hotgrupe\"; did you mean \"hot-group\"?; the parts are hot-group, cold-group, monitor"
    );
    assert_eq!(
        refused("/api/v1/scheduler/warm/restart", 404),
        "unknown group \"warm\"; the groups are hot and cold"
    );
}
