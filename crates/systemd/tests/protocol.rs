//! The protocol against the other end of the socket.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use ttm_recovery::{Notice, ServiceManager as _};
use ttm_systemd::testing::FakeManager;
use ttm_systemd::{BadSocket, Delivery, Environment, Systemd, Watchdog};

fn environment(manager: &FakeManager, watchdog: Option<Duration>) -> Environment {
    Environment {
        notify_socket: Some(manager.notify_socket()),
        watchdog_usec: watchdog.map(|patience| patience.as_micros().to_string().into()),
        watchdog_pid: Some(std::process::id().to_string().into()),
        ..Environment::default()
    }
}

fn systemd(manager: &FakeManager, watchdog: Option<Duration>) -> Systemd {
    Systemd::new(&environment(manager, watchdog), std::process::id()).expect("a socket")
}

fn status(words: &str) -> Notice {
    Notice::Status(words.to_owned())
}

#[test]
fn notices_arrive_in_order_and_the_kernel_says_from_whom() {
    let folder = tempfile::tempdir().expect("a folder");
    let by_path = FakeManager::in_folder(folder.path());
    let abstract_name = format!("ttm-test/{}/notices", std::process::id());
    for mut manager in [by_path, FakeManager::with_abstract_name(&abstract_name)] {
        let systemd = systemd(&manager, None);
        for (notice, line) in [
            (status("waiting for the store"), "STATUS=waiting for the store"),
            (Notice::Extend(Duration::from_secs(30)), "EXTEND_TIMEOUT_USEC=30000000"),
            (Notice::Ready, "READY=1"),
            (Notice::Alive, "WATCHDOG=1"),
            (Notice::Stopping, "STOPPING=1"),
        ] {
            systemd.notify(notice);
            let message = manager.receive();
            assert_eq!(message.lines, [line]);
            assert_eq!(u32::try_from(message.pid), Ok(std::process::id()));
        }
    }
}

#[test]
fn a_status_is_said_only_when_it_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manager = FakeManager::in_folder(folder.path());
    let systemd = systemd(&manager, None);
    for words in ["scoring 600 tokens", "scoring 600 tokens", "degraded:\nREADY=1", "degraded: READY=1"] {
        systemd.notify(status(words));
    }
    assert_eq!(manager.receive().lines, ["STATUS=scoring 600 tokens"]);
    assert_eq!(manager.receive().lines, ["STATUS=degraded: READY=1"]);
    assert!(!manager.has_message());
}

#[test]
fn a_full_queue_neither_blocks_nor_loses_what_must_arrive() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manager = FakeManager::in_folder(folder.path());
    let failures = Arc::new(AtomicUsize::new(0));
    let (counted, changes) = (failures.clone(), Arc::new(AtomicUsize::new(0)));
    let all = changes.clone();
    let systemd = systemd(&manager, None).telling(move |delivery| {
        all.fetch_add(1, Ordering::Relaxed);
        if let Delivery::Failed(error) = delivery {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut sent = 0;
    while failures.load(Ordering::Relaxed) == 0 {
        systemd.notify(Notice::Alive);
        sent += 1;
    }
    systemd.notify(Notice::Ready);
    systemd.notify(status("a"));
    systemd.notify(status("b"));
    // The last of them was not sent.
    for _ in 1..sent {
        assert_eq!(manager.receive().lines, ["WATCHDOG=1"]);
    }
    systemd.notify(Notice::Alive);
    assert_eq!(manager.receive().lines, ["WATCHDOG=1", "READY=1", "STATUS=b"]);
    assert_eq!((failures.load(Ordering::Relaxed), changes.load(Ordering::Relaxed)), (1, 2));
}

#[test]
fn a_manager_that_goes_away_changes_nothing_and_one_that_comes_back_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = FakeManager::in_folder(folder.path());
    let systemd = systemd(&manager, None);
    drop(manager);
    systemd.notify(Notice::Ready);
    std::fs::remove_file(folder.path().join("notify")).expect("it was there");
    systemd.notify(status("running"));
    let mut back = FakeManager::in_folder(folder.path());
    systemd.notify(Notice::Alive);
    assert_eq!(back.receive().lines, ["WATCHDOG=1", "READY=1", "STATUS=running"]);
}

#[test]
fn outside_systemd_nothing_is_done_and_a_socket_that_cannot_be_used_is_named() {
    let systemd = Systemd::new(&Environment::default(), std::process::id()).expect("none is fine");
    assert!(!systemd.is_there());
    systemd.notify(Notice::Ready);
    let watched = Environment { watchdog_usec: Some("1000".into()), ..Environment::default() };
    let systemd = Systemd::new(&watched, std::process::id()).expect("none is fine");
    assert_eq!(systemd.watchdog(), None, "there is nothing to ping");

    for name in ["", "notify", "vsock:2:1234"] {
        let environment = Environment { notify_socket: Some(name.into()), ..Environment::default() };
        let error = Systemd::new(&environment, std::process::id()).expect_err("no socket");
        assert!(matches!(error, BadSocket::Unknown(_)), "{error}");
    }
    let too_long = Environment { notify_socket: Some("/n".repeat(100).into()), ..Environment::default() };
    let error = Systemd::new(&too_long, std::process::id()).expect_err("no socket");
    assert!(matches!(error, BadSocket::Refused(_)), "{error}");
}

#[test]
fn the_watchdog_is_fed_while_the_process_is_alive_and_no_longer() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manager = FakeManager::in_folder(folder.path());
    let systemd = Arc::new(systemd(&manager, Some(Duration::from_millis(60))));
    let alive = Arc::new(AtomicBool::new(true));
    // It says when it asked while the process was not alive.
    let (asked, was_asked) = channel();
    let answer = alive.clone();
    let is_alive = move || {
        let is_alive = answer.load(Ordering::SeqCst);
        // Nobody may be listening any more.
        let _ = asked.send(is_alive);
        is_alive
    };
    let watchdog = Watchdog::start(systemd, is_alive).expect("a thread").expect("it is watched");
    for _ in 0..3 {
        assert_eq!(manager.receive().lines, ["WATCHDOG=1"]);
    }
    alive.store(false, Ordering::SeqCst);
    while was_asked.recv().expect("it asks on") {}
    while manager.has_message() {
        manager.receive();
    }
    for _ in 0..3 {
        assert_eq!(was_asked.recv(), Ok(false), "it asks on");
        assert!(!manager.has_message());
    }
    alive.store(true, Ordering::SeqCst);
    assert_eq!(manager.receive().lines, ["WATCHDOG=1"]);
    drop(watchdog);
    while manager.has_message() {
        manager.receive();
    }
    while was_asked.recv().is_ok() {}
    assert!(!manager.has_message(), "its thread has ended");
}

#[test]
fn there_is_no_thread_where_systemd_waits_for_no_ping() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = FakeManager::in_folder(folder.path());
    let systemd = Arc::new(systemd(&manager, None));
    assert!(Watchdog::start(systemd, || true).expect("no thread").is_none());
}

#[test]
fn a_connection_waits_on_the_listener_that_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manager = FakeManager::in_folder(folder.path());
    let systemd = systemd(&manager, None);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    systemd.keep(&listener);
    assert_eq!(manager.receive().lines, ["FDSTORE=1", "FDNAME=http"]);
    drop(listener);

    let mut client = TcpStream::connect(address).expect("it is kept");
    let kept = manager.kept().expect("a descriptor").try_clone().expect("a descriptor is free");
    let (mut served, _) = TcpListener::from(kept).accept().expect("a client waits");
    served.write_all(b"here").expect("it reads");
    let mut answer = [0; 4];
    client.read_exact(&mut answer).expect("it is answered");
    assert_eq!(&answer, b"here");

    systemd.drop_kept();
    assert_eq!(manager.receive().lines, ["FDSTOREREMOVE=1", "FDNAME=http"]);
    drop(served);
    assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
}

#[test]
fn the_other_end_closes_a_barrier_once_all_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manager = FakeManager::in_folder(folder.path());
    let systemd = systemd(&manager, None);
    systemd.notify(Notice::Ready);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect(manager.notify_socket()).expect("it listens");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
    let passed = [writer.as_fd()];
    assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&passed)));
    let text = [std::io::IoSlice::new(b"BARRIER=1")];
    rustix::net::sendmsg(&socket, &text, &mut control, rustix::net::SendFlags::empty()).expect("it listens");
    drop(writer);
    systemd.notify(Notice::Stopping);

    assert_eq!(manager.receive().lines, ["READY=1"]);
    assert_eq!(manager.receive().lines, ["STOPPING=1"]);
    let mut nothing = String::new();
    assert_eq!(reader.read_to_string(&mut nothing).expect("the other end is closed"), 0);
}
