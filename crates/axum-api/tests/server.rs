//! The listener on a real socket.

mod surface;

use std::net::SocketAddr;

use surface::Surface;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use ttm_axum_api::{BindError, Bound};

const ANY: &str = "127.0.0.1:0";

async fn bind() -> Bound {
    Bound::bind(ANY.parse().expect("an address")).await.expect("a free port")
}

/// Sends one request and reads until the connection closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the listener accepts");
    stream.write_all(request.as_bytes()).await.expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer is text");
    answer
}

#[tokio::test]
async fn a_port_in_use_is_an_error_of_one_line() {
    let first = bind().await;
    let error = Bound::bind(first.address()).await.expect_err("it is taken");
    assert!(matches!(error, BindError::InUse { .. }));
    assert_eq!(
        error.to_string(),
        format!("{} is in use: stop what listens there, or choose another address", first.address())
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_an_error_with_that_of_the_system() {
    let error = Bound::bind("192.0.2.1:8080".parse().expect("an address")).await.expect_err("not ours");
    assert!(matches!(error, BindError::Refused { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:8080: "), "{error}");
}

#[tokio::test]
async fn requests_are_answered_until_shutdown_and_then_connections_are_refused() {
    let bound = bind().await;
    let address = bound.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = bound.serve(Surface::new(Vec::new()).router(), async { drop(stopped.await) });
    let asked = async {
        let answer =
            exchange(address, "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"status":"healthy"}"#), "{answer}");
        stop.send(()).expect("the server runs");
    };
    let (served, ()) = tokio::join!(served, asked);
    served.expect("the listener works");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_idle_connections() {
    let bound = bind().await;
    let address = bound.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = bound.serve(Surface::new(Vec::new()).router(), async { drop(stopped.await) });
    let idle = async {
        let mut stream = TcpStream::connect(address).await.expect("the listener accepts");
        let head = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(head).await.expect("the request is sent");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("the answer begins");
        assert_eq!(&start, b"HTTP/1.1 200");
        stop.send(()).expect("the server runs");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("the connection is closed gracefully");
    };
    let (served, ()) = tokio::join!(served, idle);
    served.expect("the listener works");
}

#[tokio::test]
async fn a_malformed_request_is_refused_and_others_are_still_answered() {
    let bound = bind().await;
    let address = bound.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = bound.serve(Surface::new(Vec::new()).router(), async { drop(stopped.await) });
    let asked = async {
        let answer = exchange(address, "\u{1}\u{2}\u{3} nonsense\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let answer =
            exchange(address, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        stop.send(()).expect("the server runs");
    };
    let (served, ()) = tokio::join!(served, asked);
    served.expect("the listener works");
}

#[tokio::test]
async fn what_connects_between_one_server_and_the_next_is_answered_by_that() {
    let bound = bind().await;
    let address = bound.address();
    let router = || Surface::new(Vec::new()).router();
    let request = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for _ in 0..3 {
        let stopped = async {
            assert!(exchange(address, request).await.starts_with("HTTP/1.1 200 "));
        };
        let served = bound.again().expect("a descriptor is left").serve(router(), stopped);
        served.await.expect("the listener works");
        let mut early = TcpStream::connect(address).await.expect("it is still bound");
        early.write_all(request.as_bytes()).await.expect("the request is sent");
        let answered = async {
            let mut answer = String::new();
            early.read_to_string(&mut answer).await.expect("the answer is text");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        };
        bound
            .again()
            .expect("a descriptor is left")
            .serve(router(), answered)
            .await
            .expect("the listener works");
    }
    drop(bound);
    assert!(TcpStream::connect(address).await.is_err());
}
