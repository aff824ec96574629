//! What operators order: silences, and acknowledgements that stop an escalation.

mod scene;

use std::time::Duration;

use scene::{HOUR, escalating, silence, stage};
use ttm_alert::testing::{Health, Stage, labels};
use ttm_alert::{AlertKey, Changed, EpisodeId, NotFiring};
use ttm_kernel::Severity;

#[test]
fn what_still_fires_when_a_silence_ends_is_told_then() {
    let mut stage = stage();
    let quiet = silence(&stage, 1_000, "open");
    stage.silence(quiet);
    stage.is("open", "at=x", 1.0);
    stage.pass(990);
    assert_eq!(stage.told(), [""; 0]);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("New open{at=x} WARNING"), "{told:?}");
}

#[test]
fn a_resolve_that_a_silence_hid_is_told_when_it_ends() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    let quiet = silence(&stage, 10_000, "open");
    let id = stage.silence(quiet);
    stage.is("open", "at=x", 0.0);
    stage.is("open", "at=y", 1.0);
    stage.pass(100);
    stage.is("open", "at=y", 0.0);
    stage.pass(100);
    assert_eq!(stage.told(), [""; 0]);
    stage.restart(5);
    stage.pass(100);
    assert_eq!(stage.told(), [""; 0]);
    stage.end_silence(id);
    stage.pass(5);
    let told = stage.told();
    assert!(
        told.len() == 1 && told[0].ends_with("ops: Resolved open{at=x} WARNING"),
        "and what was over within it is not: {told:?}"
    );
    assert!(stage.memory().quiets.is_empty());
    let quiet = silence(&stage, 60, "open");
    assert!(stage.silence(quiet) > id, "nobody ends this one who meant the one before");
}

#[test]
fn an_alert_that_nobody_acknowledges_is_told_to_others() {
    let mut stage = escalating();
    stage.is("load", "at=x", 25.0);
    stage.pass_in_steps(1_200, 1);
    assert_eq!(
        stage.told(),
        [
            "90 ops: New load{at=x} CRITICAL",
            "390 phone: New load{at=x} CRITICAL",
            "990 phone: Escalated load{at=x} CRITICAL",
        ]
    );
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    let told = stage.told();
    assert_eq!(told.len(), 2, "everybody who knows of it learns of its end: {told:?}");
}

#[test]
fn an_ack_stops_the_escalation_and_not_the_end() {
    let mut stage = escalating();
    stage.is("load", "at=x", 12.0);
    stage.pass(90);
    assert_eq!(stage.told(), ["120 ops: New load{at=x} WARNING"]);
    stage.acknowledge("load", "at=x");
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    assert_eq!(stage.told(), ["180 ops: MoreSevere load{at=x} CRITICAL"]);
    stage.pass(400);
    let told = stage.told();
    assert_eq!(told.len(), 1, "it is worse than what was acknowledged: {told:?}");
    stage.acknowledge("load", "at=x");
    stage.pass(1);
    stage.restart(5);
    stage.pass(1_500);
    assert_eq!(stage.told(), [""; 0]);
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 2);
}

#[test]
fn an_ack_stops_an_escalation_to_a_channel_that_was_left_alone() {
    let mut stage = escalating();
    stage.channel("phone", Health::LeftAlone);
    stage.is("load", "at=x", 25.0);
    stage.pass(600);
    let waiting = stage.desk().waiting();
    assert_eq!(waiting.get(&Stage::id("phone")), Some(&1), "the step was taken");
    let receipts = &stage.memory().receipts;
    assert!(receipts.iter().all(|it| it.key.channel != Stage::id("phone")), "nothing was sent: {receipts:?}");
    stage.acknowledge("load", "at=x");
    stage.channel("phone", Health::Well);
    stage.pass(600);
    let told = stage.told();
    assert!(told.iter().all(|line| !line.contains("phone")), "{told:?}");
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_ends_no_silence_for_good() {
    let mut stage = stage();
    let quiet = silence(&stage, 3_600, "load");
    stage.silence(quiet);
    stage.pass(10);
    stage.set_wall(1_000_000);
    stage.pass(5);
    assert_eq!(stage.desk().silences().count(), 0);
    stage.set_wall(-1_000_000);
    stage.restart(5);
    stage.is("load", "at=x", 25.0);
    stage.pass(600);
    assert_eq!((stage.desk().silences().count(), stage.told()), (1, vec![]));
    stage.pass_in_steps(HOUR, 5);
    assert_eq!(stage.desk().silences().count(), 0);
    assert_eq!(stage.memory().quiets.len(), 1, "it may have been the clock");
    stage.pass_in_steps(HOUR, 5);
    assert_eq!(stage.memory().quiets.len(), 0);
}

#[test]
fn an_episode_that_is_meant_is_acknowledged_and_no_other() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    let meant = stage.deliveries()[0].key.episode;
    let (key, now) = (stage.deliveries()[0].key.alert.clone(), stage.time());
    let next = EpisodeId { number: meant.number + 1, ..meant };
    assert_eq!(stage.desk().acknowledge(&key, Some(next), "ada", now), Err(NotFiring(key.clone())));
    assert_eq!(stage.desk().acknowledge(&key, Some(meant), "ada", now), Ok(()));
}

#[test]
fn a_channel_that_a_person_has_told_is_told_that_and_the_end_over_restarts() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["100 ops: New open{at=x} WARNING"]);
    let key = AlertKey::new("open", labels("at=x"));
    assert!(stage.desk().tell_again(&key, &Stage::id("phone")));
    stage.pass(60);
    assert_eq!(stage.told(), ["121 phone: New open{at=x} WARNING"]);
    stage.restart(5);
    stage.pass_in_steps(50 * HOUR, 10);
    let reminded = stage.told();
    assert!(
        reminded.len() > 1 && reminded.iter().all(|line| line.contains(" ops: Reminder ")),
        "{reminded:?}"
    );
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 2, "both learn of its end");
}

#[test]
fn what_was_not_sent_is_no_attempt_and_is_sent_once_its_channel_can_be_told() {
    let mut stage = stage();
    stage.channel("ops", Health::Hanging);
    stage.is("load", "at=x", 25.0);
    stage.pass(40);
    let (key, now) = (stage.memory().rows.keys().next().cloned().expect("it is under way"), stage.time());
    stage.channel("ops", Health::Well);
    stage.desk().handle_not_sent(&key, Some(Duration::from_secs(10)), now);
    stage.desk().handle_not_sent(&key, None, now);
    stage.pass(9);
    assert_eq!(stage.told(), [""; 0]);
    stage.pass(9);
    assert_eq!(stage.told().len(), 1);
    let attempts: Vec<u32> = stage.memory().receipts.iter().map(|receipt| receipt.attempt).collect();
    assert_eq!(attempts, [1]);
}

#[test]
fn an_order_is_stored_though_other_changes_are_not() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    let quiet = silence(&stage, 600, "open");
    let now = stage.time();
    assert!(stage.desk().silence(quiet, now).is_ok());
    assert!(!stage.desk().has_stored(&Changed::Silences));
    assert!(stage.desk().poll_commit(now).is_some());
    assert!(!stage.desk().has_stored(&Changed::Silences), "it is under way");
    stage.acknowledge("load", "at=x");
    stage.desk().handle_committed();
    assert!(stage.desk().has_stored(&Changed::Silences) && !stage.desk().is_saved());
    assert!(!stage.desk().has_stored(&Changed::Alert(AlertKey::new("load", labels("at=x")))));
}

#[test]
fn who_follows_a_link_takes_nothing_over_unless_it_is_worse() {
    let mut stage = stage();
    stage.is("load", "at=x", 12.0);
    stage.pass(60);
    let meant = stage.deliveries()[0].key.episode;
    let key = stage.deliveries()[0].key.alert.clone();
    let acknowledged = |stage: &mut Stage, episode, by| {
        let now = stage.time();
        stage.desk().acknowledge(&key, episode, by, now).expect("it fires");
        stage.desk().view(&key).expect("known").record.cases[0].ack.clone().expect("acknowledged")
    };
    let first = acknowledged(&mut stage, Some(meant), "ada");
    stage.pass(10);
    assert_eq!(acknowledged(&mut stage, Some(meant), "a mail filter"), first);
    assert_eq!(acknowledged(&mut stage, None, "eve").by, "eve", "an order of an operator's does");
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    let anew = acknowledged(&mut stage, Some(meant), "bob");
    assert_eq!((&*anew.by, anew.severity), ("bob", Severity::Critical));
    assert_eq!(acknowledged(&mut stage, Some(meant), "a mail filter"), anew);
}
