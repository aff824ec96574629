//! What people are told: the pains that users of other systems know, each under its name, through the production composition.

use std::time::Duration;

use ttm_alert::News;
use ttm_kernel::Severity;
use ttm_sim::{Channel, Plan, Told};

/// What was told during a run that broke no promise.
#[track_caller]
fn told(hours: u64, faults: &str) -> Vec<Told> {
    let plan = Plan::new(5, Duration::from_hours(hours), faults.parse().expect("a schedule"));
    let outcome = plan.run();
    if let Err(failure) = outcome.verdict(&plan) {
        panic!("{failure}");
    }
    outcome.told
}

/// What is told of an API that is away for so long that all data is old.
const OUTAGE: [&str; 3] = ["New breaker_open", "MoreSevere breaker_open", "Resolved breaker_open"];

/// On one channel, as `New breaker_open`.
fn on(channel: Channel, told: &[Told]) -> Vec<String> {
    let of_channel = told.iter().filter(|each| each.channel == channel);
    of_channel.map(|each| format!("{:?} {}", each.item.news, each.item.key.rule)).collect()
}

fn minute(told: &Told) -> u64 {
    told.at.since_origin().as_secs() / 60
}

#[test]
fn a_calm_day_tells_nothing() {
    assert!(told(24, "").is_empty());
}

#[test]
fn fifty_messages_for_one_cause() {
    let told = told(3, "at 30m for 40m api-503");
    assert_eq!(on(Channel::Ops, &told), OUTAGE);
    assert!(on(Channel::Phone, &told).iter().all(|it| it.ends_with("breaker_open")), "{told:?}");
}

#[test]
fn a_client_that_is_banned_is_critical_within_minutes_and_one_that_was_refused_for_a_moment_is_not() {
    let banned = told(2, "at 30m for 40m api-403");
    let storm = banned.iter().find(|each| &*each.item.key.rule == "forbidden_storm").expect("it is told");
    assert!((30..40).contains(&minute(storm)), "{storm:?}");
    let blip = told(2, "at 30m for 20s api-403");
    assert!(blip.iter().all(|each| &*each.item.key.rule != "forbidden_storm"), "{blip:?}");
}

#[test]
fn a_process_that_is_killed_again_and_again_is_told_of_though_none_lives_for_half_a_minute() {
    let kills: Vec<String> = (0..9).map(|i| format!("at {}s for 5s kill", 1_800 + 30 * i)).collect();
    let told = told(3, &kills.join("; "));
    let of_ends: Vec<&Told> =
        told.iter().filter(|each| &*each.item.key.rule == "restart_budget_spent").collect();
    assert_eq!(of_ends[0].item.news, News::New);
    assert!((31..35).contains(&minute(of_ends[0])), "while it goes on: {:?}", of_ends[0]);
    let over = of_ends.last().expect("it is told");
    assert_eq!((over.item.news, minute(over) / 10), (News::Resolved, 9), "an hour later: {over:?}");
    let few = self::told(3, "at 30m for 5s kill; at 31m for 5s kill");
    assert!(few.is_empty(), "{few:?}");
}

#[test]
fn lost_while_the_receiver_was_down() {
    let told = told(3, "at 30m for 40m api-503; at 29m for 20m ops-down");
    assert_eq!(on(Channel::Ops, &told)[0], "New breaker_open");
    assert!((49..55).contains(&minute(&told[0])), "as soon as it is back: {:?}", told[0]);
}

#[test]
fn an_incident_that_passed_while_the_receiver_was_down_is_one_message() {
    let told = told(3, "at 30m for 10m api-503; at 29m for 1h ops-down");
    let of_breaker: Vec<String> =
        on(Channel::Ops, &told).into_iter().filter(|it| it.ends_with("breaker_open")).collect();
    assert_eq!(of_breaker, ["Passed breaker_open"]);
}

#[test]
fn duplicates_after_the_receiver_recovers() {
    // The oracle counts what is sent again although the process knows that it arrived.
    let told = told(3, "at 30m for 40m api-503; at 30m for 10m ops-mute");
    let is_new = |it: &&Told| it.item.news == News::New && &*it.item.key.rule == "breaker_open";
    let new = told.iter().filter(|it| it.channel == Channel::Ops).filter(is_new);
    let severities: Vec<Severity> = new.map(|it| it.item.severity).collect();
    // It had become worse while nobody knew whether that had arrived.
    assert_eq!(severities, [Severity::Warning, Severity::Error]);
}

#[test]
fn sent_again_after_a_restart() {
    let told = told(3, "at 30m for 40m api-503; at 45m for 5s kill; at 50m for 20s terminate");
    assert_eq!(on(Channel::Ops, &told), OUTAGE);
}

#[test]
fn an_inhibited_alert_sent_after_a_restart() {
    // Scores are old by then, and everything fails.
    let told = told(3, "at 30m for 1h api-503; at 1h10m for 10m kill");
    let ops = on(Channel::Ops, &told);
    assert!(ops.iter().all(|it| it.ends_with("breaker_open")), "{ops:?}");
}

#[test]
fn a_false_resolve_on_missing_data() {
    let told = told(3, "at 30m for 5m leaks; at 45m for 20m resources-unknown");
    let ended: Vec<&Told> = told.iter().filter(|it| it.item.ended.is_some()).collect();
    let is_early = |it: &&&Told| (45..65).contains(&minute(it)) && *it.item.key.rule == *"memory";
    assert!(!ended.iter().any(|it| is_early(&it)), "{told:?}");
}

#[test]
fn a_storm_of_no_data_at_the_own_upgrade() {
    for away in ["5s", "2m", "10m"] {
        let told = told(3, &format!("at 1h for {away} terminate"));
        assert!(told.is_empty(), "{away}: {told:?}");
    }
}

#[test]
fn a_cooldown_that_swallows_a_new_incident() {
    let told = told(3, "at 30m for 4m api-503; at 44m for 4m api-503");
    let new: Vec<u64> = told.iter().filter(|it| it.item.news == News::New).map(minute).collect();
    assert_eq!(new.len(), 2, "{told:?}");
}

#[test]
fn firing_again_just_after_resolved() {
    let told = told(3, "at 30m for 4m api-503; at 37m for 4m api-503; at 44m for 4m api-503");
    assert_eq!(on(Channel::Ops, &told), OUTAGE);
}

#[test]
fn forgotten_over_a_weekend() {
    let told = told(70, "at 1h for 65h api-503");
    let ops = told.iter().filter(|it| it.channel == Channel::Ops);
    let reminders = ops.filter(|it| it.item.news == News::Reminder).count();
    assert_eq!(reminders, 16, "each four hours, since it is an ERROR with what it has for consequences");
}

#[test]
fn a_store_that_is_gone_is_told_of_from_memory_and_ends_where_it_was_told() {
    let told = told(3, "at 30m for 20m store-gone");
    let ops = on(Channel::Ops, &told);
    assert_eq!(ops.iter().filter(|it| *it == "New store_down").count(), 2, "each store: {ops:?}");
    assert_eq!(ops.iter().filter(|it| *it == "Resolved store_down").count(), 2, "{ops:?}");
    let new = told.iter().filter(|it| it.item.news == News::New && it.channel == Channel::Ops);
    let late: Vec<u64> = new.map(minute).filter(|minute| *minute > 33).collect();
    assert!(late.is_empty(), "{late:?}: {ops:?} {:?}", on(Channel::Phone, &told));
}

#[test]
fn what_was_told_from_memory_outlives_the_process() {
    let told = told(3, "at 30m for 30m store-gone; at 40m for 5s kill");
    for news in ["New store_down", "Resolved store_down"] {
        assert_eq!(on(Channel::Ops, &told).iter().filter(|it| *it == news).count(), 2, "{told:?}");
    }
}

#[test]
fn what_one_channel_refuses_is_told_on_another() {
    let told = told(3, "at 30m for 1h store-gone; at 29m for 2h ops-refuses");
    let phone: Vec<&Told> = told.iter().filter(|it| it.channel == Channel::Phone).collect();
    let first = phone.iter().find(|it| *it.item.key.rule == *"store_down").expect("told");
    assert!(minute(first) <= 38, "within the escalation: {first:?}");
}

#[test]
fn a_part_that_fails_while_it_tells_is_replaced_and_tells_nothing_twice() {
    for fault in ["part-hangs=alerts", "part-ends=alerts", "part-panics=alerts", "part-panics-always=alerts"]
    {
        let told =
            told(3, &format!("at 30m for 40m api-503; at 30m20s for 1s {fault}; at 50m for 1s {fault}"));
        assert_eq!(on(Channel::Ops, &told), OUTAGE, "{fault}");
    }
}
