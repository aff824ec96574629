//! Everything that is written is read as it was, and nothing else is read.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use ttm_alert::testing::{any_commit, any_journalled, labels};
use ttm_alert::{
    AlertKey, AlertRecord, DeadLetter, Ending, Journalled, News, OutboxRow, Outcome, Phase, Quiet, Receipt,
    SavedAlert, Zone,
};
use ttm_alert_json::{Json, Misfit, alert_key, micros, period, read, record, state, write};
use ttm_kernel::Severity;

/// A value comes back to the bit, which its debug form shows of numbers.
fn comes_back<T: Json + Debug>(value: &T) -> Result<(), TestCaseError> {
    let text = write(value).expect("it has a form");
    let back: T = read(&text).expect("it is read");
    prop_assert_eq!(format!("{back:?}"), format!("{value:?}"));
    Ok(())
}

/// Every way to leave out a field, to add one, and to put another shape in place of a value.
fn damaged(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            let with = |name: &str, value| {
                let mut with = fields.clone();
                with.insert(name.to_owned(), value);
                Value::Object(with)
            };
            for (name, value) in fields {
                all.extend(damaged(value).into_iter().map(|value| with(name, value)));
                let mut fewer = fields.clone();
                fewer.remove(name);
                all.push(Value::Object(fewer));
            }
            all.push(with("mood", json!(1)));
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                let with = |value| {
                    let mut with = values.clone();
                    with[place] = value;
                    Value::Array(with)
                };
                all.extend(damaged(value).into_iter().map(with));
            }
            all.push(json!("a word"));
        }
        _ => all.push(json!({})),
    }
    all
}

fn nothing_else_is_read<T: Debug>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Misfit>,
) -> Result<(), TestCaseError> {
    let value = serde_json::from_str(text).expect("it is JSON");
    for damaged in damaged(&value) {
        let outcome = read(&damaged.to_string());
        prop_assert!(outcome.is_err(), "{damaged}: {outcome:?}");
    }
    for end in 0..text.len() {
        let outcome = text.get(..end).map(&read);
        prop_assert!(!matches!(outcome, Some(Ok(_))), "{end} bytes of {text}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read(commit in any_commit(), sent in any_journalled()) {
        for it in &commit.records {
            let text = state(it).expect("it has a form");
            let back = record(it.key.clone(), &text).expect("it is read");
            prop_assert_eq!(format!("{back:?}"), format!("{it:?}"));
        }
        commit.rows.iter().try_for_each(comes_back::<OutboxRow>)?;
        commit.dead.iter().try_for_each(comes_back::<DeadLetter>)?;
        commit.receipts.iter().try_for_each(comes_back::<Receipt>)?;
        commit.quiets.iter().try_for_each(|(_, quiet)| comes_back::<Quiet>(quiet))?;
        comes_back(&sent)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_lacks_a_field_or_has_another_one_is_refused(commit in any_commit(), sent in any_journalled()) {
        for it in &commit.records {
            nothing_else_is_read(&state(it).expect("a form"), |text| record(it.key.clone(), text))?;
        }
        for it in &commit.receipts {
            nothing_else_is_read(&write(it).expect("a form"), read::<Receipt>)?;
        }
        for (_, it) in &commit.quiets {
            nothing_else_is_read(&write(it).expect("a form"), read::<Quiet>)?;
        }
        nothing_else_is_read(&write(&sent).expect("a form"), read::<Journalled>)?;
    }
}

#[test]
fn what_is_spelt_in_another_way_is_refused_with_what_it_is() {
    fn refused<T: Json<Form: From<String>> + Debug>(text: &str) -> String {
        T::of(text.to_owned().into()).expect_err("it is refused").to_string()
    }
    assert_eq!(refused::<Severity>("LOUD"), "the unknown severity \"LOUD\"");
    assert_eq!(refused::<Phase>("FIRING"), "the unknown phase \"FIRING\"");
    assert_eq!(refused::<Ending>(""), "the unknown ending \"\"");
    assert_eq!(refused::<News>("good"), "the unknown news \"good\"");
    assert_eq!(refused::<ttm_alert::EpisodeId>("01-7"), "the unknown episode \"01-7\"");
    assert_eq!(refused::<ttm_alert::Labels>("b=1,a=2"), "the unknown labels \"b=1,a=2\"");
    assert_eq!(refused::<Zone>("Europe/Atlantis"), "the unknown zone \"Europe/Atlantis\"");
    assert_eq!(refused::<jiff::civil::Date>("2026-12-1"), "the unknown date \"2026-12-1\"");
    assert_eq!(refused::<jiff::civil::Time>("8"), "the unknown time \"8\"");
    assert_eq!(refused::<jiff::civil::Weekday>("Sunday"), "the unknown weekday \"Sunday\"");
    assert_eq!(
        refused::<Timestamp>("1970-01-01T01:00:00+01:00"),
        "the unknown time \"1970-01-01T01:00:00+01:00\""
    );
    assert_eq!(refused::<f64>("inf"), "the number \"inf\"");
    assert_eq!(refused::<f64>("1"), "the number \"1\"");
    assert_eq!(refused::<f64>("1.00"), "the number \"1.00\"");
}

#[test]
fn labels_say_how_they_should_be_written() {
    let misfit = alert_key("cpu", "Group=1").expect_err("it is refused");
    assert!(misfit.to_string().starts_with("labels that are none: the label \"Group\""), "{misfit}");
    let misfit = alert_key("cpu", "b=1,a=2").expect_err("it is refused");
    assert_eq!(misfit.to_string(), "the labels \"b=1,a=2\", which are written as \"a=2,b=1\"");
}

#[test]
fn a_period_is_whole_microseconds_and_no_less_than_none() {
    assert_eq!(micros(Duration::from_nanos(1_999)), 1);
    assert_eq!(micros(Duration::MAX), i64::MAX);
    assert_eq!(period(i64::MAX).map(micros), Ok(i64::MAX));
    assert_eq!(period(-1).expect_err("it is refused").to_string(), "the period -1");
}

#[test]
fn a_number_that_is_none_has_no_form() {
    for value in [f64::NAN, f64::INFINITY] {
        let life = SavedAlert {
            key: AlertKey::new("cpu", labels("")),
            phase: Phase::Firing,
            held: Duration::ZERO,
            worse: Phase::Inactive,
            worse_held: Duration::ZERO,
            episode: None,
            value: Some(value),
        };
        let key = life.key.clone();
        let record =
            AlertRecord { key, life: Some(life), changes: vec![], is_flapping: false, cases: vec![] };
        let misfit = state(&record).expect_err("it is refused");
        assert_eq!(misfit.to_string(), format!("the number {value}"));
    }
}

#[test]
fn an_outcome_has_what_belongs_to_its_word_and_nothing_else() {
    let form = |outcome: &str, id, after, why| {
        let json = json!({ "outcome": outcome, "remote_id": id, "retry_after_us": after, "why": why });
        read::<Outcome>(&json.to_string()).map_err(|misfit| misfit.to_string())
    };
    let (none, id, why): (Option<&str>, _, _) = (None, Some("42"), Some("503"));
    let after = Some(1_500_000);
    assert_eq!(form("delivered", id, None, none), Ok(Outcome::Delivered { remote_id: Some("42".into()) }));
    let after_it = Outcome::Retry { after: Some(Duration::from_millis(1_500)), why: "503".to_owned() };
    assert_eq!(form("retry", none, after, why), Ok(after_it));
    assert_eq!(form("refused", none, None, why), Ok(Outcome::Refused { why: "503".to_owned() }));
    assert_eq!(form("retry", none, Some(-5), why), Err("the period -5".to_owned()));
    assert_eq!(form("lost", none, None, why), Err("the unknown outcome \"lost\"".to_owned()));
    for (word, id, after, why) in [
        ("delivered", id, None, why),
        ("delivered", id, after, none),
        ("retry", none, after, none),
        ("retry", id, after, why),
        ("refused", none, None, none),
        ("refused", id, None, why),
        ("refused", none, after, why),
    ] {
        let expected = format!("what is not of the outcome {word:?}, or lacks its reason");
        assert_eq!(form(word, id, after, why), Err(expected));
    }
}

#[test]
fn a_silence_that_none_may_be_is_refused() {
    let quiet = json!({
        "matcher": { "rule": null, "severity": null, "labels": null },
        "when": { "once": { "from": "1970-01-01T00:00:00Z", "until": null } },
        "author": "ada",
        "reason": "a test",
    });
    let misfit = read::<Quiet>(&quiet.to_string()).expect_err("it is refused");
    assert!(misfit.to_string().starts_with("what none may have: it has no end"), "{misfit}");
}
