//! What operators order of alerts: who may, and what becomes of it.

mod surface;

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use surface::alerts::{alert, at, cpu, desk};
use surface::orders::{ack, order, orders, over, post, send, tell_again, window};
use surface::{LOOPBACK, PUBLIC, Surface, TOKEN};
use ttm_alert::testing::{MockAlertControl, labels};
use ttm_alert::{
    ChannelId, EpisodeId, Identity, Matcher, OrderRefused, Ordered, Phase, Quiet, QuietId, When,
};
use ttm_kernel::{Clock as _, Severity};

#[test]
fn no_order_is_taken_without_the_configured_token() {
    for (listen, token, given, status) in [
        (LOOPBACK, None, None, 403),
        (LOOPBACK, None, Some("Bearer anything"), 403),
        (LOOPBACK, Some(TOKEN), None, 401),
        (LOOPBACK, Some(TOKEN), Some("Bearer wrong"), 401),
        (PUBLIC, Some(TOKEN), None, 401),
    ] {
        // The desk expects no order.
        let surface = Surface::new(Vec::new()).with_alerts(desk(vec![cpu()])).on(listen, token);
        for (method, path, body) in orders() {
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(given.map(|given| ("authorization", given)));
            send(&surface, &method, &path, &headers, body.to_string().into()).problem(status);
        }
    }
    let surface = Surface::new(Vec::new()).with_alerts(desk(vec![cpu()]));
    for path in ["/api/v1/alerts", "/api/v1/silences", "/api/v1/maintenance"] {
        assert_eq!(surface.get(path).status, 200, "reads stay open");
    }
}

#[test]
fn an_order_of_another_kind_is_no_order() {
    let surface = over(desk(vec![cpu()]));
    for (_, path, _) in orders() {
        for method in [Method::PUT, Method::PATCH] {
            order(&surface, &method, &path, &Value::Null).problem(405);
        }
    }
    for path in ["/api/v1/alerts", "/api/v1/alerts/rules", "/api/v1/alerts/channels"] {
        post(&surface, path, &json!({})).problem(405);
    }
}

#[test]
fn before_the_service_has_started_orders_are_to_be_repeated() {
    let surface = over(desk(vec![cpu()])).starting();
    for (method, path, body) in orders() {
        let answer = order(&surface, &method, &path, &body);
        assert!(answer.problem(503).starts_with("the service is starting"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[test]
fn an_acknowledgement_reaches_the_desk_and_returns_the_alert() {
    for stored in [true, false] {
        let mut desk = desk(vec![cpu()]);
        let is_meant = |id: &Identity, episode: &Option<EpisodeId>, by: &str| {
            *id == cpu().id && episode.is_none() && by == "anna"
        };
        let done = move |_: Identity, _: Option<EpisodeId>, _: &str| Ok(Ordered { done: cpu(), stored });
        desk.expect_acknowledge().withf(is_meant).times(1).returning(done);
        let answer = post(&over(desk), &ack(), &json!({"by": " anna "}));
        assert_eq!(answer.status, if stored { 200 } else { 202 }, "{}", answer.body);
        let shown = answer.json();
        assert_eq!((&shown["stored"], &shown["acknowledged"]["by"]), (&json!(stored), &json!("anna")));
        assert_eq!((&shown["id"], &shown["unit"]), (&json!(cpu().id.to_string()), &json!("percent")));
    }
}

#[test]
fn an_order_that_cannot_be_carried_out_says_why() {
    let key = cpu().record.key;
    let mut desk = desk(vec![cpu()]);
    let not_firing = move |_: Identity, _: Option<EpisodeId>, _: &str| {
        Err(OrderRefused::Impossible(format!("the alert {key} does not fire")))
    };
    desk.expect_acknowledge().returning(not_firing);
    desk.expect_tell_again().returning(|_, _| Err(OrderRefused::Unknown { what: "alert".to_owned() }));
    desk.expect_silence().returning(|_| Err(OrderRefused::NotNow("the service is stopping".to_owned())));
    desk.expect_end_silence().returning(|_| Err(OrderRefused::Unknown { what: "silence 3".to_owned() }));
    let surface = over(desk);
    let refused = |place: usize, status| {
        let (method, path, body) = orders().remove(place);
        order(&surface, &method, &path, &body).problem(status)
    };
    assert_eq!(refused(0, 409), "the alert cpu does not fire");
    assert!(refused(1, 404).starts_with(&format!("nothing is kept of an alert with the id {}", cpu().id)));
    assert_eq!(refused(2, 503), "alerts cannot be changed or read now: the service is stopping");
    assert_eq!(refused(4, 404), "there is no silence 3");
    post(&surface, "/api/v1/alerts/cpu/ack", &json!({"by": "anna"})).problem(400);
}

#[test]
fn a_channel_is_told_again_if_there_is_one_with_the_name() {
    let mut desk = desk(vec![cpu()]);
    let is_meant =
        |id: &Identity, channel: &ChannelId| *id == cpu().id && *channel == ChannelId::new("phone");
    let done = |_: Identity, _: &ChannelId| Ok(Ordered { done: (), stored: true });
    desk.expect_tell_again().withf(is_meant).times(1).returning(done);
    let surface = over(desk);
    let told = post(&surface, &tell_again(), &json!({"channel": "phone"}));
    assert_eq!(told.json(), json!({"id": cpu().id.to_string(), "channel": "phone", "stored": true}));
    assert_eq!(
        post(&surface, &tell_again(), &json!({"channel": "phones"})).problem(404),
        "unknown channel \"phones\"; did you mean \"phone\"?; the channels are ops, phone"
    );
}

/// A desk that takes silences and windows, and answers each with the number 7.
fn taking(expected: impl Fn(&Quiet) + Send + 'static, stored: bool) -> MockAlertControl {
    let mut desk = desk(Vec::new());
    desk.expect_silence().times(1).returning(move |quiet| {
        expected(&quiet);
        Ok(Ordered { done: QuietId(7), stored })
    });
    desk
}

#[test]
fn a_silence_begins_now_and_ends_at_a_time_or_after_one() {
    let now = ttm_testkit::ManualRuntime::new(1).wall();
    let until: Timestamp = now + jiff::SignedDuration::from_hours(2);
    for end in [json!({"for": "2h"}), json!({"until": until.to_string()})] {
        let expected = move |quiet: &Quiet| {
            let matcher = Matcher {
                rule: Some("data_stale".to_owned()),
                severity: Some(Severity::Warning),
                labels: Some(labels("api=dexscreener,lane=cold")),
            };
            let when = When::Once { from: now, until: Some(until) };
            let whole = Quiet::try_new(matcher, when, "anna", "new disks").expect("valid");
            assert_eq!(*quiet, whole);
        };
        let mut body = json!({
            "match": {"rule": "data_stale", "severity": "warning", "labels": {"lane": "cold", "api": "dexscreener"}},
            "author": "anna", "reason": "new disks",
        });
        body.as_object_mut().expect("an object").extend(end.as_object().expect("an object").clone());
        let answer = post(&over(taking(expected, true)), "/api/v1/silences", &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            answer.json(),
            json!({
                "id": 7, "match": {"rule": "data_stale", "severity": "WARNING", "labels": {"api": "dexscreener", "lane": "cold"}},
                "from": now.to_string(), "until": until.to_string(), "author": "anna", "reason": "new disks",
                "active": true, "stored": true,
            })
        );
    }
}

#[test]
fn what_no_silence_may_be_is_refused_in_one_sentence() {
    let surface = over(desk(Vec::new()));
    let right = json!({"match": {"all": true}, "for": "2h", "author": "anna", "reason": "new disks"});
    let with = |key: &str, value: Value| {
        let mut body = right.clone();
        body[key] = value;
        post(&surface, "/api/v1/silences", &body).problem(400)
    };
    for (key, value, expected) in [
        ("for", Value::Null, "the silence is refused: it has no end: give it one"),
        ("for", json!("0s"), "the silence is refused: it ends before it begins"),
        ("for", json!("two hours"), "for is \"two hours\", expected a duration such as 30s"),
        ("for", json!("9000h"), "the silence is refused: it lasts longer than 366 days"),
        ("until", json!("2030-01-01T00:00:00Z"), "until and for are both given, expected one"),
        ("author", json!(""), "the silence is refused: it needs an author"),
        ("reason", json!(" "), "the silence is refused: it needs a reason"),
        ("reason", json!("a\nb"), "the silence is refused: a reason has control or invisible characters"),
        (
            "match",
            json!({"rule": "dsik"}),
            "match.rule: unknown rule \"dsik\"; did you mean \"disk\"?; /api/v1/alerts/rules",
        ),
        (
            "match",
            json!({"severity": "bad"}),
            "match.severity is \"bad\", expected INFO, WARNING, ERROR, CRITICAL",
        ),
        (
            "match",
            json!({"rule": "disk", "labels": {"lane": "hot"}}),
            "match.labels: alerts of disk have no label \"lane\"; they have none",
        ),
        ("match", json!({"labels": {"A": "b"}}), "match.labels: the label \"A\", expected"),
        ("match", json!({"rules": "disk"}), "the body is not as expected: unknown field `rules`"),
        ("match", json!("disk"), "the body is not as expected: invalid type"),
        ("ends", json!(1), "the body is not as expected: unknown field `ends`"),
    ] {
        let refused = with(key, value);
        assert!(refused.starts_with(expected), "{refused}");
    }
    let until = |text: &str| {
        let body = json!({"match": {"all": true}, "until": text, "author": "anna", "reason": "x"});
        post(&surface, "/api/v1/silences", &body).problem(400)
    };
    assert_eq!(until("tomorrow"), "until is \"tomorrow\", expected a time such as 2026-01-31T12:00:00Z");
    assert!(until("1960-01-01T00:00:00Z").ends_with("it ends before it begins"));
    let twice = r#"{"match":{"labels":{"a":"1","a":"2"}},"for":"1h","author":"a","reason":"b"}"#;
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    let refused = send(&surface, &Method::POST, "/api/v1/silences", &headers, twice.into()).problem(400);
    assert_eq!(refused, "match.labels: the label a twice");
    let nothing = json!({"for": "2h", "author": "anna", "reason": "x"});
    assert!(post(&surface, "/api/v1/silences", &nothing).problem(400).contains("missing field `match`"));
}

#[test]
fn a_maintenance_window_is_taken_as_it_is_written() {
    let expected = |quiet: &Quiet| {
        assert_eq!((quiet.author(), quiet.reason()), ("bob", "backups"));
        // Monday the 30th, an hour after midnight in Berlin: it began on Sunday.
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert!(quiet.is_on(at("2026-11-30T00:00:00Z")) && !quiet.is_on(at("2026-11-30T00:30:00Z")));
        assert!(!quiet.is_on(at("2026-12-01T21:30:00Z")), "a Tuesday");
    };
    let answer = post(&over(taking(expected, false)), "/api/v1/maintenance", &window());
    assert_eq!(answer.status, 202, "{}", answer.body);
    let mut shown = window();
    shown["match"] = json!({"rule": "disk", "severity": null, "labels": {}});
    for (key, value) in [("id", json!(7)), ("active", json!(false)), ("stored", json!(false))] {
        shown[key] = value;
    }
    assert_eq!(answer.json(), shown);
}

#[test]
fn what_no_window_may_be_is_refused_in_one_sentence() {
    let surface = over(desk(Vec::new()));
    for (key, value, expected) in [
        ("zone", json!("Berlni"), "the maintenance window is refused: there is no time zone \"Berlni\""),
        ("days", json!([]), "the maintenance window is refused: it is on no day from its first to its last"),
        ("days", json!(["monday"]), "days is \"monday\", expected mon, tue, wed, thu, fri, sat or sun"),
        ("from", json!("22"), "from is \"22\", expected a time such as 22:00"),
        ("to", json!("25:00"), "to is \"25:00\", expected a time such as 22:00"),
        ("to", json!("22:00:30"), "to is \"22:00:30\", expected a time such as 22:00"),
        ("first", json!("29.11.2026"), "first is \"29.11.2026\", expected a day such as 2026-01-31"),
        ("last", json!("2026-11-28"), "the maintenance window is refused: it ends before it begins"),
        ("last", Value::Null, "the maintenance window is refused: it has no end"),
        ("last", json!("2028-11-29"), "the maintenance window is refused: it lasts longer than 366 days"),
        ("author", json!(""), "the maintenance window is refused: it needs an author"),
        ("until", json!("1h"), "the body is not as expected: unknown field `until`"),
    ] {
        let mut body = window();
        body[key] = value;
        let refused = post(&surface, "/api/v1/maintenance", &body).problem(400);
        assert!(refused.starts_with(expected), "{refused}");
    }
    let mut past = window();
    (past["first"], past["last"]) = (json!("1969-01-01"), json!("1969-03-01"));
    let refused = post(&surface, "/api/v1/maintenance", &past).problem(400);
    assert_eq!(refused, "the maintenance window is refused: it is over already");
}

#[test]
fn what_is_ended_is_what_the_path_says() {
    let mut desk = desk(Vec::new());
    desk.expect_end_silence().returning(|_| Ok(Ordered { done: (), stored: true }));
    let surface = over(desk);
    let end = |path: &str| order(&surface, &Method::DELETE, path, &Value::Null);
    for (path, id) in [("/api/v1/silences/3", 3), ("/api/v1/maintenance/4", 4)] {
        assert_eq!(end(path).json(), json!({"id": id, "stored": true}));
    }
    for (path, expected) in [
        ("/api/v1/silences/4", "4 is a maintenance window; DELETE /api/v1/maintenance/4 ends it"),
        ("/api/v1/maintenance/3", "3 is a silence; DELETE /api/v1/silences/3 ends it"),
        (
            "/api/v1/silences/5",
            "there is no silence 5, or it is over; /api/v1/silences lists those that there are",
        ),
    ] {
        assert_eq!(end(path).problem(404), expected);
    }
    for path in ["/api/v1/silences/x", "/api/v1/silences/-3", "/api/v1/maintenance/%FF"] {
        end(path).problem(400);
    }
}

#[test]
fn an_alert_that_is_over_is_shown_by_the_answer_to_an_order_as_it_is() {
    let ended = alert("cpu", "", Phase::Inactive, Severity::Warning);
    let mut desk = desk(vec![ended.clone()]);
    desk.expect_acknowledge().returning(move |_, _, _| Ok(Ordered { done: ended.clone(), stored: true }));
    let shown = post(&over(desk), &ack(), &json!({"by": "anna"})).json();
    assert_eq!((&shown["state"], &shown["ended_at"]), (&json!("resolved"), &json!(at(120).to_string())));
}
