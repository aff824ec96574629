//! What the program tells its service manager, and what it takes over from it, against the other end of the socket.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use ttm_e2e::{Market, Program, get, market, ttm};
use ttm_systemd::testing::FakeManager;

fn service(folder: &Path, manager: &FakeManager, market: &Market) -> Command {
    let mut command = ttm(folder);
    command
        .args(["run", "--log", "info"])
        .env("NOTIFY_SOCKET", manager.notify_socket())
        .envs([("TTM_API__LISTEN", "127.0.0.1:0"), ("TTM_DEXSCREENER__BASE_URL", &market.base_url())]);
    command
}

/// Has the program begin with this listener, as systemd passes one on. It is its standard input, since a test cannot choose
/// the number of a descriptor.
fn inheriting(command: &mut Command, listener: OwnedFd) -> &mut Command {
    command.stdin(listener).envs([
        ("LISTEN_FDS", "1"),
        ("LISTEN_FDS_FIRST_FD", "0"),
        ("LISTEN_FDNAMES", "http"),
    ])
}

#[test]
fn a_life_is_told_from_its_start_to_its_end_and_pinged_for_meanwhile() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(3));
    let mut manager = FakeManager::in_folder(folder.path());
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    let added = Program::start(ttm(folder.path()).args(["tokens", "add"]).args(&mints)).end();
    assert_eq!(added.code, Some(0), "{added:?}");
    let mut command = service(folder.path(), &manager, &market);
    let program = Program::start(command.env("WATCHDOG_USEC", "300000"));

    let first = manager.receive();
    assert_eq!(first.pid, i32::try_from(program.pid()).expect("a process id"), "{first:?}");
    manager.wait_for("READY=1");
    manager.wait_for("STATUS=scoring 3 tokens");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    program.signal(Signal::TERM);
    manager.wait_for("STOPPING=1");
    manager.wait_for("EXTEND_TIMEOUT_USEC=40000000");
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_start_that_waits_asks_for_time_and_says_what_for() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(1));
    let mut manager = FakeManager::in_folder(folder.path());
    let mut command = service(folder.path(), &manager, &market);
    // Nothing listens there.
    let program = Program::start(command.env("TTM_STORE__URL", "postgres://ttm@127.0.0.1:1/ttm"));
    manager.wait_until(|line| line.starts_with("STATUS=the start waits for ") && line.contains("refused"));
    manager.wait_for("EXTEND_TIMEOUT_USEC=30000000");
    program.signal(Signal::TERM);
    manager.wait_for("STOPPING=1");
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn the_next_process_answers_who_connected_while_there_was_none() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(1));
    let mut manager = FakeManager::in_folder(folder.path());
    let mut first = Program::start(&mut service(folder.path(), &manager, &market));
    let address = first.address();
    manager.wait_for("FDSTORE=1");
    first.signal(Signal::KILL);
    first.end();

    let kept = manager.kept().expect("the listener").try_clone().expect("a descriptor is free");
    let asks = std::thread::scope(|scope| {
        let asked = scope.spawn(|| get(address, "/health/live"));
        let mut command = service(folder.path(), &manager, &market);
        let mut second =
            Program::start(inheriting(command.env("TTM_API__LISTEN", address.to_string()), kept));
        assert_eq!(second.address(), address);
        let answer = asked.join().expect("it is answered");
        second.signal(Signal::TERM);
        assert_eq!(second.end().code, Some(0));
        answer
    });
    assert_eq!(asks.status, 200);
}

#[test]
fn a_kept_listener_gives_way_to_another_address() {
    let (folder, market) = (tempfile::tempdir().expect("a folder"), market(1));
    let mut manager = FakeManager::in_folder(folder.path());
    let kept = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = kept.local_addr().expect("it is bound").port();
    // As systemd does, this test has a copy of it.
    let passed = kept.try_clone().expect("a descriptor is free");
    let mut command = service(folder.path(), &manager, &market);
    let command = command.env("TTM_API__LISTEN", format!("127.0.0.1:{port}"));
    let mut program = Program::start(inheriting(command, passed.into()));
    let address = program.address();
    assert_eq!(address.to_string(), format!("127.0.0.1:{port}"));
    manager.wait_for("FDSTOREREMOVE=1");
    manager.wait_for("FDSTORE=1");
    let kept = TcpListener::from(manager.kept().expect("the new one").try_clone().expect("a descriptor"));
    assert_eq!(kept.local_addr().ok(), Some(address));
}
