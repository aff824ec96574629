//! A channel, a feed and a heartbeat that take as long as they may, and longer; and what is known of one that takes nothing.

use std::sync::atomic::Ordering;

use ttm_alert::testing::notifier_conformance::{Answer as Says, Receiver as _};
use ttm_alert::testing::{FakeAlertJournal, FakeAlertStore};

use super::scene::Scene;

#[test]
fn what_takes_as_long_as_it_may_is_told_once_and_does_not_fail() {
    // More messages than are under way at once.
    let scene = Scene::with(6, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    scene.pace.is(38);
    scene.store_is_down();
    for _ in 0..200 {
        scene.pass(1);
        assert_eq!(scene.failing(), [None, None]);
    }
    assert_eq!((scene.told().len(), scene.channel.requests().len()), (7, 7));
    assert!(scene.store.memory().receipts.iter().all(|receipt| receipt.attempt == 1));
    assert!(scene.firing().iter().all(|alert| alert.starts_with("store_down")), "{:?}", scene.firing());
}

#[test]
fn what_takes_longer_has_not_answered() {
    let scene = Scene::new();
    scene.pass(30);
    scene.pace.is(42);
    scene.store_is_down();
    scene.pass(300);
    let no_answer = Some("no answer within 40 s".to_owned());
    assert_eq!(scene.failing(), [no_answer.clone(), no_answer]);
    assert!(scene.told().is_empty());
    assert!(scene.firing().contains(&"dead_man".to_owned()), "{:?}", scene.firing());
}

#[test]
fn who_has_lived_for_a_minute_says_so_and_who_begins_again_and_again_does_not() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.pass(50);
        scene.begin();
    }
    assert_eq!(scene.pace.beats(), 0);
    scene.pass(70);
    assert_eq!(scene.pace.beats(), 1);
}

#[test]
fn a_feed_that_takes_nothing_is_an_alert_with_its_reason_and_one_lost_answer_is_none() {
    let scene = Scene::new();
    let alert = "channel_failing{channel=am}".to_owned();
    scene.pass(30);
    let is_down = |is_down| scene.feed.is_down.store(is_down, Ordering::Relaxed);
    is_down(true);
    scene.pass(40);
    assert_eq!(scene.failing(), [None, Some("refused".to_owned())]);
    is_down(false);
    for _ in 0..120 {
        scene.pass(1);
        assert!(scene.firing().is_empty(), "one telling that failed");
    }
    assert_eq!(scene.failing(), [None, None]);
    is_down(true);
    scene.pass(200);
    assert_eq!(scene.firing(), [alert]);
    assert_eq!(scene.told(), ["New channel_failing"]);
    is_down(false);
    scene.pass(130);
    assert!(scene.firing().is_empty());
    assert_eq!(scene.told(), ["New channel_failing", "Resolved channel_failing"]);
}

#[test]
fn a_channel_that_is_left_alone_keeps_the_reason_that_it_gave() {
    for says in [Says::Fails, Says::Busy] {
        let scene = Scene::new();
        scene.pass(30);
        scene.channel.answers(says);
        scene.store_is_down();
        for _ in 0..150 {
            scene.pass(1);
            let reason = scene.failing().remove(0);
            assert!(reason.as_ref().is_none_or(|why| *why == format!("{says:?}")), "{reason:?}");
        }
        assert!(scene.failing()[0].is_some(), "{says:?}");
        scene.channel.answers(Says::Takes);
        scene.store_is_back();
        scene.pass(120);
        assert_eq!(scene.failing(), [None, None]);
    }
}

#[test]
fn what_this_process_may_not_send_is_no_failure_of_the_channel() {
    let scene = Scene::new();
    scene.pass(30);
    scene.store_is_down();
    scene.pass(60);
    let attempt = scene.channel.taken().remove(0);
    let (resident, requests) = (&scene.resident, scene.channel.requests().len());
    let channel = resident.alerting.channels.values().next().expect("there is one");
    let (clock, journal) = (&*resident.clock, &resident.alerting.journal);
    let sent = scene.runtime.block_on(async {
        let turn = channel.turn(clock).await.expect("nothing is under way");
        *scene.lease.stands.lock() = false;
        channel.send(turn, &attempt, &resident.lease, journal, clock).await
    });
    assert_eq!(sent, Err(None));
    assert_eq!((channel.failing.get(), scene.channel.requests().len()), (None, requests));
}
