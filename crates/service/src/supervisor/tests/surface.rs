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
