//! Each known pain of other systems by its name, and days on which stores, channels, clocks and measurements fail.

mod scene;

use std::time::Duration;

use scene::{HOUR, escalating, settings, silence, stage};
use ttm_alert::testing::{Health, Stage, rule_set};
use ttm_alert::{Condition, NotifyConfig, Reading, RuleSet, RuleSpec};

/// The pain: it fired on Friday, was told once, and nobody knew on Monday.
#[test]
fn forgotten_over_a_weekend() {
    let mut stage = stage();
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    for _ in 0..3 {
        stage.pass_in_steps(12 * HOUR, 30);
        stage.restart(600);
        stage.pass_in_steps(12 * HOUR, 30);
    }
    let told = stage.told();
    assert!((17..=18).contains(&told.len()), "each four hours: {told:?}");
    assert!(told.iter().all(|line| line.ends_with("Reminder late{at=x} ERROR")));
}

/// The pain: an end is told of what nobody knows to have begun.
#[test]
fn resolved_without_firing() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(20);
    stage.is("open", "at=x", 0.0);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0], "it was over before its group had waited");
}

/// The pain: the receiver was away, and what happened meanwhile is never told.
#[test]
fn lost_while_the_receiver_was_down() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("open", "at=x", 1.0);
    stage.is("open", "at=y", 1.0);
    stage.pass(100);
    stage.is("open", "at=x", 0.0);
    stage.is("open", "at=z", 1.0);
    stage.pass(100);
    stage.is("open", "at=z", 0.0);
    stage.pass(400);
    assert_eq!(stage.told(), [""; 0]);
    stage.channel("ops", Health::Well);
    stage.pass(300);
    let told = stage.told();
    assert_eq!(told.len(), 1, "one message: {told:?}");
    assert!(
        told[0]
            .ends_with("ops: New open{at=y} WARNING, Passed open{at=x} WARNING, Passed open{at=z} WARNING"),
        "{told:?}"
    );
    let was_down = stage.deliveries()[0].was_down.expect("it says so");
    assert!(was_down > Duration::from_secs(500), "{was_down:?}");
    assert_eq!(stage.believed(), ["ops: open{at=y}"]);
}

/// The pain: the receiver comes back, and gets each attempt of the outage.
#[test]
fn duplicates_after_the_receiver_recovers() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("load", "at=x", 25.0);
    stage.pass(2_000);
    let attempts = stage.memory().receipts.len();
    assert!((8..40).contains(&attempts), "with ever longer pauses: {attempts}");
    stage.channel("ops", Health::Well);
    stage.pass(1_000);
    let told = stage.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("ops: New load{at=x} CRITICAL"));
}

#[test]
fn an_attempt_whose_answer_is_lost_is_repeated_under_the_same_key() {
    let mut stage = stage();
    stage.channel("ops", Health::Mute);
    stage.is("load", "at=x", 25.0);
    stage.pass(300);
    stage.channel("ops", Health::Well);
    stage.pass(600);
    let keys: Vec<String> = stage.deliveries().iter().map(|it| it.key.to_string()).collect();
    assert!(keys.len() > 2 && keys.iter().all(|key| key == "ops: load{at=x} 1-1, 1"), "{keys:?}");
}

/// The pain: after each restart everything is told once more.
#[test]
fn sent_again_after_a_restart() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 2);
    for _ in 0..5 {
        stage.restart(5);
        stage.pass(60);
    }
    assert_eq!(stage.told(), [""; 0]);
    stage.is("open", "at=x", 0.0);
    stage.restart(5);
    stage.pass(60);
    assert_eq!(stage.told(), ["470 ops: Resolved open{at=x} WARNING"], "and its end is told by the next one");
}

/// The pain: the message that waited is lost with the process.
#[test]
fn what_waited_to_be_sent_is_sent_by_the_next_process() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    stage.restart(5);
    stage.channel("ops", Health::Well);
    stage.pass(60);
    assert_eq!(stage.told(), ["140 ops: New load{at=x} CRITICAL"]);
    assert_eq!(stage.deliveries()[0].key.to_string(), "ops: load{at=x} 1-1, 1", "under the same key");
    // Killed with it under way: nobody knows whether it arrived.
    stage.is("load", "at=y", 25.0);
    stage.channel("ops", Health::Hanging);
    stage.pass(60);
    stage.channel("ops", Health::Well);
    stage.restart(5);
    stage.pass(60);
    assert_eq!(stage.told(), ["260 ops: New load{at=y} CRITICAL"]);
}

/// The pain: the process begins anew, does not know the cause yet, and tells of its consequences.
#[test]
fn inhibited_alert_sent_after_a_restart() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["100 ops: New open{at=x} ERROR"]);
    assert_eq!(stage.deliveries()[0].affected, ["late{at=x}"]);
    stage.restart(5);
    stage.pass(1_000);
    assert_eq!(stage.told(), [""; 0]);
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    let told = stage.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("Resolved open{at=x} ERROR") && told[1].ends_with("New late{at=x} ERROR"));
}

/// The pain: fifty dependents of one thing that is down are fifty messages.
#[test]
fn fifty_messages_for_one_cause() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    for place in 0..50 {
        stage.is("late", &format!("at=place-{place}"), 9.0);
    }
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    let told = stage.told();
    assert_eq!(told.len(), 2, "one of the cause with its consequence, one of a group: {told:?}");
    let late = told.iter().map(|line| line.matches("New late").count()).max();
    assert_eq!(late, Some(50));
    let cause = stage.deliveries().iter().find(|it| it.key.alert.rule.as_ref() == "open");
    assert_eq!(cause.map(|it| it.affected.as_slice()), Some(&["late{at=x}".to_owned()][..]));
}

/// The pain: a new incident within the cooldown of the last one is swallowed.
#[test]
fn cooldown_that_swallows_a_new_incident() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    stage.is("load", "at=x", 5.0);
    stage.pass(50);
    stage.is("load", "at=x", 25.0);
    stage.pass(40);
    let told = stage.told();
    let expected = ["New load{at=x} CRITICAL", "Resolved load{at=x} CRITICAL", "New load{at=x} CRITICAL"];
    assert!(told.iter().zip(expected).all(|(line, end)| line.ends_with(end)) && told.len() == 3, "{told:?}");
    let episodes: Vec<u64> = stage.deliveries().iter().map(|it| it.key.episode.number).collect();
    assert_eq!(episodes, [1, 1, 2]);
}

/// The pain: a value that hovers at its limit is a message each time that it crosses it.
#[test]
fn threshold_flapping_at_69_9_and_70_1() {
    let mut stage = stage();
    let all = rule_set();
    let rules = all.rules().iter().cloned().map(|rule| match &*rule.name {
        "load" => RuleSpec { condition: Condition::above(70.0, 65.0), ..rule },
        _ => rule,
    });
    let rules = RuleSet::try_new(rules.collect(), all.catalogue().clone()).expect("valid");
    stage.reconfigure(rules, NotifyConfig::try_new(settings()).expect("valid"));
    let hover = |stage: &mut Stage, times| {
        for value in [70.1, 69.9].repeat(times) {
            stage.is("load", "at=x", value);
            stage.pass(10);
        }
    };
    hover(&mut stage, 60);
    assert_eq!(stage.told(), [""; 0], "it never lasts");
    stage.is("load", "at=x", 70.1);
    stage.pass(60);
    hover(&mut stage, 60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("New load{at=x} WARNING"), "it does not end: {told:?}");
}

/// The pain: after an upgrade nothing is measured at first, and all of it is an alert.
#[test]
fn no_data_storm_at_the_own_upgrade() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    for series in ["open", "load", "late"] {
        for of in ["at=x", "at=y", "at=z"] {
            stage.set(series, of, Reading::Missing("not begun".into()));
        }
    }
    stage.restart(20);
    stage.pass(25);
    for series in ["open", "load", "late"] {
        stage.set(series, "at=x", Reading::Value(if series == "open" { 1.0 } else { 0.0 }));
        stage.set(series, "at=y", Reading::Idle("no calls".into()));
        stage.set(series, "at=z", Reading::Gone);
    }
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0]);
}

/// The pain: resolved, and firing again the next moment.
#[test]
fn firing_again_just_after_resolved() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    for _ in 0..50 {
        stage.is("load", "at=x", 7.0);
        stage.pass(20);
        stage.is("load", "at=x", 25.0);
        stage.pass(20);
    }
    let told = stage.told();
    assert_eq!(told.len(), 1, "it has to be well for thirty seconds: {told:?}");
}

/// The pain: a maintenance hides the alert and lets its escalation through.
#[test]
fn escalation_leaking_through_maintenance() {
    let mut stage = escalating();
    stage.is("load", "at=x", 25.0);
    stage.pass(100);
    assert_eq!(stage.told(), ["90 ops: New load{at=x} CRITICAL"]);
    let quiet = silence(&stage, 5_000, "load");
    stage.silence(quiet);
    stage.pass(4_900);
    assert_eq!(stage.told(), [""; 0]);
    stage.pass(200);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: Reminder load{at=x} CRITICAL"), "{told:?}");
    stage.pass(300);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].contains("phone: New"), "the steps begin anew: {told:?}");
    // Once more, with somebody who was told by a step before.
    let quiet = silence(&stage, 1_000, "load");
    stage.silence(quiet);
    stage.pass(1_100);
    assert_eq!(stage.told(), [""; 0], "the steps before count no more");
    stage.pass(300);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].contains("phone: Escalated"), "{told:?}");
}

#[test]
fn while_the_store_is_away_critical_is_sent_from_memory_and_the_rest_waits() {
    for health in [Health::Down, Health::Hanging, Health::Mute] {
        let mut stage = stage();
        stage.store(health);
        stage.is("open", "at=x", 1.0);
        stage.is("load", "at=x", 25.0);
        stage.pass(200);
        assert_eq!(
            stage.told().last().map(String::as_str).map(|it| &it[3..]),
            Some("ops: New load{at=x} CRITICAL"),
            "{health:?}"
        );
        assert!(stage.deliveries()[0].is_unsaved);
        stage.store(Health::Well);
        stage.pass(60);
        let told = stage.told();
        assert!(told.len() == 1 && told[0].ends_with("ops: New open{at=x} WARNING"), "{health:?} {told:?}");
        assert_eq!(stage.memory().receipts.len(), 2, "what was sent meanwhile is recorded");
        stage.restart(5);
        stage.pass(600);
        assert_eq!(stage.told(), [""; 0], "{health:?}");
    }
}

#[test]
fn a_clock_that_is_set_brings_no_storm_and_no_silence() {
    for by in [-86_400, -600, 600, 365 * 86_400] {
        let mut stage = stage();
        stage.is("load", "at=x", 25.0);
        stage.pass(60);
        assert_eq!(stage.told().len(), 1);
        stage.set_wall(by);
        stage.pass_in_steps(2 * HOUR, 10);
        let told = stage.told();
        assert!((2..=3).contains(&told.len()), "{by}: {told:?}");
        assert!(told.iter().all(|line| line.ends_with("Reminder load{at=x} CRITICAL")));
    }
}

/// The pain: a collector fails, and what it measured last counts as well.
#[test]
fn false_resolve_on_missing_data() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    for (series, of) in [("open", "at=x"), ("load", "at=x"), ("late", "at=x")] {
        stage.set(series, of, Reading::Missing("no answer".into()));
    }
    stage.pass(3_000);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: New stale{collector=fast} ERROR"), "{told:?}");
}

#[test]
fn what_is_stale_stays_so_over_a_restart_and_is_told_once() {
    let mut stage = stage();
    stage.set("load", "at=x", Reading::Missing("no answer".into()));
    stage.pass(120);
    assert_eq!(stage.told().len(), 1);
    for _ in 0..5 {
        stage.restart(5);
        stage.pass(200);
    }
    assert_eq!(stage.told(), [""; 0]);
    stage.is("load", "at=x", 5.0);
    stage.restart(5);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: Resolved stale{collector=fast} ERROR"), "{told:?}");
}

#[test]
fn other_rules_end_the_alerts_of_those_that_are_gone_and_leave_the_rest() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 2);
    let all = rule_set();
    let fewer = all.rules().iter().filter(|rule| rule.name != "open").cloned();
    let fewer = fewer.map(|rule| RuleSpec { inhibited_by: Vec::new(), ..rule }).collect();
    let fewer = RuleSet::try_new(fewer, all.catalogue().clone()).expect("valid");
    stage.reconfigure(fewer, NotifyConfig::try_new(settings()).expect("valid"));
    stage.pass(300);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: Resolved open{at=x} WARNING"), "{told:?}");
    assert_eq!(stage.believed(), ["ops: load{at=x}"]);
}

/// What was replaced and then taken is no news, though the journal has it.
#[test]
fn what_was_sent_from_memory_and_replaced_is_over_for_the_next_process() {
    let mut stage = escalating();
    stage.channel("phone", Health::Down);
    stage.store(Health::Mute);
    stage.is("load", "at=x", 25.0);
    stage.pass(350);
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    stage.channel("phone", Health::Well);
    stage.pass(300);
    assert!(stage.told().iter().any(|line| line.contains("phone: Passed load{at=x}")));
    stage.restart(5);
    stage.store(Health::Well);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0]);
    assert_eq!(stage.desk().engine().active(), 0);
}
