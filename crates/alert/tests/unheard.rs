//! What nobody would have heard of, and what operators see of all that.

use ttm_alert::testing::{Health, Stage, labels};
use ttm_alert::{AlertKey, EpisodeId, Hidden, NotifyConfig, NotifySettings, Phase};
use ttm_kernel::Severity;

fn stage() -> Stage {
    let settings = NotifySettings { default_channels: vec![Stage::id("ops")], ..NotifySettings::default() };
    let mut stage = Stage::new(NotifyConfig::try_new(settings).expect("valid"));
    for (series, value) in [("open", 0.0), ("late", 0.0), ("load", 5.0)] {
        stage.is(series, "at=x", value);
    }
    stage.pass(60);
    stage
}

#[test]
fn what_keeps_changing_as_a_consequence_is_not_told_once_its_cause_is_gone() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(40);
    for value in [9.0, 0.0].repeat(4) {
        stage.is("late", "at=x", value);
        stage.pass(20);
    }
    stage.is("open", "at=x", 0.0);
    stage.pass(600);
    assert_eq!(stage.told().iter().filter(|line| line.contains("late")).count(), 0);
    assert_eq!(stage.desk().hidden(&AlertKey::new("late", labels("at=x"))), None);
}

#[test]
fn operators_see_all_that_is_not_over_in_order_and_in_pages() {
    let mut stage = stage();
    for (series, of, value) in
        [("load", "at=y", 25.0), ("load", "at=x", 12.0), ("open", "at=x", 1.0), ("late", "at=x", 9.0)]
    {
        stage.is(series, of, value);
    }
    stage.pass(60);
    let desk = stage.desk();
    let all = desk.views(None, 10);
    let keys: Vec<String> = all.iter().map(|view| view.record.key.to_string()).collect();
    assert_eq!(keys, ["late{at=x}", "load{at=x}", "load{at=y}", "open{at=x}"]);
    let mut paged = desk.views(None, 3);
    paged.extend(desk.views(paged.last().map(|view| view.record.key.clone()).as_ref(), 3));
    assert_eq!(paged, all);
    let shown: Vec<_> = all.iter().map(|view| (view.severity, view.limit)).collect();
    assert_eq!(
        shown,
        [
            (Severity::Error, Some(5.0)),
            (Severity::Warning, Some(10.0)),
            (Severity::Critical, Some(20.0)),
            (Severity::Error, Some(1.0))
        ]
    );
    assert_eq!(all[0].hidden, Some(Hidden::Consequence(all[3].record.key.clone())));
    assert_eq!(all[1].record.life.as_ref().map(|life| life.phase), Some(Phase::Firing));
    assert_eq!(desk.find(all[2].id), Some(all[2].record.key.clone()));
    assert_eq!(desk.find(AlertKey::new("load", labels("at=z")).identity()), None);
    // Consequences and what is silenced are for who decides himself what to tell.
    assert_eq!(desk.firing().count(), 4);
}

#[test]
fn what_has_become_of_alerts_is_there_for_the_record_once() {
    let mut stage = stage();
    stage.is("open", "at=x", 1.0);
    stage.pass(40);
    stage.is("open", "at=x", 0.0);
    stage.pass(40);
    let turns: Vec<String> = std::iter::from_fn(|| stage.desk().poll_transition())
        .map(|turn| format!("{:?} {}", turn.turn, turn.key))
        .collect();
    assert_eq!(turns, ["Fired open{at=x}", "Resolved(Recovered) open{at=x}"]);
}

/// A process that could not read its store at first begins a second desk under the same epoch.
#[test]
fn a_desk_gives_no_number_away_that_one_before_it_in_the_same_epoch_has_told() {
    let mut stage = stage();
    stage.store(Health::Down);
    stage.is("load", "at=x", 25.0);
    stage.pass(60);
    assert_eq!(stage.told().len(), 1, "from memory");
    stage.store(Health::Well);
    stage.begin_again();
    stage.is("load", "at=y", 25.0);
    stage.pass(120);
    let episodes: Vec<EpisodeId> = stage
        .desk()
        .views(None, 10)
        .iter()
        .flat_map(|view| view.record.cases.iter().map(|case| case.episode.id))
        .collect();
    assert_eq!(episodes.len(), 2);
    assert_ne!(episodes[0], episodes[1]);
}
