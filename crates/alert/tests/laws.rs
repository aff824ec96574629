//! Laws that hold whatever happens: the judge sees every message of histories at random.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ttm_alert::testing::{Health, Incident, Stage, any_history, labels};
use ttm_alert::{AlertKey, Escalation, NotifyConfig, NotifySettings, Reading};

fn stage() -> Stage {
    let escalation = Escalation {
        channels: vec![Stage::id("ops"), Stage::id("phone")],
        fallback: Some(Stage::id("mail")),
        ..NotifySettings::default().escalation
    };
    let settings =
        NotifySettings { default_channels: vec![Stage::id("ops")], escalation, ..NotifySettings::default() };
    Stage::new(NotifyConfig::try_new(settings).expect("valid"))
}

fn after(history: &[Incident]) -> Stage {
    let mut stage = stage();
    stage.pass(30);
    for incident in history {
        stage.happens(incident);
    }
    stage
}

/// Channels and store work again, and nobody keeps anything quiet.
fn mend(stage: &mut Stage) {
    for channel in ["ops", "phone", "mail"] {
        stage.channel(channel, Health::Well);
    }
    stage.store(Health::Well);
    stage.happens(&Incident::EndSilences);
}

proptest! {
    // The same histories each time; others by PROPTEST_RNG_SEED and PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: 96,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// No message but those that the judge allows; and once nothing is wrong any more, nobody believes that anything is, and nothing
    /// is kept of it.
    #[test]
    fn every_message_may_be_sent_and_everybody_learns_of_the_end(history in any_history(1..60)) {
        let mut stage = after(&history);
        mend(&mut stage);
        for of in ["at=x", "at=y"] {
            for (series, value) in [("load", 5.0), ("late", 0.0), ("open", 0.0)] {
                stage.set(series, of, Reading::Value(value));
            }
        }
        stage.pass_in_steps(3 * 3_600, 10);
        prop_assert_eq!(stage.believed(), [""; 0]);
        let memory = stage.memory();
        prop_assert!(memory.records.is_empty() && memory.rows.is_empty() && memory.quiets.is_empty(), "{memory:?}");
        prop_assert!(stage.desk().is_saved());
    }

    /// Whatever was before, a CRITICAL that begins once the channels work is told within a second, and escalates.
    #[test]
    fn a_critical_alert_is_told_whatever_was_before(history in any_history(1..40)) {
        let mut stage = after(&history);
        mend(&mut stage);
        stage.pass(400);
        stage.is("load", "at=z", 25.0);
        stage.pass(31);
        prop_assert!(stage.believed().contains(&"ops: load{at=z}".to_owned()), "{:?}", stage.believed());
        stage.pass(301);
        prop_assert!(stage.believed().contains(&"phone: load{at=z}".to_owned()), "{:?}", stage.believed());
    }

    /// Whatever was before, once channels and store work everybody believes what is true, of all that nothing hides.
    #[test]
    fn everybody_believes_what_is_true(history in any_history(1..60)) {
        let refuses = |it: &Incident| matches!(it, Incident::Channel(_, Health::Refusing));
        let history: Vec<Incident> = history.into_iter().filter(|it| !refuses(it)).collect();
        let mut stage = after(&history);
        mend(&mut stage);
        stage.pass_in_steps(2 * 3_600, 10);
        let believed = stage.believed();
        let desk = stage.desk();
        let rules = ["load", "late", "open", "refusals", "stale"].map(|name| desk.engine().rules().find(name));
        for rule in rules.into_iter().flatten() {
            let name = &desk.engine().rules().rule(rule).name;
            let firing: Vec<AlertKey> =
                desk.engine().firing(rule).map(|(labels, ..)| AlertKey::new(&**name, labels.clone())).collect();
            for of in ["at=x", "at=y", "", "collector=fast", "collector=slow"] {
                let key = AlertKey::new(&**name, labels(of));
                if desk.hidden(&key).is_none() {
                    let (fires, is_believed) = (firing.contains(&key), believed.contains(&format!("ops: {key}")));
                    prop_assert_eq!(fires, is_believed, "{}: {:?}", key, believed);
                }
            }
        }
    }

    #[test]
    fn the_same_history_has_the_same_messages(history in any_history(1..30)) {
        let (one, other) = (after(&history), after(&history));
        prop_assert_eq!(one.deliveries(), other.deliveries());
    }
}
