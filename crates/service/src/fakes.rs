//! The outside of a service under test: every port faked, on a runtime whose clock the test moves.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_alert::testing::FakeAlertStore;
use ttm_breaker::testing::FakeBreakerStore;
use ttm_health::ResourceSample;
use ttm_health::testing::FakeResourceSource;
use ttm_kernel::{
    BoxFuture, Clock as _, Epoch, FencingToken, Incarnation, LeaseError, Runtime, StoreError, StoreLease,
};
use ttm_market::testing::{FakePairSource, FakeTokenStore};
use ttm_market::{Added, FOLLOW_STEP, Followed, Mint, Origin, Token, TokenStore};
use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
use ttm_recovery::testing::FakeRecoveryLedger;
use ttm_testkit::ManualRuntime;

use crate::lease::Lease;
use crate::life::{Author, Life};
use crate::opening;
use crate::outbox::{Outbox, Shelf};
use crate::resident::Resident;
use crate::{
    Board, Controls, Exit, Open, Planes, Ports, ServiceSettings, Starting, Stop, StopOrder, Supervisor,
    Surface, Vital,
};

/// Who puts something into outboxes.
pub(crate) const AUTHOR: Author = Author { part: "test", incarnation: Incarnation::FIRST };

/// The defaults.
pub(crate) fn settings() -> ServiceSettings {
    ServiceSettings::default()
}

/// All planes on one runtime.
struct OnePlane(ManualRuntime);

impl Planes for OnePlane {
    fn supervision(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    fn io(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    fn build_work(&self) -> std::io::Result<Arc<dyn Runtime>> {
        Ok(Arc::new(self.0.clone()))
    }
}

/// A surface that shows nothing.
struct NoReaders;

impl Surface for NoReaders {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        Box::pin(async move { vital.gets_on_until(&stop).await })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, _: Controls) {}
}

/// The board of a service that is not started yet.
pub(crate) fn board(runtime: &ManualRuntime) -> Arc<Board> {
    Board::starting(&settings(), &OnePlane(runtime.clone()))
}

/// A service that has not started, with the lease to itself.
pub(crate) fn supervisor(runtime: &ManualRuntime, board: &Arc<Board>) -> Supervisor {
    supervisor_behind(runtime, board, Arc::new(NoReaders))
}

/// The same behind another surface.
pub(crate) fn supervisor_behind(
    runtime: &ManualRuntime,
    board: &Arc<Board>,
    surface: Arc<dyn Surface>,
) -> Supervisor {
    let (planes, lease) = (Arc::new(OnePlane(runtime.clone())), Arc::new(ScriptedLease::new(true)));
    Supervisor::new(settings(), planes, board.clone(), lease, surface)
}

/// Opens these ports.
pub(crate) fn open(ports: Ports) -> Open<Infallible> {
    Box::new(|_| Box::pin(std::future::ready(Ok(ports))))
}

/// Starts a service and stops it again a minute later: what became of it.
pub(crate) async fn live_for_a_minute(
    runtime: &ManualRuntime,
    board: &Arc<Board>,
    ports: Ports,
) -> Exit<Infallible> {
    let supervisor = supervisor(runtime, board);
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + Duration::from_mins(1)).await;
        runtime.now() + Duration::from_mins(1)
    };
    supervisor.run(open(ports), stop).await
}

/// The state of a service that has just started on these ports.
pub(crate) fn resident(runtime: &ManualRuntime, board: &Arc<Board>, ports: Ports) -> Arc<Resident> {
    resident_under(Arc::new(ScriptedLease::new(true)), &settings(), runtime, board, ports)
}

/// The same with other settings, under a lease that the test holds.
pub(crate) fn resident_under(
    lease: Arc<ScriptedLease>,
    settings: &ServiceSettings,
    runtime: &ManualRuntime,
    board: &Arc<Board>,
    ports: Ports,
) -> Arc<Resident> {
    let clock = Arc::new(runtime.clone()) as Arc<dyn Runtime>;
    let lease = Arc::new(Lease::new(lease, &clock));
    let starting = Starting::new(board, settings, &clock);
    let restored = opening::restore::<Infallible>(ports, settings, &clock, board, &lease, &starting);
    let (resident, stored) = runtime.block_on(restored).expect("it starts");
    board.post_tokens(Author::RESIDENT, stored.into_iter().map(Arc::new).collect());
    Arc::new(resident)
}

/// The first life of a part, and what stops it.
pub(crate) fn life(runtime: &ManualRuntime) -> (Life, StopOrder) {
    let order = StopOrder::new();
    let runtime = Arc::new(runtime.clone()) as Arc<dyn Runtime>;
    let vital = Vital::new(&runtime);
    (Life { author: AUTHOR, runtime, stop: order.listener(), vital }, order)
}

/// All that waits in an outbox.
pub(crate) fn take<S: Shelf>(outbox: &Outbox<S>) -> Vec<S::Entry> {
    outbox.take(Incarnation::FIRST, usize::MAX).map_or_else(Vec::new, |batch| batch.entries.to_vec())
}

/// Stores that work, and an API that knows no token.
pub(crate) fn ports(tokens: &FakeTokenStore) -> Ports {
    let (ledger, breakers) = (FakeRecoveryLedger::new(), FakeBreakerStore::new());
    // The first claim of the tokens is one of these too.
    ledger.claim();
    breakers.claim();
    let alerts = FakeAlertStore::new();
    alerts.claim();
    Ports {
        pairs: Arc::new(FakePairSource::new()),
        tokens: Arc::new(tokens.clone()),
        sources: Vec::new(),
        profiles: None,
        breakers: Arc::new(breakers),
        ledger: Arc::new(ledger),
        last_words: None,
        threads: None,
        history: Arc::new(FakeMetricStore::new()),
        events: Arc::new(FakeEventStore::new()),
        resources: Arc::new(FakeResourceSource::new(ResourceSample::default())),
        alerts: Arc::new(alerts),
        channels: Vec::new(),
        feeds: Vec::new(),
        alert_journal: None,
        heartbeat: None,
    }
}

/// A lease that nobody else wants: it stands while the test says so, and renews by a script, then with success.
pub(crate) struct ScriptedLease {
    pub(crate) stands: Mutex<bool>,
    pub(crate) renewals: Mutex<VecDeque<LeaseError>>,
}

impl ScriptedLease {
    pub(crate) fn new(stands: bool) -> Self {
        Self { stands: Mutex::new(stands), renewals: Mutex::default() }
    }
}

#[async_trait]
impl StoreLease for ScriptedLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        Ok(())
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.renewals.lock().pop_front().map_or(Ok(()), Err)
    }

    async fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn stands(&self) -> bool {
        *self.stands.lock()
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// A mint for each number.
pub(crate) fn mint(number: u32) -> Mint {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Mint::from_bytes(bytes)
}

/// A store that takes four seconds for each step of a follow and each page of a load.
pub(crate) struct Slow(pub(crate) FakeTokenStore, pub(crate) ManualRuntime);

#[async_trait]
impl TokenStore for Slow {
    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let before: BTreeSet<Mint> = self.0.owned(origin).await?.into_iter().collect();
        let listed: BTreeSet<Mint> = mints.iter().copied().collect();
        let (additions, removals) = (listed.difference(&before).count(), before.difference(&listed).count());
        let steps = additions.div_ceil(FOLLOW_STEP) + removals.div_ceil(FOLLOW_STEP);
        let took = Duration::from_secs(4) * u32::try_from(steps).expect("a few");
        self.1.sleep_until(self.1.now() + took).await;
        self.0.follow(under, origin, mints, at).await
    }

    async fn claim(&self) -> Result<Epoch, StoreError> {
        self.0.claim().await
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        self.1.sleep_until(self.1.now() + Duration::from_secs(4)).await;
        self.0.load(after, limit).await
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        self.0.save(under, tokens).await
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        self.0.add(mints, at).await
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        self.0.remove(mints).await
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.0.owned(origin).await
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        self.0.revision(epoch).await
    }
}
