//! An API that answers every call and brings nothing to score: the report says why the tokens grow old.

use std::time::Duration;

use ttm_health::testing::healthy_facts;
use ttm_health::{Facts, Report, SilenceFacts, Status, Thresholds, UnreadableFacts, assess};

fn report(change: impl FnOnce(&mut Facts)) -> Report {
    let mut facts = healthy_facts();
    change(&mut facts);
    assess(&facts, &Thresholds::default())
}

#[track_caller]
fn check(report: &Report, reason: &str) {
    assert_eq!((report.status, report.apis.status), (Status::Degraded, Status::Degraded));
    assert!(report.live && report.ready);
    assert_eq!(report.reasons(), [reason]);
    assert_eq!(report.apis.findings.sentences(), [reason]);
}

#[test]
fn an_api_that_lists_none_of_the_tokens_is_reported_with_their_number() {
    let silence = SilenceFacts { tokens: 31, lasts: Duration::from_mins(5) };
    check(
        &report(|facts| facts.api.silence = Some(silence)),
        "DexScreener responds, and listed none of the 31 tokens requested in the last 5m",
    );
    let away = report(|facts| {
        facts.api.silence = Some(silence);
        facts.api.failing_for = Some(Duration::from_mins(1));
    });
    assert!(!away.reasons().iter().any(|reason| reason.contains("answers")), "{:?}", away.reasons());
}

#[test]
fn tokens_that_cannot_be_read_are_reported_with_their_number_and_an_example() {
    let unreadable = |tokens| UnreadableFacts { tokens, example: "So11: priceUsd \"abc\"".to_owned() };
    let felt = report(|facts| {
        facts.api.unreadable = Some(unreadable(12));
        facts.data.cold.stale = 1;
    });
    let sentence = "DexScreener: the data of 12 of 550 tokens cannot be read, e.g. So11: priceUsd \"abc\"";
    assert!(felt.reasons().contains(&sentence), "{:?}", felt.reasons());
    let now_and_then = report(|facts| facts.api.unreadable = Some(unreadable(12)));
    assert_eq!(now_and_then.status, Status::Healthy, "no token is too old because of it");
    check(&report(|facts| facts.api.unreadable = Some(unreadable(276))), &sentence.replace("12", "276"));
    let more = report(|facts| facts.api.unreadable = Some(unreadable(600)));
    assert!(more.reasons()[0].contains("600 of 600"), "one that is gone meanwhile: {:?}", more.reasons());
}
