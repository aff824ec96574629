//! What operators see of breakers, what their orders change, and what outlives the process.

use std::sync::OnceLock;
use std::time::Duration;

use ttm_breaker::testing::{FakeBreakerStore, control_conformance};
use ttm_breaker::{Outcome, State, TransitionReason};
use ttm_kernel::{BoxFuture, Clock as _, FencingToken, Runtime as _, StoreError};
use ttm_market::testing::{FakeTokenStore, MockProfileSource};
use ttm_retry::RetryPolicy;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::breakers::STORED_WITHIN;
use crate::drain::{Drain, Sink as _};
use crate::fakes;
use crate::sinks::BreakerSink;
use crate::{Board, Controls, Ended, Exit, Ports, Stop, StopOrder, Surface, Vital};

struct Scene {
    runtime: ManualRuntime,
    tokens: FakeTokenStore,
    ports: Ports,
    board: Arc<Board>,
    control: GuardBreakers,
}

/// A service with both of its breakers.
fn scene() -> Scene {
    let (runtime, tokens) = (ManualRuntime::new(1), FakeTokenStore::new());
    let profiles = Arc::new(MockProfileSource::new());
    let ports = Ports { profiles: Some(profiles), ..fakes::ports(&tokens) };
    restarted(runtime, tokens, ports)
}

fn restarted(runtime: ManualRuntime, tokens: FakeTokenStore, ports: Ports) -> Scene {
    let board = fakes::board(&runtime);
    let control = GuardBreakers::new(fakes::resident(&runtime, &board, ports.clone()));
    Scene { runtime, tokens, ports, board, control }
}

impl Scene {
    fn view(&self, name: &str) -> BreakerView {
        self.control.breakers().into_iter().find(|view| view.name == name).expect("there is one")
    }

    fn breaker(&self) -> &Breaker {
        self.control.0.guard.breaker()
    }

    fn order(&self, name: &str, order: Order) -> Ordered {
        self.runtime.block_on(self.control.order(name, order)).expect("a known name")
    }

    /// Has what is to be saved saved, as the writer does, until what is returned is dropped.
    fn write(&self, store: &FakeBreakerStore) -> StopOrder {
        let resident = self.control.0.clone();
        let (sink, (life, stop)) = (sink(&resident, store), fakes::life(&self.runtime));
        let drain = Drain {
            life,
            board: resident.board.clone(),
            lease: resident.lease.clone(),
            backoff: RetryPolicy::default(),
        };
        let changed = resident.breakers.changed.clone();
        let writer = async move { drain.run(&changed, &sink).await };
        drop(self.runtime.spawn("writer", Box::pin(writer)));
        stop
    }

    fn later(&self, seconds: u64) {
        let until = self.runtime.now() + Duration::from_secs(seconds);
        self.runtime.block_on(self.runtime.sleep_until(until));
    }

    fn fail(&self, calls: u32) {
        for _ in 0..calls {
            let now = self.runtime.now();
            self.breaker().admit(now).expect("closed").report(Outcome::Failure, now);
        }
    }
}

fn sink(resident: &Arc<Resident>, store: &FakeBreakerStore) -> BreakerSink {
    while store.newest() < resident.epoch {
        store.claim();
    }
    BreakerSink {
        guards: resident.guards.clone(),
        store: Arc::new(store.clone()),
        under: FencingToken::first(resident.epoch),
        clock: resident.clock.clone(),
        log: resident.breakers.clone(),
    }
}

#[test]
fn the_control_obeys_every_law() {
    // Nobody stores anything here.
    let scene = scene();
    scene.runtime.block_on(control_conformance::check(&scene.control, false));
}

#[test]
fn every_breaker_is_shown_with_its_counts_since_when_and_why() {
    let scene = scene();
    let names: Vec<String> = scene.control.breakers().into_iter().map(|view| view.name).collect();
    assert_eq!(names, ["dexscreener", "profiles"]);
    let began = scene.runtime.wall();
    scene.later(100);
    let view = scene.view("dexscreener");
    assert_eq!((view.state, view.since, view.reason, view.retry_at), (State::Closed, began, None, None));

    scene.board.post_api_error("dexscreener", "403, an HTML page");
    scene.fail(5);
    let opened = scene.runtime.wall();
    scene.later(7);
    let view = scene.view("dexscreener");
    assert_eq!((view.state, view.since), (State::Open, opened));
    assert_eq!(view.reason, Some(TransitionReason::ConsecutiveFailures));
    assert_eq!(view.cause.as_deref(), Some("403, an HTML page"));
    assert_eq!(view.retry_at.map(|at| at.duration_since(opened).as_secs()), Some(60));
}

#[test]
fn a_breaker_that_is_forced_open_says_that_no_time_ends_it_and_blames_no_error() {
    let scene = scene();
    scene.board.post_api_error("dexscreener", "403, an HTML page");
    let view = scene.order("dexscreener", Order::ForceOpen).breaker;
    assert_eq!((view.state, view.retry_at, view.cause), (State::ForcedOpen, None, None));
    scene.later(3_600);
    assert_eq!(scene.view("dexscreener").state, State::ForcedOpen);
    assert_eq!(scene.view("profiles").state, State::Closed);
}

#[test]
fn an_order_is_an_event_with_its_reason() {
    let scene = scene();
    scene.order("profiles", Order::Disable);
    let events = fakes::take(&scene.control.0.events.outbox);
    let [_started, event] = &events[..] else { panic!("one event: {events:?}") };
    assert_eq!((event.kind().as_str(), event.subject().as_str()), ("breaker.changed", "profiles"));
    let payload = event.payload().as_str().to_owned();
    assert!(
        payload.contains("\"reason\":\"operator\"") && payload.contains("\"to\":\"disabled\""),
        "{payload}"
    );
}

#[test]
fn an_order_for_either_breaker_outlives_the_process() {
    for (name, order) in
        [("dexscreener", Order::ForceOpen), ("profiles", Order::ForceOpen), ("dexscreener", Order::Disable)]
    {
        let store = FakeBreakerStore::new();
        let scene = scene();
        let ports = Ports { breakers: Arc::new(store.clone()), ..scene.ports.clone() };
        let scene = restarted(scene.runtime, scene.tokens, ports);
        let ordered = scene.order(name, order).breaker;
        assert_eq!(scene.control.0.breakers.changed.counts().left(), 1, "it waits to be saved");
        let resident = &scene.control.0;
        scene.runtime.block_on(sink(resident, &store).store(&[()])).expect("it works");
        assert_eq!(store.breakers().len(), 2, "both are saved");
        scene.later(60);
        let Scene { runtime, tokens, ports, .. } = scene;
        let scene = restarted(runtime, tokens, ports);
        scene.later(3_600);
        let view = scene.view(name);
        assert_eq!((view.state, view.reason), (order.state(), Some(TransitionReason::Restored)), "{name}");
        assert_eq!(view.since, ordered.since, "it is so since the order, not since the restart");
    }
}

#[test]
fn an_order_is_confirmed_once_it_is_stored() {
    let (scene, store) = (scene(), FakeBreakerStore::new());
    let _writes = scene.write(&store);
    for order in [Order::ForceOpen, Order::ForceOpen, Order::Reset, Order::Disable] {
        let before = (scene.runtime.now(), store.saves());
        assert!(scene.order("dexscreener", order).stored, "{order}");
        assert!(store.saves() > before.1, "{order}: also one that changes nothing");
        assert_eq!(store.breakers()[0].saved.state, order.state(), "what is confirmed is stored");
        assert_eq!(scene.runtime.now(), before.0, "and nothing was waited for");
    }
    assert_eq!(scene.control.0.breakers.orders.unstored(), Vec::<String>::new());
}

#[test]
fn an_order_that_the_store_does_not_take_is_in_force_and_is_stored_once_it_is_back() {
    let (scene, store) = (scene(), FakeBreakerStore::new());
    let _writes = scene.write(&store);
    store.fail_with(|| StoreError::transient("away"));
    let began = scene.runtime.now();
    let Ordered { breaker, stored } = scene.order("profiles", Order::ForceOpen);
    assert_eq!((breaker.state, stored), (State::ForcedOpen, false));
    assert_eq!(scene.runtime.now() - began, STORED_WITHIN, "it does not wait for ever");
    assert_eq!(scene.view("profiles").state, State::ForcedOpen);
    assert_eq!(scene.control.0.breakers.orders.unstored(), ["profiles"]);
    store.heal();
    scene.later(60);
    assert_eq!(scene.control.0.breakers.orders.unstored(), Vec::<String>::new());
    assert_eq!(store.breakers()[1].saved.state, State::ForcedOpen);
}

#[test]
fn an_order_while_the_service_stops_is_refused_and_changes_nothing() {
    let scene = scene();
    scene.board.enter_stopping();
    let order = scene.runtime.block_on(scene.control.order("dexscreener", Order::ForceOpen));
    assert_eq!(order, Err(OrderRefused::NotRunning("stopping")));
    assert_eq!(scene.view("dexscreener").state, State::Closed);
    assert_eq!(scene.control.0.breakers.orders.given(), 0);
}

/// A surface that hands over what operators use.
#[derive(Default)]
struct Console(OnceLock<Controls>);

impl Surface for Console {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        Box::pin(async move { vital.gets_on_until(&stop).await })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, controls: Controls) {
        drop(self.0.set(controls));
    }
}

#[test]
fn a_stop_that_leaves_an_order_unstored_says_so() {
    for fails in [true, false] {
        let (runtime, tokens, store) =
            (ManualRuntime::new(1), FakeTokenStore::new(), FakeBreakerStore::new());
        store.claim();
        let ports = Ports { breakers: Arc::new(store.clone()), ..fakes::ports(&tokens) };
        let console = Arc::new(Console::default());
        let supervisor = fakes::supervisor_behind(&runtime, &fakes::board(&runtime), console.clone());
        let (figures, clock) = (supervisor.figures(), runtime.clone());
        let stop = async {
            figures.started().await;
            clock.sleep_until(clock.now() + Duration::from_mins(1)).await;
            if fails {
                store.fail_with(|| StoreError::transient("away"));
            }
            let breakers = &console.0.get().expect("it has started").breakers;
            let ordered = breakers.order("dexscreener", Order::Disable).await.expect("a known name");
            assert_eq!(ordered.stored, !fails);
            clock.now() + Duration::from_secs(30)
        };
        let exit = runtime.block_on(supervisor.run(fakes::open(ports), stop));
        let Exit::Ended(Ended { failure: None, stopped }) = exit else { panic!("{exit:?}") };
        assert_eq!(stopped.orders_left, u64::from(fails));
        let left =
            "0 tokens, 0 samples and 0 events that were not stored, nor was an operator's order to a breaker";
        assert_eq!(stopped.left().as_deref(), fails.then_some(left));
    }
}
