//! A pause of the process in the middle of a stop.

use std::convert::Infallible;

use ttm_kernel::{BoxFuture, Clock as _, StoreError};
use ttm_market::testing::FakeTokenStore;
use ttm_market::{Token, TokenStore as _};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::ended::{Ended, Exit, Stopped};
use crate::fakes;
use crate::life::{Author, Life};
use crate::parts::{PARTS, Part, Runs, Start};
use crate::resident::Resident;

const SECOND: Duration = Duration::from_secs(1);

/// Finds a token right before it stops, for which it takes a second.
fn finds_one_late(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move {
        life.vital.gets_on_until(&life.stop).await;
        life.runtime.sleep_until(life.runtime.now() + SECOND).await;
        let token = Token::new(fakes::mint(1), life.runtime.wall());
        resident.tokens.put(Author::RESIDENT, [Arc::new(token)]);
    })
}

/// A stop of ten seconds, in which the process is paused at each of these seconds for so many, and the store of tokens is back after so
/// many. How it ended, and how long it took.
fn stop(pauses: &[(u64, u64)], back_after: u64) -> (Stopped, Duration) {
    let runtime = ManualRuntime::new(1);
    let tokens = FakeTokenStore::new();
    let work = |part: Part| match part.name {
        "work" => Part { runs: Runs::Task(Start::Resident(finds_one_late)), ..part },
        _ => part,
    };
    let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime));
    let supervisor = supervisor.with_parts(PARTS.into_iter().map(work).collect());
    let figures = supervisor.figures();
    let begun = runtime.now() + 20 * SECOND;
    let order = async {
        figures.started().await;
        runtime.sleep_until(begun).await;
        tokens.fail_with(|| StoreError::transient("it is away"));
        for (second, lasts) in pauses {
            let (clock, at) = (runtime.clone(), begun + Duration::from_secs(*second));
            let lasts = Duration::from_secs(*lasts);
            let pauses = async move {
                clock.sleep_until(at).await;
                clock.clock().advance(lasts);
            };
            drop(runtime.spawn("pause", Box::pin(pauses)));
        }
        let (clock, store) = (runtime.clone(), tokens.clone());
        let heals = async move {
            clock.sleep_until(begun + Duration::from_secs(back_after)).await;
            store.heal();
        };
        drop(runtime.spawn("heals", Box::pin(heals)));
        begun + 10 * SECOND
    };
    let open = fakes::open(fakes::ports(&tokens));
    let exit: Exit<Infallible> = runtime.block_on(async {
        tokens.add(&[fakes::mint(1)], runtime.wall()).await.expect("it works");
        supervisor.run(open, order).await
    });
    let Exit::Ended(Ended { failure: None, stopped }) = exit else { panic!("{exit:?}") };
    (stopped, runtime.now() - begun)
}

#[test]
fn a_pause_in_the_middle_of_a_stop_loses_no_queued_token() {
    let stored = Stopped { tokens_left: 0, samples_left: 0, events_left: 0, orders_left: 0, in_time: true };
    for second in [0, 1, 2, 4, 6] {
        let (stopped, took) = stop(&[(second, 60)], 62);
        assert_eq!(stopped, stored, "{second}");
        assert!(took < 70 * SECOND, "{second}: {took:?}");
    }
}

#[test]
fn a_stop_whose_store_stays_away_ends_in_its_time_and_that_of_the_pauses() {
    // Short ones, too: several of them would leave nothing of a stage.
    for pauses in [&[][..], &[(3, 60)], &[(1, 60), (65, 60)], &[(1, 2), (4, 2), (8, 2), (11, 2)]] {
        let (stopped, took) = stop(pauses, 1_000);
        assert_eq!((stopped.tokens_left, stopped.in_time), (1, false));
        let paused = Duration::from_secs(pauses.iter().map(|(_, lasts)| lasts).sum());
        assert!((paused + 7 * SECOND..paused + 11 * SECOND).contains(&took), "{pauses:?}: {took:?}");
    }
}
