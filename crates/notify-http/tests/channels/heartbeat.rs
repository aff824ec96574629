//! The heartbeat, against the answers of those who receive one.

use ttm_alert::{Heartbeat, Outcome};
use ttm_notify_http::{HeartbeatConfig, HttpHeartbeat};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::example::{TIMEOUT, failure};

const TOKEN: &str = "token-5f3a9c";

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path(format!("/{TOKEN}"))).respond_with(answer).mount(&server).await;
    server
}

fn heartbeat(server: &MockServer, is_post: bool, token: Option<&str>) -> HttpHeartbeat {
    let url = format!("{}/{TOKEN}", server.uri()).into();
    let config = HeartbeatConfig { url, is_post, token: token.map(Into::into) };
    HttpHeartbeat::try_new(&config, TIMEOUT).expect("valid")
}

#[tokio::test]
async fn one_beat_is_one_request_with_the_method_and_the_token_that_are_wanted() {
    let server = answering(ResponseTemplate::new(200)).await;
    let delivered = Outcome::Delivered { remote_id: None };
    assert_eq!(heartbeat(&server, false, None).beat().await, delivered);
    assert_eq!(heartbeat(&server, true, Some("hunter2")).beat().await, delivered);
    let requests = server.received_requests().await.expect("they are recorded");
    let seen: Vec<(&str, Option<&str>)> = requests
        .iter()
        .map(|request| {
            let token = request.headers.get("authorization").map(|it| it.to_str().expect("text"));
            (request.method.as_str(), token)
        })
        .collect();
    assert_eq!(seen, [("GET", None), ("POST", Some("Bearer hunter2"))]);
    assert!(requests.iter().all(|request| request.body.is_empty()));
    assert!(requests.iter().all(|request| !request.headers.contains_key("content-type")));
}

#[tokio::test]
async fn a_beat_that_failed_is_never_sent_later() {
    let server = answering(ResponseTemplate::new(503)).await;
    let heartbeat = heartbeat(&server, false, None);
    assert_eq!(failure(&heartbeat.beat().await), (true, None, "503, without a word"));
    server.reset().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    assert_eq!(heartbeat.beat().await, Outcome::Delivered { remote_id: None });
    assert_eq!(server.received_requests().await.map(|requests| requests.len()), Some(1));
}

#[tokio::test]
async fn what_a_receiver_says_counts_whatever_its_status() {
    let taken = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    for (answer, is_retry, why) in [
        (taken("OK (not found)"), false, "200, OK (not found)"),
        (taken("OK (rate limited)"), true, "200, OK (rate limited)"),
        (taken(r#"{"ok":false,"msg":"no"}"#), false, r#"200, {"ok":false,"msg":"no"}"#),
        (ResponseTemplate::new(404), false, "404, without a word"),
        (ResponseTemplate::new(429), true, "429, without a word"),
        (ResponseTemplate::new(302), false, "302, a redirect, and none is followed"),
        (
            ResponseTemplate::new(500).set_body_string(TOKEN),
            true,
            "500, words that repeat a part of a secret",
        ),
    ] {
        let server = answering(answer).await;
        assert_eq!(failure(&heartbeat(&server, false, None).beat().await), (is_retry, None, why));
    }
    for answer in [taken("OK"), taken(r#"{"ok":true}"#), ResponseTemplate::new(204), taken("<html>fine")] {
        let server = answering(answer).await;
        assert_eq!(heartbeat(&server, false, None).beat().await, Outcome::Delivered { remote_id: None });
    }
}

#[test]
fn an_address_that_cannot_be_used_is_refused_and_not_shown() {
    let config = HeartbeatConfig { url: "hunter2".into(), is_post: false, token: None };
    let error = HttpHeartbeat::try_new(&config, TIMEOUT).map(drop).expect_err("no address").to_string();
    assert!(error.starts_with("url is (hidden)"), "{error}");
}
