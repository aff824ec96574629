//! Processes that are killed at any point of telling, or paused until another one has taken over.

use std::collections::BTreeSet;

use rustix::process::Signal;
use ttm_e2e::{Database, Proxy, get};

use crate::hook::{Hook, Reaction, Request};
use crate::place::{Place, channel, order, stop, told_when_open};

const CHANNELS: [&str; 3] = ["mail", "ops", "phone"];
const RULES: [&str; 3] = ["door_open", "gate_open", "hatch_open"];
const ALL: usize = CHANNELS.len() * RULES.len();

/// Messages, each as channel, rule, episode and step.
type Messages = BTreeSet<String>;

fn name(request: &Request) -> String {
    let (rule, _) = request.says();
    let episode = request.body["episode"].as_str().expect("it is in order");
    let without_channel = request.key.strip_suffix(&format!("-{}", request.channel)).expect("its channel");
    let (_, step) = without_channel.rsplit_once('-').expect("it is in order");
    format!("{} {rule} {episode} {step}", request.channel)
}

/// Those of a table of the store.
fn stored(database: &Database, table: &str) -> Messages {
    let name = "channel || ' ' || rule || ' ' || epoch || '-' || number || ' ' || step";
    let listed = database.ask(&format!("SELECT {name} FROM {table}"));
    listed.lines().map(str::to_owned).collect()
}

/// The least significant bits of a random number.
fn random(below: usize) -> usize {
    let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid").expect("Linux has one");
    usize::from_str_radix(&random[..6], 16).expect("it is hexadecimal") % below
}

/// Processes one after the other on one store, each of which is killed.
struct Lives {
    place: Place,
    hook: Hook,
    database: Database,
    /// Every message that the store had when a process was killed.
    committed: Messages,
}

impl Lives {
    fn new() -> Self {
        let (place, hook, database) = (Place::new(), Hook::start(), Database::create());
        let channels = CHANNELS.map(|name| channel(name, &hook)).concat();
        let rules = RULES.map(|rule| told_when_open(rule, &CHANNELS)).concat();
        place.configure(&database.url(), &(channels + &rules));
        Self { place, hook, database, committed: Messages::new() }
    }

    /// One that is killed a moment after so many requests, or once there is nothing more to tell.
    fn live(&mut self, orders: &str, requests: usize, told: usize) {
        let before = self.hook.requests().len();
        let is_first = before == 0;
        let delivered = || stored(&self.database, "alert_receipt WHERE outcome = 'delivered'");
        let acknowledged = if is_first { Messages::new() } else { delivered() };
        let mut program = self.place.start();
        let address = program.address();
        if !orders.is_empty() {
            order(address, orders);
        }
        let is_told = |all: &[Request]| {
            let taken: Messages = all.iter().filter(|it| it.is_taken()).map(name).collect();
            all.len() >= before + requests || taken.len() >= told
        };
        self.hook.wait_until(&mut program, "that messages are sent", is_told);
        for _ in 0..random(30) {
            get(address, "/health/live");
        }
        program.signal(Signal::KILL);
        assert_eq!(program.end().code, None);
        let since = self.hook.requests().split_off(before);
        let sent: Messages = since.iter().map(name).collect();
        assert_eq!(sent.len(), since.len(), "a process that was not refused repeats nothing: {sent:?}");
        let again: Vec<_> = sent.intersection(&acknowledged).collect();
        assert!(again.is_empty(), "that they were delivered was stored: {again:?}");
        self.committed.extend(stored(&self.database, "alert_message WHERE channel <> 'log'"));
    }

    fn told(&self) -> Messages {
        self.hook.told().iter().map(name).collect()
    }
}

#[test]
fn kills_lose_no_message_that_was_stored_and_repeat_only_what_nobody_knows_to_have_arrived() {
    let mut lives = Lives::new();
    for (orders, told) in [("force-open", ALL), ("reset", 2 * ALL)] {
        // Its acknowledgement is lost for certain.
        lives.hook.reacts_to("ops", &[Reaction::Hangs]);
        lives.live(orders, 1 + random(3), told);
        lives.live("", 1 + random(4), told);
        let mut last = lives.place.start();
        let is_told = |all: &[Request]| {
            all.iter().filter(|it| it.is_taken()).map(name).collect::<Messages>().len() == told
        };
        lives.hook.wait_until(&mut last, "that all is told", is_told);
        stop(last);
        assert_eq!(stored(&lives.database, "alert_message"), Messages::new());
    }
    let lost: Vec<_> = lives.committed.difference(&lives.told()).cloned().collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_process_that_is_paused_in_the_middle_of_storing_keeps_no_other_from_taking_over_and_tells_nothing_afterwards()
 {
    let (place, hook, database) = (Place::new(), Hook::start(), Database::create());
    let proxy = Proxy::to(database.host());
    let alerts = channel("ops", &hook) + &told_when_open("door_open", &["ops"]);
    place.configure(&database.url_at(&proxy.address().to_string()), &alerts);
    hook.goes_down();
    proxy.freeze_at("INSERT INTO alert_receipt");
    let mut first = place.start();
    order(first.address(), "force-open");
    first.wait_for_message("the channel does not take a message");
    let is_storing = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND state = 'idle in transaction'";
    while database.ask(is_storing) == "0" {}
    first.signal(Signal::STOP);
    database.ask("SELECT pg_sleep_until(expires_at + interval '0.1 s') FROM lease");

    hook.is_back();
    place.configure(&database.url(), &alerts);
    let mut second = place.start();
    let address = second.address();
    assert_eq!(hook.message(&mut second, 0).says(), ("door_open", "new"));
    proxy.thaw();
    first.signal(Signal::CONT);
    let outcome = first.end();
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    order(address, "reset");
    assert_eq!(hook.message(&mut second, 1).says(), ("door_open", "resolved"));
    stop(second);
    assert_eq!(hook.requests().len(), 2, "{:?}", hook.counts());
}
