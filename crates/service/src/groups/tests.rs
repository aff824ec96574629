//! A group that is restarted while nothing is due.

use std::convert::Infallible;
use std::time::Duration;

use ttm_kernel::BoxFuture;
use ttm_kernel::Clock as _;
use ttm_kernel::Runtime as _;
use ttm_market::testing::FakeTokenStore;
use ttm_recovery::{Outcome, RecoveryControl};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::{Controls, Ended, Exit, Ports, Stop, Surface, Vital, fakes};

/// Keeps what operators may do.
#[derive(Clone, Default)]
struct Operator(Arc<Mutex<Option<Arc<dyn RecoveryControl>>>>);

impl Surface for Operator {
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()> {
        Box::pin(async move { vital.gets_on_until(&stop).await })
    }

    fn opened(&self, _: &Ports) {}

    fn started(&self, controls: Controls) {
        *self.0.lock() = Some(controls.recovery);
    }
}

#[test]
fn a_group_that_is_restarted_with_nothing_due_gets_on_before_its_next_run() {
    let (runtime, operator) = (ManualRuntime::new(1), Operator::default());
    let board = fakes::board(&runtime);
    let supervisor = fakes::supervisor_behind(&runtime, &board, Arc::new(operator.clone()));
    let figures = supervisor.figures();
    let sleep = |seconds| runtime.sleep_until(runtime.now() + Duration::from_secs(seconds));
    let stop = async {
        figures.started().await;
        // Its first run is over, and the next one is not due for long.
        sleep(2).await;
        let control = operator.0.lock().clone().expect("it has started");
        control.restart("cold-group").await.expect("it can be");
        sleep(4).await;
        let ended = control.recoveries(1)[0].ended.map(|(outcome, _)| outcome);
        assert_eq!(ended, Some(Outcome::Recovered));
        runtime.now() + Duration::from_secs(10)
    };
    let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(open, stop));
    assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
}

#[test]
fn that_nothing_is_due_counts_once_for_each_incarnation() {
    let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
    let (groups, first) = (Groups::new(), Incarnation::FIRST);
    assert_eq!(groups.idle_since(Lane::Cold, first), None);
    for second in [3, 4] {
        groups.is_idle(Lane::Cold, first, at(second));
        assert_eq!(groups.idle_since(Lane::Cold, first), Some(at(3)));
    }
    assert_eq!(groups.idle_since(Lane::Hot, first), None);
    groups.is_idle(Lane::Cold, first.next(), at(5));
    assert_eq!(groups.idle_since(Lane::Cold, first), None);
    assert_eq!(groups.idle_since(Lane::Cold, first.next()), Some(at(5)));
}
