//! The edges of what is asked, said and controlled: the last value that is allowed, and the first that is not.

use std::time::Duration;

use jiff::Timestamp;
use ttm_perf::{
    Aggregate, CallSummary, Control, ControlChange, ControlConfig, ControlReason, Controlled, InvalidQuery,
    RangeQuery, Subject,
};

fn ask(seconds: i64, step: Duration) -> Result<RangeQuery, InvalidQuery> {
    let at = |second| Timestamp::from_second(second).expect("a valid time");
    let series = "a".parse().expect("a key");
    RangeQuery::try_new(series, at(0), at(seconds), step, Aggregate::Avg)
}

#[test]
fn the_number_of_points_is_bounded() {
    let second = Duration::from_secs(1);
    assert!(ask(9_999, second).is_ok());
    assert_eq!(ask(10_000, second), Err(InvalidQuery::TooManyPoints { buckets: 10_001 }));
    assert_eq!(ask(10_001, second), Err(InvalidQuery::TooManyPoints { buckets: 10_002 }));
    assert!(ask(10_000, 2 * second).is_ok());
    for step in [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1_500)] {
        assert_eq!(ask(10, step), Err(InvalidQuery::Step { step }));
    }
}

#[test]
fn every_aggregate_is_read_by_the_word_that_it_is_written_with() {
    let words = ["avg", "min", "max", "sum", "count", "p50", "p95", "p99"];
    for (aggregate, word) in Aggregate::ALL.into_iter().zip(words) {
        assert_eq!((aggregate.to_string().as_str(), Aggregate::parse(word)), (word, Some(aggregate)));
    }
    assert_eq!(Aggregate::parse("mean"), None);
}

fn calls(errors: u64, p95: u64, p99: u64) -> CallSummary {
    let millis = |millis| Some(Duration::from_millis(millis));
    CallSummary { calls: 100, errors, p95: millis(p95), p99: millis(p99), ..CallSummary::default() }
}

fn changes(control: &mut Control, summary: &CallSummary, what: Controlled) -> Vec<ControlChange> {
    control.update(summary).filter(|change| change.what == what).collect()
}

#[test]
fn a_timeout_moves_by_a_fifth_and_not_by_less_except_to_its_bound() {
    let mut control = Control::new(ControlConfig::default());
    let mut timeout = |p99| {
        let _told = changes(&mut control, &calls(0, 100, p99), Controlled::AttemptTimeout);
        control.attempt_timeout().as_millis()
    };
    assert_eq!(timeout(1_000), 3_000);
    assert_eq!(timeout(801), 3_000, "597 ms are less than a fifth");
    assert_eq!(timeout(800), 2_400, "600 ms are a fifth");
    assert_eq!(timeout(400), 1_200);
    assert_eq!(timeout(10), 1_000, "a bound is reached by however little");
}

#[test]
fn exactly_the_tolerated_errors_and_slowness_cut_nothing() {
    let mut control = Control::new(ControlConfig::default());
    assert_eq!(changes(&mut control, &calls(10, 100, 500), Controlled::InFlight), [], "a tenth is tolerated");
    let mut control = Control::new(ControlConfig::default());
    assert_eq!(changes(&mut control, &calls(0, 100, 500), Controlled::InFlight), []);
    assert_eq!(changes(&mut control, &calls(0, 200, 500), Controlled::InFlight), [], "twice is tolerated");
    let cut = changes(&mut control, &calls(11, 100, 500), Controlled::InFlight);
    assert_eq!(cut.first().map(|change| (change.to, change.reason)), Some((16, ControlReason::Errors)));
    let more = changes(&mut control, &calls(12, 90, 500), Controlled::InFlight);
    assert_eq!(more.first().map(|change| change.to), Some(8), "one error more is more of the same");
}

#[test]
fn what_is_said_is_said_in_words() {
    assert_eq!(ControlReason::Errors.to_string(), "too many attempts failed");
    let subject: Subject = "a".repeat(128).parse().expect("as long as it may be");
    assert_eq!(subject.as_str(), "a".repeat(128));
    assert_eq!(subject.to_string(), subject.as_str());
}
