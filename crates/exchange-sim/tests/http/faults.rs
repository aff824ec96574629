//! Every kind of fault as a client sees it.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::manual_time::ManualTime;
use reqwest::Response;
use ttm_exchange_sim::{Exchange, ExchangeConfig, ExchangeHandle, Fault, FaultKind, Latency, Outcome};
use ttm_market::Mint;

const MINUTE: Duration = Duration::from_mins(1);

/// An exchange with this fault for its first minute.
async fn start(kind: FaultKind) -> (ExchangeHandle, Arc<ManualTime>) {
    let time = ManualTime::new();
    let faults = vec![Fault { from: Duration::ZERO, lasts: MINUTE, kind }];
    let config = ExchangeConfig::new(7, 60).latency(Latency::NONE).faults(faults);
    let exchange = Exchange::start(config, time.clone()).await.expect("a free port");
    (exchange, time)
}

async fn send(url: String) -> reqwest::Result<Response> {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().user_agent("test/1").tls_certs_only([]).no_proxy();
    builder.build().expect("a client").get(url).send().await
}

/// Requests a batch of four listed tokens.
async fn ask(exchange: &ExchangeHandle) -> reqwest::Result<Response> {
    let listed = exchange.mints().filter(|mint| exchange.market().is_listed(mint)).take(4);
    let list = listed.map(|mint| mint.to_string()).collect::<Vec<_>>().join(",");
    send(format!("{}/tokens/v1/solana/{list}", exchange.base_url())).await
}

async fn pairs_in(response: Response) -> usize {
    let text = response.text().await.expect("a body");
    serde_json::from_str::<Vec<serde_json::Value>>(&text).expect("a list").len()
}

/// Whether the cause of an error of the client is an I/O error of this kind.
fn has_cause(error: &reqwest::Error, kind: io::ErrorKind) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[tokio::test]
async fn a_fault_starts_and_ends_on_time_and_is_counted() {
    let (exchange, time) = start(FaultKind::Unavailable).await;
    assert_eq!(ask(&exchange).await.expect("a response").status().as_u16(), 503);
    time.advance(MINUTE);
    assert_eq!(pairs_in(ask(&exchange).await.expect("a response")).await, 4);
    assert_eq!(exchange.stats().ended(Outcome::Faulted), 1);
    assert_eq!(exchange.stats().ended(Outcome::Answered), 1);
}

#[tokio::test]
async fn a_scripted_429_says_when_to_come_back_only_if_told_to() {
    for retry_after in [None, Some(Duration::from_secs(30))] {
        let (exchange, _time) = start(FaultKind::RateLimited { retry_after }).await;
        let response = ask(&exchange).await.expect("a response");
        assert_eq!(response.status().as_u16(), 429);
        let header = response.headers().get("retry-after").map(|value| value.as_bytes().to_vec());
        assert_eq!(header, retry_after.map(|_| b"30".to_vec()));
    }
}

#[tokio::test]
async fn a_hanging_request_arrives_and_is_never_answered() {
    let (exchange, _time) = start(FaultKind::Hang).await;
    let arrived = async {
        while exchange.stats().total() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = ask(&exchange) => panic!("{answer:?}"),
        () = arrived => {}
    }
}

#[tokio::test]
async fn a_slow_drip_sends_sixteen_bytes_per_second() {
    let (exchange, time) = start(FaultKind::SlowDrip).await;
    let mut response = ask(&exchange).await.expect("headers at once");
    let announced = response.content_length().expect("a length");
    let mut received = 0_u64;
    while let Some(chunk) = response.chunk().await.expect("no end before the end") {
        assert!(chunk.len() <= 16);
        received += chunk.len() as u64;
        time.advance(Duration::from_secs(1));
    }
    assert_eq!(received, announced);
}

#[tokio::test]
async fn a_truncated_body_ends_in_the_middle() {
    let (exchange, _time) = start(FaultKind::Truncate).await;
    let mut response = ask(&exchange).await.expect("headers");
    let announced = response.content_length().expect("a length");
    let mut received = 0_u64;
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received += chunk.len() as u64,
            end => break end,
        }
    };
    assert!(end.is_err());
    assert_eq!(received, announced / 2);
}

#[tokio::test]
async fn nulls_and_html_come_with_status_200() {
    let (exchange, _time) = start(FaultKind::Nulls).await;
    let response = ask(&exchange).await.expect("a response");
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.text().await.expect("a body").ends_with(r#""pairs":null}"#));

    let (exchange, _time) = start(FaultKind::Html).await;
    let response = ask(&exchange).await.expect("a response");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/html");
}

#[tokio::test]
async fn half_a_batch_is_missing_but_requests_for_single_tokens_work() {
    let (exchange, _time) = start(FaultKind::HalfBatch).await;
    assert_eq!(pairs_in(ask(&exchange).await.expect("a response")).await, 2);
    let listed: Mint = exchange.mints().find(|mint| exchange.market().is_listed(mint)).expect("most are");
    let single = send(format!("{}/tokens/v1/solana/{listed}", exchange.base_url())).await;
    assert_eq!(pairs_in(single.expect("a response")).await, 1);
}

#[tokio::test]
async fn a_reset_is_not_a_graceful_close() {
    let (exchange, _time) = start(FaultKind::Reset).await;
    let error = ask(&exchange).await.expect_err("no answer");
    assert!(has_cause(&error, io::ErrorKind::ConnectionReset), "{error:?}");
}
