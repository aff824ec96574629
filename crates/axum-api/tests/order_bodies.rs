//! The bodies of orders about alerts: strict, bounded, objects where objects are expected, and nothing that means all by being empty.

mod surface;

use axum::body::Body;
use axum::http::Method;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use surface::alerts::{cpu, desk};
use surface::orders::{ack, order, orders, over, post, send, window};
use surface::{Answer, TOKEN};
use ttm_alert::{Matcher, Ordered, QuietId};

/// Bodies that are right but for one value at any depth, which is of another kind.
fn of_another_kind(right: &Value) -> Vec<Value> {
    let Value::Object(members) = right else { return Vec::new() };
    // By its position in an array each value would be where it belongs.
    let in_order = Value::Array(members.values().cloned().collect());
    let mut wrong = vec![in_order, json!([]), json!("text"), json!(7), Value::Null];
    for (name, member) in members {
        // A part that is not given may be null.
        for value in of_another_kind(member).into_iter().filter(|value| !value.is_null()) {
            let mut other = right.clone();
            other[name] = value;
            wrong.push(other);
        }
    }
    wrong
}

#[test]
fn a_body_is_strict_bounded_json_and_what_is_wrong_is_one_line() {
    let surface = over(desk(vec![cpu()]));
    let token = format!("Bearer {TOKEN}");
    let sent = |path: &str, kind: &str, body: &str| {
        let headers = [("authorization", &*token), ("content-type", kind)];
        send(&surface, &Method::POST, path, &headers, body.to_owned().into())
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let refused = sent(&ack(), kind, r#"{"by":"anna"}"#).problem(415);
        assert!(refused.ends_with("send the header Content-Type: application/json"), "{refused}");
    }
    for (body, expected) in [
        ("", "EOF while parsing"),
        ("by=anna", "expected value at line 1"),
        ("{}", "missing field `by`"),
        (r#"{"by":"a","bye":1}"#, "unknown field `bye`, expected `by`"),
        (r#"{"by":"a","by":"b"}"#, "duplicate field `by`"),
        (r#"{"by":3}"#, "invalid type: integer `3`, expected a string"),
        (r#"{"by":"a"} x"#, "trailing characters"),
        (r#"{"by":""}"#, "by is \"\", expected who has seen it"),
        (r#"{"by":" "}"#, "expected who has seen it"),
        (r#"{"by":"a\nb"}"#, "expected who has seen it"),
    ] {
        let refused = sent(&ack(), "application/json; charset=utf-8", body).problem(400);
        assert!(refused.contains(expected) && refused.lines().count() == 1, "{refused}");
    }
    let odd = format!(r#"{{"{}\n\u001b[31m":1}}"#, "x".repeat(2_000));
    let refused = sent(&ack(), "application/json", &odd).problem(400);
    assert!(refused.len() < 400 && !refused.contains(char::is_control), "{refused}");
    let long = format!(r#"{{"by":"{}"}}"#, "a".repeat(513));
    sent(&ack(), "application/json", &long).problem(400);
    let large = format!(r#"{{"by":"{}"}}"#, "a".repeat(65 * 1024));
    sent(&ack(), "application/json", &large).problem(413);
    // One that does not say how long it is.
    let endless = Body::new(Full::from(large).map_frame(|frame| frame));
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    send(&surface, &Method::POST, &ack(), &headers, endless).problem(413);
    for (method, path, body) in orders() {
        let refused = order(&surface, &method, &format!("{path}?force=true"), &body).problem(400);
        assert!(refused.starts_with("unknown parameter \"force\""), "{refused}");
        if method == Method::DELETE {
            let refused = order(&surface, &method, &path, &json!({})).problem(400);
            assert_eq!(refused, "an order carries no body");
        }
    }
}

#[test]
fn an_object_is_an_object_in_every_body_at_every_depth() {
    // The desk expects no order.
    let surface = over(desk(vec![cpu()]));
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    let mut bodies: Vec<(String, Value)> = orders().into_iter().map(|(_, path, body)| (path, body)).collect();
    bodies.retain(|(_, body)| body.is_object());
    for (_, body) in bodies.iter_mut().filter(|(_, body)| body.get("match").is_some()) {
        body["match"] = json!({"rule": "data_stale", "severity": "ERROR", "labels": {"lane": "hot"}});
    }
    // The fields of a match in the order in which the program has them.
    let by_position = json!({"match": [null, null, {}], "for": "5s", "author": "x", "reason": "y"});
    let more = [by_position, json!([[null, null, {}], null, "5s", "x", "y"])];
    let of_silences = || "/api/v1/silences".to_owned();
    let wrong =
        bodies.iter().flat_map(|(path, body)| of_another_kind(body).into_iter().map(|it| (path.clone(), it)));
    for (path, body) in wrong.chain(more.map(|body| (of_silences(), body))) {
        let refused = send(&surface, &Method::POST, &path, &headers, body.to_string().into()).problem(400);
        assert!(refused.starts_with("the body is not as expected: invalid type: "), "{body}: {refused}");
        assert!(refused.contains(", expected an object"), "{body}: {refused}");
        let names_types = ["struct", "Dto", "element", "tuple"].iter().any(|word| refused.contains(word));
        assert!(!names_types && refused.lines().count() == 1, "{body}: {refused}");
    }
}

#[test]
fn what_is_quiet_is_named_and_all_of_it_only_by_that_word() {
    let silence = json!({"for": "2h", "author": "anna", "reason": "new disks"});
    let with = |body: &Value, matching: Value| {
        let mut body = body.clone();
        body["match"] = matching;
        body
    };
    let surface = over(desk(Vec::new()));
    for (path, body) in [("/api/v1/silences", &silence), ("/api/v1/maintenance", &window())] {
        for nothing in [
            json!({}),
            json!({"rule": null, "severity": null, "labels": null}),
            json!({"rule": null, "severity": null, "labels": {}}),
            json!({"labels": {}, "all": false}),
        ] {
            assert_eq!(
                post(&surface, path, &with(body, nothing)).problem(400),
                "match names no rule, severity or label; {\"all\": true} means all alerts"
            );
        }
        for both in [
            json!({"all": true, "rule": "disk"}),
            json!({"all": true, "severity": "ERROR"}),
            json!({"all": true, "labels": {"lane": "hot"}}),
        ] {
            assert_eq!(
                post(&surface, path, &with(body, both)).problem(400),
                "match.all is true beside a rule, a severity or labels, expected one or the other"
            );
        }
        let mut desk = desk(Vec::new());
        desk.expect_silence().times(2).returning(|quiet| {
            assert_eq!(*quiet.matcher(), Matcher::default());
            Ok(Ordered { done: QuietId(7), stored: true })
        });
        let surface = over(desk);
        for all in [json!({"all": true}), json!({"all": true, "rule": null, "labels": {}})] {
            let answer: Answer = post(&surface, path, &with(body, all));
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.json()["match"], json!({"rule": null, "severity": null, "labels": {}}));
        }
    }
}

#[test]
fn labels_that_no_alert_can_have_are_refused_with_a_rule_and_without() {
    let surface = over(desk(Vec::new()));
    for (matching, expected) in [
        (
            json!({"rule": "disk", "labels": {"lane": "hot"}}),
            "match.labels: alerts of disk have no label \"lane\"; they have none",
        ),
        (
            json!({"labels": {"lanes": "hot"}}),
            "match.labels: no alert has the label \"lanes\"; there are api, by, channel, ",
        ),
        (
            json!({"rule": "data_stale", "labels": {"lane": "warm"}}),
            "match.labels: no alert has \"warm\" as its lane, expected hot or cold",
        ),
        (
            json!({"labels": {"lane": "hot", "store": "store"}}),
            "match.labels: no alert has the label \"store\" beside lane",
        ),
    ] {
        let silence = json!({"match": matching, "for": "2h", "author": "anna", "reason": "new disks"});
        let refused = post(&surface, "/api/v1/silences", &silence).problem(400);
        assert!(refused.starts_with(expected), "{refused}");
        let mut window = window();
        window["match"] = matching;
        let refused = post(&surface, "/api/v1/maintenance", &window).problem(400);
        assert!(refused.starts_with(expected), "{refused}");
    }
}
