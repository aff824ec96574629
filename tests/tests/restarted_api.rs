//! The part that answers is restarted: who connects meanwhile waits for the next incarnation, and nobody is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use ttm_e2e::{Program, post, ttm};

const TOKEN: &str = "correct-horse-battery-staple";
/// Longer than a restart may take, with a client that has sent half a request.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// A test that fails ends all the same.
const LONGEST: Duration = Duration::from_mins(1);

#[expect(clippy::disallowed_methods, reason = "the test measures how long an answer takes")]
fn now() -> Instant {
    Instant::now()
}

/// Asks once, as a probe that takes a new connection each time.
fn probe(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    write!(stream, "GET /health/live HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn over_a_restart_of_the_api_every_connection_is_answered_whatever_another_client_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    fs::write(&token, TOKEN).expect("written");
    fs::set_permissions(token, fs::Permissions::from_mode(0o600)).expect("ours");
    let mut command = ttm(folder.path());
    command.args(["run", "--log", "info,ttm_service=debug"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_API__TOKEN_FILE", "token"),
        ("TTM_STORE__URL", "sqlite://ttm-data/ttm.db"),
    ]);
    let mut program = Program::start(&mut command);
    let address = program.address();

    let (over, begun) = (AtomicBool::new(false), now());
    let (asked, failed, slowest) = thread::scope(|scope| {
        let prober = scope.spawn(|| {
            let (mut asked, mut failed, mut slowest) = (0, Vec::new(), Duration::ZERO);
            while !over.load(Ordering::Relaxed) && begun.elapsed() < LONGEST {
                let since = now();
                match probe(address) {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {}
                    other => failed.push(format!("{other:?}")),
                }
                (asked, slowest) = (asked + 1, slowest.max(since.elapsed()));
            }
            (asked, failed, slowest)
        });
        let bearer = format!("authorization: Bearer {TOKEN}\r\n");
        for begin in ["", "GET /health HTTP/1.1\r\nhost: "] {
            let mut half = TcpStream::connect(address).expect("it listens");
            half.write_all(begin.as_bytes()).expect("it reads");
            assert_eq!(post(address, "/api/v1/parts/api/restart", &bearer).status, 202);
            program.wait_for("that it gets on", |entry| {
                entry["message"] == "recovery over"
                    && entry["part"] == "api"
                    && entry["outcome"] == "recovered"
            });
        }
        over.store(true, Ordering::Relaxed);
        prober.join().expect("it does not panic")
    });
    assert!(asked > 50, "{asked}");
    assert_eq!(failed, [""; 0], "of {asked}, the slowest after {slowest:?}");
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}
