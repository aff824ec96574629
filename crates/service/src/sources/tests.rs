//! What the first look refuses, and what later looks change, tell and keep.

use ttm_kernel::Clock as _;
use ttm_kernel::StoreError;
use ttm_kernel::testing::FakeLeases;
use ttm_market::Origin;
use ttm_market::testing::{FakeTokenSource, FakeTokenStore};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::outbox::Waiting as _;
use crate::{fakes, shutdown};

const FILE: Origin = Origin::new("file");
/// What the store of every scene has granted.
const FIRST: FencingToken = FencingToken::first(Epoch::new(1));

struct Scene {
    runtime: ManualRuntime,
    source: FakeTokenSource,
    store: FakeTokenStore,
    board: Arc<Board>,
    lease: Arc<Lease>,
}

fn settings() -> crate::ServiceSettings {
    crate::ServiceSettings::default()
}

fn scene() -> Scene {
    let runtime = ManualRuntime::new(1);
    let settings = settings();
    let planes = crate::Planes { work: Arc::new(runtime.clone()), supervision: Arc::new(runtime.clone()) };
    let board = crate::Service::board_of(&settings, &planes);
    let lease = Lease::new(Arc::new(FakeLeases::default().holder()), &planes.supervision);
    let (source, store) = (FakeTokenSource::new(FILE), FakeTokenStore::new());
    runtime.block_on(store.claim()).expect("the fake works");
    Scene { runtime, source, store, board, lease: Arc::new(lease) }
}

impl Scene {
    fn sources(&self) -> Sources {
        let sources: [Arc<dyn TokenSource>; 1] = [Arc::new(self.source.clone())];
        let store = Arc::new(self.store.clone());
        let runtime: Arc<dyn Runtime> = Arc::new(self.runtime.clone());
        Sources::over(&sources, store, runtime, self.board.clone(), self.lease.clone())
    }

    fn start(&self) -> Result<Sources, StartError> {
        let mut sources = self.sources();
        self.runtime.block_on(async {
            let runtime: Arc<dyn Runtime> = Arc::new(self.runtime.clone());
            let starting = Starting::new(&self.board, &settings(), &runtime);
            let listings = sources.first_look(&starting).await?;
            sources.begin(FIRST, listings, &starting).await?;
            Ok(sources)
        })
    }

    fn fail(&self, error: fn(String) -> TokenSourceError, message: &'static str) {
        self.source.fail_with(move || error(message.to_owned()));
    }

    fn problem(&self) -> Option<String> {
        self.board.sources().into_iter().next().and_then(|source| source.problem)
    }

    fn store_answers(&self) -> Option<bool> {
        let uses = self.board.stores.facts(self.runtime.now());
        uses.into_iter().find(|each| each.name == "token lists").and_then(|each| each.answers)
    }

    fn stored(&self) -> Vec<Mint> {
        self.store.tokens().into_iter().map(|token| token.mint).collect()
    }
}

fn transient(message: String) -> TokenSourceError {
    TokenSourceError::Transient { message }
}

fn unusable(message: String) -> TokenSourceError {
    TokenSourceError::Unusable { message }
}

#[test]
fn the_first_look_brings_what_is_listed() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    scene.start().expect("it is well");
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(scene.problem(), None);
}

#[test]
fn a_list_that_a_person_must_mend_ends_the_start_as_a_config_does() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    scene.start().expect("it is well");
    scene.fail(unusable, "mints.txt: lists no mint");
    let Err(StartError::Sources { messages, is_config: true }) = scene.start() else {
        panic!("it is refused, whatever is stored")
    };
    assert_eq!(messages, "mints.txt: lists no mint");
}

#[test]
fn a_source_that_is_away_at_the_start_is_waited_for_only_with_its_tokens_stored() {
    let scene = scene();
    scene.fail(transient, "nobody listens");
    assert!(matches!(scene.start(), Err(StartError::Sources { is_config: false, .. })));
    scene.source.heal();
    scene.source.put([Mint::WSOL]);
    scene.start().expect("it is well");
    scene.fail(transient, "nobody listens");
    scene.start().expect("its tokens are stored");
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(scene.problem().as_deref(), Some("nobody listens"));
}

#[test]
fn a_source_that_fails_later_keeps_its_tokens_and_is_followed_again_once_it_is_well() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let mut sources = scene.start().expect("it is well");
    scene.fail(unusable, "mints.txt: lists no mint");
    let _ = scene.runtime.block_on(sources.look());
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(scene.problem().as_deref(), Some("mints.txt: lists no mint"));
    scene.source.heal();
    scene.source.put([Mint::USDC.to_string(), "junk".to_owned()]);
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!(scene.stored(), [Mint::USDC]);
    assert_eq!(scene.problem(), None);
}

#[test]
fn a_store_that_fails_is_no_problem_of_the_source_and_is_followed_later() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let mut sources = scene.start().expect("it is well");
    scene.source.put([Mint::USDC]);
    scene.store.fail_with(|| StoreError::transient("gone"));
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!(scene.problem(), None);
    assert_eq!(scene.store_answers(), Some(false));
    scene.store.heal();
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!(scene.stored(), [Mint::USDC]);
    assert_eq!(scene.store_answers(), Some(true));
}

#[test]
fn a_list_that_a_newer_process_follows_ends_this_one_as_a_lost_lease_does() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("it is well");
    for _ in 0..2 {
        scene.runtime.block_on(scene.store.claim()).expect("another process");
    }
    scene.source.put([Mint::USDC]);
    let (_stop, stopping) = shutdown::channel();
    scene.runtime.block_on(sources.watch(Duration::from_secs(10), stopping));
    assert_eq!(
        scene.lease.lost(),
        Some("another process took over the store: epoch 1 is fenced off by epoch 3")
    );
    assert_eq!(scene.stored(), [Mint::WSOL]);
    let Err(StartError::Held(_)) = scene.start() else { panic!("a start ends as one that is refused") };
}

#[test]
fn a_store_that_is_damaged_is_left_alone_until_a_person_acts() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("it is well");
    scene.source.put([Mint::USDC]);
    scene.store.fail_with(|| StoreError::corrupt("malformed"));
    let (stop, stopping) = shutdown::channel();
    let runtime = &scene.runtime;
    let watching = runtime.spawn("sources", Box::pin(sources.watch(Duration::from_secs(10), stopping)));
    runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_secs(11)));
    scene.store.heal();
    runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_mins(1)));
    assert_eq!(scene.stored(), [Mint::WSOL], "it is not touched again");
    let uses = scene.board.stores.facts(scene.runtime.now());
    assert!(uses.iter().any(|each| each.name == "token lists" && each.gave_up), "{uses:?}");
    stop.order(runtime.now());
    runtime.block_on(watching);
}

#[test]
fn sources_are_asked_at_every_interval_until_the_stop() {
    let scene = scene();
    let (stop, stopping) = shutdown::channel();
    let every = Duration::from_secs(10);
    let mut sources = scene.sources();
    sources.under = FIRST;
    let watch = sources.watch(every, stopping);
    let runtime = &scene.runtime;
    let watching = runtime.spawn("sources", Box::pin(watch));
    runtime.block_on(async {
        runtime.sleep_until(runtime.now() + every * 3 + every / 2).await;
        stop.order(runtime.now());
        watching.await;
    });
    assert_eq!(scene.source.calls(), 3);
}

#[test]
fn what_goes_wrong_later_is_an_event_once_and_so_is_its_end() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let mut sources = scene.start().expect("it is well");
    let clock: Arc<dyn Runtime> = Arc::new(scene.runtime.clone());
    let events = EventLog::started(&clock, ttm_kernel::Epoch::new(1), 1);
    sources.events = Some(events.clone());
    scene.fail(unusable, "mints.txt:3: \"junk\" is no mint");
    for _ in 0..3 {
        let _ = scene.runtime.block_on(sources.look());
    }
    scene.source.heal();
    for _ in 0..2 {
        let _ = scene.runtime.block_on(sources.look());
    }
    let taken = events.outbox.take(10);
    let told: Vec<_> = taken.iter().map(|event| (event.kind().as_str(), event.subject().as_str())).collect();
    assert_eq!(
        told,
        [("service.started", "service"), ("source.failed", "file"), ("source.recovered", "file")]
    );
    assert!(taken[1].payload().as_str().contains("mints.txt:3"), "{:?}", taken[1]);
}

#[test]
fn a_long_list_that_becomes_short_is_given_the_time_that_its_removals_take() {
    let scene = scene();
    let many: Vec<Mint> = (0..u32::try_from(2 * FOLLOW_STEP + 1).expect("a few")).map(fakes::mint).collect();
    scene.source.put(many.clone());
    // Another process stored them; this one has not followed anything yet.
    drop(scene.start().expect("it is well"));
    let store = Arc::new(fakes::Slow(scene.store.clone(), scene.runtime.clone()));
    let sources: [Arc<dyn TokenSource>; 1] = [Arc::new(scene.source.clone())];
    let clock: Arc<dyn Runtime> = Arc::new(scene.runtime.clone());
    let mut sources = Sources::over(&sources, store, clock, scene.board.clone(), scene.lease.clone());
    sources.under = FIRST;
    scene.source.put([Mint::WSOL]);
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!((scene.stored().len(), scene.store_answers()), (1, Some(true)));
    scene.source.put(many.clone());
    let _ = scene.runtime.block_on(sources.look());
    scene.source.put([Mint::USDC]);
    let _ = scene.runtime.block_on(sources.look());
    assert_eq!((scene.stored().len(), scene.store_answers()), (1, Some(true)));
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every line of the log that `work` writes on this thread.
fn logged(work: impl FnOnce()) -> String {
    use tracing_subscriber::layer::SubscriberExt as _;
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let bytes = log.0.lock().clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_store_that_is_away_when_the_lists_are_stored_is_waited_for_with_a_word() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let store = scene.store.clone();
    store.fail_with(|| StoreError::transient("nobody listens"));
    let log = logged(|| {
        scene.runtime.block_on(async {
            let mut sources = scene.sources();
            let runtime: Arc<dyn Runtime> = Arc::new(scene.runtime.clone());
            let starting = Starting::new(&scene.board, &settings(), &runtime);
            let listings = vec![(0, scene.source.list().await.expect("it lists"))];
            let healed = async {
                runtime.sleep_until(runtime.now() + Duration::from_secs(5)).await;
                let waits = starting.waits_for().unwrap_or_default();
                assert!(waits.contains("nobody listens"), "{waits}");
                let reasons = ttm_health::HealthView::report(&*scene.board).reasons.join("; ");
                assert!(reasons.contains("nobody listens"), "{reasons}");
                store.heal();
            };
            let begun = sources.begin(FIRST, listings, &starting);
            let (begun, ()) = futures_util::future::join(begun, healed).await;
            begun.expect("it is there again");
        });
    });
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(log.matches("the start waits").count(), 1, "{log}");
    assert!(log.contains("nobody listens"), "{log}");
}
