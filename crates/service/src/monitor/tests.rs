//! What the monitor takes for a stall of the work plane, whatever the supervision plane went through itself.

use ttm_health::HealthView as _;
use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_schedule::LaneStatus;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;

/// A running service whose groups made progress just now, and never will again.
fn stalled() -> (ManualRuntime, Arc<Resident>) {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    board.enter_running();
    let now = Some(runtime.now());
    for lane in Lane::ALL {
        let status = LaneStatus { last_progress: now, last_started: now, ..LaneStatus::default() };
        board.post_group(lane, LaneStatus { running: true, runs: 1, ..status });
    }
    let resident = fakes::resident(&runtime, &board, fakes::ports(&FakeTokenStore::new()));
    (runtime, resident)
}

/// When the report says that the hot group makes no progress, while the supervision plane runs for one second of every
/// nine; `beats` says whether the work plane's thread runs in the others.
fn seen_after(beats: bool) -> Duration {
    let (runtime, resident) = stalled();
    let (life, _order) = fakes::life(&runtime);
    let watching = runtime.spawn("monitor", Box::pin(Monitor::new(resident.clone(), life).run()));
    let Resident { board, pulse, .. } = &*resident;
    let second = Duration::from_secs(1);
    let seen = runtime.block_on(async {
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
            assert!(runtime.now().since_origin() < Duration::from_hours(1), "never seen");
        }
        runtime.now().since_origin()
    });
    watching.abort();
    seen
}

#[test]
fn a_stall_is_seen_in_time_however_often_the_supervision_plane_alone_is_late() {
    let seen = seen_after(true);
    assert!(seen <= Duration::from_mins(2), "{seen:?}");
}

#[test]
fn a_stall_is_seen_once_the_process_has_run_long_enough_between_its_pauses() {
    let seen = seen_after(false);
    // It runs two seconds of every nine, and the first pause gives it all its time anew.
    assert!(seen > Duration::from_mins(4) && seen < Duration::from_mins(15), "{seen:?}");
}
