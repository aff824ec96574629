//! The part between the desk, its store and its channels: what it does when these fail, and when it is replaced.

mod scene;
mod slow;

use ttm_alert::testing::notifier_conformance::{Answer as Says, Receiver as _};
use ttm_alert::testing::{FakeAlertJournal, FakeAlertStore};
use ttm_alert::{AlertControl as _, Matcher, News, OrderRefused, Quiet, When};
use ttm_health::HealthView as _;
use ttm_kernel::{Clock as _, Severity};

use super::*;
use scene::SECOND;
pub(super) use scene::{Scene, Telling};

#[test]
fn what_fires_is_stored_told_once_and_its_end_is_told() {
    let mut scene = Scene::new();
    scene.pass(30);
    assert!(scene.told().is_empty(), "nothing is wrong");
    scene.store_is_down();
    scene.pass(60);
    assert_eq!(scene.told(), ["New store_down"]);
    assert_eq!(scene.record().cases[0].severity, Severity::Critical);
    // Another incarnation goes on where this one was.
    scene.begin();
    scene.pass(60);
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
    let facts = scene.resident.events.counts();
    assert!(facts.waiting > 0, "it is on the record");
    assert!(scene.journal.sent().is_empty(), "the store had everything before it was sent");
}

#[test]
fn while_its_store_fails_what_is_critical_goes_out_from_memory_and_is_journalled_until_the_store_has_it() {
    let scene = Scene::new();
    scene.pass(30);
    scene.store.fail_with(|| StoreError::transient("refused"));
    scene.store_is_down();
    scene.pass(60);
    assert_eq!(scene.told(), ["New store_down"]);
    assert_eq!(scene.journal.sent().len(), 1, "it was journalled before");
    assert_eq!(scene.store.memory().records.len(), 0);
    scene.store.heal();
    scene.pass(10);
    assert_eq!(scene.record().cases[0].told[0].messages, 1);
    assert!(scene.journal.sent().is_empty(), "the store has it");
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
}

#[test]
fn a_process_that_cannot_read_its_store_tells_what_is_critical_and_goes_on_in_those_episodes() {
    let store = FakeAlertStore::new();
    store.fail_with(|| StoreError::transient("refused"));
    let scene = Scene::on(store, FakeAlertJournal::new());
    scene.store_is_down();
    scene.pass(100);
    assert_eq!(scene.told(), ["New store_down"]);
    let control = scene.control();
    let listed = scene.runtime.block_on(control.alerts(None, 10));
    assert!(matches!(listed, Err(OrderRefused::NotNow(_))), "{listed:?}");
    scene.store.heal();
    scene.pass(100);
    assert_eq!(scene.told(), ["New store_down"], "it knows what it told");
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
    assert!(scene.journal.sent().is_empty());
}

#[test]
fn what_was_being_told_when_the_store_was_read_is_told_once() {
    let store = FakeAlertStore::new();
    store.fail_with(|| StoreError::transient("refused"));
    let scene = Scene::on(store, FakeAlertJournal::new());
    scene.pace.is(3);
    scene.store_is_down();
    while scene.journal.sent().is_empty() {
        scene.pass(1);
    }
    scene.store.heal();
    scene.pass(100);
    assert_eq!(scene.told(), ["New store_down"], "its answer came after the store was read");
    scene.store_is_back();
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down", "Resolved store_down"]);
    assert!(scene.journal.sent().is_empty());
}

#[test]
fn rows_that_cannot_be_read_are_told_of_and_keep_nothing_else_from_being_known() {
    let (store, journal) = (FakeAlertStore::new(), FakeAlertJournal::new());
    let before = Scene::on(store.clone(), journal.clone());
    before.store_is_down();
    before.pass(60);
    assert_eq!(before.told(), ["New store_down"]);
    drop(before);
    store.add_unreadable("the silence 7 has no end");
    let after = Scene::on(store, journal);
    after.store_is_down();
    after.pass(60);
    assert!(after.told().is_empty(), "it is known: {:?}", after.told());
    let facts = after.board.stores.facts(after.runtime.now());
    let unreadable = facts.into_iter().find_map(|each| each.unreadable);
    assert_eq!(unreadable, Some((1, "the silence 7 has no end".to_owned())));
}

#[test]
fn an_order_that_was_answered_as_not_carried_out_is_not_carried_out_later() {
    let mut scene = Scene::new();
    scene.pass(30);
    scene.part = None;
    let until = Some(scene.runtime.wall() + SECOND * 7_200);
    let when = When::Once { from: scene.runtime.wall(), until };
    let quiet = Quiet::try_new(Matcher::default(), when, "ada", "it hangs").expect("valid");
    let refused = scene.runtime.block_on(scene.control().silence(quiet));
    assert!(matches!(refused, Err(OrderRefused::NotNow(_))), "{refused:?}");
    scene.begin();
    scene.pass(10);
    let silences = scene.runtime.block_on(scene.control().silences()).expect("it answers");
    assert_eq!(silences, []);
}

#[test]
fn what_an_earlier_process_told_from_memory_is_ended_where_it_was_told() {
    let (store, journal) = (FakeAlertStore::new(), FakeAlertJournal::new());
    let before = Scene::on(store.clone(), journal.clone());
    before.pass(30);
    store.fail_with(|| StoreError::transient("refused"));
    before.store_is_down();
    before.pass(60);
    assert_eq!(before.told(), ["New store_down"]);
    drop(before);
    store.heal();
    let after = Scene::on(store, journal);
    after.pass(120);
    assert_eq!(after.told(), ["Resolved store_down"]);
}

#[test]
fn a_message_whose_sender_is_replaced_before_the_answer_is_sent_again_under_the_same_key() {
    let mut scene = Scene::new();
    scene.pass(30);
    scene.channel.answers(Says::Busy);
    scene.store_is_down();
    scene.pass(45);
    let before = scene.channel.requests();
    assert!(!before.is_empty());
    scene.begin();
    scene.channel.answers(Says::Takes);
    scene.pass(120);
    assert_eq!(scene.told(), ["New store_down"]);
    let keys: std::collections::BTreeSet<String> = scene.channel.requests().into_iter().collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn a_channel_that_refuses_is_an_alert_of_its_own_and_its_message_a_dead_letter() {
    let scene = Scene::new();
    scene.pass(30);
    scene.channel.answers(Says::Refuses);
    scene.store_is_down();
    scene.pass(60);
    let letters = scene.runtime.block_on(scene.control().dead_letters(10)).expect("the store answers");
    assert_eq!(letters[0].row.message.items[0].news, News::New);
    let channels = scene.runtime.block_on(scene.control().channels()).expect("it answers");
    assert!(channels[0].failing.is_some(), "{channels:?}");
    scene.pass(90);
    let firing = scene.runtime.block_on(scene.control().alerts(None, 10)).expect("it answers");
    let rules: Vec<&str> = firing.iter().map(|view| &*view.record.key.rule).collect();
    assert_eq!(rules, ["channel_failing", "store_down"]);
}

#[test]
fn what_was_refused_is_shown_before_the_store_has_it_and_once_after() {
    let scene = Scene::new();
    scene.pass(30);
    scene.channel.answers(Says::Refuses);
    scene.store.be_read_only();
    scene.store_is_down();
    scene.pass(60);
    let shown = || {
        let control = scene.control();
        let letters = scene.runtime.block_on(control.dead_letters(10)).expect("the store can be read");
        let receipts = scene.runtime.block_on(control.receipts(10)).expect("the store can be read");
        (letters, receipts)
    };
    let before = shown();
    assert_eq!((before.0.len(), before.1.len()), (1, 1));
    assert_eq!(scene.store.memory().dead.len(), 0);
    scene.store.heal();
    scene.pass(5);
    assert_eq!(scene.store.memory().dead.len(), 1);
    assert_eq!(shown(), before);
}

#[test]
fn who_orders_something_hears_whether_the_store_has_it() {
    let scene = Scene::new();
    scene.store_is_down();
    scene.pass(60);
    let control = scene.control();
    let id = scene.record().key.identity();
    let ordered = scene.runtime.block_on(control.acknowledge(id, None, "ada")).expect("it fires");
    assert!(ordered.stored);
    assert_eq!(scene.record().cases[0].ack.as_ref().map(|ack| &*ack.by), Some("ada"));
    scene.store.fail_with(|| StoreError::transient("refused"));
    let again = scene.runtime.block_on(control.acknowledge(id, None, "eve")).expect("it fires");
    assert!(!again.stored, "in force, and not stored");
    assert_eq!(again.done.record.cases[0].ack.as_ref().map(|ack| &*ack.by), Some("eve"));
}

#[test]
fn a_storm_is_told_as_fast_as_the_channel_may_be_told_and_the_channel_was_not_down() {
    let scene = Scene::with(50, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    scene.store_is_down();
    scene.pass(120);
    let taken = scene.channel.taken();
    assert_eq!((taken.len(), scene.channel.requests().len()), (51, 51), "each once");
    assert_eq!(scene.told()[0], "New store_down", "what is CRITICAL first");
    assert!(taken.iter().all(|attempt| attempt.was_down.is_none()), "{taken:?}");
    assert!(scene.store.memory().receipts.iter().all(|receipt| receipt.attempt == 1));
}

#[test]
fn all_of_a_storm_is_on_the_record() {
    // Of both stores, more than a desk keeps for who records them.
    let scene = Scene::with(600, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    let before = scene.resident.events.counts().waiting;
    scene.store_is_down();
    let (now, wall) = (scene.runtime.now(), scene.runtime.wall());
    let error = StoreError::transient("refused");
    scene.board.stores.failed(crate::StoreUse::Samples, &error, now, wall);
    scene.pass(60);
    assert_eq!(scene.resident.events.counts().waiting - before, 2 * 601);
}

#[test]
fn what_waits_until_the_channel_may_be_told_is_still_kept_from_it_by_a_silence() {
    let scene = Scene::with(20, FakeAlertStore::new(), FakeAlertJournal::new());
    scene.pass(30);
    scene.store_is_down();
    while scene.told().len() < 3 {
        scene.pass(1);
    }
    let wall = scene.runtime.wall();
    let when = When::Once { from: wall, until: Some(wall + Duration::from_hours(1)) };
    let quiet = Quiet::try_new(Matcher::default(), when, "ada", "I know").expect("valid");
    let ordered = scene.runtime.block_on(scene.control().silence(quiet)).expect("it runs");
    assert!(ordered.stored);
    let before = scene.told();
    scene.pass(60);
    assert_eq!(scene.told(), before);
}

#[test]
fn without_the_lease_nothing_is_sent() {
    let scene = Scene::new();
    scene.pass(30);
    *scene.lease.stands.lock() = false;
    scene.store_is_down();
    scene.pass(60);
    assert!(scene.told().is_empty());
    assert_eq!(scene.channel.requests().len(), 0);
    *scene.lease.stands.lock() = true;
    scene.pass(10);
    assert_eq!(scene.told(), ["New store_down"]);
}

#[test]
fn a_wall_clock_that_is_set_is_noticed_and_a_slow_one_is_not() {
    let scene = Scene::new();
    scene.pass(30);
    scene.runtime.clock().step_wall(jiff::SignedDuration::from_secs(2));
    scene.pass(30);
    assert!(scene.told().is_empty());
    scene.runtime.clock().step_wall(jiff::SignedDuration::from_secs(-3_600));
    scene.pass(30);
    assert_eq!(scene.told(), ["New clock_stepped"]);
}

#[test]
fn at_a_stop_what_is_decided_is_stored() {
    let mut scene = Scene::new();
    scene.pass(30);
    scene.store_is_down();
    scene.pass(36);
    let (part, order) = scene.part.take().expect("it runs");
    order.give(scene.runtime.now() + 10 * SECOND);
    let end = scene.runtime.block_on(part);
    assert_eq!(end, ttm_kernel::TaskEnd::Finished);
    assert_eq!(scene.record().cases.len(), 1);
    drop(scene.monitor);
    assert!(scene.board.report().live);
}
