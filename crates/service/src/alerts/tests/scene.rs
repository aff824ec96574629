//! A service whose monitor and alerts run on a clock that the test moves, with everything outside them faked.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::testing::{FakeAlertJournal, FakeAlertStore, FakeNotifier};
use ttm_alert::{
    AlertControl as _, AlertRecord, ChannelId, Feed, Heartbeat, Item, Notifier, NotifyConfig, NotifySettings,
    RuleSet, RuleSpec, defaults,
};
use ttm_health::ResourceSample;
use ttm_health::testing::FakeResourceSource;
use ttm_kernel::{Clock as _, Lane, Severity};
use ttm_market::TokenStore as _;
use ttm_market::testing::FakeTokenStore;
use ttm_schedule::LaneStatus;
use ttm_testkit::ManualRuntime;

use super::super::*;
use crate::board::Board;
use crate::fakes;
use crate::monitor::Monitor;
use crate::{AlertSettings, Ports, ServiceSettings, StopOrder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// At which second a feed was told what: `store_down`, or `store_down is over`.
pub(crate) type Telling = (i64, Vec<String>);

/// How long channel, feed and heartbeat are waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Time that passes before an answer.
#[derive(Clone)]
pub(crate) struct Pace {
    runtime: ManualRuntime,
    seconds: Arc<AtomicU32>,
    beats: Arc<AtomicU32>,
}

impl Pace {
    /// How many beats there were.
    pub(crate) fn beats(&self) -> u32 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Everybody answers after so long from now on.
    pub(crate) fn is(&self, seconds: u32) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    async fn passes(&self) {
        match self.seconds.load(Ordering::Relaxed) {
            0 => {}
            seconds => self.runtime.sleep_until(self.runtime.now() + seconds * SECOND).await,
        }
    }
}

/// A channel that takes its time.
struct Slow(FakeNotifier, Pace);

#[async_trait]
impl Notifier for Slow {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        self.1.passes().await;
        self.0.send(attempt).await
    }
}

#[async_trait]
impl Heartbeat for Pace {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn beat(&self) -> Outcome {
        self.passes().await;
        self.beats.fetch_add(1, Ordering::Relaxed);
        Outcome::Delivered { remote_id: None }
    }
}

/// A feed that is told once a minute, and remembers that.
#[derive(Clone)]
pub(crate) struct FakeFeed {
    pace: Pace,
    told: Arc<Mutex<Vec<Telling>>>,
    pub(crate) is_down: Arc<AtomicBool>,
}

impl FakeFeed {
    /// What it was told.
    pub(crate) fn told(&self) -> Vec<Telling> {
        self.told.lock().clone()
    }
}

#[async_trait]
impl Feed for FakeFeed {
    fn every(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn patience(&self, _: usize) -> Duration {
        PATIENCE
    }

    async fn tell(&self, alerts: &[Item], now: Timestamp) -> Outcome {
        let over = |item: &Item| if item.ended.is_some() { " is over" } else { "" };
        let told = alerts.iter().map(|item| format!("{}{}", item.key.rule, over(item))).collect();
        self.told.lock().push((now.as_second(), told));
        self.pace.passes().await;
        if self.is_down.load(Ordering::Relaxed) {
            return Outcome::Retry { after: None, why: "refused".to_owned() };
        }
        Outcome::Delivered { remote_id: None }
    }
}

/// A running service, told of by its monitor, with one channel and one feed.
pub(crate) struct Scene {
    pub(crate) runtime: ManualRuntime,
    pub(crate) board: Arc<Board>,
    pub(crate) resident: Arc<Resident>,
    pub(crate) store: FakeAlertStore,
    pub(crate) channel: FakeNotifier,
    /// How long everybody outside takes to answer.
    pub(crate) pace: Pace,
    pub(crate) feed: FakeFeed,
    pub(crate) journal: FakeAlertJournal,
    pub(crate) lease: Arc<fakes::ScriptedLease>,
    pub(crate) monitor: (crate::io::Owned, StopOrder),
    pub(crate) part: Option<(crate::io::Owned, StopOrder)>,
    pub(crate) incarnation: ttm_kernel::Incarnation,
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
    pub(crate) fn new() -> Self {
        Self::on(FakeAlertStore::new(), FakeAlertJournal::new())
    }

    /// On what an earlier process has left.
    pub(crate) fn on(store: FakeAlertStore, journal: FakeAlertJournal) -> Self {
        Self::with(0, store, journal)
    }

    pub(crate) fn with(more: usize, store: FakeAlertStore, journal: FakeAlertJournal) -> Self {
        let runtime = ManualRuntime::new(7);
        let board = fakes::board(&runtime);
        let pace = Pace { runtime: runtime.clone(), seconds: Arc::default(), beats: Arc::default() };
        let channel = FakeNotifier::new();
        let feed = FakeFeed { pace: pace.clone(), told: Arc::default(), is_down: Arc::default() };
        store.claim();
        let tokens = FakeTokenStore::new();
        for _ in 1..store.newest().number() {
            runtime.block_on(tokens.claim()).expect("it works");
        }
        let ports = Ports {
            alerts: Arc::new(store.clone()),
            alert_journal: Some(Arc::new(journal.clone())),
            channels: vec![(ChannelId::new("ops"), Arc::new(Slow(channel.clone(), pace.clone())))],
            heartbeat: Some(Arc::new(pace.clone())),
            feeds: vec![(ChannelId::new("am"), Arc::new(feed.clone()))],
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
            pace,
            feed,
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
    pub(crate) fn begin(&mut self) {
        let (mut life, order) = fakes::life(&self.runtime);
        life.author.incarnation = self.incarnation;
        self.incarnation = self.incarnation.next();
        self.part = None;
        let resident = self.resident.clone();
        let run = async move { Alerts::take_up(resident, life).await.run().await };
        self.part = Some((crate::io::Owned(self.runtime.spawn("alerts", Box::pin(run))), order));
    }

    pub(crate) fn pass(&self, seconds: u32) {
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
    pub(crate) fn store_is_down(&self) {
        let (now, wall) = (self.runtime.now(), self.runtime.wall());
        let error = StoreError::transient("refused");
        self.board.stores.failed(crate::StoreUse::TokenWrites, &error, now, wall);
    }

    pub(crate) fn store_is_back(&self) {
        self.board.stores.answered(crate::StoreUse::TokenWrites, self.runtime.now());
    }

    /// What the channel took, as `New store_down`.
    pub(crate) fn told(&self) -> Vec<String> {
        let items = self.channel.taken().into_iter().flat_map(|attempt| attempt.row.message.items);
        items.map(|item| format!("{:?} {}", item.news, item.key.rule)).collect()
    }

    pub(crate) fn control(&self) -> OfAlerts {
        OfAlerts::new(self.resident.clone())
    }

    /// What channel and feed say of why they take nothing.
    pub(crate) fn failing(&self) -> Vec<Option<String>> {
        let channels = self.runtime.block_on(self.control().channels()).expect("it answers");
        channels.into_iter().map(|channel| channel.failing.map(|(_, why)| why)).collect()
    }

    /// What fires, as `store_down` or `channel_failing{channel=am}`.
    pub(crate) fn firing(&self) -> Vec<String> {
        let firing = self.runtime.block_on(self.control().alerts(None, 10)).expect("it answers");
        let fires = |record: &AlertRecord| record.cases.iter().any(|case| case.ended.is_none());
        firing.iter().map(|view| &view.record).filter(|it| fires(it)).map(|it| it.key.to_string()).collect()
    }

    /// What is stored of the one alert.
    pub(crate) fn record(&self) -> AlertRecord {
        let memory = self.store.memory();
        memory.records.into_values().next().expect("one is stored")
    }
}
