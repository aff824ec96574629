//! The fake obeys the laws that it stands in for, and the strategies make what they promise.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use ttm_kernel::StoreError;

use proptest::prelude::*;
use ttm_perf::testing::{
    FakeEventStore, FakeMetricStore, any_event, any_event_query, any_range_query, conformance,
    event_conformance, sample, series_key,
};
use ttm_perf::{EventStore, MetricStore, SeriesKey};

/// Runs a future that never waits for anything outside itself.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[test]
fn the_fake_obeys_every_law() {
    let memory = FakeMetricStore::new();
    block_on(conformance::check(async || Box::new(memory.clone()) as Box<dyn MetricStore>));
}

#[test]
fn the_fake_record_of_events_obeys_every_law() {
    let memory = FakeEventStore::new();
    block_on(event_conformance::check(async || Box::new(memory.clone()) as Box<dyn EventStore>));
}

#[test]
fn the_fake_fails_on_request_and_keeps_what_was_stored() {
    let store = FakeMetricStore::new();
    let key: SeriesKey = "a".parse().expect("valid");
    let sample = ttm_perf::Sample::try_new(key.clone(), jiff::Timestamp::UNIX_EPOCH, 1.0).expect("finite");
    block_on(store.append(std::slice::from_ref(&sample))).expect("works");
    store.fail_with(|| StoreError::transient("gone"));
    let error = block_on(store.append(&[])).expect_err("fails");
    assert_eq!(error.to_string(), "the store is unavailable: gone");
    assert!(block_on(store.series("", None, 1)).is_err());
    store.heal();
    assert_eq!(block_on(store.series("", None, 1)).expect("works"), [key]);
    assert_eq!(store.samples(), [sample]);
}

proptest! {
    #[test]
    fn generated_keys_parse_back_and_generated_samples_are_finite(key in series_key(), sample in sample()) {
        prop_assert_eq!(key.as_str().parse::<SeriesKey>(), Ok(key.clone()));
        prop_assert!(sample.value().is_finite());
        prop_assert_eq!(sample.at().as_nanosecond() % 1_000, 0);
    }

    #[test]
    fn a_store_gives_back_the_events_that_match_a_generated_question(
        events in proptest::collection::vec(any_event(), 0..30),
        query in any_event_query(),
    ) {
        let store = FakeEventStore::new();
        block_on(store.append(&events)).expect("the fake works");
        let page = block_on(store.list(&query)).expect("the fake works");
        prop_assert!(page.events.len() <= query.limit());
        prop_assert!(page.events.iter().all(|event| query.matches(event) && events.contains(event)));
    }

    #[test]
    fn a_generated_question_has_room_for_its_answer(query in any_range_query()) {
        let span = query.to().as_second() - query.from().as_second();
        let points = span.unsigned_abs() / query.step().as_secs() + 1;
        prop_assert!(points <= ttm_perf::RangeQuery::MAX_POINTS && query.from() < query.to());
    }
}
