//! What operators see of breakers, what their orders change, and what outlives the process.

use std::time::Duration;

use ttm_breaker::testing::{FakeBreakerStore, control_conformance};
use ttm_breaker::{Outcome, State, TransitionReason};
use ttm_kernel::{Clock as _, FencingToken, Runtime as _};
use ttm_market::testing::{FakeTokenStore, MockProfileSource};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::drain::Sink as _;
use crate::fakes;
use crate::sinks::BreakerSink;
use crate::{Board, Ports};

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

#[test]
fn the_control_obeys_every_law() {
    control_conformance::check(&scene().control);
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
    let view = scene.control.order("dexscreener", Order::ForceOpen).expect("a known name");
    assert_eq!((view.state, view.retry_at, view.cause), (State::ForcedOpen, None, None));
    scene.later(3_600);
    assert_eq!(scene.view("dexscreener").state, State::ForcedOpen);
    assert_eq!(scene.view("profiles").state, State::Closed);
}

#[test]
fn an_order_is_an_event_with_its_reason() {
    let scene = scene();
    scene.control.order("profiles", Order::Disable).expect("a known name");
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
        scene.control.order(name, order).expect("a known name");
        assert_eq!(scene.control.0.breakers.changed.counts().left(), 1, "it waits to be saved");
        let resident = &scene.control.0;
        while store.newest() < resident.epoch {
            store.claim();
        }
        let sink = BreakerSink {
            guards: resident.guards.clone(),
            store: Arc::new(store.clone()),
            under: FencingToken::first(resident.epoch),
            clock: resident.clock.clone(),
        };
        scene.runtime.block_on(sink.store(&[()])).expect("it works");
        assert_eq!(store.breakers().len(), 2, "both are saved");
        let Scene { runtime, tokens, ports, .. } = scene;
        let scene = restarted(runtime, tokens, ports);
        scene.later(3_600);
        let view = scene.view(name);
        assert_eq!((view.state, view.reason), (order.state(), Some(TransitionReason::Restored)), "{name}");
    }
}
