//! The part between the desk, its store and its channels: what it does when these fail, and when it is replaced.

use ttm_alert::testing::notifier_conformance::{Answer as Says, Receiver as _};
use ttm_alert::testing::{FakeAlertJournal, FakeAlertStore, FakeNotifier};
use ttm_alert::{
    AlertControl as _, AlertRecord, ChannelId, Matcher, News, NotifyConfig, NotifySettings, OrderRefused,
    Quiet, RuleSet, RuleSpec, When, defaults,
};
use ttm_health::testing::FakeResourceSource;
use ttm_health::{HealthView as _, ResourceSample};
use ttm_kernel::{Clock as _, Lane, Severity};
use ttm_market::TokenStore as _;
use ttm_market::testing::FakeTokenStore;
use ttm_schedule::LaneStatus;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::board::Board;
use crate::fakes;
use crate::monitor::Monitor;
use crate::{AlertSettings, Ports, ServiceSettings, StopOrder};

const SECOND: Duration = Duration::from_secs(1);

/// A running service, told of by its monitor, with one channel.
struct Scene {
    runtime: ManualRuntime,
    board: Arc<Board>,
    resident: Arc<Resident>,
    store: FakeAlertStore,
    channel: FakeNotifier,
    journal: FakeAlertJournal,
    lease: Arc<fakes::ScriptedLease>,
    monitor: (crate::io::Owned, StopOrder),
    part: Option<(crate::io::Owned, StopOrder)>,
    incarnation: ttm_kernel::Incarnation,
}

/// With so many more rules that say the same as `store_down`, but as WARNING.
fn settings(more: usize) -> ServiceSettings {
    let notify = NotifySettings {
        default_channels: vec![ChannelId::new("ops")],
        group_wait: Duration::ZERO,
        ..NotifySettings::default()
    };
    let notify = NotifyConfig::try_new(notify).expect("valid");
    let (every, resources) = (5 * SECOND, 10 * SECOND);
    let mut rules = defaults::rules();
    let store_down = rules.iter().find(|rule| rule.name == "store_down").cloned().expect("it is one");
    rules.extend((0..more).map(|number| RuleSpec {
        name: format!("store_down_{number:02}"),
        severity: Severity::Warning,
        ..store_down.clone()
    }));
    let rules = RuleSet::try_new(rules, defaults::catalogue(every, resources)).expect("valid");
    ServiceSettings {
        resource_check_interval: resources,
        alerts: AlertSettings { rules, notify, ..AlertSettings::new(every, resources) },
        ..fakes::settings()
    }
}

/// Hardly anything is used.
fn little() -> ResourceSample {
    ResourceSample {
        memory_bytes: Some(1),
        memory_limit_bytes: Some(100),
        cpu_percent: Some(1.0),
        disk_usage_percent: Some(1.0),
        open_file_descriptors: Some(1),
        file_descriptor_limit: Some(100),
    }
}

impl Scene {
    fn new() -> Self {
        Self::on(FakeAlertStore::new(), FakeAlertJournal::new())
    }

    /// On what an earlier process has left.
    fn on(store: FakeAlertStore, journal: FakeAlertJournal) -> Self {
        Self::with(0, store, journal)
    }

    fn with(more: usize, store: FakeAlertStore, journal: FakeAlertJournal) -> Self {
        let runtime = ManualRuntime::new(7);
        let board = fakes::board(&runtime);
        let channel = FakeNotifier::new();
        store.claim();
        let tokens = FakeTokenStore::new();
        for _ in 1..store.newest().number() {
            runtime.block_on(tokens.claim()).expect("it works");
        }
        let ports = Ports {
            alerts: Arc::new(store.clone()),
            alert_journal: Some(Arc::new(journal.clone())),
            channels: vec![(ChannelId::new("ops"), Arc::new(channel.clone()))],
            resources: Arc::new(FakeResourceSource::new(little())),
            ..fakes::ports(&tokens)
        };
        let lease = Arc::new(fakes::ScriptedLease::new(true));
        let resident = fakes::resident_under(lease.clone(), &settings(more), &runtime, &board, ports);
        board.enter_running();
        let (life, order) = fakes::life(&runtime);
        let watch = runtime.spawn("monitor", Box::pin(Monitor::new(resident.clone(), life).run()));
        let incarnation = ttm_kernel::Incarnation::FIRST;
        let mut scene = Self {
            runtime,
            board,
            resident,
            store,
            channel,
            journal,
            lease,
            monitor: (crate::io::Owned(watch), order),
            part: None,
            incarnation,
        };
        scene.begin();
        scene
    }

    /// The part begins, or is replaced.
    fn begin(&mut self) {
        let (mut life, order) = fakes::life(&self.runtime);
        life.author.incarnation = self.incarnation;
        self.incarnation = self.incarnation.next();
        self.part = None;
        let resident = self.resident.clone();
        let run = async move { Alerts::take_up(resident, life).await.run().await };
        self.part = Some((crate::io::Owned(self.runtime.spawn("alerts", Box::pin(run))), order));
    }

    fn pass(&self, seconds: u32) {
        let runtime = &self.runtime;
        runtime.block_on(async {
            for _ in 0..seconds {
                let now = Some(runtime.now());
                for lane in Lane::ALL {
                    let status =
                        LaneStatus { last_progress: now, last_started: now, ..LaneStatus::default() };
                    self.board.post_group(
                        fakes::AUTHOR,
                        lane,
                        LaneStatus { running: true, runs: 1, ..status },
                    );
                }
                runtime.sleep_until(runtime.now() + SECOND).await;
            }
        });
    }

    /// A store of the service does not answer, from now on.
    fn store_is_down(&self) {
        let (now, wall) = (self.runtime.now(), self.runtime.wall());
        let error = StoreError::transient("refused");
        self.board.stores.failed(crate::StoreUse::TokenWrites, &error, now, wall);
    }

    fn store_is_back(&self) {
        self.board.stores.answered(crate::StoreUse::TokenWrites, self.runtime.now());
    }

    /// What the channel took, as `New store_down`.
    fn told(&self) -> Vec<String> {
        let items = self.channel.taken().into_iter().flat_map(|attempt| attempt.row.message.items);
        items.map(|item| format!("{:?} {}", item.news, item.key.rule)).collect()
    }

    fn control(&self) -> OfAlerts {
        OfAlerts::new(self.resident.clone())
    }

    /// What is stored of the one alert.
    fn record(&self) -> AlertRecord {
        let memory = self.store.memory();
        memory.records.into_values().next().expect("one is stored")
    }
}

#[test]
fn what_fires_is_stored_told_once_and_its_end_is_told() {
    let mut scene = Scene::new();
    scene.pass(30);
    assert!(scene.told().is_empty(), "nothing is wrong");
    scene.store_is_down();
    scene.pass(60);
    assert_eq!(scene.told(), ["New store_down"]);
    assert_eq!(scene.record().cases[0].severity, Severity::Critical);
    // Another incarnation goes on where this one was.
    scene.begin();
    scene.pass(60);
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
    let facts = scene.resident.events.counts();
    assert!(facts.waiting > 0, "it is on the record");
    assert!(scene.journal.sent().is_empty(), "the store had everything before it was sent");
}

#[test]
fn while_its_store_fails_what_is_critical_goes_out_from_memory_and_is_journalled_until_the_store_has_it() {
    let scene = Scene::new();
    scene.pass(30);
    scene.store.fail_with(|| StoreError::transient("refused"));
    scene.store_is_down();
    scene.pass(60);
    assert_eq!(scene.told(), ["New store_down"]);
    assert_eq!(scene.journal.sent().len(), 1, "it was journalled before");
    assert_eq!(scene.store.memory().records.len(), 0);
    scene.store.heal();
    scene.pass(10);
    assert_eq!(scene.record().cases[0].told[0].messages, 1);
    assert!(scene.journal.sent().is_empty(), "the store has it");
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
}

#[test]
fn a_process_that_cannot_read_its_store_tells_what_is_critical_and_goes_on_in_those_episodes() {
    let store = FakeAlertStore::new();
    store.fail_with(|| StoreError::transient("refused"));
    let scene = Scene::on(store, FakeAlertJournal::new());
    scene.store_is_down();
    scene.pass(100);
    assert_eq!(scene.told(), ["New store_down"]);
    let control = scene.control();
    let listed = scene.runtime.block_on(control.alerts(None, 10));
    assert!(matches!(listed, Err(OrderRefused::NotNow(_))), "{listed:?}");
    scene.store.heal();
    scene.pass(100);
    assert_eq!(scene.told(), ["New store_down"], "it knows what it told");
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
    assert!(scene.journal.sent().is_empty());
}

#[test]
fn what_an_earlier_process_told_from_memory_is_ended_where_it_was_told() {
    let (store, journal) = (FakeAlertStore::new(), FakeAlertJournal::new());
    let before = Scene::on(store.clone(), journal.clone());
    before.pass(30);
    store.fail_with(|| StoreError::transient("refused"));
    before.store_is_down();
    before.pass(60);
    assert_eq!(before.told(), ["New store_down"]);
    drop(before);
    store.heal();
    let after = Scene::on(store, journal);
    after.pass(120);
    assert_eq!(after.told(), ["Resolved store_down"]);
}

#[test]
fn a_message_whose_sender_is_replaced_before_the_answer_is_sent_again_under_the_same_key() {
    let mut scene = Scene::new();
    scene.pass(30);
    scene.channel.answers(Says::Busy);
    scene.store_is_down();
    scene.pass(45);
    let before = scene.channel.requests();
    assert!(!before.is_empty());
    scene.begin();
    scene.channel.answers(Says::Takes);
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down"]);
    let keys: std::collections::BTreeSet<String> = scene.channel.requests().into_iter().collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn a_channel_that_refuses_is_an_alert_of_its_own_and_its_message_a_dead_letter() {
    let scene = Scene::new();
    scene.pass(30);
    scene.channel.answers(Says::Refuses);
    scene.store_is_down();
    scene.pass(60);
    let letters = scene.runtime.block_on(scene.control().dead_letters(10)).expect("the store answers");
    assert_eq!(letters[0].row.message.items[0].news, News::New);
    let channels = scene.runtime.block_on(scene.control().channels()).expect("it answers");
    assert!(channels[0].failing.is_some(), "{channels:?}");
    scene.pass(90);
    let firing = scene.runtime.block_on(scene.control().alerts(None, 10)).expect("it answers");
    let rules: Vec<&str> = firing.iter().map(|view| &*view.record.key.rule).collect();
    assert_eq!(rules, ["channel_failing", "store_down"]);
}

#[test]
fn who_orders_something_hears_whether_the_store_has_it() {
    let scene = Scene::new();
    scene.store_is_down();
    scene.pass(60);
    let control = scene.control();
    let id = scene.record().key.identity();
    let ordered = scene.runtime.block_on(control.acknowledge(id, "ada")).expect("it fires");
    assert!(ordered.stored);
    assert_eq!(scene.record().cases[0].ack.as_ref().map(|ack| &*ack.by), Some("ada"));
    scene.store.fail_with(|| StoreError::transient("refused"));
    let again = scene.runtime.block_on(control.acknowledge(id, "eve")).expect("it fires");
    assert!(!again.stored, "in force, and not stored");
    assert_eq!(again.done.record.cases[0].ack.as_ref().map(|ack| &*ack.by), Some("eve"));
}

#[test]
fn a_storm_is_told_as_fast_as_the_channel_may_be_told_and_the_channel_was_not_down() {
    let scene = Scene::with(50, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    scene.store_is_down();
    scene.pass(120);
    let taken = scene.channel.taken();
    assert_eq!((taken.len(), scene.channel.requests().len()), (51, 51), "each once");
    assert_eq!(scene.told()[0], "New store_down", "what is CRITICAL first");
    assert!(taken.iter().all(|attempt| attempt.was_down.is_none()), "{taken:?}");
    assert!(scene.store.memory().receipts.iter().all(|receipt| receipt.attempt == 1));
}

#[test]
fn what_waits_until_the_channel_may_be_told_is_still_kept_from_it_by_a_silence() {
    let scene = Scene::with(20, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    scene.store_is_down();
    while scene.told().len() < 3 {
        scene.pass(1);
    }
    let wall = scene.runtime.wall();
    let when = When::Once { from: wall, until: Some(wall + Duration::from_hours(1)) };
    let quiet = Quiet::try_new(Matcher::default(), when, "ada", "I know").expect("valid");
    let ordered = scene.runtime.block_on(scene.control().silence(quiet)).expect("it runs");
    assert!(ordered.stored);
    let before = scene.told();
    scene.pass(60);
    assert_eq!(scene.told(), before);
}

#[test]
fn without_the_lease_nothing_is_sent() {
    let scene = Scene::new();
    scene.pass(30);
    *scene.lease.stands.lock() = false;
    scene.store_is_down();
    scene.pass(60);
    assert!(scene.told().is_empty());
    assert_eq!(scene.channel.requests().len(), 0);
    *scene.lease.stands.lock() = true;
    scene.pass(10);
    assert_eq!(scene.told(), ["New store_down"]);
}

#[test]
fn a_wall_clock_that_is_set_is_noticed_and_a_slow_one_is_not() {
    let scene = Scene::new();
    scene.pass(30);
    scene.runtime.clock().step_wall(jiff::SignedDuration::from_secs(2));
    scene.pass(30);
    assert!(scene.told().is_empty());
    scene.runtime.clock().step_wall(jiff::SignedDuration::from_secs(-3_600));
    scene.pass(30);
    assert_eq!(scene.told(), ["New clock_stepped"]);
}

#[test]
fn at_a_stop_what_is_decided_is_stored() {
    let mut scene = Scene::new();
    scene.pass(30);
    scene.store_is_down();
    scene.pass(36);
    let (part, order) = scene.part.take().expect("it runs");
    order.give(scene.runtime.now() + 10 * SECOND);
    let end = scene.runtime.block_on(part);
    assert_eq!(end, ttm_kernel::TaskEnd::Finished);
    assert_eq!(scene.record().cases.len(), 1);
    drop(scene.monitor);
    assert!(scene.board.report().live);
}
