//! What the monitor reports as a stall of the work plane, also when the supervision plane itself is late.

use ttm_health::{BreakerState, HealthView as _};
use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_schedule::LaneStatus;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;
use crate::settings::POOLS;

/// A running service whose groups have just made progress for the last time.
fn stalled() -> (ManualRuntime, Arc<Resident>) {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    board.enter_running();
    let now = Some(runtime.now());
    for lane in Lane::ALL {
        let status = LaneStatus { last_progress: now, last_started: now, ..LaneStatus::default() };
        board.post_group(fakes::AUTHOR, lane, LaneStatus { running: true, runs: 1, ..status });
    }
    let resident = fakes::resident(&runtime, &board, fakes::ports(&FakeTokenStore::new()));
    (runtime, resident)
}

/// When the hot group is reported to make no progress, while the supervision plane runs for one second of every nine;
/// `beats` says whether the work plane's thread runs during the other eight.
fn reported_after(beats: bool) -> Duration {
    let (runtime, resident) = stalled();
    let (life, _order) = fakes::life(&runtime);
    let watching = runtime.spawn("monitor", Box::pin(Monitor::new(resident.clone(), life).run()));
    let Resident { board, pulse, .. } = &*resident;
    let second = Duration::from_secs(1);
    let reported = runtime.block_on(async {
        while !matches!(board.report().scheduler.hot.status, Status::Degraded | Status::Critical) {
            runtime.sleep_until(runtime.now() + second).await;
            pulse.beat(runtime.now());
            for _ in 0..8 {
                runtime.clock().advance(second);
                if beats {
                    pulse.beat(runtime.now());
                }
            }
            pulse.beat(runtime.now());
            assert!(runtime.now().since_origin() < Duration::from_hours(1), "never reported");
        }
        runtime.now().since_origin()
    });
    watching.abort();
    reported
}

#[test]
fn a_stall_is_reported_in_time_however_often_the_supervision_plane_alone_is_late() {
    let after = reported_after(true);
    assert!(after <= Duration::from_mins(2), "{after:?}");
}

#[test]
fn a_stall_is_reported_once_the_process_has_run_long_enough_between_its_pauses() {
    let after = reported_after(false);
    // It runs two seconds of every nine, and the first pause restarts the deadline.
    assert!(after > Duration::from_mins(4) && after < Duration::from_mins(15), "{after:?}");
}

#[test]
fn the_report_after_an_order_shows_it_at_once() {
    let (runtime, resident) = stalled();
    let (life, _order) = fakes::life(&runtime);
    let watching = runtime.spawn("monitor", Box::pin(Monitor::new(resident.clone(), life).run()));
    let moment = Duration::from_millis(1);
    let shown = runtime.block_on(async {
        runtime.sleep_until(runtime.now() + 100 * moment).await;
        resident.guard.breaker().force_open(runtime.now());
        resident.breakers.orders.give(POOLS);
        runtime.sleep_until(runtime.now() + moment).await;
        resident.board.report().apis.circuit_breaker_state
    });
    watching.abort();
    assert_eq!(shown, Some(BreakerState::ForcedOpen));
}
