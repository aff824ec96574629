//! The fake obeys the laws that it stands in for, and the strategies make what they promise.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use ttm_kernel::StoreError;

use proptest::prelude::*;
use ttm_perf::testing::{
    FakeEventStore, FakeMetricStore, conformance, event_conformance, sample, series_key,
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
}
