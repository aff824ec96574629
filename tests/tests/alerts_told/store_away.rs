//! Stores that are away: that is told from memory, kept beside the store, and reconciled when the store is back or by the next
//! process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use ttm_e2e::{Postgres, Program, fill, in_a_namespace};

use crate::hook::{Hook, Request};
use crate::mail::python;
use crate::place::{Place, SQLITE, channel, pass, stop, told};

/// What a message says of the store of tokens, whose alert may be one of two in it.
fn of_store(request: &Request) -> Option<&Value> {
    let alerts = request.body["alerts"].as_array().expect("a list");
    alerts.iter().find(|alert| alert["labels"]["store"] == "store")
}

/// A service on a server of its own, and the folder that systemd would give it.
struct Setting {
    place: Place,
    hook: Hook,
    server: Postgres,
}

impl Setting {
    fn new() -> Self {
        let (place, hook, server) = (Place::new(), Hook::start(), Postgres::start());
        let rule = told("store_down", "", &["ops"]);
        place.configure(&server.url(), &(channel("ops", &hook) + &rule));
        fs::create_dir(place.path().join("state")).expect("made");
        Self { place, hook, server }
    }

    fn service(&self) -> Command {
        let mut command = self.place.service();
        command.env("STATE_DIRECTORY", self.place.path().join("state"));
        command
    }

    fn journal(&self) -> String {
        let path: PathBuf = self.place.path().join("state/ttm-alerts");
        fs::read_to_string(path).unwrap_or_default()
    }
}

/// Waits until all episodes that were told are over, and checks that their beginnings and ends were told once each. What nobody knows to
/// have arrived is told as passed.
fn each_is_told_once(hook: &Hook, program: &mut Program) {
    let told_as = |requests: &[Request], news: &[&str]| -> Vec<String> {
        let alerts = requests.iter().flat_map(|request| request.body["alerts"].as_array().expect("a list"));
        let text = |alert: &Value, field: &str| alert[field].as_str().expect("text").to_owned();
        let such = alerts.filter(|alert| news.contains(&text(alert, "news").as_str()));
        let mut such: Vec<_> = such.map(|alert| text(alert, "id") + " " + &text(alert, "episode")).collect();
        such.sort();
        such
    };
    let ends = ["resolved", "passed"];
    let all_are_over = |all: &[Request]| told_as(all, &["new"]).len() == told_as(all, &ends).len();
    let told = hook.wait_until(program, "that all is over", all_are_over);
    let (began, ended) = (told_as(&told, &["new"]), told_as(&told, &ends));
    assert!(!began.is_empty() && began == ended, "{began:?}, {ended:?}");
    assert!(began.is_sorted_by(|one, next| one < next), "twice: {began:?}");
}

/// Waits until it is told that the store of tokens is down, and returns the episode.
fn is_told(hook: &Hook, program: &mut Program) -> String {
    let has_it = |requests: &[Request]| requests.iter().any(|it| of_store(it).is_some());
    let told = hook.wait_until(program, "that the store is down", has_it);
    let message = told.iter().find(|it| of_store(it).is_some()).expect("it was taken");
    assert_eq!((&message.body["severity"], &message.body["state"]), (&"CRITICAL".into(), &"firing".into()));
    let effect = message.body["description"].as_str().expect("text");
    assert!(effect.contains("scores are still served; "), "{effect}");
    let episode = of_store(message).and_then(|alert| alert["episode"].as_str());
    episode.expect("text").to_owned()
}

#[test]
fn a_server_that_is_frozen_is_told_from_memory_and_its_end_once_it_goes_on() {
    let setting = Setting::new();
    let Setting { hook, server, .. } = &setting;
    let mut program = Program::start(&mut setting.service());
    program.address();
    pass(&mut program, 2);
    server.freeze();
    is_told(hook, &mut program);
    assert!(setting.journal().contains("store_down"), "{}", setting.journal());
    server.thaw();
    each_is_told_once(hook, &mut program);
    stop(program);
    assert_eq!(setting.journal(), "");
    let told = "SELECT count(*) FROM alert_receipt WHERE outcome = 'delivered'";
    assert_eq!(server.ask(told), hook.told().len().to_string(), "the store knows of each message");
    assert_eq!(server.ask("SELECT count(*) FROM alert_message"), "0");
    assert_eq!(server.ask("SELECT count(*) FROM alert WHERE state::text LIKE '%\"firing\"%'"), "0");
}

#[test]
fn the_next_process_knows_what_was_told_while_the_server_was_stopped_and_tells_its_end() {
    let mut setting = Setting::new();
    let mut first = Program::start(&mut setting.service());
    first.address();
    pass(&mut first, 2);
    setting.server.kill();
    let episode = is_told(&setting.hook, &mut first);
    assert!(setting.journal().contains("store_down"), "{}", setting.journal());
    first.signal(Signal::KILL);
    first.end();
    setting.server.resume();
    let mut second = Program::start(&mut setting.service());
    second.address();
    each_is_told_once(&setting.hook, &mut second);
    pass(&mut second, 2);
    stop(second);
    let told = setting.hook.told();
    let of_episode =
        told.iter().filter(|it| of_store(it).is_some_and(|alert| alert["episode"] == episode.as_str()));
    assert_eq!(of_episode.count(), 2, "the next process ends what the first one has begun");
    assert_eq!(setting.journal(), "");
}

/// Another program that is writing to a database, until this is dropped.
struct Writing(Child);

impl Writing {
    fn to(path: &Path) -> Self {
        let script = "import sqlite3, sys\n\
            database = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            database.execute('BEGIN IMMEDIATE')\n\
            print('it is mine', flush=True)\n\
            sys.stdin.read()";
        let mut command = Command::new(python());
        command.args(["-c", script]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python starts");
        let mut said = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).expect("it speaks");
        assert_eq!(said, "it is mine\n");
        Self(process)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn what_is_told_while_another_program_keeps_the_database_is_kept_beside_it_for_the_next_process() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure(SQLITE, &(channel("ops", &hook) + &told("store_down", "", &["ops"])));
    let data = place.path().join("ttm-data");
    let journal = || fs::read_to_string(data.join("ttm.db-alerts")).unwrap_or_default();
    let mut first = place.start();
    first.address();
    pass(&mut first, 2);
    let other = Writing::to(&data.join("ttm.db"));
    is_told(&hook, &mut first);
    assert!(journal().contains("store_down"), "{}", journal());
    first.signal(Signal::KILL);
    first.end();
    drop(other);
    let mut second = place.start();
    second.address();
    each_is_told_once(&hook, &mut second);
    pass(&mut second, 2);
    stop(second);
    assert_eq!(journal(), "");
}

/// Mounts a small disk, and becomes the service.
const ON_A_SMALL_DISK: &str =
    "mkdir disk && mount -t tmpfs -o size=24m tmpfs disk && exec \"$0\" run --config ttm.toml --log info";

#[test]
fn a_full_disk_is_told_and_kept_in_the_journal_that_is_on_it_and_so_is_that_there_is_room_again() {
    let (place, hook) = (Place::new(), Hook::start());
    place.configure("sqlite://disk/ttm.db", &(channel("ops", &hook) + &told("store_down", "", &["ops"])));
    let mut program = Program::start(&mut in_a_namespace(place.path(), ON_A_SMALL_DISK));
    program.address();
    pass(&mut program, 2);
    let ballast = program.folder().join("disk/ballast");
    fill(&ballast);
    is_told(&hook, &mut program);
    let journal = fs::read_to_string(program.folder().join("disk/ttm.db-alerts")).expect("a file");
    assert!(journal.contains("store_down"), "{journal:?}");
    fs::remove_file(&ballast).expect("removed");
    each_is_told_once(&hook, &mut program);
    stop(program);
}
