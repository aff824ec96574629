//! PagerDuty's Events API v2.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::words::Words;
use ttm_alert::{Attempt, EpisodeId, Message, Notifier, Outcome};
use ttm_kernel::Epoch;
use ttm_notify_http::{PagerDuty, PagerDutyConfig};
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, over, words};
use crate::stand_in::{Service, StandIn, only, posted, rule, text, utf16};

const KEY: &str = "e93facc04764012d7bfb002500d5d1a6";

pub(crate) struct Api;

impl Service for Api {
    fn check(&self, request: &Request) -> Result<String, String> {
        rule(request.body.len() <= 512 * 1_024, "the event is larger than 512 kB")?;
        let body = posted(request, "/v2/enqueue")?;
        only(&body, &["routing_key", "event_action", "dedup_key", "payload", "client", "links"])?;
        rule(body["routing_key"] == KEY, "Length of 'routing_key' is incorrect (should be 32 characters)")?;
        let dedup_key = text(&body, "/dedup_key")?;
        rule((1..=255).contains(&dedup_key.len()), "dedup_key")?;
        if body["event_action"] == "resolve" {
            return Ok(format!("{dedup_key} resolve"));
        }
        rule(body["event_action"] == "trigger", "event_action")?;
        let payload = &body["payload"];
        only(payload, &["summary", "severity", "source", "timestamp", "group", "class", "custom_details"])?;
        rule((1..=1_024).contains(&utf16(text(payload, "/summary")?)), "summary")?;
        rule(["critical", "error", "warning", "info"].contains(&text(payload, "/severity")?), "severity")?;
        rule(text(payload, "/source")? == "ttm@here", "source")?;
        rule(text(payload, "/timestamp")?.parse::<jiff::Timestamp>().is_ok(), "timestamp")?;
        text(payload, "/custom_details/idempotency_key").map(str::to_owned)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        let says = |status, body| ResponseTemplate::new(status).set_body_json(body);
        match answer {
            Answer::Takes => {
                says(202, json!({ "status": "success", "message": "Event processed", "dedup_key": "x" }))
            }
            Answer::Busy => ResponseTemplate::new(429).insert_header("retry-after", "30"),
            Answer::Fails => says(500, json!({ "status": "error", "message": format!("of {KEY}") })),
            Answer::Refuses => says(
                400,
                json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [format!("{KEY}")] }),
            ),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(KEY.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(PagerDuty::try_new(&config(address), words, TIMEOUT).expect("valid"))
    }
}

fn config(address: &str) -> PagerDutyConfig {
    PagerDutyConfig { api: address.to_owned(), routing_key: KEY.into(), source: "ttm@here".to_owned() }
}

#[tokio::test]
async fn an_alert_is_triggered_and_resolved_under_one_key() {
    let stand_in = StandIn::start(Api).await;
    let channel = stand_in.channel();
    let key = format!("{}-12-3", item("group=hot").key.identity());
    let outcome = channel.send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some(key.clone().into()) });
    let body = stand_in.last();
    assert_eq!((&body["event_action"], &body["dedup_key"]), (&json!("trigger"), &json!(key)));
    let payload = &body["payload"];
    assert_eq!(payload["summary"], "ERROR: a group's <next> run is late & late (group=hot)");
    assert_eq!((&payload["severity"], &payload["group"]), (&json!("error"), &json!("group_not_running")));
    assert_eq!(payload["timestamp"], "2027-01-15T07:50:00Z");
    assert_eq!(payload["custom_details"]["labels"], json!({ "group": "hot" }));
    let links = json!([
        { "href": "https://ttm.example/runbooks/group_not_running?a=1&b=2", "text": "Runbook" },
        { "href": "https://ttm.example/ack/1", "text": "Acknowledge" },
    ]);
    assert_eq!(body["links"], links);

    channel.send(&attempt(vec![over("group=hot")])).await;
    assert_eq!(stand_in.last(), json!({ "routing_key": KEY, "event_action": "resolve", "dedup_key": key }));
    assert_eq!(stand_in.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn each_episode_of_a_message_is_an_event() {
    let stand_in = StandIn::start(Api).await;
    let earlier = {
        let mut item = over("group=hot");
        item.episode.id = EpisodeId { epoch: Epoch::new(11), number: 9 };
        item
    };
    // The same episode twice is told once.
    let message = attempt(vec![item("group=hot"), item("group=cold"), item("group=hot"), earlier]);
    assert!(matches!(stand_in.channel().send(&message).await, Outcome::Delivered { .. }));
    let bodies = stand_in.bodies();
    let mut told: Vec<_> = bodies.iter().filter_map(|body| body["event_action"].as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["resolve", "trigger", "trigger"]);
}

/// A message of as many alerts as one may have.
fn most() -> Attempt {
    attempt((0..Message::MOST_ITEMS).map(|number| item(&format!("group=g{number}"))).collect())
}

fn dedup_keys(bodies: &[Value]) -> BTreeSet<String> {
    bodies.iter().filter_map(|body| body["dedup_key"].as_str()).map(str::to_owned).collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
async fn a_message_of_many_alerts_is_taken_in_time_by_a_slow_service_and_again_under_the_same_keys() {
    let stand_in = StandIn::start(Api).await;
    // One after the other they would take ten seconds.
    stand_in.says(Api.answer(Answer::Takes).set_delay(Duration::from_millis(200)));
    let config = config(&stand_in.address());
    let channel = PagerDuty::try_new(&config, words(), Duration::from_millis(900)).expect("valid");
    let message = most();
    for attempts in 1..=2 {
        let told = tokio::time::timeout(channel.patience(), channel.send(&message)).await;
        assert!(matches!(told, Ok(Outcome::Delivered { .. })), "{told:?}");
        let bodies = stand_in.bodies();
        assert_eq!(bodies.len(), attempts * Message::MOST_ITEMS);
        assert_eq!(dedup_keys(&bodies).len(), Message::MOST_ITEMS);
    }
}

#[tokio::test]
async fn what_follows_the_first_that_is_not_taken_waits_for_the_next_attempt() {
    let stand_in = StandIn::start(Api).await;
    stand_in.says(ResponseTemplate::new(429));
    assert_eq!(failure(&stand_in.channel().send(&most()).await), (true, None, "429, without a word"));
    assert!((1..=10).contains(&stand_in.bodies().len()), "{}", stand_in.bodies().len());
    stand_in.says(Api.answer(Answer::Takes));
    assert!(matches!(stand_in.channel().send(&most()).await, Outcome::Delivered { .. }));
    assert_eq!(dedup_keys(&stand_in.bodies()).len(), Message::MOST_ITEMS);
}

#[tokio::test]
async fn what_pagerduty_answers_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Api).await;
    let of = |status, body| ResponseTemplate::new(status).set_body_json(body);
    let invalid = json!({ "status": "invalid event", "message": "Event object is invalid",
        "errors": ["'payload.severity' is invalid"] });
    let why = "400, invalid event: Event object is invalid: 'payload.severity' is invalid";
    for (answer, expected) in [
        (of(400, invalid), (false, None, why)),
        (
            of(202, json!({ "status": "throttled" })),
            (true, None, "202, {\"status\":\"throttled\"}, which is no answer of this service"),
        ),
        (of(503, json!({})), (true, None, "503, {}")),
    ] {
        stand_in.says(answer);
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        assert_eq!(failure(&outcome), expected);
    }
}

#[test]
fn what_cannot_be_used_is_refused_and_not_repeated() {
    let good = config("http://127.0.0.1:9");
    for wrong in [
        PagerDutyConfig { routing_key: "hunter2".into(), ..good.clone() },
        PagerDutyConfig { source: String::new(), ..good.clone() },
        PagerDutyConfig { api: "http://events.example/hunter2".to_owned(), ..good.clone() },
    ] {
        let error = PagerDuty::try_new(&wrong, words(), TIMEOUT).map(drop).expect_err("wrong").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
