//! What comes in between: the store fails while something waits for it, other rules are loaded while alerts fire, somebody
//! acknowledges or silences between a message and its sending, a process ends between two commits.

mod scene;

use std::time::Duration;

use scene::{HOUR, escalating, settings, silence, stage};
use ttm_alert::testing::{Health, Stage, labels, rule_set, wall};
use ttm_alert::{
    AlertKey, AlertRecord, Desk, Episode, EpisodeId, Hidden, Loaded, Matcher, NotifyConfig, Now, Outcome,
    Phase, Quiet, Reading, RuleSet, RuleSpec, SavedAlert, TooManyQuiets, When,
};
use ttm_kernel::{Epoch, Moment, Severity};

/// The example's rules with one that is another.
fn rules_with(name: &str, other: impl Fn(RuleSpec) -> RuleSpec) -> RuleSet {
    let all = rule_set();
    let rules = all.rules().iter().cloned().map(|rule| if rule.name == name { other(rule) } else { rule });
    RuleSet::try_new(rules.collect(), all.catalogue().clone()).expect("valid")
}

fn config() -> NotifyConfig {
    NotifyConfig::try_new(settings()).expect("valid")
}

#[test]
fn critical_is_sent_from_memory_though_something_less_severe_of_its_group_waits_for_the_store() {
    for of in ["at=x", "at=y"] {
        let mut stage = stage();
        stage.store(Health::Down);
        stage.is("load", "at=x", 12.0);
        stage.pass(90);
        assert_eq!(stage.told(), [""; 0], "a warning waits for the store");
        stage.is("load", of, 25.0);
        stage.pass(31);
        let told = stage.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("New load{{{of}}} CRITICAL")), "{told:?}");
        stage.store(Health::Well);
        stage.pass(60);
        assert_eq!(stage.told(), [""; 0], "all of it was told");
    }
}

#[test]
fn what_was_over_before_the_store_took_it_is_not_told_to_fire() {
    let mut stage = stage();
    stage.store(Health::Down);
    stage.is("open", "at=x", 1.0);
    stage.pass(100);
    stage.is("open", "at=x", 0.0);
    stage.pass(3_000);
    stage.store(Health::Well);
    stage.pass(100);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("ops: Passed open{at=x} WARNING"), "{told:?}");
}

#[test]
fn an_ack_stops_what_waits_to_escalate() {
    let mut stage = escalating();
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    stage.store(Health::Down);
    stage.pass_in_steps(1_900, 5);
    stage.acknowledge("late", "at=x");
    stage.store(Health::Well);
    stage.pass(100);
    assert_eq!(stage.told(), [""; 0]);
    stage.is("late", "at=x", 0.0);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].contains("ops: Resolved"), "{told:?}");
}

#[test]
fn a_consequence_that_was_left_is_not_told_when_its_cause_ends_unless_it_is_entered_again() {
    let mut stage = stage();
    let longer = rules_with("late", |rule| RuleSpec { keep_firing_for: Duration::from_mins(5), ..rule });
    stage.reconfigure(longer, config());
    for _ in 0..2 {
        stage.is("open", "at=x", 1.0);
        stage.is("late", "at=x", 9.0);
        stage.pass(600);
        stage.is("late", "at=x", 0.0);
        stage.is("open", "at=x", 0.0);
        stage.pass(60);
        let told = stage.told();
        assert!(told.len() == 2 && told.iter().all(|line| line.contains("open{at=x}")), "{told:?}");
        let late = AlertKey::new("late", labels("at=x"));
        assert_eq!(stage.desk().hidden(&late), Some(Hidden::Recovering));
        stage.pass(HOUR);
        assert_eq!(stage.told(), [""; 0]);
    }
    stage.is("open", "at=x", 1.0);
    stage.is("late", "at=x", 9.0);
    stage.pass(600);
    stage.is("late", "at=x", 0.0);
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    stage.told();
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("New late{at=x} ERROR"), "{told:?}");
}

#[test]
fn was_down_is_not_said_of_an_outage_in_which_nothing_waited() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("open", "at=x", 1.0);
    stage.pass(50);
    let quiet = silence(&stage, 20_000, "open");
    let id = stage.silence(quiet);
    stage.pass(50);
    stage.channel("ops", Health::Well);
    stage.pass_in_steps(3 * HOUR, 10);
    stage.end_silence(id);
    stage.pass(100);
    assert_eq!(stage.told().len(), 1);
    assert_eq!(stage.deliveries()[0].was_down, None);
}

#[test]
fn a_silence_that_begins_between_a_message_and_its_sending_keeps_it_back() {
    let mut stage = stage();
    stage.store(Health::Down);
    stage.is("open", "at=x", 1.0);
    stage.is("late", "at=y", 9.0);
    stage.pass(60);
    let quiet = silence(&stage, 1_000, "open");
    stage.silence(quiet);
    stage.is("open", "at=y", 1.0);
    stage.pass(5);
    stage.evaluate("fast");
    stage.store(Health::Well);
    stage.pass(60);
    assert_eq!(stage.told(), [""; 0], "one is silenced, the other a consequence by now");
}

#[test]
fn what_is_stale_stays_so_under_other_rules() {
    let mut stage = stage();
    stage.set("load", "at=x", Reading::Missing("no answer".into()));
    stage.pass(120);
    assert_eq!(stage.told().len(), 1);
    stage.reload();
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0]);
}

#[test]
fn what_fires_is_as_severe_as_its_rule_is_now() {
    for restarts in [false, true] {
        let mut stage = stage();
        stage.is("open", "at=x", 1.0);
        stage.pass(60);
        assert_eq!(stage.told().len(), 1);
        stage.reconfigure(
            rules_with("open", |rule| RuleSpec { severity: Severity::Critical, ..rule }),
            config(),
        );
        if restarts {
            stage.restart(5);
        }
        stage.pass(60);
        let told = stage.told();
        assert!(told.len() == 1 && told[0].ends_with("MoreSevere open{at=x} CRITICAL"), "{told:?}");
    }
}

fn at(seconds: u64) -> Now {
    let second = i64::try_from(seconds).expect("small");
    Now { moment: Moment::from_origin(Duration::from_secs(seconds)), wall: wall(second), jitter: 0.5 }
}

fn restored(loaded: &Loaded) -> Desk {
    let mut desk = Desk::new(rule_set(), config(), Epoch::new(2), at(0));
    desk.restore(loaded, at(0));
    desk
}

fn life(phase: Phase) -> SavedAlert {
    SavedAlert {
        key: AlertKey::new("load", labels("at=x")),
        phase,
        held: Duration::ZERO,
        worse: phase,
        worse_held: Duration::ZERO,
        episode: Some(Episode { id: EpisodeId { epoch: Epoch::new(1), number: 1 }, started: wall(-9) }),
        value: Some(25.0),
    }
}

#[test]
fn what_was_stored_as_firing_before_it_was_looked_at_is_told_by_the_next_process() {
    let life = life(Phase::Firing);
    let key = life.key.clone();
    let record =
        AlertRecord { key, life: Some(life), changes: Vec::new(), is_flapping: false, cases: Vec::new() };
    let mut desk = restored(&Loaded { records: vec![record], ..Loaded::default() });
    desk.handle_timeout(at(61));
    while desk.poll(10, at(61)) {}
    while desk.poll_commit(at(61)).is_some() {
        desk.handle_committed();
    }
    let attempt = desk.poll_send(&Stage::id("ops"), at(61)).expect("nobody knows of it");
    assert_eq!(
        (attempt.row.key.to_string().as_str(), attempt.row.message.severity),
        ("ops: load{at=x} 1-1, 1", Severity::Critical)
    );
    let delivered = Outcome::Delivered { remote_id: None };
    assert!(desk.poll_timeout(at(61)) > at(61).moment);
    desk.handle_outcome(&attempt.row.key, &delivered, Duration::ZERO, at(61));
    assert_eq!(desk.poll_timeout(at(61)), at(61).moment, "there is something to take up");
    while desk.poll(10, at(61)) {}
    assert!(desk.poll_timeout(at(61)) > at(61).moment);
}

#[test]
fn what_was_observed_is_stored_while_nothing_happens() {
    let mut stage = stage();
    stage.is("load", "at=x", 12.0);
    let pending = |stage: &Stage| {
        let record = &stage.memory().records[&AlertKey::new("load", labels("at=x"))];
        record.life.as_ref().map(|life| (life.phase, life.held.as_secs()))
    };
    let longer = rules_with("load", |rule| RuleSpec { hold: Duration::from_hours(2), ..rule });
    stage.reconfigure(longer, config());
    stage.pass(HOUR);
    assert_eq!(pending(&stage), Some((Phase::Pending, HOUR - 10)));
}

#[test]
fn what_was_sent_from_memory_and_is_not_listed_goes_on_after_a_restart() {
    let mut stage = stage();
    stage.store(Health::Down);
    for place in 0..60 {
        stage.is("load", &format!("at=p{place:02}"), 25.0);
    }
    stage.pass(40);
    assert_eq!(stage.told().len(), 1);
    stage.restart(5);
    stage.store(Health::Well);
    stage.pass(600);
    assert_eq!(stage.told(), [""; 0], "all sixty were told");
    assert_eq!(stage.desk().engine().active(), 60);
}

#[test]
fn there_are_so_many_silences_and_no_more() {
    let mut stage = stage();
    let quiet = silence(&stage, 60, "open");
    let now = stage.time();
    for _ in 0..Desk::MOST_QUIETS {
        assert!(stage.desk().silence(quiet.clone(), now).is_ok());
    }
    assert_eq!(stage.desk().silence(quiet, now), Err(TooManyQuiets));
}

#[test]
fn there_is_nothing_to_tell_again_of_what_is_over_and_known() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(60);
    stage.is("open", "at=x", 0.0);
    stage.pass(60);
    let key = AlertKey::new("open", labels("at=x"));
    assert!(!stage.desk().tell_again(&key, &Stage::id("ops")));
}

#[test]
fn it_says_when_to_look_again_while_something_waits_for_the_store() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    stage.channel("ops", Health::Hanging);
    stage.store(Health::Down);
    stage.is("late", "at=x", 9.0);
    stage.evaluate("fast");
    let now = stage.time();
    let next = stage.desk().poll_timeout(now).saturating_since(now.moment);
    assert!(next < Duration::from_secs(1), "the next attempt: {next:?}");
}

#[test]
fn who_may_have_got_a_message_along_with_others_learns_of_its_end() {
    let mut stage = stage();
    let at_once = rules_with("load", |rule| RuleSpec { keep_firing_for: Duration::ZERO, ..rule });
    stage.reconfigure(at_once, config());
    stage.channel("ops", Health::Mute);
    stage.is("load", "at=x", 12.0);
    stage.is("load", "at=y", 25.0);
    stage.pass(31);
    let told = stage.told();
    assert!(told[0].ends_with("New load{at=y} CRITICAL, New load{at=x} WARNING"), "{told:?}");
    stage.is("load", "at=x", 5.0);
    stage.pass(15);
    stage.told();
    stage.channel("ops", Health::Well);
    stage.pass(400);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].contains("Passed load{at=x} WARNING"), "{told:?}");
}

#[test]
fn what_is_hidden_by_now_is_not_counted_among_the_others_of_a_message() {
    for is_silenced in [true, false] {
        let mut stage = stage();
        stage.store(Health::Down);
        for place in 0..60 {
            stage.is("late", &format!("at=p{place:02}"), 9.0);
        }
        stage.pass(60);
        if is_silenced {
            let (from, until) = (stage.wall(), Some(stage.wall() + Duration::from_hours(1)));
            let matcher = Matcher { labels: Some(labels("at=p59")), ..Matcher::default() };
            let when = When::Once { from, until };
            stage.silence(Quiet::try_new(matcher, when, "ada", "we know").expect("valid"));
        } else {
            stage.is("open", "at=p59", 1.0);
            stage.evaluate("fast");
        }
        stage.store(Health::Well);
        stage.pass(10);
        assert_eq!(stage.told().len(), 1);
        let is_told = |place: &str| {
            let record = &stage.memory().records[&AlertKey::new("late", labels(place))];
            record.cases[0].told.iter().any(|told| told.said.is_some())
        };
        assert_eq!((is_told("at=p58"), is_told("at=p59")), (true, false));
    }
}

#[test]
fn what_came_up_while_the_channel_was_down_is_in_the_same_message() {
    let mut stage = stage();
    stage.channel("ops", Health::Down);
    stage.is("late", "at=x", 9.0);
    stage.pass(100);
    stage.is("late", "at=y", 9.0);
    stage.pass(400);
    stage.channel("ops", Health::Well);
    stage.pass(300);
    let told = stage.told();
    assert!(told.len() == 1 && told[0].ends_with("New late{at=x} ERROR, New late{at=y} ERROR"), "{told:?}");
}

#[test]
fn a_clock_that_is_set_back_gives_what_may_have_arrived_no_other_key() {
    let mut stage = stage();
    stage.is("load", "at=x", 25.0);
    stage.pass(30);
    stage.is("load", "at=x", 12.0);
    stage.channel("ops", Health::Hanging);
    stage.pass(400);
    stage.set_wall(-86_400);
    stage.channel("ops", Health::Well);
    stage.restart(5);
    stage.pass(60);
    let keys: Vec<u32> = stage.deliveries().iter().map(|it| it.key.step).collect();
    assert_eq!(keys, [1, 2], "{:?}", stage.told());
}

#[test]
fn a_message_that_its_states_say_was_taken_is_not_sent_again() {
    let mut stage = stage();
    stage.channel("ops", Health::Hanging);
    stage.is("load", "at=x", 25.0);
    stage.pass(40);
    let rows: Vec<_> = stage.memory().rows.values().cloned().collect();
    assert_eq!(rows.len(), 1);
    stage.channel("ops", Health::Well);
    stage.restart(5);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1);
    // As if that process had ended between the commit of what the channel knows and that of what waits no more.
    let mut desk = restored(&Loaded { rows, receipts: Vec::new(), ..stage.memory().loaded() });
    desk.handle_timeout(at(61));
    while desk.poll(10, at(61)) {}
    while desk.poll_commit(at(61)).is_some() {
        desk.handle_committed();
    }
    assert!(desk.poll_channels(at(61)).is_empty());
}
