//! What the first poll refuses, and what later polls change, report and keep.

use std::convert::Infallible;

use ttm_kernel::StoreError;
use ttm_kernel::{Clock as _, Epoch, Task};
use ttm_market::Origin;
use ttm_market::testing::{FakeTokenSource, FakeTokenStore};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::Vital;
use crate::fakes::{self, ScriptedLease};

const EVERY: Duration = Duration::from_secs(10);
const FILE: Origin = Origin::new("file");
/// The token that the store of every scene has granted.
const FIRST: FencingToken = FencingToken::first(Epoch::new(1));

struct Scene {
    runtime: ManualRuntime,
    source: FakeTokenSource,
    store: FakeTokenStore,
    board: Arc<Board>,
    port: Arc<ScriptedLease>,
    lease: Arc<Lease>,
    vital: Vital,
}

fn settings() -> crate::ServiceSettings {
    crate::ServiceSettings::default()
}

fn scene() -> Scene {
    let runtime = ManualRuntime::new(1);
    let (board, clock) = (fakes::board(&runtime), Arc::new(runtime.clone()) as Arc<dyn Runtime>);
    let (port, vital) = (Arc::new(ScriptedLease::new(true)), Vital::new(&clock));
    let lease = Lease::new(port.clone(), &clock);
    let (source, store) = (FakeTokenSource::new(FILE), FakeTokenStore::new());
    runtime.block_on(store.claim()).expect("the fake works");
    Scene { runtime, source, store, board, port, lease: Arc::new(lease), vital }
}

impl Scene {
    fn sources(&self) -> Sources {
        self.sources_over(Arc::new(self.store.clone()))
    }

    fn sources_over(&self, tokens: Arc<dyn TokenStore>) -> Sources {
        Sources::new(&Ports { tokens, ..self.ports() }, &self.board, &self.lease)
    }

    fn ports(&self) -> Ports {
        Ports { sources: vec![Arc::new(self.source.clone())], ..fakes::ports(&self.store) }
    }

    fn events(&self) -> EventLog {
        let clock: Arc<dyn Runtime> = Arc::new(self.runtime.clone());
        EventLog::new(&clock)
    }

    /// Polls periodically in a task.
    fn watch(&self, sources: Sources) -> Task {
        let (runtime, events) = (self.runtime.clone(), self.events());
        let vital = self.vital.clone();
        let watch = async move {
            let look = Look { runtime: &runtime, under: FIRST, events: Some(&events) };
            sources.watch(EVERY, look, &vital).await;
        };
        self.runtime.spawn("sources", Box::pin(watch))
    }

    /// Polls once.
    fn look(&self, sources: &Sources) {
        // The result is on the board.
        let look = Look { runtime: &self.runtime, under: FIRST, events: None };
        drop(self.runtime.block_on(sources.look(look)));
    }

    fn start(&self) -> Result<Sources, StartError<Infallible>> {
        let sources = self.sources();
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
fn the_first_poll_adds_the_listed_tokens() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    scene.start().expect("nothing fails");
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(scene.problem(), None);
}

#[test]
fn a_source_that_cannot_be_read_fails_the_start_unless_its_tokens_are_stored() {
    for (error, message) in [
        (transient as fn(String) -> TokenSourceError, "connection refused"),
        (unusable, "mints.txt: lists no mint"),
    ] {
        let scene = scene();
        scene.fail(error, message);
        let Err(StartError::Sources { messages, is_config }) = scene.start() else {
            panic!("there is nothing to score")
        };
        let must_be_mended = matches!(error(String::new()), TokenSourceError::Unusable { .. });
        assert_eq!((messages.as_str(), is_config), (message, must_be_mended));
        scene.source.heal();
        scene.source.put([Mint::WSOL]);
        scene.start().expect("nothing fails");
        scene.fail(error, message);
        scene.start().expect("its tokens are stored");
        assert_eq!(scene.stored(), [Mint::WSOL]);
        assert_eq!(scene.problem().as_deref(), Some(message));
    }
}

#[test]
fn a_source_that_fails_later_keeps_its_tokens_and_is_followed_again_once_it_recovers() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("nothing fails");
    scene.fail(unusable, "mints.txt: lists no mint");
    scene.look(&sources);
    scene.look(&sources);
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(scene.problem().as_deref(), Some("mints.txt: lists no mint"));
    scene.source.heal();
    scene.source.put([Mint::USDC.to_string(), "junk".to_owned()]);
    scene.look(&sources);
    assert_eq!(scene.stored(), [Mint::USDC]);
    assert_eq!(scene.problem(), None);
}

#[test]
fn a_store_that_fails_is_not_a_problem_of_the_source_and_catches_up_later() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("nothing fails");
    scene.source.put([Mint::USDC]);
    scene.store.fail_with(|| StoreError::transient("gone"));
    scene.look(&sources);
    assert_eq!(scene.problem(), None);
    assert_eq!(scene.store_answers(), Some(false));
    scene.store.heal();
    scene.look(&sources);
    assert_eq!(scene.stored(), [Mint::USDC]);
    assert_eq!(scene.store_answers(), Some(true));
}

#[test]
fn being_fenced_by_a_newer_process_ends_this_one_like_a_lost_lease() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("nothing fails");
    for _ in 0..2 {
        scene.runtime.block_on(scene.store.claim()).expect("another process");
    }
    scene.source.put([Mint::USDC]);
    let look = Look { runtime: &scene.runtime, under: FIRST, events: None };
    scene.runtime.block_on(sources.watch(EVERY, look, &scene.vital));
    assert_eq!(
        scene.lease.lost(),
        Some("another process took over the store: epoch 1 is fenced off by epoch 3")
    );
    assert_eq!(scene.stored(), [Mint::WSOL]);
    let Err(StartError::Held(_)) = scene.start() else { panic!("the start is refused") };
}

#[test]
fn a_damaged_store_is_left_alone_until_an_operator_acts() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("nothing fails");
    scene.source.put([Mint::USDC]);
    scene.store.fail_with(|| StoreError::corrupt("malformed"));
    let runtime = &scene.runtime;
    let watching = scene.watch(sources);
    runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_secs(11)));
    scene.store.heal();
    runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_mins(1)));
    assert_eq!(scene.stored(), [Mint::WSOL], "it is not touched again");
    let uses = scene.board.stores.facts(scene.runtime.now());
    assert!(uses.iter().any(|each| each.name == "token lists" && each.gave_up), "{uses:?}");
    watching.abort();
}

#[test]
fn sources_are_polled_at_every_interval() {
    let scene = scene();
    let watching = scene.watch(scene.sources());
    let runtime = &scene.runtime;
    runtime.block_on(runtime.sleep_until(runtime.now() + EVERY * 3 + EVERY / 2));
    watching.abort();
    assert_eq!(scene.source.calls(), 3);
}

#[test]
fn without_the_lease_no_source_is_polled() {
    let scene = scene();
    *scene.port.stands.lock() = false;
    let watching = scene.watch(scene.sources());
    let runtime = &scene.runtime;
    runtime.block_on(runtime.sleep_until(runtime.now() + EVERY * 3));
    assert_eq!(scene.source.calls(), 0);
    assert_eq!(scene.vital.signs().waits.map(|waits| waits.on), Some(LEASE));
    *scene.port.stands.lock() = true;
    runtime.block_on(runtime.sleep_until(runtime.now() + EVERY / 10));
    assert_eq!(scene.source.calls(), 1);
    watching.abort();
}

#[test]
fn a_later_failure_is_logged_once_and_so_is_its_end() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let sources = scene.start().expect("nothing fails");
    let events = scene.events();
    let look = Look { runtime: &scene.runtime, under: FIRST, events: Some(&events) };
    let look = || drop(scene.runtime.block_on(sources.look(look)));
    scene.fail(unusable, "mints.txt:3: \"junk\" is not a valid mint");
    (0..3).for_each(|_| look());
    scene.source.heal();
    (0..2).for_each(|_| look());
    let taken = fakes::take(&events.outbox);
    let logged: Vec<_> =
        taken.iter().map(|event| (event.kind().as_str(), event.subject().as_str())).collect();
    assert_eq!(logged, [("source.failed", "file"), ("source.recovered", "file")]);
    assert!(taken[0].payload().as_str().contains("mints.txt:3"), "{:?}", taken[0]);
}

#[test]
fn a_long_list_that_becomes_short_has_enough_time_for_its_removals() {
    let scene = scene();
    let many: Vec<Mint> = (0..u32::try_from(2 * FOLLOW_STEP + 1).expect("a few")).map(fakes::mint).collect();
    scene.source.put(many.clone());
    // As stored by another process; this one has not followed anything yet.
    drop(scene.start().expect("nothing fails"));
    let store = Arc::new(fakes::Slow(scene.store.clone(), scene.runtime.clone()));
    let sources = scene.sources_over(store);
    scene.source.put([Mint::WSOL]);
    scene.look(&sources);
    assert_eq!((scene.stored().len(), scene.store_answers()), (1, Some(true)));
    scene.source.put(many.clone());
    scene.look(&sources);
    scene.source.put([Mint::USDC]);
    scene.look(&sources);
    assert_eq!((scene.stored().len(), scene.store_answers()), (1, Some(true)));
}

/// The log as text.
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
fn a_start_waits_for_a_store_that_is_down_and_logs_and_reports_it() {
    let scene = scene();
    scene.source.put([Mint::WSOL]);
    let store = scene.store.clone();
    store.fail_with(|| StoreError::transient("connection refused"));
    let log = logged(|| {
        scene.runtime.block_on(async {
            let sources = scene.sources();
            let runtime: Arc<dyn Runtime> = Arc::new(scene.runtime.clone());
            let starting = Starting::new(&scene.board, &settings(), &runtime);
            let listings = vec![(0, scene.source.list().await.expect("it lists"))];
            let healed = async {
                runtime.sleep_until(runtime.now() + Duration::from_secs(5)).await;
                let waits = starting.waits_for().unwrap_or_default();
                assert!(waits.contains("connection refused"), "{waits}");
                let reasons = ttm_health::HealthView::report(&*scene.board).reasons().join("; ");
                assert!(reasons.contains("connection refused"), "{reasons}");
                store.heal();
            };
            let begun = sources.begin::<Infallible>(FIRST, listings, &starting);
            let (begun, ()) = futures_util::future::join(begun, healed).await;
            begun.expect("the store is back");
        });
    });
    assert_eq!(scene.stored(), [Mint::WSOL]);
    assert_eq!(log.matches("the start waits").count(), 1, "{log}");
    assert!(log.contains("connection refused"), "{log}");
}
