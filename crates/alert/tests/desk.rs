//! What is told, to whom and when: waits, repeats, escalation, silences, flapping and refusals.

mod scene;

use std::time::Duration;

use scene::{HOUR, escalating, settings, silence, stage, with};
use ttm_alert::testing::{Health, Stage, labels};
use ttm_alert::{AlertKey, Escalation, Hidden, NotifyConfig, NotifySettings};

#[test]
fn a_warning_waits_for_its_group_and_its_end_waits_for_nothing() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(45);
    assert_eq!(stage.told(), ["100 ops: New open{at=x} WARNING"]);
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["120 ops: Resolved open{at=x} WARNING"]);
    assert_eq!(stage.believed(), [""; 0]);
    stage.pass_in_steps(26 * HOUR, 10);
    assert_eq!(stage.told(), [""; 0]);
    assert!(stage.memory().records.is_empty() && stage.memory().rows.is_empty(), "nothing is kept of it");
}

#[test]
fn a_critical_alert_waits_for_nothing_and_more_severity_is_told_at_once() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    assert_eq!(stage.told(), ["90 ops: New load{at=x} CRITICAL"]);
    stage.is("load", "at=y", 12.0);
    stage.pass(20);
    stage.is("load", "at=y", 25.0);
    stage.pass(30);
    assert_eq!(stage.told(), ["140 ops: New load{at=y} CRITICAL"]);
    stage.is("load", "at=y", 12.0);
    stage.pass(40);
    assert_eq!(stage.told(), [""; 0], "less severity waits");
    stage.pass(300);
    assert_eq!(stage.told(), ["440 ops: LessSevere load{at=y} WARNING"]);
    stage.is("load", "at=y", 25.0);
    stage.pass(30);
    assert_eq!(stage.told(), ["510 ops: MoreSevere load{at=y} CRITICAL"]);
}

#[test]
fn what_still_fires_is_told_again_by_its_severity() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.is("load", "at=x", 25.0);
    stage.is("load", "at=y", 0.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 2, "INFO is told where somebody asked for it");
    stage.pass_in_steps(24 * HOUR + 60, 10);
    let told = stage.told();
    let count = |of: &str| told.iter().filter(|line| line.ends_with(of)).count();
    assert_eq!([count("Reminder load{at=x} CRITICAL"), count("Reminder open{at=x} WARNING")], [24, 1]);
    assert_eq!(told.len(), 25);
}

#[test]
fn an_inhibited_alert_that_is_over_with_its_cause_is_never_told() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.is("late", "at=x", 9.0);
    stage.pass(600);
    stage.is("late", "at=x", 0.0);
    stage.is("open", "at=x", 0.0);
    stage.pass(600);
    let told = stage.told();
    assert!(told.len() == 2 && told.iter().all(|line| line.contains("open{at=x}")), "{told:?}");
}

#[test]
fn a_cause_is_as_severe_as_the_worst_that_is_listed_in_its_message() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["100 ops: New open{at=x} WARNING"]);
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["130 ops: MoreSevere open{at=x} ERROR"]);
    assert_eq!(stage.deliveries()[1].affected, ["late{at=x}"]);
    stage.restart(5);
    stage.pass(600);
    stage.is("late", "at=x", 1.0);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0], "it was so severe, and goes on");
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: Resolved open{at=x} ERROR"), "{told:?}");
}

#[test]
fn a_cause_that_comes_after_its_consequence_was_told_is_as_severe_at_once_and_stays_so_over_restarts() {
    let mut stage = escalating();
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    assert!(stage.told().last().is_some_and(|line| line.contains("New late{at=x} ERROR")));
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: New open{at=x} ERROR"), "{told:?}");
    // Its escalation goes on where it was.
    for _ in 0..4 {
        stage.pass_in_steps(500, 5);
        stage.restart(5);
    }
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("phone: New open{at=x} ERROR"), "{told:?}");
    stage.is("late", "at=x", 1.0);
    stage.restart(5);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0], "no less severe than it was");
}

#[test]
fn ten_thousand_alerts_at_once_are_one_message_of_bounded_length() {
    let mut stage = stage();
    for place in 0..10_000 {
        stage.is("open", &format!("at=place-{place}"), 1.0);
    }
    stage.pass_in_steps(60, 10);
    let told = stage.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].matches("New open").count(), 50);
    assert_eq!(stage.believed().len(), 50, "the others are counted in the message");
}

#[test]
fn a_flapping_alert_is_told_of_once_and_then_once_it_has_been_the_same_for_a_while() {
    let mut stage = stage();
    let flip = |stage: &mut Stage, value, seconds| {
        stage.is("open", "at=x", value);
        stage.pass_in_steps(seconds, 5);
    };
    for _ in 0..6 {
        flip(&mut stage, 1.0, 120);
        flip(&mut stage, 0.0, 120);
    }
    let told = stage.told();
    let ends: Vec<&str> = told.iter().map(|line| line.split(": ").nth(1).expect("a line")).collect();
    assert_eq!(
        ends,
        ["New open{at=x} WARNING", "Resolved open{at=x} WARNING", "Flapping open{at=x} WARNING"]
    );
    let key = AlertKey::new("open", labels("at=x"));
    flip(&mut stage, 1.0, 60);
    assert_eq!(stage.desk().hidden(&key), Some(Hidden::Flapping));
    stage.restart(10);
    stage.pass_in_steps(HOUR + 600, 10);
    let told = stage.told();
    let ends: Vec<&str> = told.iter().map(|line| line.split(": ").nth(1).expect("a line")).collect();
    assert_eq!(ends, ["New open{at=x} WARNING"], "it fires");
    assert_eq!(stage.believed(), ["ops: open{at=x}"]);
}

#[test]
fn what_keeps_changing_is_told_whenever_it_has_been_so_for_five_minutes() {
    let mut stage = stage();
    for _ in 0..2 {
        stage.is("load", "at=x", 25.0);
        stage.pass_in_steps(65, 5);
        stage.is("load", "at=x", 5.0);
        stage.pass_in_steps(80, 5);
    }
    let told = stage.told();
    assert!(told.last().is_some_and(|line| line.contains("Flapping load{at=x} CRITICAL")), "{told:?}");
    assert_eq!(stage.believed(), [""; 0], "it was over when that was told");
    stage.is("load", "at=x", 25.0);
    stage.pass_in_steps(400, 5);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: New load{at=x} CRITICAL"), "{told:?}");
    for value in [5.0, 25.0].repeat(3) {
        stage.is("load", "at=x", value);
        stage.pass_in_steps(240, 5);
    }
    assert_eq!(stage.told(), [""; 0], "none of that lasted");
    for (value, news, believed) in
        [(5.0, "Resolved", ""), (25.0, "New", "ops: load{at=x}"), (5.0, "Resolved", "")]
    {
        stage.is("load", "at=x", value);
        stage.pass_in_steps(320, 5);
        assert_eq!(stage.told(), [""; 0]);
        stage.pass_in_steps(20, 5);
        let told = stage.told();
        assert!(
            told.len() == 1 && told[0].ends_with(&format!("ops: {news} load{{at=x}} CRITICAL")),
            "{told:?}"
        );
        assert_eq!(stage.believed().concat(), believed);
    }
}

#[test]
fn an_alert_has_settled_once_it_was_stable_for_half_an_hour_with_one_change_in_the_last_hour() {
    let mut stage = stage();
    for value in [1.0, 0.0, 1.0, 0.0] {
        stage.is("open", "at=x", value);
        stage.pass(25);
    }
    stage.pass_in_steps(2_400, 10);
    stage.is("open", "at=x", 1.0);
    let is_flapping = |stage: &mut Stage| {
        stage.desk().record(&AlertKey::new("open", labels("at=x"))).is_some_and(|record| record.is_flapping)
    };
    stage.pass_in_steps(1_780, 10);
    assert!(is_flapping(&mut stage));
    stage.pass_in_steps(60, 10);
    assert!(!is_flapping(&mut stage), "and not an hour after the last change");
}

#[test]
fn after_a_start_a_collector_that_hangs_is_waited_for_a_minute() {
    let mut stage = Stage::new(NotifyConfig::try_new(settings()).expect("valid"));
    stage.stick("slow");
    stage.is("load", "at=x", 25.0);
    stage.pass(300);
    let told = stage.told();
    assert!(told[0].starts_with("60 ops: New load{at=x} CRITICAL"), "{told:?}");
}

#[test]
fn what_was_told_to_fire_and_settles_as_over_is_told_to_be_over() {
    let mut stage = stage();
    for value in [1.0, 0.0, 1.0, 0.0, 1.0] {
        stage.is("open", "at=x", value);
        stage.pass(25);
    }
    stage.pass_in_steps(1_000, 10);
    assert!(!stage.told().is_empty());
    stage.is("open", "at=x", 0.0);
    stage.pass_in_steps(3 * HOUR, 10);
    stage.told();
    assert_eq!(stage.believed(), [""; 0]);
}

#[test]
fn what_a_channel_refuses_goes_to_the_dead_letters_and_to_the_fallback_at_once() {
    let escalation = Escalation { fallback: Some(Stage::id("mail")), ..settings().escalation };
    let mut stage = with(NotifySettings { escalation, ..settings() });
    stage.channel("ops", Health::Refusing);
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told(), ["100 mail: New open{at=x} WARNING"]);
    assert_eq!(stage.memory().dead.len(), 1);
    assert_eq!(stage.memory().dead[0].why, "401");
    stage.channel("ops", Health::Well);
    let key = AlertKey::new("open", labels("at=x"));
    assert!(stage.desk().tell_again(&key, &Stage::id("ops")));
    stage.pass(60);
    assert_eq!(stage.told(), ["121 ops: New open{at=x} WARNING"]);
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    let told = stage.told();
    assert!(
        told.len() == 2 && told.iter().all(|line| line.ends_with("Resolved open{at=x} WARNING")),
        "{told:?}"
    );
}

#[test]
fn what_was_refused_is_not_told_to_be_over() {
    let mut stage = stage();
    stage.channel("ops", Health::Refusing);
    stage.is("open", "at=x", 1.0);
    stage.pass_in_steps(HOUR, 10);
    assert_eq!(stage.memory().dead.len(), 1, "it is not asked again at once");
    stage.channel("ops", Health::Well);
    stage.is("open", "at=x", 0.0);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0]);
    assert!(
        stage.memory().records.is_empty() || stage.memory().records.values().all(|it| it.cases.is_empty())
    );
}

#[test]
fn it_says_when_to_look_again_and_not_later_than_in_a_second() {
    let mut stage = stage();
    let now = stage.time();
    assert_eq!(stage.desk().poll_timeout(now), now.moment + Duration::from_secs(1));
    stage.store(Health::Hanging);
    stage.is("open", "at=x", 1.0);
    stage.evaluate("fast");
    let now = stage.time();
    assert_eq!(
        stage.desk().poll_timeout(now),
        now.moment + Duration::from_millis(500),
        "the store's patience"
    );
}

#[test]
fn the_escalation_counts_from_when_it_is_so_severe() {
    let mut stage = escalating();
    stage.is("load", "at=x", 12.0);
    stage.pass_in_steps(HOUR, 10);
    assert_eq!(stage.told().len(), 1);
    stage.is("load", "at=x", 25.0);
    stage.pass(300);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: MoreSevere load{at=x} CRITICAL"), "{told:?}");
    stage.pass(31);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("phone: New load{at=x} CRITICAL"), "{told:?}");
}

#[test]
fn a_first_step_that_is_later_tells_nobody_at_once() {
    let critical = vec![Duration::from_mins(5)];
    let escalation = Escalation { channels: vec![Stage::id("phone")], critical, ..settings().escalation };
    let mut stage = with(NotifySettings { escalation, ..settings() });
    stage.is("load", "at=x", 25.0);
    stage.pass(329);
    assert_eq!(stage.told(), ["90 ops: New load{at=x} CRITICAL"]);
    stage.pass(1);
    assert_eq!(stage.told(), ["390 phone: New load{at=x} CRITICAL"]);
}

#[test]
fn what_keeps_changing_and_gets_worse_is_told_to_be_worse() {
    let mut stage = stage();
    let flip = |stage: &mut Stage, value| {
        stage.is("load", "at=x", value);
        stage.pass(60);
    };
    for _ in 0..4 {
        flip(&mut stage, 12.0);
        flip(&mut stage, 5.0);
    }
    let told = stage.told();
    assert!(told.last().is_some_and(|line| line.ends_with("Flapping load{at=x} WARNING")), "{told:?}");
    flip(&mut stage, 25.0);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("Flapping load{at=x} CRITICAL"), "{told:?}");
    for _ in 0..3 {
        flip(&mut stage, 5.0);
        flip(&mut stage, 12.0);
        flip(&mut stage, 25.0);
        stage.restart(5);
        stage.pass(30);
        let told = stage.told();
        assert!(told.len() <= 1, "once for each process at most: {told:?}");
    }
}

#[test]
fn whose_beginning_was_told_is_not_given_up_before_others() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    stage.channel("ops", Health::Down);
    stage.is("open", "at=x", 0.0);
    for _ in 0..10 {
        stage.pass_in_steps(HOUR, 10);
        stage.is("open", "at=x", 1.0);
        stage.pass(60);
        stage.is("open", "at=x", 0.0);
    }
    stage.pass(60);
    assert!(stage.desk().given_up() > 0);
    stage.channel("ops", Health::Well);
    stage.pass(600);
    assert_eq!(stage.believed(), [""; 0], "{:?}", stage.told());
}

#[test]
fn an_episode_that_another_one_followed_while_the_store_was_away_is_over_for_the_next_process() {
    let mut stage = stage();
    stage.is("load", "at=x", 12.0);
    let quiet = silence(&stage, 56, "load");
    stage.silence(quiet);
    stage.pass(40);
    stage.store(Health::Down);
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    stage.is("load", "at=x", 25.0);
    stage.pass(31);
    assert_eq!(stage.told().len(), 1, "the second one, from memory");
    stage.restart(5);
    stage.store(Health::Well);
    stage.pass(60);
    stage.is("load", "at=x", 5.0);
    stage.pass(600);
    assert_eq!(stage.believed(), [""; 0], "{:?}", stage.told());
}
