//! The service under a real systemd, in containers that are booted for it. Needs root, a root folder for the containers, and
//! systemd-nspawn: `cargo xtask test --systemd` sees to it.

mod client;
mod container;
mod hung;
mod service;

use std::time::Duration;

use client::Client;
use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::json;
use service::{Service, installed, now, pause};

/// `RestartSec` of the unit.
const RESTART_SEC: Duration = Duration::from_secs(5);

#[test]
fn the_unit_is_valid_and_exposed_no_more_than_is_promised() {
    installed("", "", |service| {
        let unit = "/etc/systemd/system/ttm.service";
        let verified = service.container.run(&format!("systemd-analyze verify {unit}"));
        assert_eq!(container::text(&verified.stderr), "", "{}", verified.status);
        assert!(verified.status.success());
        // In tenths. It fails when the unit is exposed more.
        service
            .container
            .ok(&format!("systemd-analyze security --offline=true --threshold=20 --no-pager {unit}"));
    });
}

#[test]
fn a_start_is_over_once_it_is_ready_and_may_take_longer_than_systemd_waits() {
    installed("", "TimeoutStartSec=3", |service| {
        let container = &service.container;
        container.ok("systemctl start ttm");
        assert_eq!(service.get("/health/live").status, 200);
        assert!(service.mints[..3].iter().all(|mint| service.add(mint)));
        container.ok("systemctl stop ttm");
        let shown = service.shown();
        assert_eq!((&*shown["Result"], &*shown["ExecMainStatus"]), ("success", "0"), "{}", service.log());

        let database = container.open("/var/lib/ttm/ttm.db");
        fcntl_lock(&database, FlockOperation::LockExclusive).expect("nobody uses it");
        let begun = now();
        let mut start = container.command("systemctl").args(["start", "ttm"]).spawn().expect("nsenter");
        service.wait_for("StatusText", |text| {
            text.contains("the start waits for the store") && text.contains("cannot use")
        });
        while begun.elapsed() < Duration::from_secs(8) {
            assert!(start.try_wait().expect("it runs").is_none(), "it is not ready\n{}", service.log());
            pause();
        }
        assert_eq!(service.property("SubState"), "start");
        assert_eq!((service.get("/health/live").status, service.get("/health/ready").status), (200, 503));
        drop(database);
        assert!(start.wait().expect("it ends").success(), "{}", service.log());
        service.wait_for("StatusText", |text| text == "scoring 3 tokens");
        let measured = service.get("/health/resources").json();
        for figure in ["memory_usage_mb", "disk_usage_percent", "open_file_descriptors"] {
            assert!(measured[figure].is_number(), "what it measures may not be closed to it: {measured}");
        }
        let shown = service.shown();
        assert_eq!((&*shown["ActiveState"], &*shown["NRestarts"]), ("active", "0"));
    });
}

/// `WatchdogSec` of the tests in which it expires.
const WATCHDOG_SEC: Duration = Duration::from_secs(6);
/// The supervision plane is believed to run for this long after it last did.
const BELIEVED: Duration = Duration::from_secs(5);
/// For systemd, and for the start.
const SOME_MORE: Duration = Duration::from_secs(4);

/// Has the watchdog expire, and returns how long it took until the service was there again, with its token.
fn is_killed_and_started_again(hang: impl FnOnce(&Service)) -> Duration {
    let mut took = Duration::ZERO;
    installed("", &format!("WatchdogSec={}", WATCHDOG_SEC.as_secs()), |service| {
        let container = &service.container;
        container.ok("systemctl start ttm");
        assert!(service.add(&service.mints[0]));
        let before = service.pid();
        let begun = now();
        hang(service);
        service.wait_for("NRestarts", |count| count == "1");
        service.wait_for("ActiveState", |state| state == "active");
        took = begun.elapsed();
        assert_ne!(service.pid(), before);
        let journal = container.ok("journalctl --unit ttm --output cat --no-pager");
        assert!(journal.contains("Watchdog timeout"), "{journal}");
        assert_eq!(service.tokens(), [service.mints[0].to_string()]);
    });
    took
}

#[test]
fn a_process_whose_supervision_hangs_is_killed_by_the_watchdog_and_started_again() {
    let took = is_killed_and_started_again(|service| hung::hang(service, "supervision"));
    assert!(took < BELIEVED + WATCHDOG_SEC + RESTART_SEC + SOME_MORE, "it took {took:?}");
}

#[test]
fn a_work_plane_that_hangs_is_built_anew_before_the_watchdog_expires_and_the_third_time_the_process_is() {
    installed("", "", |service| {
        let container = &service.container;
        container.ok("systemctl start ttm");
        assert!(service.add(&service.mints[0]));
        service.wait_for("StatusText", |text| text == "scoring 1 token");
        let before = service.pid();
        let recoveries = || service.get("/api/v1/recoveries").json()["recoveries"].clone();
        // The newest is the first.
        let ended = |count: usize| {
            let all = recoveries();
            let is_over = all.as_array().map(Vec::len) == Some(count) && !all[0]["outcome"].is_null();
            is_over.then(|| all[0].clone())
        };
        let age = || service.get("/api/v1/tokens").json()["tokens"][0]["age_seconds"].as_f64();
        for time in 1..=2 {
            hung::hang(service, "work");
            let recovery = service.wait(|| ended(time));
            assert_eq!(
                (&recovery["subject"], &recovery["outcome"]),
                (&json!("work-plane"), &json!("recovered"))
            );
            assert_eq!(recovery["steps"].as_array().map(Vec::len), Some(1), "{recovery}");
            assert_eq!(recovery["steps"][0]["step"], "rebuild_plane", "{recovery}");
            service.wait(|| age().filter(|seconds| *seconds < 2.0));
            assert_eq!((service.pid(), service.property("NRestarts")), (before.clone(), "0".to_owned()));
        }
        hung::hang(service, "work");
        service.wait_for("ExecMainStatus", |code| code == "70");
        service.wait_for("NRestarts", |count| count == "1");
        service.wait_for("ActiveState", |state| state == "active");
        let recovery = service.wait(|| ended(3));
        assert_eq!((&recovery["subject"], &recovery["outcome"]), (&json!("work-plane"), &json!("recovered")));
        assert_eq!(recovery["steps"][0]["step"], "end_process", "{recovery}");
        service.wait(|| age().filter(|seconds| *seconds < 2.0));
    });
}

#[test]
fn a_process_that_is_stopped_is_killed_by_the_watchdog_and_started_again() {
    let took = is_killed_and_started_again(|service| {
        drop(service.container.ok("systemctl kill --kill-whom=main --signal=STOP ttm"));
    });
    assert!(took < WATCHDOG_SEC + RESTART_SEC + SOME_MORE, "it took {took:?}");
}

#[test]
fn a_process_that_is_killed_is_started_again_and_has_every_token_that_was_accepted() {
    installed("", "", |service| {
        let container = &service.container;
        container.ok("systemctl start ttm");
        let mut accepted = Vec::new();
        for (at, mint) in service.mints.iter().enumerate() {
            if at == 10 || at == 25 {
                container.ok("systemctl kill --kill-whom=main --signal=KILL ttm");
            }
            if service.add(mint) {
                accepted.push(mint.to_string());
            }
            if at == 20 {
                service.wait_for("ActiveState", |state| state == "active");
            }
        }
        assert!(accepted.len() > 10, "{} of {} were accepted", accepted.len(), service.mints.len());
        service.wait_for("NRestarts", |count| count == "2");
        service.wait_for("ActiveState", |state| state == "active");
        let tokens = service.tokens();
        let lost: Vec<_> = accepted.iter().filter(|mint| !tokens.contains(mint)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}\n{}", service.log());
    });
}

#[test]
fn a_config_that_is_bad_ends_with_78_and_is_not_tried_again() {
    installed("", "", |service| {
        service.container.ok("systemctl start ttm");
        service.configure("[store]\nurl = \"sqlite:///var/lib/ttm/ttm.db\"\nurll = 1\n");
        assert!(!service.container.run("systemctl restart ttm").status.success());
        let shown = service.shown();
        let of = |name: &str| &*shown[name];
        // Had it been about to start it again, it would be activating.
        assert_eq!((of("ActiveState"), of("SubState"), of("ExecMainStatus")), ("failed", "failed", "78"));
        assert_eq!((of("NRestarts"), of("Result")), ("0", "exit-code"));
        assert!(service.log().contains("urll"), "{}", service.log());
        // Nobody is left to answer who would wait on it.
        assert_eq!(of("NFileDescriptorStore"), "0");
    });
}

#[test]
fn no_connection_is_refused_over_twenty_restarts_and_none_waits_long() {
    installed("", "", |service| {
        let container = &service.container;
        container.ok("systemctl start ttm");
        assert_eq!(service.property("NFileDescriptorStore"), "1");
        let restarted = Client::watches(container, || {
            for _ in 0..20 {
                container.ok("systemctl restart ttm");
            }
        });
        assert_eq!((restarted.refused, restarted.unanswered), (0, 0), "{restarted}");
        assert!(restarted.answered >= 100, "{restarted}");
        assert!(restarted.longest < Duration::from_secs(3), "{restarted}");

        let killed = Client::watches(container, || {
            container.ok("systemctl kill --kill-whom=main --signal=KILL ttm");
            service.wait_for("NRestarts", |count| count == "1");
            service.wait_for("ActiveState", |state| state == "active");
        });
        // What the killed process was about to answer has nobody to answer it.
        assert!(killed.refused == 0 && killed.unanswered <= 1, "{killed}");
        assert!(killed.longest < RESTART_SEC + Duration::from_secs(3), "{killed}");
        eprintln!("twenty restarts: {restarted}\nkilled: {killed}");
        assert_eq!(service.property("NFileDescriptorStore"), "1");
        container.ok("systemctl stop ttm");
        assert_eq!(service.property("NFileDescriptorStore"), "0");
    });
}
