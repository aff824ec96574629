//! Telegram's `sendMessage`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ttm_alert::testing::Saying;
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::words::{About, Words};
use ttm_alert::{Notifier, Outcome};
use ttm_notify_http::{Telegram, TelegramConfig};
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, over, reply, words};
use crate::stand_in::{Service, StandIn, key_in, only, posted, rule, text, utf16};

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const CHAT: &str = "-1001234567890";

pub(crate) struct Api;

/// The text that is left once entities are parsed. Telegram refuses tags that it does not know, and such as are not closed.
fn parsed(html: &str) -> Result<String, String> {
    let (mut shown, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some(c) = rest.chars().next() {
        if let Some(tag) = rest.strip_prefix('<') {
            let (tag, after) = tag.split_once('>').ok_or("a tag without an end")?;
            if let Some(name) = tag.strip_prefix('/') {
                rule(open.pop() == Some(name), "a tag that is not open")?;
            } else {
                let name = tag.split(' ').next().unwrap_or_default();
                rule(["b", "code", "a"].contains(&name), "an unsupported tag")?;
                open.push(name);
            }
            rest = after;
        } else if rest.starts_with('&') {
            let (entity, after) = rest.split_once(';').ok_or("a bare ampersand")?;
            shown.push(match entity {
                "&lt" => '<',
                "&gt" => '>',
                "&amp" => '&',
                other => return Err(format!("the entity {other}")),
            });
            rest = after;
        } else {
            rule(c != '>', "a bare angle bracket")?;
            shown.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    rule(open.is_empty(), "a tag that is not closed")?;
    Ok(shown)
}

impl Service for Api {
    fn check(&self, request: &Request) -> Result<String, String> {
        let body = posted(request, &format!("/bot{TOKEN}/sendMessage"))?;
        let known = [
            "chat_id",
            "text",
            "parse_mode",
            "link_preview_options",
            "disable_notification",
            "message_thread_id",
            "reply_parameters",
        ];
        only(&body, &known)?;
        rule(body["chat_id"] == CHAT && body["parse_mode"] == "HTML", "chat not found")?;
        let shown = parsed(text(&body, "/text")?)?;
        rule((1..=4_096).contains(&utf16(&shown)), "message is too long")?;
        key_in(&shown)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        let fails = |code: u16, what: &str, parameters: Value| {
            let description = format!("{what} for /bot{TOKEN}/sendMessage");
            let body = json!({ "ok": false, "error_code": code, "description": description, "parameters": parameters });
            ResponseTemplate::new(code).set_body_json(body)
        };
        match answer {
            Answer::Takes => ResponseTemplate::new(200)
                .set_body_json(json!({ "ok": true, "result": { "message_id": 4711, "chat": { "id": -1 } } })),
            Answer::Busy => fails(429, "Too Many Requests: retry after 30", json!({ "retry_after": 30 })),
            Answer::Fails => fails(502, "Bad Gateway", json!({})),
            Answer::Refuses => fails(403, "Forbidden: bot was kicked from the group chat", json!({})),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(Telegram::try_new(&config(address), words, TIMEOUT).expect("valid"))
    }
}

fn config(address: &str) -> TelegramConfig {
    TelegramConfig { api: address.to_owned(), chat: CHAT.to_owned(), topic: None, token: TOKEN.into() }
}

#[tokio::test]
async fn a_message_is_html_of_what_telegram_knows() {
    let stand_in = StandIn::start(Api).await;
    let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some(format!("{CHAT}/4711").into()) });
    let body = stand_in.last();
    let text = body["text"].as_str().expect("a text");
    assert!(
        text.starts_with("<b>ERROR: a group's &lt;next&gt; run is late &amp; late (group=hot)</b>\n"),
        "{text}"
    );
    assert!(
        text.contains("\n\n<b>Acknowledge</b>\n• <a href=\"https://ttm.example/ack/1\">https://"),
        "{text}"
    );
    assert!(text.contains("\n• <code>ttm recovery</code>\n"), "{text}");
    assert_eq!((&body["disable_notification"], body.get("reply_parameters")), (&json!(false), None));
    assert_eq!(body["link_preview_options"], json!({ "is_disabled": true }));
}

#[tokio::test]
async fn markup_does_not_count() {
    let stand_in = StandIn::start(Api).await;
    let effect = "&".repeat(3_500);
    let about = About { effect: Some(effect.clone()), ..About::default() };
    let channel = stand_in.channel_with(Arc::new(Saying(about)));
    channel.send(&attempt(vec![item("group=hot")])).await;
    let text = stand_in.last()["text"].as_str().expect("a text").to_owned();
    assert!(text.contains(&effect.replace('&', "&amp;")) && utf16(&text) > 4 * 3_500);
    assert_eq!(stand_in.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn what_takes_two_units_counts_twice() {
    let stand_in = StandIn::start(Api).await;
    let about = About { effect: Some("\u{1f680}".repeat(2_500)), ..About::default() };
    let channel = stand_in.channel_with(Arc::new(Saying(about)));
    assert!(matches!(channel.send(&attempt(vec![item("group=hot")])).await, Outcome::Delivered { .. }));
}

#[tokio::test]
async fn what_is_over_is_a_reply_without_a_sound() {
    let stand_in = StandIn::start(Api).await;
    let channel = stand_in.channel();
    channel.send(&reply(&format!("{CHAT}/42"), 1, vec![over("group=hot")])).await;
    let body = stand_in.last();
    // A message that is gone keeps no reply to it from being sent.
    let expected = json!({ "message_id": 42, "allow_sending_without_reply": true });
    assert_eq!((&body["reply_parameters"], &body["disable_notification"]), (&expected, &json!(true)));
    channel.send(&reply("-100987/42", 1, vec![over("group=hot")])).await;
    assert!(stand_in.last().get("reply_parameters").is_none(), "a message of another chat");
}

#[tokio::test]
async fn a_topic_is_written_to() {
    let stand_in = StandIn::start(Api).await;
    let config = TelegramConfig { topic: Some(7), ..config(&stand_in.address()) };
    let channel = Telegram::try_new(&config, words(), TIMEOUT).expect("valid");
    channel.send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(stand_in.last()["message_thread_id"], 7);
}

#[tokio::test]
async fn what_telegram_answers_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Api).await;
    let migrated = json!({ "ok": false, "error_code": 400, "description": "Bad Request: group chat was upgraded to a \
        supergroup chat", "parameters": { "migrate_to_chat_id": -100_777 } });
    let busy = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests",
        "parameters": { "retry_after": 5 } });
    let of = |status, body: &Value| ResponseTemplate::new(status).set_body_json(body);
    for (answer, expected) in [
        (of(429, &busy), (true, Some(Duration::from_secs(5)), "429, Too Many Requests")),
        // A proxy that makes everything a success.
        (of(200, &busy), (true, Some(Duration::from_secs(5)), "200, Too Many Requests")),
        (
            of(400, &migrated),
            (
                false,
                None,
                "400, Bad Request: group chat was upgraded to a supergroup chat; the chat is -100777 now",
            ),
        ),
        (
            of(401, &json!({ "ok": false, "error_code": 401, "description": "Unauthorized" })),
            (false, None, "401, Unauthorized"),
        ),
        (
            of(200, &json!({ "ok": true })),
            (true, None, "200, {\"ok\":true}, which is no answer of this service"),
        ),
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
        TelegramConfig { chat: "ops".to_owned(), ..good.clone() },
        TelegramConfig { token: "hunter2".into(), ..good.clone() },
        TelegramConfig { token: "1:hunter2/../x".into(), ..good.clone() },
        TelegramConfig { api: "http://telegram.example/hunter2".to_owned(), ..good.clone() },
    ] {
        let error = Telegram::try_new(&wrong, words(), TIMEOUT).map(drop).expect_err("wrong").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let named = TelegramConfig { chat: "@ttm_ops".to_owned(), ..good };
    assert!(Telegram::try_new(&named, words(), TIMEOUT).is_ok());
}
