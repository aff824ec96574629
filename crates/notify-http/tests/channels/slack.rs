//! Slack's webhooks and bots.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::words::Words;
use ttm_alert::{Notifier, Outcome};
use ttm_notify_http::{InvalidChannel, SlackBot, SlackBotConfig, SlackWebhook};
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, over, reply, words};
use crate::stand_in::{Service, StandIn, header, key_in, only, posted, rule, text, utf16};

const PATH: &str = "/services/T0AAAAAAA/B0BBBBBBB/xY9zKlMn42Qw7q8RtU";
const TOKEN: &str = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcBrzbqgy";
const CHANNEL: &str = "C024BE91L";

/// What both want of a message.
fn check(body: &Value) -> Result<String, String> {
    let fallback = text(body, "/text")?;
    rule(!fallback.is_empty() && utf16(fallback) <= 4_000, "text")?;
    let blocks = body["blocks"].as_array().ok_or("no blocks")?;
    rule((1..=50).contains(&blocks.len()), "1 to 50 blocks")?;
    let mut all = utf16(fallback);
    let mut key = Err("no context".to_owned());
    for block in blocks {
        let element = match block["type"].as_str() {
            Some("section") => &block["text"],
            Some("context") => &block["elements"][0],
            _ => return Err(format!("the block {block}")),
        };
        only(element, &["type", "text", "verbatim"])?;
        rule(element["type"] == "mrkdwn" && element["verbatim"] == true, "mrkdwn")?;
        let shown = text(element, "/text")?;
        rule((1..=3_000).contains(&utf16(shown)), "1 to 3000 characters")?;
        rule(!shown.contains("<!") && !shown.contains("<@") && !shown.contains("<#"), "a mention")?;
        all += utf16(shown);
        key = key_in(shown);
    }
    rule(all < 11_000, "msg_blocks_too_long")?;
    key
}

/// An incoming webhook.
pub(crate) struct Hook;

impl Service for Hook {
    fn check(&self, request: &Request) -> Result<String, String> {
        let body = posted(request, PATH)?;
        only(&body, &["text", "blocks", "unfurl_links", "unfurl_media"])?;
        check(&body)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        match answer {
            Answer::Takes => ResponseTemplate::new(200).set_body_string("ok"),
            Answer::Busy => ResponseTemplate::new(429).insert_header("retry-after", "30"),
            Answer::Fails => ResponseTemplate::new(500).set_body_string(format!("rollup_error at {PATH}")),
            Answer::Refuses => ResponseTemplate::new(404).set_body_string("no_service"),
        }
    }

    fn secret(&self) -> Option<String> {
        Some("xY9zKlMn42Qw7q8RtU".to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(SlackWebhook::try_new(&format!("{address}{PATH}").into(), words, TIMEOUT).expect("valid"))
    }
}

/// The method `chat.postMessage`.
pub(crate) struct Bot;

impl Service for Bot {
    fn check(&self, request: &Request) -> Result<String, String> {
        let body = posted(request, "/api/chat.postMessage")?;
        rule(header(request, "authorization") == Some(&*format!("Bearer {TOKEN}")), "not_authed")?;
        let content_type = header(request, "content-type").unwrap_or_default();
        rule(content_type.ends_with("charset=utf-8"), "missing_charset")?;
        let known =
            ["text", "blocks", "unfurl_links", "unfurl_media", "channel", "thread_ts", "reply_broadcast"];
        only(&body, &known)?;
        rule(body["channel"] == CHANNEL, "channel_not_found")?;
        rule(
            body.get("reply_broadcast").is_none() || body.get("thread_ts").is_some(),
            "a broadcast of nothing",
        )?;
        check(&body)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        let says = |body| ResponseTemplate::new(200).set_body_json(body);
        match answer {
            Answer::Takes => {
                says(json!({ "ok": true, "channel": CHANNEL, "ts": "1503435956.000247", "message": {} }))
            }
            Answer::Busy => {
                says(json!({ "ok": false, "error": "ratelimited" })).insert_header("retry-after", "30")
            }
            Answer::Fails => says(json!({ "ok": false, "error": "internal_error", "token": TOKEN })),
            Answer::Refuses => says(json!({ "ok": false, "error": "invalid_auth", "token": TOKEN })),
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(SlackBot::try_new(&config(address), words, TIMEOUT).expect("valid"))
    }
}

fn config(address: &str) -> SlackBotConfig {
    SlackBotConfig { api: format!("{address}/api"), channel: CHANNEL.to_owned(), token: TOKEN.into() }
}

#[tokio::test]
async fn a_message_has_its_words_in_sections_and_nothing_of_them_is_markup() {
    let stand_in = StandIn::start(Hook).await;
    let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: None });
    let body = stand_in.last();
    assert_eq!(body["text"], "ERROR: a group's &lt;next&gt; run is late &amp; late (group=hot)");
    let shown = |place: usize| body["blocks"][place]["text"]["text"].as_str().unwrap_or_default().to_owned();
    assert!(
        shown(0).starts_with("*ERROR: a group's &lt;next&gt; run is late &amp; late (group=hot)*\n"),
        "{body}"
    );
    assert_eq!(shown(1), "*Also affected*\n• data_stale{lane=hot}");
    assert_eq!(shown(2), "*Self-healing*\n• tried: restarted hot-group\n• next: a new work plane");
    let runbook = "<https://ttm.example/runbooks/group_not_running?a=1&amp;b=2>";
    assert_eq!(shown(3), format!("*Runbook*\n• {runbook}\n• `ttm recovery`"));
    assert_eq!(shown(4), "*Acknowledge*\n• <https://ttm.example/ack/1>");
    assert_eq!(stand_in.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_webhook_answers_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Hook).await;
    for (status, body, is_retry, said) in [
        (400, "invalid_payload", false, "400, invalid_payload"),
        (403, "action_prohibited", false, "403, action_prohibited"),
        (404, "channel_not_found", false, "404, channel_not_found"),
        (410, "channel_is_archived", false, "410, channel_is_archived"),
        (500, "rollup_error", true, "500, rollup_error"),
        (200, "no_text", true, "200, no_text, which is no answer of this service"),
        (302, "", false, "302, a redirect, and none is followed"),
    ] {
        stand_in.says(ResponseTemplate::new(status).set_body_string(body));
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        assert_eq!(failure(&outcome), (is_retry, None, said));
    }
}

#[tokio::test]
async fn a_bot_answers_in_the_thread_and_shows_there_what_is_over() {
    let stand_in = StandIn::start(Bot).await;
    let bot = stand_in.channel();
    let Outcome::Delivered { remote_id: Some(first) } = bot.send(&attempt(vec![item("group=hot")])).await
    else {
        panic!("it takes it");
    };
    assert_eq!(&*first, "C024BE91L/1503435956.000247");
    assert!(stand_in.last().get("thread_ts").is_none());

    let first = "C024BE91L/1400000000.000100";
    for (items, is_shown) in [(vec![item("group=hot")], true), (vec![over("group=hot")], false)] {
        let outcome = bot.send(&reply(first, 1, items)).await;
        // The thread stays the one of the first message.
        assert_eq!(outcome, Outcome::Delivered { remote_id: Some(first.into()) });
        let body = stand_in.last();
        assert_eq!(
            (&body["thread_ts"], &body["reply_broadcast"]),
            (&json!("1400000000.000100"), &json!(is_shown))
        );
    }
    bot.send(&reply("C0ELSEWHERE/1400000000.000100", 1, vec![item("group=hot")])).await;
    assert!(stand_in.last().get("thread_ts").is_none(), "a thread of another channel");
}

#[tokio::test]
async fn a_reply_whose_thread_is_gone_goes_to_the_channel_at_once() {
    let stand_in = StandIn::start(Bot).await;
    let bot = stand_in.channel();
    let message = reply("C024BE91L/1.1", 1, vec![item("group=hot")]);
    for error in ["thread_not_found", "message_not_found", "cannot_reply_to_message", "invalid_thread_ts"] {
        let before = stand_in.bodies().len();
        stand_in.says_once(ResponseTemplate::new(200).set_body_json(json!({ "ok": false, "error": error })));
        let outcome = bot.send(&message).await;
        // What comes later answers the message that is there.
        assert_eq!(outcome, Outcome::Delivered { remote_id: Some("C024BE91L/1503435956.000247".into()) });
        let threads: Vec<bool> =
            stand_in.bodies()[before..].iter().map(|it| it.get("thread_ts").is_some()).collect();
        assert_eq!(threads, [true, false], "{error}");
    }
    let gone = json!({ "ok": false, "error": "thread_not_found" });
    stand_in.says(ResponseTemplate::new(200).set_body_json(gone));
    // Without a thread it is an answer like every other one.
    assert_eq!(failure(&bot.send(&message).await), (false, None, "200, thread_not_found"));
    assert_eq!(stand_in.broken(), Vec::<String>::new());
}

#[tokio::test]
async fn no_outage_takes_a_reply_out_of_its_thread() {
    let stand_in = StandIn::start(Bot).await;
    let bot = stand_in.channel();
    stand_in.says(ResponseTemplate::new(503));
    for attempts in 1..=5 {
        let outcome = bot.send(&reply("C024BE91L/1.1", attempts, vec![item("group=hot")])).await;
        assert_eq!(failure(&outcome), (true, None, "503, without a word"));
    }
    stand_in.says(Bot.answer(Answer::Takes));
    let outcome = bot.send(&reply("C024BE91L/1.1", 6, vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some("C024BE91L/1.1".into()) });
    assert!(stand_in.bodies().iter().all(|body| body["thread_ts"] == "1.1"));
}

#[tokio::test]
async fn what_a_bot_is_answered_with_status_200_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Bot).await;
    for (error, is_retry) in [
        ("ratelimited", true),
        ("rate_limited", true),
        ("service_unavailable", true),
        ("fatal_error", true),
        ("request_timeout", true),
        ("channel_not_found", false),
        ("not_in_channel", false),
        ("is_archived", false),
        ("token_revoked", false),
        ("msg_blocks_too_long", false),
        ("something_new", false),
    ] {
        let body = json!({ "ok": false, "error": error });
        stand_in.says(ResponseTemplate::new(200).set_body_json(body).insert_header("retry-after", "7"));
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        let after = is_retry.then_some(Duration::from_secs(7));
        assert_eq!(failure(&outcome), (is_retry, after, &*format!("200, {error}")));
    }
    for (status, body) in [(200, "{}"), (200, "<html>"), (503, r#"{"ok":false,"error":"invalid_auth"}"#)] {
        stand_in.says(ResponseTemplate::new(status).set_body_string(body));
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        assert!(failure(&outcome).0, "{status} {body}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_and_not_repeated() {
    let good = config("http://127.0.0.1:9");
    for wrong in [
        SlackBotConfig { channel: "#ops".to_owned(), ..good.clone() },
        SlackBotConfig { token: "xoxb-hunter2\n-".into(), ..good.clone() },
        SlackBotConfig { api: "http://slack.example/hunter2".to_owned(), ..good.clone() },
    ] {
        let error = SlackBot::try_new(&wrong, words(), TIMEOUT).map(drop).expect_err("wrong");
        assert!(matches!(&error, InvalidChannel::Settings(wrong) if wrong.len() == 1), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let error = SlackBot::try_new(&good, words(), Duration::ZERO).map(drop).expect_err("wrong");
    assert_eq!(error.to_string(), "timeout is 0ns: it must be 50ms to 60s");
    assert!(!format!("{good:?}").contains(TOKEN));
}
