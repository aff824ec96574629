//! Writers that cannot store what waits when the stop begins.

use super::*;

/// Hangs until the process stops; what is started then stores what waits.
fn hangs_until_the_stop(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move {
        if resident.board.phase() != Phase::Stopping {
            std::future::pending::<()>().await;
        }
        life.stop.ordered().await;
        did("what waited is stored");
    })
}

#[test]
fn a_writer_that_was_given_up_is_not_missing_at_the_stop() {
    let _alone = alone();
    let runtime = ManualRuntime::new(1);
    let parts = vec![Part { critical: false, ..part("store", Stage::Store, hangs_until_the_stop) }];
    let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime)).with_parts(parts);
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + Duration::from_mins(10)).await;
        runtime.now() + 10 * SECOND
    };
    let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
    let exit: Exit<Infallible> = runtime.block_on(supervisor.run(open, stop));
    let Exit::Ended(ended) = exit else { panic!("it starts: {exit:?}") };
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert_eq!(*DID.lock(), ["what waited is stored"]);
}
