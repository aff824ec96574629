//! What the surface is told of a life.

use super::*;
use crate::{Stop, Vital};

/// A surface that notes what it is told.
#[derive(Default)]
struct Notes(Arc<Mutex<Vec<&'static str>>>);

impl Surface for Notes {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        let notes = self.0.clone();
        Box::pin(async move {
            vital.gets_on_until(&stop).await;
            notes.lock().push("served");
        })
    }

    fn opened(&self, _: &Ports) {
        self.0.lock().push("opened");
    }

    fn started(&self, _: Controls) {
        self.0.lock().push("started");
    }

    fn ended(&self) {
        self.0.lock().push("ended");
    }
}

/// A surface that panics while the ports are opened.
struct Panics(Arc<Mutex<bool>>);

impl Surface for Panics {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        let is_open = self.0.clone();
        Box::pin(async move {
            assert!(*is_open.lock(), "boom");
            vital.gets_on_until(&stop).await;
        })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, _: Controls) {
        *self.0.lock() = true;
    }

    fn ended(&self) {}
}

#[test]
fn a_part_that_ends_during_the_start_is_started_again_and_ends_no_process() {
    let (runtime, is_open) = (ManualRuntime::new(1), Arc::new(Mutex::new(false)));
    let store = FakeTokenStore::new();
    store.fail_with(|| ttm_kernel::StoreError::transient("connection refused"));
    let board = fakes::board(&runtime);
    let supervisor = fakes::supervisor_behind(&runtime, &board, Arc::new(Panics(is_open.clone())));
    let figures = supervisor.figures();
    let stop = async {
        runtime.sleep_until(runtime.now() + Duration::from_mins(10)).await;
        *is_open.lock() = true;
        store.heal();
        figures.started().await;
        runtime.sleep_until(runtime.now() + Duration::from_mins(2)).await;
        assert_eq!(board.parts().first().map(|part| part.state), Some(ttm_recovery::State::Running));
        runtime.now() + 10 * SECOND
    };
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(fakes::open(fakes::ports(&store)), stop));
    let Exit::Ended(ended) = exit else { panic!("it starts: {exit:?}") };
    assert_eq!(ended.failure, None);
}

#[test]
fn the_surface_is_told_when_nothing_serves_any_more() {
    let (runtime, notes) = (ManualRuntime::new(1), Notes::default());
    let told = notes.0.clone();
    let supervisor = fakes::supervisor_behind(&runtime, &fakes::board(&runtime), Arc::new(notes));
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + 5 * SECOND).await;
        runtime.now() + 10 * SECOND
    };
    let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(open, stop));
    assert!(matches!(exit, Exit::Ended(_)), "{exit:?}");
    assert_eq!(*told.lock(), ["opened", "started", "served", "ended"]);
}
