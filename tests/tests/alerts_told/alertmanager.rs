//! A real Alertmanager of Prometheus that is fed by the service: it groups, sends and resolves by its own settings.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use ttm_e2e::get;

use crate::place::{Place, SQLITE, order, pass, told_when_open};

/// A running Alertmanager, and what it sends to. Dropping it stops it.
struct Alertmanager {
    process: Child,
    address: SocketAddr,
    receiver: TcpListener,
    folder: TempDir,
}

impl Alertmanager {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listen = |host| TcpListener::bind((host, 0)).expect("a free port");
        // Its own port is free for a moment. Nobody takes it on another address than the one that connections come from: not even the
        // connection that asks whether it is ready, which could otherwise be to itself.
        let (receiver, free) = (listen("127.0.0.1"), listen("127.0.0.2"));
        let url = format!("http://{}/", receiver.local_addr().expect("an address"));
        let address = free.local_addr().expect("an address");
        drop(free);
        let config = format!(
            "route:\n  receiver: test\n  group_by: [severity]\n  group_wait: 1s\n  group_interval: 1s\n  repeat_interval: 1h\n\
             receivers:\n- name: test\n  webhook_configs:\n  - url: {url}\n    send_resolved: true\n"
        );
        std::fs::write(folder.path().join("config.yml"), config).expect("written");
        let log = File::create(folder.path().join("log")).expect("our own folder");
        let mut command = Command::new("prometheus-alertmanager");
        command.current_dir(folder.path()).args(["--config.file=config.yml", "--storage.path=data"]);
        command.args(["--cluster.listen-address=", &format!("--web.listen-address={address}")]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let process = process.expect(
            "prometheus-alertmanager is not installed: run cargo xtask test, or install the package of that name",
        );
        let mut started = Self { process, address, receiver, folder };
        while !started.is_ready() {
            let ended = started.process.try_wait().expect("our own child");
            assert!(ended.is_none(), "{}", started.log());
        }
        started
    }

    fn is_ready(&self) -> bool {
        std::net::TcpStream::connect(self.address).is_ok() && get(self.address, "/-/ready").status == 200
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its alerts with this name.
    fn alerts(&self, name: &str) -> Vec<Value> {
        let answer = get(self.address, "/api/v2/alerts").json();
        let mut alerts = answer.as_array().expect("a list").clone();
        alerts.retain(|alert| alert["labels"]["alertname"] == name);
        alerts
    }

    /// What it sends next.
    fn sends(&self) -> Value {
        let (stream, _) = self.receiver.accept().expect("it connects");
        let mut reader = BufReader::new(&stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("it is HTTP");
            match line.to_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a number"),
                _ if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        std::io::Read::read_exact(&mut reader, &mut body).expect("its body");
        (&stream)
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .expect("it reads");
        serde_json::from_slice(&body).expect("JSON")
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no time"))
}

/// The next that it sends about what is critical, with the names of its alerts.
fn sends_of_critical(alertmanager: &Alertmanager) -> (Value, Vec<String>) {
    loop {
        let sent = alertmanager.sends();
        if sent["groupLabels"]["severity"] == "critical" {
            let alerts = sent["alerts"].as_array().expect("a list");
            let name = |alert: &Value| alert["labels"]["alertname"].as_str().expect("a name").to_owned();
            let mut names: Vec<_> = alerts.iter().map(name).collect();
            names.sort();
            return (sent, names);
        }
    }
}

#[test]
fn an_alertmanager_is_told_at_once_what_fires_and_what_is_over_and_does_not_believe_the_dead_for_long() {
    let (place, alertmanager) = (Place::new(), Alertmanager::start());
    let feed = format!(
        "[alerts.channels.prometheus]\nkind = \"alertmanager\"\nurl = \"http://{}\"\n",
        alertmanager.address
    );
    let rules = told_when_open("door_open", &[]) + &told_when_open("gate_open", &[]);
    place.configure(SQLITE, &(feed + &rules + "[service]\ninstance = \"fra1\"\n"));
    let mut program = place.start();
    let address = program.address();
    // It has been told that nothing fires, and would be told again in a minute.
    pass(&mut program, 2);
    order(address, "force-open");
    let (sent, names) = sends_of_critical(&alertmanager);
    assert_eq!(
        (&sent["status"], names),
        (&"firing".into(), vec!["door_open".to_owned(), "gate_open".to_owned()])
    );
    let firing = alertmanager.alerts("door_open");
    let [door] = &firing[..] else { panic!("{firing:?}") };
    assert_eq!(
        door["labels"],
        json!({ "alertname": "door_open", "severity": "critical", "api": "dexscreener", "instance": "fra1" })
    );
    assert_eq!(door["annotations"]["value"], "1", "{door}");
    assert!(time(&door["startsAt"]) < time(&door["updatedAt"]), "{door}");
    let [breaker] = &alertmanager.alerts("breaker_open")[..] else { panic!("it is told as well") };
    assert_eq!(breaker["annotations"]["summary"], "calls are withheld, since they fail", "{breaker}");

    order(address, "reset");
    let (sent, names) = sends_of_critical(&alertmanager);
    assert_eq!((&sent["status"], names.len()), (&"resolved".into(), 2), "{sent}");

    order(address, "force-open");
    assert_eq!(sends_of_critical(&alertmanager).0["status"], "firing");
    program.signal(Signal::KILL);
    program.end();
    for alert in ["door_open", "gate_open", "breaker_open"].map(|name| alertmanager.alerts(name).remove(0)) {
        let lasts = time(&alert["endsAt"]).duration_since(time(&alert["updatedAt"]));
        let four_minutes = SignedDuration::from_secs(230)..=SignedDuration::from_secs(240);
        assert!(four_minutes.contains(&lasts), "{alert}");
    }
}

/// Waits until it sends that this is so of the alert `door_open` of each instance.
fn wait_for_doors(alertmanager: &Alertmanager, expected: [(&str, &str); 2]) {
    loop {
        let (sent, _) = sends_of_critical(alertmanager);
        let mut doors: Vec<_> = sent["alerts"].as_array().expect("a list").iter().collect();
        doors.retain(|alert| alert["labels"]["alertname"] == "door_open");
        let is_so = |(instance, status): (&str, &str)| {
            doors.iter().any(|door| door["labels"]["instance"] == instance && door["status"] == status)
        };
        if expected.into_iter().all(is_so) {
            return;
        }
    }
}

#[test]
fn of_two_services_that_tell_one_alertmanager_neither_ends_the_alerts_of_the_other() {
    let alertmanager = Alertmanager::start();
    let feed = format!(
        "[alerts.channels.prometheus]\nkind = \"alertmanager\"\nurl = \"http://{}\"\n",
        alertmanager.address
    );
    let of = |instance: &str| {
        let place = Place::new();
        let service = format!("[service]\ninstance = \"{instance}\"\n");
        place.configure(SQLITE, &(feed.clone() + &told_when_open("door_open", &[]) + &service));
        let mut program = place.start();
        let address = program.address();
        pass(&mut program, 2);
        order(address, "force-open");
        (place, program, address)
    };
    let ((_first, mut one, address), (_second, mut other, _)) = (of("fra1"), of("fra2"));
    wait_for_doors(&alertmanager, [("fra1", "firing"), ("fra2", "firing")]);
    order(address, "reset");
    // In one message: what ends is not what still fires.
    wait_for_doors(&alertmanager, [("fra1", "resolved"), ("fra2", "firing")]);
    // The first goes on telling what fires with it, which is nothing of the other's.
    pass(&mut one, 2);
    pass(&mut other, 2);
    let [door] = &alertmanager.alerts("door_open")[..] else { panic!("one of them fires") };
    assert_eq!(door["labels"]["instance"], "fra2", "{door}");
}
