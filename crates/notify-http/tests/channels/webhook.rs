//! A webhook of the operator's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::testing::wall;
use ttm_alert::words::Words;
use ttm_alert::{Notifier, Outcome};
use ttm_notify_http::{Webhook, WebhookConfig};
use ttm_testkit::ManualClock;
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, item, over, words};
use crate::stand_in::{Service, StandIn, header, posted, rule, text};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATH: &str = "/ttm/tok-8d7f6a5b4c";

/// Every field of the contract.
const FIELDS: [&str; 19] = [
    "id",
    "episode",
    "idempotency_key",
    "group_key",
    "rule",
    "severity",
    "state",
    "labels",
    "summary",
    "description",
    "value",
    "limit",
    "started_at",
    "ended_at",
    "was_down",
    "tried",
    "affected",
    "alerts",
    "runbook",
];

pub(crate) struct Hook;

impl Service for Hook {
    fn check(&self, request: &Request) -> Result<String, String> {
        let body = posted(request, PATH)?;
        let fields: BTreeSet<&str> =
            body.as_object().ok_or("no object")?.keys().map(String::as_str).collect();
        rule(FIELDS.iter().all(|field| fields.contains(field)), "a field of the contract is missing")?;
        rule(["firing", "resolved"].contains(&text(&body, "/state")?), "state")?;
        for field in ["started_at", "ended_at"] {
            let is_time = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
            rule(body[field].is_null() || body[field].as_str().is_some_and(is_time), field)?;
        }
        let key = text(&body, "/idempotency_key")?.to_owned();
        rule(header(request, "idempotency-key") == Some(&*key), "the header Idempotency-Key")?;
        rule(header(request, "webhook-id") == Some(&*key), "the header webhook-id")?;
        rule(header(request, "webhook-timestamp") == Some("1800000000"), "the header webhook-timestamp")?;
        let signature = header(request, "webhook-signature").unwrap_or_default();
        rule(signature.starts_with("v1,") && signature.len() == 47, "the header webhook-signature")?;
        Ok(key)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        match answer {
            Answer::Takes => ResponseTemplate::new(204),
            Answer::Busy => ResponseTemplate::new(503).insert_header("retry-after", "30"),
            Answer::Fails => ResponseTemplate::new(500).set_body_string(format!("of {SECRET} at {PATH}")),
            Answer::Refuses => ResponseTemplate::new(422).set_body_string(format!("of {SECRET} at {PATH}")),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(channel(address, words))
    }
}

fn channel(address: &str, words: Arc<dyn Words>) -> Webhook {
    let config = WebhookConfig { url: format!("{address}{PATH}").into(), secret: Some(SECRET.into()) };
    let clock = ManualClock::starting_at(wall(0));
    Webhook::try_new(&config, Arc::new(clock), words, TIMEOUT).expect("valid")
}

#[tokio::test]
async fn a_body_is_the_contract_of_one_message() {
    let stand_in = StandIn::start(Hook).await;
    let outcome = stand_in.channel().send(&attempt(vec![item("group=hot"), over("group=cold")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: None });
    let body = stand_in.last();
    let expected = json!({
        "id": item("group=hot").key.identity().to_string(),
        "episode": "12-3",
        "idempotency_key": attempt(vec![item("group=hot")]).row.key.idempotency_key(),
        "group_key": "group_not_running",
        "rule": "group_not_running",
        "severity": "ERROR",
        "state": "firing",
        "labels": { "group": "hot" },
        "summary": "ERROR: a group's <next> run is late & late (2 alerts)",
        "value": 81.0,
        "limit": 60.0,
        "started_at": "2027-01-15T07:50:00Z",
        "ended_at": null,
        "was_down": { "from": "2027-01-15T07:55:00Z", "to": "2027-01-15T08:00:00Z" },
        "tried": ["restarted hot-group"],
        "next": "a new work plane",
        "affected": ["data_stale{lane=hot}"],
        "runbook": "https://ttm.example/runbooks/group_not_running?a=1&b=2",
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&body[field], value, "{field}");
    }
    let description = body["description"].as_str().expect("a text");
    assert!(description.contains("\n• ERROR group=hot: firing since"), "{description}");
    let cold = &body["alerts"][1];
    assert_eq!((&cold["state"], &cold["ended_by"]), (&json!("resolved"), &json!("recovered")));
    assert_eq!((&cold["ended_at"], &cold["news"]), (&json!("2027-01-15T07:59:30Z"), &json!("resolved")));
    assert_eq!(body["alerts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let server = wiremock::MockServer::start().await;
    let config = WebhookConfig { url: server.uri().into(), secret: None };
    let channel =
        Webhook::try_new(&config, Arc::new(ManualClock::default()), words(), TIMEOUT).expect("valid");
    // Nothing is mounted, so it answers 404.
    assert!(matches!(channel.send(&attempt(vec![item("group=hot")])).await, Outcome::Refused { .. }));
    let requests = server.received_requests().await.expect("they are recorded");
    assert!(header(&requests[0], "idempotency-key").is_some());
    assert!(header(&requests[0], "webhook-signature").is_none());
    let body: Value = serde_json::from_slice(&requests[0].body).expect("JSON");
    assert_eq!(body["state"], "firing");
}
