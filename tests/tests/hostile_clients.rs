//! Hundreds of hostile clients against the real program: whatever they do, probes are answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ttm_e2e::{Market, Program, market, ttm};

/// The promised time of a response. On a shared machine, the time in which the service or the test was runnable but waited
/// for a CPU is not counted.
const PROMISE: Duration = Duration::from_secs(1);
/// The timeout including such waits.
const PATIENCE: Duration = Duration::from_mins(1);

fn service(folder: &Path, market: &Market) -> Program {
    Program::start(
        ttm(folder)
            .args(["run"])
            .envs([("TTM_API__LISTEN", "127.0.0.1:0"), ("TTM_DEXSCREENER__BASE_URL", &market.base_url())]),
    )
}

/// Sends a request on a new connection, and asserts the promised time.
#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn probe(program: &Program, address: SocketAddr, path: &str) {
    let waited = || program.waited_to_run("supervision") + ttm_e2e::waited_to_run();
    let (begun, waited_before) = (Instant::now(), waited());
    ask(address, path);
    let took = begun.elapsed();
    let others = waited().saturating_sub(waited_before);
    let counts = took.saturating_sub(others);
    assert!(counts <= PROMISE, "{path} took {took:?}, of which {others:?} waiting for a CPU");
}

/// Sends a request on a new connection.
fn ask(address: SocketAddr, path: &str) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
}

/// Connects, sends as much as the socket buffer takes, and reads nothing.
fn send_and_never_read(address: SocketAddr, request: &str, times: usize) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 2048).expect("a small buffer");
    stream.set_nonblocking(true).expect("a non-blocking socket");
    for _ in 0..times {
        // The buffer is full, or the service has closed the connection.
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
    assert_eq!(outcome.code, Some(0), "they do not delay the shutdown: {}", outcome.stderr);
}

/// The service with a limit on open files that it cannot raise.
fn service_with_descriptors(folder: &Path, market: &Market, limit: u32) -> Program {
    let (program, own) = (ttm(folder), format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", &own]).arg(program.get_program()).arg("run").current_dir(folder).env_clear();
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    limited.envs([("TTM_API__LISTEN", "127.0.0.1:0"), ("TTM_DEXSCREENER__BASE_URL", &market.base_url())]);
    Program::start(&mut limited)
}

#[test]
fn probes_are_answered_with_as_few_descriptors_as_the_service_starts_with() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(40));
    let mut program = service_with_descriptors(folder.path(), &market, 64);
    let address = program.address();
    let mut idle = Vec::new();
    for _round in 0..3 {
        idle.extend((0..50).map(|_| send_and_never_read(address, "", 0)));
        for path in ["/health/live", "/health/ready", "/health/startup", "/health"] {
            probe(&program, address, path);
        }
    }
    program.signal(rustix::process::Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("the API cannot take connections"), "{}", outcome.stderr);
}

#[test]
fn too_low_a_limit_on_descriptors_is_refused_with_how_to_raise_it() {
    for limit in [24, 40, 63] {
        let (folder, market) = (tempfile::tempdir().expect("a folder"), market(1));
        let outcome = service_with_descriptors(folder.path(), &market, limit).end();
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let line = format!(
            "error: the limit on open files is {limit}, expected at least 64: raise it, with LimitNOFILE= under systemd or with ulimit -n\n"
        );
        assert_eq!(outcome.stderr, line);
        assert!(!folder.path().join("ttm-data").exists());
    }
}

#[test]
fn a_listener_without_descriptors_reports_that_once_and_answers_probes() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(40));
    let mut program = service(folder.path(), &market);
    let address = program.address();
    let mut idle: Vec<_> = (0..20).map(|_| send_and_never_read(address, "", 0)).collect();
    probe(&program, address, "/health/live");
    program.leave_no_descriptor();
    for _round in 0..3 {
        idle.extend((0..10).map(|_| send_and_never_read(address, "", 0)));
        probe(&program, address, "/health/live");
    }
    program.signal(rustix::process::Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.stderr.matches("the API cannot take connections").count(), 1, "{}", outcome.stderr);
}
