//! ntfy's publishing as JSON.

use std::sync::Arc;

use serde_json::json;
use ttm_alert::testing::Saying;
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::words::{About, Words};
use ttm_alert::{Notifier, Outcome};
use ttm_kernel::Severity;
use ttm_notify_http::{Ntfy, NtfyConfig};
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, over, words};
use crate::stand_in::{Service, StandIn, header, only, posted, rule, text};

const TOPIC: &str = "ttm-ops-9fJ2kQ7w";
const TOKEN: &str = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2";

pub(crate) struct Server;

impl Service for Server {
    fn check(&self, request: &Request) -> Result<String, String> {
        rule(request.body.len() <= 8_192, "message or JSON too large")?;
        let body = posted(request, "/")?;
        rule(header(request, "authorization") == Some(&*format!("Bearer {TOKEN}")), "unauthorized")?;
        only(&body, &["topic", "title", "message", "priority", "tags", "sequence_id", "click"])?;
        rule(body["topic"] == TOPIC, "topic")?;
        // At its limit a message becomes an attachment, and most servers take none.
        rule((1..4_096).contains(&text(&body, "/message")?.len()), "attachments not allowed")?;
        rule(!text(&body, "/title")?.contains('\n'), "title")?;
        rule(body["priority"].as_u64().is_some_and(|it| (1..=5).contains(&it)), "priority invalid")?;
        let sequence = text(&body, "/sequence_id");
        let is_valid = sequence.as_ref().is_ok_and(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        });
        // A key that is too long for it is in the words alone.
        rule(is_valid || sequence.is_err(), "sequence ID invalid")?;
        sequence.map(str::to_owned).or_else(|_| crate::stand_in::key_in(text(&body, "/message")?))
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        let fails = |http: u16, code: u32, error: &str| {
            let error = format!("{error} for {TOPIC} and {TOKEN}");
            ResponseTemplate::new(http).set_body_json(json!({ "code": code, "http": http, "error": error }))
        };
        match answer {
            Answer::Takes => ResponseTemplate::new(200).set_body_json(
                json!({ "id": "sPs71M8A2T", "time": 1_643_935_928, "event": "message", "topic": TOPIC }),
            ),
            Answer::Busy => fails(429, 42_901, "limit reached").insert_header("retry-after", "30"),
            Answer::Fails => fails(507, 50_701, "insufficient storage"),
            Answer::Refuses => fails(403, 40_301, "forbidden"),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOPIC.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(Ntfy::try_new(&config(address), words, TIMEOUT).expect("valid"))
    }
}

fn config(address: &str) -> NtfyConfig {
    NtfyConfig { server: address.into(), topic: TOPIC.into(), token: Some(TOKEN.into()) }
}

#[tokio::test]
async fn a_message_has_a_title_a_priority_and_what_a_tap_opens() {
    let stand_in = StandIn::start(Server).await;
    let channel = stand_in.channel();
    let outcome = channel.send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some("sPs71M8A2T".into()) });
    let body = stand_in.last();
    assert_eq!(body["title"], "ERROR: a group's <next> run is late & late (group=hot)");
    assert_eq!((&body["priority"], &body["tags"]), (&json!(4), &json!(["rotating_light"])));
    assert_eq!(body["click"], "https://ttm.example/ack/1");
    assert_eq!(body["sequence_id"], attempt(vec![item("group=hot")]).row.key.idempotency_key());

    channel.send(&attempt(vec![over("group=hot")])).await;
    let body = stand_in.last();
    assert_eq!((&body["priority"], &body["tags"]), (&json!(3), &json!(["white_check_mark"])));
    assert_eq!(body["click"], "https://ttm.example/runbooks/group_not_running?a=1&b=2");
    for (severity, priority) in [(Severity::Info, 2), (Severity::Warning, 3), (Severity::Critical, 5)] {
        let mut attempt = attempt(vec![item("group=hot")]);
        attempt.row.message.severity = severity;
        channel.send(&attempt).await;
        assert_eq!(stand_in.last()["priority"], priority);
    }
    assert_eq!(stand_in.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_escaped_in_json_counts_as_it_is_sent() {
    let stand_in = StandIn::start(Server).await;
    // Neither the message nor the title is too long, but both are nearly twice as long in JSON.
    let quotes = |count| Some("\"".repeat(count));
    let about = About { meaning: quotes(185), effect: quotes(3_705), ..About::default() };
    let channel = stand_in.channel_with(Arc::new(Saying(about)));
    assert!(matches!(channel.send(&attempt(vec![over("group=hot")])).await, Outcome::Delivered { .. }));
}

#[tokio::test]
async fn what_ntfy_answers_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Server).await;
    let failed = |http: u16, code: u32, error: &str| {
        ResponseTemplate::new(http).set_body_json(json!({ "code": code, "http": http, "error": error }))
    };
    for (answer, expected) in [
        (
            failed(429, 42_908, "daily message quota reached"),
            (true, None, "429, daily message quota reached (code 42908)"),
        ),
        (failed(401, 40_101, "unauthorized"), (false, None, "401, unauthorized (code 40101)")),
        (
            failed(413, 41_301, "attachment too large"),
            (false, None, "413, attachment too large (code 41301)"),
        ),
        (
            ResponseTemplate::new(200).set_body_string("hello"),
            (true, None, "200, hello, which is no answer of this service"),
        ),
    ] {
        stand_in.says(answer);
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        assert_eq!(failure(&outcome), expected);
    }
}

#[test]
fn what_cannot_be_used_is_refused_and_not_repeated() {
    let good = config("http://ntfy.example");
    for wrong in [
        NtfyConfig { topic: "hunter2/x".into(), ..good.clone() },
        NtfyConfig { topic: "".into(), ..good.clone() },
        NtfyConfig { token: Some("hunter2\u{7}".into()), ..good.clone() },
        NtfyConfig { server: "ntfy.example/hunter2".into(), ..good.clone() },
    ] {
        let error = Ntfy::try_new(&wrong, words(), TIMEOUT).map(drop).expect_err("wrong").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(Ntfy::try_new(&good, words(), TIMEOUT).is_ok());
}
