//! What can happen to a connection, the same for every channel.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttm_alert::{Notifier, Outcome};
use ttm_notify_http::{
    InvalidChannel, NTFY_SERVER, Ntfy, NtfyConfig, PAGERDUTY_API, PagerDuty, PagerDutyConfig, SLACK_API,
    SlackBot, SlackBotConfig, TELEGRAM_API, Telegram, TelegramConfig, Webhook, WebhookConfig,
};
use ttm_testkit::ManualClock;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, words};

const TOKEN: &str = "token-5f3a9c";

fn channel(address: &str, timeout: Duration) -> Webhook {
    let config = WebhookConfig { url: format!("{address}/{TOKEN}").into(), secret: None };
    Webhook::try_new(&config, Arc::new(ManualClock::default()), words(), timeout).expect("valid")
}

async fn send(channel: &Webhook) -> Outcome {
    channel.send(&attempt(vec![item("group=hot")])).await
}

#[tokio::test]
async fn the_services_own_addresses_can_be_used() {
    // A machine without root certificates has no client for them, and says so.
    let is_fine = |made: Result<(), InvalidChannel>| matches!(made, Ok(()) | Err(InvalidChannel::Client(_)));
    let (api, token) = (SLACK_API.to_owned(), "xoxb-1".into());
    let slack = SlackBotConfig { api, token, channel: "C1".to_owned() };
    assert!(is_fine(SlackBot::try_new(&slack, words(), TIMEOUT).map(drop)));
    let (api, chat, token) = (TELEGRAM_API.to_owned(), "@ops".to_owned(), "1:a".into());
    let telegram = TelegramConfig { api, chat, topic: None, token };
    assert!(is_fine(Telegram::try_new(&telegram, words(), TIMEOUT).map(drop)));
    let ntfy = NtfyConfig { server: NTFY_SERVER.into(), topic: "a".into(), token: None };
    assert!(is_fine(Ntfy::try_new(&ntfy, words(), TIMEOUT).map(drop)));
    let (api, routing_key) = (PAGERDUTY_API.to_owned(), "0".repeat(32).into());
    let pagerduty = PagerDutyConfig { api, routing_key, source: "ttm".to_owned() };
    assert!(is_fine(PagerDuty::try_new(&pagerduty, words(), TIMEOUT).map(drop)));
}

/// A receiver that reads a request and then does with the connection what it is told.
async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut request = vec![0; 64 * 1_024];
    assert_ne!(stream.read(&mut request).await.expect("a request"), 0);
    stream
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_the_address_is_not_told() {
    let (listener, address) = listen().await;
    drop(listener);
    let outcome = send(&channel(&address, TIMEOUT)).await;
    let (is_retry, after, why) = failure(&outcome);
    assert!(is_retry && after.is_none() && why.starts_with("cannot connect: "), "{why}");
    assert!(!why.contains(TOKEN) && !why.contains("http"), "{why}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
async fn no_answer_in_time_is_tried_again() {
    let (listener, address) = listen().await;
    let channel = channel(&address, Duration::from_millis(100));
    let waited = tokio::time::timeout(channel.patience(), send(&channel));
    let (outcome, _stream) = tokio::join!(waited, accept(&listener));
    let outcome = outcome.expect("whoever calls waits for longer than the channel does");
    assert_eq!(failure(&outcome), (true, None, "no answer within 100ms"));
}

#[tokio::test]
async fn half_an_answer_is_none_when_it_is_a_success() {
    for (head, is_retry, said) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true, "the connection was lost: "),
        ("HTTP/1.1 400 No\r\ncontent-length: 10\r\n\r\nhalf", false, "400, without a word"),
        ("HTTP/1.1 2", true, "the connection was lost: "),
        ("SMTP ready\r\n\r\n", true, "the connection was lost: "),
    ] {
        let (listener, address) = listen().await;
        let channel = channel(&address, TIMEOUT);
        let answer = async {
            let mut stream = accept(&listener).await;
            stream.write_all(head.as_bytes()).await.expect("written");
        };
        let (outcome, ()) = tokio::join!(send(&channel), answer);
        let (told, after, why) = failure(&outcome);
        assert!((told, after) == (is_retry, None) && why.starts_with(said), "{head:?}: {why}");
    }
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_its_bound() {
    let (listener, address) = listen().await;
    let channel = channel(&address, TIMEOUT);
    let endless = async {
        let mut stream = accept(&listener).await;
        let head = "HTTP/1.1 503 Busy\r\ncontent-type: text/plain\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        // Until the other end has had enough.
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    };
    let (outcome, ()) = tokio::join!(send(&channel), endless);
    let (is_retry, _, why) = failure(&outcome);
    assert!(is_retry && why.starts_with("503, xxx") && why.len() < 200, "{why}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let server = MockServer::start().await;
    let to = format!("{}/elsewhere", server.uri());
    for status in [301, 302, 303, 307, 308] {
        server.reset().await;
        let away = ResponseTemplate::new(status).insert_header("location", &*to);
        Mock::given(path(format!("/{TOKEN}"))).respond_with(away).mount(&server).await;
        Mock::given(path("/elsewhere")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let outcome = send(&channel(&server.uri(), TIMEOUT)).await;
        let why = format!("{status}, a redirect, and none is followed");
        assert_eq!(failure(&outcome), (false, None, &*why));
        assert_eq!(server.received_requests().await.map(|requests| requests.len()), Some(1));
    }
}

#[tokio::test]
async fn a_retry_after_may_be_a_date() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503)
        .insert_header("date", "Fri, 06 Nov 2026 12:00:00 GMT")
        .insert_header("retry-after", "Fri, 06 Nov 2026 12:10:00 GMT");
    Mock::given(path(format!("/{TOKEN}"))).respond_with(busy).mount(&server).await;
    let outcome = send(&channel(&server.uri(), TIMEOUT)).await;
    assert_eq!(failure(&outcome), (true, Some(Duration::from_mins(10)), "503, without a word"));
}

#[tokio::test]
async fn a_send_that_is_dropped_closes_its_connection_and_the_next_one_works() {
    let (listener, address) = listen().await;
    let channel = channel(&address, TIMEOUT);
    let sending = send(&channel);
    let mut stream = tokio::select! {
        biased;
        outcome = sending => panic!("it was answered: {outcome:?}"),
        stream = accept(&listener) => stream,
    };
    // `sending` is dropped by now.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the end of the connection");
    let answer = async {
        let mut stream = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("written");
    };
    let (outcome, ()) = tokio::join!(send(&channel), answer);
    assert_eq!(outcome, Outcome::Delivered { remote_id: None });
}
