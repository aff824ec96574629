//! A cause that is told as more severe than its value makes it, since a consequence of it is.

use ttm_alert::testing::{Health, Stage, labels, rule_set};
use ttm_alert::{AlertKey, NotifyConfig, NotifySettings, Phase, RuleSet};
use ttm_kernel::Severity;

/// `late` is CRITICAL and a consequence of `load`, which is CRITICAL itself from 20 on.
fn raised() -> Stage {
    let mut rules = rule_set().rules().to_vec();
    let late = rules.iter_mut().find(|rule| rule.name == "late").expect("it is an example");
    (late.severity, late.inhibited_by) = (Severity::Critical, vec!["load".to_owned()]);
    let rules = RuleSet::try_new(rules, rule_set().catalogue().clone()).expect("valid");
    let settings = NotifySettings { default_channels: vec![Stage::id("ops")], ..NotifySettings::default() };
    let config = NotifyConfig::try_new(settings).expect("valid");
    let mut stage = Stage::new(config.clone());
    stage.reconfigure(rules, config);
    stage.is("load", "at=x", 5.0);
    stage.pass(60);
    stage
}

fn cause() -> AlertKey {
    AlertKey::new("load", labels("at=x"))
}

#[test]
fn it_has_the_limit_that_its_value_is_held_against() {
    let mut stage = raised();
    stage.is("load", "at=x", 12.0);
    stage.is("late", "at=x", 9.0);
    stage.pass(60);
    let view = stage.desk().view(&cause()).expect("it fires");
    assert_eq!((view.severity, view.limit), (Severity::Critical, Some(10.0)));
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    let view = stage.desk().view(&cause()).expect("it fires");
    assert_eq!((view.severity, view.limit), (Severity::Critical, Some(20.0)));
}

#[test]
fn who_knows_it_from_the_journal_alone_takes_it_for_no_worse_than_its_value() {
    for (value, worse) in [(12.0, Phase::Inactive), (25.0, Phase::Firing)] {
        let mut stage = raised();
        stage.store(Health::Down);
        stage.is("load", "at=x", value);
        stage.is("late", "at=x", 9.0);
        stage.pass(60);
        assert!(stage.told().iter().any(|line| line.ends_with("load{at=x} CRITICAL")));
        stage.store(Health::Well);
        stage.restart(5);
        let life = stage.desk().view(&cause()).and_then(|view| view.record.life).expect("it fires");
        assert_eq!((life.phase, life.worse), (Phase::Firing, worse));
    }
}
