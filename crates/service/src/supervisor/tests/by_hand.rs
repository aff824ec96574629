//! Parts that a person restarts, and a stop that comes meanwhile.

use std::sync::OnceLock;

use ttm_market::Origin;
use ttm_market::testing::FakeTokenSource;
use ttm_recovery::{Outcome, State};

use super::*;
use crate::{Stop, Vital};

/// A surface that hands over what operators use. Its first incarnation takes very long to stop.
struct Console {
    controls: OnceLock<Controls>,
    notes: Arc<Mutex<Vec<String>>>,
    runtime: ManualRuntime,
    served: Mutex<u32>,
}

impl Console {
    fn new(runtime: &ManualRuntime) -> Arc<Self> {
        let (controls, notes, served) = (OnceLock::new(), Arc::default(), Mutex::new(0));
        Arc::new(Self { controls, notes, runtime: runtime.clone(), served })
    }

    async fn restart(&self, part: &str) {
        let controls = self.controls.get().expect("it has started");
        controls.recovery.restart(part).await.expect("it can be");
    }
}

impl Surface for Console {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        let mut served = self.served.lock();
        *served += 1;
        let (number, notes, runtime) = (*served, self.notes.clone(), self.runtime.clone());
        Box::pin(async move {
            notes.lock().push(format!("{number} serves"));
            vital.gets_on_until(&stop).await;
            notes.lock().push(format!("{number} stops"));
            if number == 1 {
                runtime.sleep_until(runtime.now() + 8 * SECOND).await;
                notes.lock().push("1 has answered".to_owned());
            }
        })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, controls: Controls) {
        drop(self.controls.set(controls));
    }
}

#[test]
fn a_part_that_a_person_restarted_gets_on_at_once_and_is_no_problem() {
    let runtime = ManualRuntime::new(1);
    let ports = Ports {
        sources: vec![Arc::new(FakeTokenSource::new(Origin::new("file")))],
        ..fakes::ports(&FakeTokenStore::new())
    };
    let (board, console) = (fakes::board(&runtime), Console::new(&runtime));
    let supervisor = fakes::supervisor_behind(&runtime, &board, console.clone()).with_parts(PARTS.to_vec());
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + 25 * SECOND).await;
        for part in ["roster", "sources"] {
            console.restart(part).await;
            runtime.sleep_until(runtime.now() + 2 * SECOND).await;
            let view = board.parts().into_iter().find(|view| view.name == part).expect("it is there");
            assert_eq!((view.state, view.incarnation, view.problem), (State::Running, 1, None), "{part}");
            let recoveries = console.controls.get().expect("it has started").recovery.recoveries(1);
            assert_eq!(recoveries[0].ended.map(|(outcome, _)| outcome), Some(Outcome::Recovered), "{part}");
        }
        runtime.now() + 10 * SECOND
    };
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(fakes::open(ports), stop));
    assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
}

/// Takes five seconds to stop.
fn lingers(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        life.vital.gets_on_until(&life.stop).await;
        life.runtime.sleep_until(life.runtime.now() + 5 * SECOND).await;
    })
}

/// Ends right before the stop.
fn reports(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if life.author.incarnation == Incarnation::FIRST {
            life.runtime.sleep_until(life.runtime.now() + RUNS.saturating_sub(SECOND / 1_000)).await;
        } else {
            did("it is reported again");
            life.vital.gets_on_until(&life.stop).await;
        }
    })
}

#[test]
fn a_stop_that_finds_nobody_who_reports_is_reported_all_the_same() {
    let _alone = alone();
    let (ended, _) = run(vec![part("work", Stage::Work, obeys), part("reports", Stage::Lease, reports)]);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert_eq!(*DID.lock(), ["it is reported again", "work stops"]);
}

#[test]
fn a_stop_that_finds_its_surface_restarted_is_shown_all_the_same() {
    let runtime = ManualRuntime::new(1);
    let (board, console) = (fakes::board(&runtime), Console::new(&runtime));
    let parts = PARTS.into_iter().filter(|part| ["api", "monitor"].contains(&part.name));
    let parts = parts.chain([part("work", Stage::Work, lingers)]).collect();
    let supervisor = fakes::supervisor_behind(&runtime, &board, console.clone()).with_parts(parts);
    let (figures, notes) = (supervisor.figures(), console.notes.clone());
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + 5 * SECOND).await;
        console.restart("api").await;
        runtime.sleep_until(runtime.now() + SECOND).await;
        let (time, log, seen) = (runtime.clone(), notes.clone(), board.clone());
        let look = async move {
            time.sleep_until(time.now() + 3 * SECOND).await;
            log.lock().push(format!("it is {}", seen.report().phase.as_str()));
        };
        drop(runtime.spawn("look", Box::pin(look)));
        runtime.now() + 20 * SECOND
    };
    let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(open, stop));
    assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
    let expected = ["1 serves", "1 stops", "2 serves", "it is stopping", "2 stops"];
    assert_eq!(*notes.lock(), expected);
}
