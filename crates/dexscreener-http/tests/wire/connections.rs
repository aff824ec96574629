//! Connections that fail below HTTP: refused, silent, cut off, and endless streams.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::bodies::ASKED;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttm_dexscreener_http::{DexscreenerConfig, DexscreenerSource};
use ttm_market::{PairBatch, PairSource, PairSourceError};

const MAX_BODY_BYTES: usize = 4 * 1_024;

/// Sends a request to a server that reads it and then runs `serve`.
async fn ask<F>(timeout: Duration, serve: impl FnOnce(TcpStream) -> F) -> Result<PairBatch, PairSourceError>
where
    F: Future<Output = ()>,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let config =
        DexscreenerConfig::try_new(&url, "solana", "ttm/test", timeout, MAX_BODY_BYTES).expect("valid");
    let source = DexscreenerSource::new(config).expect("a client");
    let server = async {
        let (mut stream, _client) = listener.accept().await.expect("a connection");
        let mut request = [0_u8; 1_024];
        assert!(stream.read(&mut request).await.expect("a request") > 0);
        serve(stream).await;
    };
    let (answer, ()) = tokio::join!(source.all_pairs(ASKED), server);
    answer
}

#[track_caller]
fn transient(answer: Result<PairBatch, PairSourceError>) -> String {
    match answer {
        Err(PairSourceError::Transient { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    // The stream is kept until the client gives up and closes it.
    let silent = |mut stream: TcpStream| async move {
        let mut nothing = [0_u8; 1];
        let _closed = stream.read(&mut nothing).await;
    };
    assert_eq!(transient(ask(Duration::from_millis(50), silent).await), "no complete response within 50ms");
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let stalls = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[").await.expect("it reads");
        let mut nothing = [0_u8; 1];
        let _closed = stream.read(&mut nothing).await;
    };
    assert_eq!(transient(ask(Duration::from_millis(50), stalls).await), "no complete response within 50ms");
}

#[tokio::test]
async fn a_connection_lost_before_or_during_the_response_is_transient() {
    let closes = |stream: TcpStream| async move { drop(stream) };
    transient(ask(PATIENCE, closes).await);

    let resets = |stream: TcpStream| async move { stream.set_zero_linger().expect("a socket") };
    transient(ask(PATIENCE, resets).await);

    let cuts = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{").await.expect("it reads");
    };
    transient(ask(PATIENCE, cuts).await);
}

#[tokio::test]
async fn a_refused_connection_is_transient_and_the_message_has_no_address() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let url = format!("http://{address}");
    let config =
        DexscreenerConfig::try_new(&url, "solana", "ttm/test", PATIENCE, MAX_BODY_BYTES).expect("valid");
    let answer = DexscreenerSource::new(config).expect("a client").all_pairs(ASKED).await;
    let error = answer.expect_err("connection refused");
    assert!(error.to_string().starts_with("cannot connect: Connection refused"), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    let cause = std::error::Error::source(&error).expect("the client's own error").to_string();
    assert!(!cause.contains(&ASKED.to_string()), "{cause}");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_limited() {
    let floods = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it reads");
        // Until the client closes the connection.
        while stream.write_all(&[b' '; 1_024]).await.is_ok() {}
    };
    let answer = ask(PATIENCE, floods).await;
    assert!(matches!(answer, Err(PairSourceError::Malformed { .. })), "{answer:?}");
}

#[tokio::test]
async fn an_invalid_compressed_body_is_malformed() {
    let garbled = |mut stream: TcpStream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello";
        stream.write_all(head).await.expect("it reads");
    };
    let answer = ask(PATIENCE, garbled).await;
    assert!(matches!(answer, Err(PairSourceError::Malformed { .. })), "{answer:?}");
}
