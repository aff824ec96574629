//! What the engine makes of measurements: stories of one alert each, restarts, absences, and bad input.

use std::time::Duration;

use ttm_alert::testing::{labels, rule_set, wall};
use ttm_alert::{
    AlertKey, Condition, Ending, Engine, InvalidMeasurement, Limit, Measurement, Phase, Reading, RuleSet,
    RuleSpec, SavedAlert, Transition, Turn,
};
use ttm_kernel::{Epoch, Moment, Severity};

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn new() -> Engine {
    Engine::new(rule_set(), Epoch::new(1), at(0))
}

fn measured(series: &'static str, of: &str, reading: Reading, second: u64) -> Measurement {
    let at = wall(second.try_into().expect("small"));
    Measurement { series, labels: labels(of), reading, at }
}

/// An evaluation of the fast collector at this second, and all that follows from it.
fn evaluate(engine: &mut Engine, second: u64, facts: &[(&'static str, &str, Reading)]) -> Vec<Transition> {
    engine.begin("fast", at(second));
    for (series, of, reading) in facts {
        engine.handle(&measured(series, of, reading.clone(), second)).expect("it fits");
    }
    engine.end("fast");
    turns(engine, second)
}

/// All that follows, a piece at a time. An engine that always finds more to do fails here, and does not hang.
fn turns(engine: &mut Engine, second: u64) -> Vec<Transition> {
    let wall = wall(second.try_into().expect("small"));
    assert!((0..1_000).any(|_| !engine.poll(1, wall)), "there is always more to do");
    std::iter::from_fn(|| engine.poll_transition()).collect()
}

fn said(transitions: &[Transition]) -> Vec<String> {
    transitions.iter().map(|it| format!("{} {:?} {}", it.key, it.turn, it.severity)).collect()
}

#[test]
fn an_alert_lives_from_pending_to_resolved_as_one_episode() {
    let mut engine = new();
    let load = |value| [("load", "at=x", Reading::Value(value))];
    assert_eq!(said(&evaluate(&mut engine, 0, &load(12.0))), ["load{at=x} Pending WARNING"]);
    assert_eq!(said(&evaluate(&mut engine, 10, &[])), [""; 0]);
    let fired = evaluate(&mut engine, 20, &[]);
    assert_eq!(said(&fired), ["load{at=x} Fired WARNING"]);
    let episode = fired[0].episode.expect("it fires");
    assert_eq!((episode.started, fired[0].value), (wall(20), Some(12.0)));
    assert_eq!(engine.value(&fired[0].key), Some(12.0));
    assert_eq!(said(&evaluate(&mut engine, 30, &load(25.0))), [""; 0]);
    assert_eq!(said(&evaluate(&mut engine, 50, &[])), ["load{at=x} Severity CRITICAL"]);
    assert_eq!(said(&evaluate(&mut engine, 60, &load(7.0))), ["load{at=x} Recovering CRITICAL"]);
    let resolved = evaluate(&mut engine, 90, &[]);
    assert_eq!(said(&resolved), ["load{at=x} Resolved(Recovered) CRITICAL"]);
    assert_eq!(resolved[0].episode, Some(episode));
    assert_eq!((engine.active(), engine.all().count()), (0, 0));
    let again = evaluate(&mut engine, 100, &load(12.0));
    assert_eq!(again[0].episode, None);
    let again = evaluate(&mut engine, 120, &[]);
    assert_ne!(again[0].episode.expect("it fires").id, episode.id, "another episode");
}

#[test]
fn one_spike_beyond_the_worse_limit_makes_nothing_more_severe() {
    let mut engine = new();
    for second in [0, 10, 20] {
        evaluate(&mut engine, second, &[("load", "at=x", Reading::Value(12.0))]);
    }
    for (second, value) in [(30, 99.0), (40, 12.0), (50, 99.0), (60, 12.0)] {
        let turns = evaluate(&mut engine, second, &[("load", "at=x", Reading::Value(value))]);
        assert_eq!(said(&turns), [""; 0], "at {second}");
    }
}

#[test]
fn one_evaluation_may_leave_both_levels() {
    let mut engine = new();
    for second in [0, 10, 20] {
        evaluate(&mut engine, second, &[("load", "at=x", Reading::Value(25.0))]);
    }
    evaluate(&mut engine, 30, &[("load", "at=x", Reading::Value(12.0))]);
    let turns = evaluate(&mut engine, 60, &[("load", "at=x", Reading::Value(5.0))]);
    assert_eq!(said(&turns), ["load{at=x} Recovering WARNING", "load{at=x} Severity WARNING"]);
}

#[test]
fn what_happens_between_two_evaluations_is_not_lost() {
    let mut engine = new();
    evaluate(&mut engine, 0, &[]);
    for value in [1.0, 0.0] {
        engine.handle(&measured("open", "at=x", Reading::Value(value), 3)).expect("it fits");
    }
    let turns = turns(&mut engine, 3);
    assert_eq!(said(&turns), ["open{at=x} Fired WARNING", "open{at=x} Recovering WARNING"]);
    assert_eq!(said(&evaluate(&mut engine, 10, &[])), [""; 0], "of ten seconds it was well for seven");
    assert_eq!(said(&evaluate(&mut engine, 20, &[])), ["open{at=x} Resolved(Recovered) WARNING"]);
}

#[test]
fn a_counter_fires_by_what_it_grew_within_the_window() {
    let mut engine = new();
    let mut count = |second, total| {
        engine.begin("slow", at(second));
        let measured = measured("refusals", "", Reading::Value(total), second);
        engine.handle(&measured).expect("it fits");
        engine.end("slow");
        said(&turns(&mut engine, second))
    };
    assert_eq!(count(0, 4.0), [""; 0]);
    assert_eq!(count(20, 5.0), ["refusals Fired ERROR"], "4 and 1 are 5");
    assert_eq!(count(40, 5.0), [""; 0]);
    assert_eq!(count(60, 5.0), ["refusals Recovering ERROR"], "1 is left of the minute");
    assert_eq!(count(80, 5.0), ["refusals Resolved(Recovered) ERROR"]);
}

#[test]
fn what_is_due_later_than_it_was_waits_until_then_and_is_done_once() {
    let mut engine = new();
    let load = |reading| [("load", "at=x", reading)];
    let said_at = [0, 10, 20, 30, 40, 50, 60].map(|second| {
        let reading = if second == 10 || second == 20 {
            Reading::Missing("no answer".into())
        } else {
            Reading::Value(12.0)
        };
        said(&evaluate(&mut engine, second, &load(reading))).concat()
    });
    let [pending, fired] = ["load{at=x} Pending WARNING", "load{at=x} Fired WARNING"];
    assert_eq!(said_at, [pending, "", "", "", "", fired, ""], "at 20 nothing was observed yet");
}

#[test]
fn growth_leaves_the_window_for_good() {
    let mut engine = new();
    let mut count = |second, total| {
        engine.begin("slow", at(second));
        engine.handle(&measured("refusals", "", Reading::Value(total), second)).expect("it fits");
        engine.end("slow");
        said(&turns(&mut engine, second)).concat()
    };
    let totals = [(0, 4.0), (20, 4.0), (40, 4.0), (60, 5.0), (80, 7.0), (100, 8.0), (120, 9.0)];
    assert_eq!(totals.map(|(second, total)| count(second, total)), [""; 7], "never five within a minute");
    assert_eq!(count(140, 12.0), "refusals Fired ERROR", "1 and 1 are left of the minute, and 3 more");
}

/// The pain: every series of a collector that fails is an alert, and so is every one after an upgrade.
#[test]
fn no_data_storm_at_the_own_upgrade() {
    let mut engine = new();
    let missing: Vec<String> = (0..50).map(|place| format!("at={place}")).collect();
    let facts: Vec<(&str, &str, Reading)> =
        missing.iter().map(|of| ("load", &**of, Reading::Missing("no answer".into()))).collect();
    let mut said_so_far = Vec::new();
    for second in 0..60 {
        if second % 10 == 0 {
            said_so_far.extend(said(&evaluate(&mut engine, second, &facts)));
        }
        engine.handle_timeout(at(second), wall(0));
        said_so_far.extend(said(&turns(&mut engine, second)));
        if second < 20 {
            assert_eq!(said_so_far, [""; 0], "the first evaluations are waited for");
        }
    }
    // One for the collector, whatever it measures.
    assert_eq!(said_so_far, ["stale{collector=fast} Fired ERROR"]);
}

#[test]
fn a_collector_that_is_silent_is_stale_and_says_that_it_has_not_begun() {
    let mut engine = new();
    let mut fired = Vec::new();
    for second in 0..=60 {
        if second % 10 == 0 {
            evaluate(&mut engine, second, &[]);
        }
        engine.handle_timeout(at(second), wall(0));
        fired.extend(turns(&mut engine, second).into_iter().map(|turn| (second, turn.key.to_string())));
    }
    assert_eq!(fired, [(60, "stale{collector=slow}".to_owned())]);
    engine.begin("slow", at(60));
    assert!(engine.stale("slow", at(60)).is_some(), "one that begins and does not end is none");
    let stale = engine.stale("slow", at(60)).expect("it is");
    assert!(stale.since_start && stale.missing.is_none());
    engine.handle(&measured("load", "at=x", Reading::Missing("no answer".into()), 60)).expect("it fits");
    evaluate(&mut engine, 70, &[]);
    let stale = engine.stale("fast", at(70)).expect("it is");
    assert_eq!(stale.missing, Some(("load", &labels("at=x"), "no answer")));
    assert!(!stale.since_start);
}

#[test]
fn a_pause_of_the_whole_process_makes_no_collector_stale_and_is_not_observed() {
    let mut engine = new();
    for second in 0..10 {
        engine.handle_timeout(at(second), wall(0));
    }
    evaluate(&mut engine, 9, &[("load", "at=x", Reading::Value(12.0))]);
    engine.handle_timeout(at(4_000), wall(0));
    assert_eq!(said(&turns(&mut engine, 4_000)), [""; 0]);
    assert_eq!(said(&evaluate(&mut engine, 4_001, &[])), [""; 0], "it was seen twice, and not in between");
}

#[test]
fn what_fired_fires_on_after_a_restart_and_timers_go_on_where_they_were() {
    let mut engine = new();
    let load = |of, value| ("load", of, Reading::Value(value));
    for second in [0, 10, 20] {
        evaluate(&mut engine, second, &[load("at=x", 12.0)]);
    }
    evaluate(&mut engine, 30, &[load("at=y", 12.0)]);
    evaluate(&mut engine, 45, &[load("at=x", 5.0)]);
    let saved: Vec<SavedAlert> = engine.all().collect();
    assert_eq!(saved.iter().map(|it| it.held.as_secs()).collect::<Vec<_>>(), [0, 15]);

    let mut next = Engine::new(rule_set(), Epoch::new(2), at(0));
    next.restore(&saved, wall(0));
    let turns = evaluate(&mut next, 1_000, &[load("at=x", 5.0), load("at=y", 12.0)]);
    assert_eq!(said(&turns), [""; 0], "no time was observed while no process ran");
    assert_eq!(said(&evaluate(&mut next, 1_004, &[])), [""; 0]);
    let turns = evaluate(&mut next, 1_005, &[]);
    assert_eq!(said(&turns), ["load{at=y} Fired WARNING"]);
    assert_eq!(turns[0].episode.expect("it fires").id.epoch, Epoch::new(2));
    let turns = evaluate(&mut next, 1_030, &[]);
    assert_eq!(said(&turns), ["load{at=x} Resolved(Recovered) WARNING"]);
    assert_eq!(turns[0].episode.expect("it fired").id, saved[0].episode.expect("it fires").id);
}

#[test]
fn what_the_first_evaluation_does_not_mention_does_not_exist_any_more() {
    let mut engine = new();
    evaluate(&mut engine, 0, &[("open", "at=x", Reading::Value(1.0)), ("open", "at=y", Reading::Value(1.0))]);
    let saved: Vec<SavedAlert> = engine.all().collect();
    let mut next = Engine::new(rule_set(), Epoch::new(2), at(0));
    next.restore(&saved, wall(0));
    assert_eq!(said(&turns(&mut next, 0)), [""; 0], "nothing is known before the first evaluation");
    let turns = evaluate(&mut next, 1, &[("open", "at=x", Reading::Missing("no answer".into()))]);
    assert_eq!(said(&turns), ["open{at=y} Resolved(Gone) WARNING"]);
}

#[test]
fn an_alert_whose_rule_is_gone_ends() {
    let mut engine = new();
    evaluate(&mut engine, 0, &[("open", "at=x", Reading::Value(1.0))]);
    let fewer = |gone: &str| {
        let all = rule_set();
        let rules = all.rules().iter().filter(|rule| rule.name != gone).cloned();
        let free = rules.map(|rule| RuleSpec { inhibited_by: Vec::new(), ..rule });
        RuleSet::try_new(free.collect(), rule_set().catalogue().clone()).expect("valid")
    };
    let saved: Vec<SavedAlert> = engine.all().collect();
    engine.reconfigure(fewer("late"), at(1), wall(1));
    assert_eq!(said(&turns(&mut engine, 1)), [""; 0]);
    assert_eq!(engine.all().collect::<Vec<_>>(), saved, "another rule changes nothing");
    engine.reconfigure(fewer("open"), at(1), wall(1));
    let turns = turns(&mut engine, 1);
    assert_eq!((turns.len(), turns[0].turn), (1, Turn::Resolved(Ending::RuleRemoved)));
    let mut next = Engine::new(fewer("open"), Epoch::new(2), at(0));
    next.restore(&saved, wall(0));
    assert_eq!(next.poll_transition().map(|it| it.turn), Some(Turn::Resolved(Ending::RuleRemoved)));
}

#[test]
fn an_evaluation_that_began_under_other_rules_ends_nothing() {
    let mut engine = new();
    evaluate(&mut engine, 0, &[("open", "at=x", Reading::Value(1.0))]);
    engine.begin("fast", at(10));
    engine.handle(&measured("open", "at=x", Reading::Value(1.0), 10)).expect("it fits");
    engine.reconfigure(rule_set(), at(10), wall(10));
    engine.end("fast");
    assert_eq!(said(&turns(&mut engine, 10)), [""; 0], "it was mentioned to the rules before");
    assert_eq!(said(&evaluate(&mut engine, 20, &[])), ["open{at=x} Resolved(Gone) WARNING"]);
}

#[test]
fn what_is_missing_is_missing_under_other_rules_too() {
    let mut engine = new();
    let missing = [("load", "at=x", Reading::Missing("no answer".into()))];
    for second in [0, 10, 20] {
        evaluate(&mut engine, second, &missing);
    }
    engine.handle_timeout(at(20), wall(20));
    assert_eq!(said(&turns(&mut engine, 20)), ["stale{collector=fast} Fired ERROR"]);
    engine.reconfigure(rule_set(), at(25), wall(25));
    for second in [25, 30, 35] {
        engine.handle_timeout(at(second), wall(0));
        assert_eq!(said(&turns(&mut engine, second)), [""; 0], "at {second}");
        evaluate(&mut engine, second, &missing);
    }
}

#[test]
fn a_rate_that_is_added_while_the_counter_is_high_does_not_fire() {
    let mut engine = new();
    let count = |engine: &mut Engine, second, total| {
        engine.begin("slow", at(second));
        engine.handle(&measured("refusals", "", Reading::Value(total), second)).expect("it fits");
        engine.end("slow");
        said(&turns(engine, second))
    };
    for second in 0..50 {
        count(&mut engine, second * 20, second as f64);
    }
    let limit = Limit { enter: 3.0, exit: 1.0 };
    let condition = Condition::Rate { window: Duration::from_mins(1), limit };
    let refusals = rule_set().rules()[2].clone();
    let added = RuleSpec { name: "more".to_owned(), condition, ..refusals };
    let rules = rule_set().rules().iter().cloned().chain([added]).collect();
    let rules = RuleSet::try_new(rules, rule_set().catalogue().clone()).expect("valid");
    engine.reconfigure(rules, at(981), wall(981));
    assert_eq!(
        count(&mut engine, 1_000, 50.0),
        [""; 0],
        "neither the new one nor the old one begins at zero"
    );
    assert_eq!(count(&mut engine, 1_020, 54.0), ["refusals Fired ERROR", "more Fired ERROR"]);
}

#[test]
fn a_measurement_that_fits_no_series_is_counted_and_changes_nothing() {
    let mut engine = new();
    let unknown = engine.handle(&measured("lode", "at=x", Reading::Value(99.0), 0));
    assert_eq!(unknown, Err(InvalidMeasurement::UnknownSeries("lode")));
    for of in ["", "at=x,by=y", "by=y"] {
        let refused = engine.handle(&measured("open", of, Reading::Value(1.0), 0)).expect_err("refused");
        assert!(matches!(refused, InvalidMeasurement::Labels { .. }), "{refused}");
    }
    assert_eq!((engine.refused(), engine.active()), (4, 0));
}

#[test]
fn a_consequence_names_its_cause() {
    let mut engine = new();
    let facts = [("open", "at=x", Reading::Value(1.0)), ("late", "at=x", Reading::Value(9.0))];
    evaluate(&mut engine, 0, &facts);
    let key = |rule: &str, of| AlertKey::new(rule, labels(of));
    assert_eq!(engine.cause(&key("late", "at=x")), Some(key("open", "at=x")));
    assert_eq!(engine.cause(&key("late", "at=y")), None, "another label");
    assert_eq!(engine.cause(&key("open", "at=x")), None);
    let open = engine.rules().find("open").expect("it is there");
    let firing: Vec<_> = engine.firing(open).collect();
    assert_eq!(firing, [(&labels("at=x"), Severity::Warning, Some(1.0))]);
    evaluate(&mut engine, 10, &[("open", "at=x", Reading::Value(0.0))]);
    assert_eq!(engine.all().next().map(|it| it.phase), Some(Phase::Recovering));
    assert!(engine.cause(&key("late", "at=x")).is_some(), "what recovers still fires");
    evaluate(&mut engine, 20, &[]);
    assert_eq!(engine.cause(&key("late", "at=x")), None, "it is over");
}
