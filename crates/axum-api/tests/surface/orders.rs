//! Orders about alerts, each with a body that is right, and how one is given.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use ttm_alert::testing::MockAlertControl;

use super::alerts::cpu;
use super::{Answer, LOOPBACK, Surface, TOKEN};

pub(crate) fn ack() -> String {
    format!("/api/v1/alerts/{}/ack", cpu().id)
}

pub(crate) fn tell_again() -> String {
    format!("/api/v1/alerts/{}/tell-again", cpu().id)
}

/// Every order, with a body that is right.
pub(crate) fn orders() -> Vec<(Method, String, Value)> {
    let silence = json!({"match": {"all": true}, "for": "2h", "author": "anna", "reason": "new disks"});
    vec![
        (Method::POST, ack(), json!({"by": "anna"})),
        (Method::POST, tell_again(), json!({"channel": "ops"})),
        (Method::POST, "/api/v1/silences".to_owned(), silence),
        (Method::POST, "/api/v1/maintenance".to_owned(), window()),
        (Method::DELETE, "/api/v1/silences/3".to_owned(), Value::Null),
        (Method::DELETE, "/api/v1/maintenance/4".to_owned(), Value::Null),
    ]
}

pub(crate) fn window() -> Value {
    json!({
        "match": {"rule": "disk"}, "zone": "Europe/Berlin", "days": ["mon", "sun"], "from": "22:00", "to": "01:30",
        "first": "2026-11-29", "last": "2027-02-28", "author": "bob", "reason": "backups",
    })
}

/// A loopback listener with a token.
pub(crate) fn over(desk: MockAlertControl) -> Surface {
    Surface::new(Vec::new()).with_alerts(desk).on(LOOPBACK, Some(TOKEN))
}

pub(crate) fn send(
    surface: &Surface,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    surface.send(request.body(body).expect("a request"))
}

pub(crate) fn order(surface: &Surface, method: &Method, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {TOKEN}");
    let mut headers = vec![("authorization", &*token)];
    if body.is_null() {
        return send(surface, method, path, &headers, Body::empty());
    }
    headers.push(("content-type", "application/json"));
    send(surface, method, path, &headers, body.to_string().into())
}

pub(crate) fn post(surface: &Surface, path: &str, body: &Value) -> Answer {
    order(surface, &Method::POST, path, body)
}
