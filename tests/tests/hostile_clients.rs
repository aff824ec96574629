//! Clients that mean harm, by the hundred, against the real program: whatever they do, probes are answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use ttm_e2e::{Market, Program, market, ttm};

/// The promise. On a shared machine the time does not count in which the one who answers or the one who asks was ready to
/// run and others had the processors.
const PROMISE: Duration = Duration::from_secs(1);
/// How long that may take in all.
const PATIENCE: Duration = Duration::from_mins(1);

fn service(folder: &Path, market: &Market) -> Program {
    Program::start(
        ttm(folder)
            .args(["run"])
            .envs([("TTM_API__LISTEN", "127.0.0.1:0"), ("TTM_DEXSCREENER__BASE_URL", &market.base_url())]),
    )
}

/// Asks on a connection of its own, and holds the program to its promise.
#[expect(clippy::disallowed_methods, reason = "what is promised is a time on the wall")]
fn probe(program: &Program, address: SocketAddr, path: &str) {
    let waited = || program.waited_to_run("supervision") + ttm_e2e::waited_to_run();
    let (begun, waited_before) = (Instant::now(), waited());
    ask(address, path);
    let took = begun.elapsed();
    let others = waited().saturating_sub(waited_before);
    let counts = took.saturating_sub(others);
    assert!(counts <= PROMISE, "{path} took {took:?}, of which others had the processors for {others:?}");
}

/// Asks on a connection of its own.
fn ask(address: SocketAddr, path: &str) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
}

/// Connects, sends what the system takes at once, and reads nothing.
fn send_and_never_read(address: SocketAddr, request: &str, times: usize) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 2048).expect("a small buffer");
    stream.set_nonblocking(true).expect("a socket can be asked not to wait");
    for _ in 0..times {
        // It is full, or was given up by the other side already.
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
    }
    stream
}

#[test]
fn probes_are_answered_whatever_six_hundred_hostile_clients_do() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(40));
    let mut program = service(folder.path(), &market);
    let address = program.address();
    let page = "GET /health/detailed HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut hostile = Vec::new();
    for _round in 0..12 {
        for client in 0..50 {
            hostile.push(match client % 4 {
                0 => send_and_never_read(address, "", 0),
                1 => send_and_never_read(address, "GET /health/li", 1),
                2 => send_and_never_read(address, page, 60),
                _ => send_and_never_read(address, &page.repeat(400), 1),
            });
        }
        for path in ["/health/live", "/health/ready", "/health/startup", "/health"] {
            probe(&program, address, path);
        }
    }
    program.signal(rustix::process::Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "they do not hold up the stop: {}", outcome.stderr);
}
