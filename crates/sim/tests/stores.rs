//! A scenario runs with someone's own stores, and a store that does otherwise than the simulated one breaks a promise.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::StoreError;
use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
use ttm_perf::{
    Appended, Event, EventPage, EventQuery, EventStore, MetricStore, Point, RangeQuery, Sample, SeriesKey,
};
use ttm_sim::Plan;
use ttm_sim::world::Stores;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsWhatItAcknowledged,
    CountsWhatIsSentAgain,
    ListsNoSeries,
    NeverAnswers,
    LosesAnEvent,
}

struct Broken(FakeMetricStore, FakeEventStore, Bug);

#[async_trait]
impl MetricStore for Broken {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let Self(store, _, bug) = self;
        match bug {
            Bug::ForgetsWhatItAcknowledged => {
                store.append(&samples[1..]).await?;
                Ok(Appended { stored: samples.len() as u64, duplicates: 0 })
            }
            Bug::CountsWhatIsSentAgain => {
                store.append(samples).await?;
                Ok(Appended { stored: samples.len() as u64, duplicates: 0 })
            }
            Bug::NeverAnswers => std::future::pending().await,
            _ => store.append(samples).await,
        }
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        self.0.range(query).await
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        if self.2 == Bug::ListsNoSeries { Ok(Vec::new()) } else { self.0.series(prefix, after, limit).await }
    }
}

#[async_trait]
impl EventStore for Broken {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let appended = self.1.append(events).await?;
        Ok(appended)
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let mut page = self.1.list(query).await?;
        if self.2 == Bug::LosesAnEvent && page.next.is_none() {
            page.events.pop();
        }
        Ok(page)
    }
}

/// Twenty minutes in which acknowledgements are lost, and the process is killed.
fn plan() -> Plan {
    let faults = "at 300s for 120s store-lost-acks; at 700s for 10s kill".parse().expect("a schedule");
    Plan { tokens: 20, ..Plan::new(5, Duration::from_mins(20), faults) }
}

fn told(bug: Bug) -> Vec<String> {
    let store = Arc::new(Broken(FakeMetricStore::new(), FakeEventStore::new(), bug));
    plan().run_with(&Stores { history: Some(store.clone()), events: Some(store) }).broken
}

#[test]
fn a_scenario_runs_with_stores_that_obey_their_laws_as_without() {
    let alone = plan().run();
    let store = Arc::new(Broken(FakeMetricStore::new(), FakeEventStore::new(), Bug::None));
    let with = plan().run_with(&Stores { history: Some(store.clone()), events: Some(store.clone()) });
    assert_eq!((with.hash, &with.broken[..]), (alone.hash, &[][..]));
    assert_eq!(store.0.samples().len() as u64, with.samples.stored);
    assert!(with.samples.again > 0 && !store.1.events().is_empty(), "{:?}", with.samples);
}

#[test]
fn a_store_that_does_otherwise_breaks_a_promise() {
    for (bug, expected) in [
        (Bug::ForgetsWhatItAcknowledged, "range of "),
        (Bug::CountsWhatIsSentAgain, "append of samples: expected Appended { stored: 0"),
        (Bug::ListsNoSeries, "series: expected ["),
        (Bug::NeverAnswers, "append of samples: expected it to end"),
        (Bug::LosesAnEvent, "events: expected "),
    ] {
        let told = told(bug);
        assert!(told.iter().any(|broken| broken.contains(expected)), "{bug:?}: {told:?}");
    }
}
