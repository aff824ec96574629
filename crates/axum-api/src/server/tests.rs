//! Hostile clients, on in-memory streams with a paused clock; and the cap, on real sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::activity::{Activity, FIRST_REQUEST, HEAD, IDLE, STALL, TRANSFER};
use super::socket::MAX_HEAD_BYTES;
use super::{Bound, connection, socket};
use crate::problem::Problem;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn router() -> Router {
    Router::new().route("/", get(async || "x".repeat(1000))).fallback(async || Problem::not_found("nothing"))
}

/// A connection that buffers this many bytes each way, and the task that serves it.
fn connect(buffer: usize, router: Router) -> (DuplexStream, JoinSet<()>) {
    let (stop, stopped) = watch::channel(false);
    let (client, mut task) = connect_until(stopped, buffer, router);
    task.spawn(async move { stop.closed().await });
    (client, task)
}

/// The same, with an order to stop.
fn connect_until(
    stopped: watch::Receiver<bool>,
    buffer: usize,
    router: Router,
) -> (DuplexStream, JoinSet<()>) {
    let (client, served) = duplex(buffer);
    let activity = Arc::new(Activity::new(socket::now()));
    let mut task = JoinSet::new();
    task.spawn(connection::serve(served, router, activity, stopped));
    (client, task)
}

async fn ended(mut task: JoinSet<()>) {
    task.join_next().await.expect("one task").expect("no panic");
}

async fn ends_after(task: JoinSet<()>, since: Instant) -> Duration {
    ended(task).await;
    socket::now() - since
}

/// Everything that is sent in response to these bytes.
async fn answer_to(bytes: &[u8]) -> String {
    let (mut client, _task) = connect(1 << 20, router());
    client.write_all(bytes).await.expect("there is room");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("the answer is text");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_closed() {
    let start = socket::now();
    let (mut client, task) = connect(512, router());
    client.write_all(ASK).await.expect("there is room");
    assert_eq!(ends_after(task, start).await, STALL);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_connected_right_before_a_stop_is_still_answered() {
    let (stop, stopped) = watch::channel(false);
    let (mut client, task) = connect_until(stopped, 1 << 20, router());
    stop.send(true).expect("it is listened to");
    // Whatever runs at the stop runs before the request arrives.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    client.write_all(ASK).await.expect("there is room");
    let (start, mut answer) = (socket::now(), String::new());
    client.read_to_string(&mut answer).await.expect("the answer is text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    drop(client);
    assert_eq!(ends_after(task, start).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_connections_that_are_not_used_do_not_hold_it_up_for_long() {
    let (stop, stopped) = watch::channel(false);
    let (client, task) = connect_until(stopped.clone(), 1 << 20, router());
    let (mut kept_alive, used) = connect_until(stopped, 1 << 20, router());
    kept_alive.write_all(ASK).await.expect("there is room");
    let mut byte = [0];
    kept_alive.read_exact(&mut byte).await.expect("it is answered");
    stop.send(true).expect("it is listened to");
    let start = socket::now();
    drop(kept_alive);
    assert_eq!(ends_after(used, start).await, Duration::ZERO);
    let drained = async {
        let (mut client, mut rest) = (client, Vec::new());
        client.read_to_end(&mut rest).await.expect("it is closed");
        rest
    };
    assert!(drained.await.is_empty());
    assert_eq!(ends_after(task, start).await, FIRST_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_half_a_request_does_not_hold_it_up_for_long() {
    let (stop, stopped) = watch::channel(false);
    let (mut client, task) = connect_until(stopped, 1 << 20, router());
    client.write_all(&ASK[..10]).await.expect("there is room");
    tokio::task::yield_now().await;
    stop.send(true).expect("it is listened to");
    let (start, mut answer) = (socket::now(), String::new());
    client.read_to_string(&mut answer).await.expect("the answer is text");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    drop(client);
    assert_eq!(ends_after(task, start).await, FIRST_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pipelines_and_never_reads_is_closed() {
    let start = socket::now();
    let (mut client, task) = connect(100_000, router());
    client.write_all(&ASK.repeat(400)).await.expect("there is room");
    assert_eq!(ends_after(task, start).await, STALL);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the clock is the test's")]
async fn a_client_that_reads_a_byte_now_and_then_is_closed_in_the_end() {
    let start = socket::now();
    let (mut client, mut task) = connect(64, router());
    client.write_all(ASK).await.expect("there is room");
    while task.try_join_next().is_none() {
        let mut byte = [0];
        drop(client.read(&mut byte).await);
        tokio::time::sleep(STALL / 2).await;
    }
    assert!(socket::now() - start < TRANSFER + STALL);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_closed_without_a_response() {
    let start = socket::now();
    let (mut client, task) = connect(512, router());
    assert_eq!(ends_after(task, start).await, IDLE);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("it is closed");
    assert!(answer.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_another_request_until_it_has_been_idle_for_too_long() {
    let (mut client, task) = connect(4096, router());
    let mut answer = [0; 1000];
    for _ in 0..2 {
        client.write_all(ASK).await.expect("there is room");
        client.read_exact(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        client.read_exact(&mut answer[..head]).await.expect("the rest of it");
    }
    let start = socket::now();
    assert_eq!(ends_after(task, start).await, IDLE);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_is_a_problem_after_its_deadline() {
    for half in [&b"GET /hea"[..], b"GET / HTTP/1.1\r\nhost: local", &[ASK, b"G"].concat()] {
        let start = socket::now();
        let answer = answer_to(half).await;
        assert_eq!(socket::now() - start, HEAD);
        let (head, body) = last_answer(&answer);
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert_eq!(problem(head, body), 408);
    }
}

#[tokio::test]
async fn a_complete_request_is_answered_after_its_client_has_shut_down_its_half() {
    let slow = async || {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        "done"
    };
    let old = b"GET /slow HTTP/1.0\r\n\r\n";
    let new = b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (asked, answers) in [(&old[..], 1), (new, 1), (&new.repeat(3), 3)] {
        let (mut client, task) = connect(1 << 20, router().route("/slow", get(slow)));
        client.write_all(asked).await.expect("there is room");
        client.shutdown().await.expect("the other half stays open");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("the answer is text");
        assert_eq!(answer.matches(" 200 OK\r\n").count(), answers, "{answer}");
        assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
        ended(task).await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_a_head_is_a_problem_at_once() {
    for half in [&b"GET /hea"[..], b"GET / HTTP/1.1\r\nhost: local", &[ASK, b"G"].concat()] {
        let (mut client, _task) = connect(1 << 20, router());
        client.write_all(half).await.expect("there is room");
        client.shutdown().await.expect("the other half stays open");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("the answer is text");
        let (head, body) = last_answer(&answer);
        assert_eq!(problem(head, body), 400, "{answer}");
    }
}

#[tokio::test]
async fn a_head_may_be_as_large_as_the_limit_and_no_larger() {
    let of = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nhost: localhost\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(bytes - frame)).into_bytes()
    };
    for (bytes, status) in
        [(MAX_HEAD_BYTES, "200"), (MAX_HEAD_BYTES + 1, "431"), (70_000, "431"), (120_000, "431")]
    {
        let (mut client, _task) = connect(1 << 20, router());
        client.write_all(&of(bytes)).await.expect("there is room");
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer[9..], status.as_bytes(), "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_request_that_never_reaches_the_router_is_a_problem_too() {
    let line = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes();
    let many = (0..200).fold(String::new(), |lines, number| lines + &format!("x-{number}: a\r\n"));
    for (status, bytes) in [
        (400, b"\x01\x02 nonsense\r\n\r\n".to_vec()),
        (400, b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n".to_vec()),
        (400, b"GET / HTTP/3.7\r\n\r\n".to_vec()),
        (400, b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n".to_vec()),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        (400, [ASK, b"nonsense\r\n\r\n"].concat()),
        (414, line(&format!("/{}", "x".repeat(65_536)))),
        (414, line(&format!("/{}", "x".repeat(500_000)))),
        (
            431,
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(500_000)).into_bytes(),
        ),
        (431, format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n").into_bytes()),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ] {
        let answer = answer_to(&bytes).await;
        let (head, body) = last_answer(&answer);
        assert_eq!(
            problem(head, body),
            status,
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
        );
        assert!(
            head.contains("\r\nconnection: close\r\n") && head.contains("\r\ncache-control: no-store\r\n"),
            "{head}"
        );
    }
}

/// The head and the body of the last response on a connection.
fn last_answer(answers: &str) -> (&str, &str) {
    let (heads, body) = answers.rsplit_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answers}"));
    (&heads[heads.rfind("HTTP/1.1 ").expect("a first line")..], body)
}

/// The status of a complete problem document, which must agree with its head.
fn problem(head: &str, body: &str) -> u16 {
    let length = format!("\r\ncontent-length: {}\r\n", body.len());
    assert!(
        head.contains(&length) && head.contains("\r\ncontent-type: application/problem+json\r\n"),
        "{head}"
    );
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let status = problem["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    assert_eq!(head[9..12].parse(), Ok(status), "{head}");
    assert!(
        problem["detail"].is_string() && problem["title"].is_string() && problem["type"] == "about:blank"
    );
    status
}

#[tokio::test]
async fn a_client_that_pipelines_many_requests_does_not_hold_up_others() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = |who: &'static str| {
        let asked = asked.clone();
        router().layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            asked.lock().push(who);
            next.run(request)
        }))
    };
    let (mut greedy, _task) = connect(1 << 20, noted("greedy"));
    let (mut probe, _other) = connect(1 << 20, noted("probe"));
    greedy.write_all(&ASK.repeat(400)).await.expect("there is room");
    probe.write_all(ASK).await.expect("there is room");
    probe.read_exact(&mut [0; 12]).await.expect("an answer");
    let before = asked.lock().iter().position(|who| *who == "probe");
    assert!(before <= Some(2), "{before:?} requests of the other went before");
}

#[tokio::test]
async fn at_the_cap_the_longest_idle_connection_is_evicted() {
    let bound = Bound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = bound.address();
    let served = bound.serve_up_to(3, router(), std::future::pending());
    let clients = async {
        let mut open = Vec::new();
        // Six that send one request each: the first three are evicted.
        for _ in 0..6 {
            let mut stream = TcpStream::connect(address).await.expect("the listener accepts");
            stream.write_all(ASK).await.expect("it is read");
            stream.read_exact(&mut [0; 12]).await.expect("an answer");
            open.push(stream);
        }
        let last = open.split_off(3);
        for mut gone in open {
            gone.read_to_end(&mut Vec::new()).await.ok();
        }
        for mut stream in last {
            let mut rest = vec![0; 2000];
            assert!(stream.read(&mut rest).await.expect("the rest of the answer") > 1000);
            stream.write_all(ASK).await.expect("it is read");
            assert!(stream.read(&mut rest).await.expect("another answer") > 0);
        }
    };
    tokio::select! {
        biased;
        () = clients => {}
        served = served => panic!("{served:?}"),
    }
}

#[tokio::test]
async fn clients_that_leave_during_slow_requests_do_not_keep_a_probe_waiting() {
    const CAP: usize = 3;
    let bound = Bound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = bound.address();
    let (asked, mut begun) = watch::channel(0);
    let slow = move || {
        asked.send_modify(|asked| *asked += 1);
        std::future::pending::<&str>()
    };
    let served = bound.serve_up_to(CAP, router().route("/slow", get(slow)), std::future::pending());
    let probed = async {
        let connect = async || TcpStream::connect(address).await.expect("the listener accepts");
        for gone in 1..=3 * CAP {
            let mut client = connect().await;
            client.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is read");
            // Its shutdown arrives after the request, like that of a client that still wants the response.
            client.shutdown().await.expect("it is sent");
            drop(client);
            begun.wait_for(|asked| *asked == gone).await.expect("it is asked");
            let mut probe = connect().await;
            probe.write_all(ASK).await.expect("it is read");
            probe.read_exact(&mut [0; 12]).await.expect("an answer");
        }
    };
    tokio::select! {
        biased;
        () = probed => {}
        served = served => panic!("{served:?}"),
    }
}
