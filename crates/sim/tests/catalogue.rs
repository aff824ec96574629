//! What a service writes to its history against the catalogue of it: in a scenario in which everything happens that a series
//! is about, all of them are written, and nothing else ever is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ttm_perf::SeriesKey;
use ttm_perf::testing::FakeMetricStore;
use ttm_service::series::{self, CATALOGUE};
use ttm_sim::Plan;
use ttm_sim::world::Stores;

/// The keys that a service called `fra1` writes in an hour with these faults.
fn written(faults: &str) -> BTreeSet<SeriesKey> {
    let faults = faults.parse().expect("a schedule");
    let mut plan = Plan { profiles: true, ..Plan::new(3, Duration::from_hours(1), faults) };
    plan.settings.instance = "fra1".parse().expect("a name");
    let store = Arc::new(FakeMetricStore::new());
    let outcome = plan.run_with(&Stores { history: Some(store.clone()), events: None });
    assert_eq!(outcome.broken, [""; 0]);
    store.samples().iter().map(|sample| sample.series().clone()).collect()
}

/// Every key is of an entry, with its labels and with the instance where the entry says so: and with no other.
fn check_known(keys: &BTreeSet<SeriesKey>) {
    for key in keys {
        let entry = series::find(key.name()).unwrap_or_else(|| panic!("{key} is not in the catalogue"));
        assert!(key.labels().map(|(label, _)| label).eq(entry.label_names()), "{key}");
        let instances = key.labels().filter(|(label, _)| *label == series::INSTANCE);
        assert!(instances.into_iter().all(|(_, instance)| instance == "fra1"), "{key}");
    }
}

fn names(keys: &BTreeSet<SeriesKey>) -> BTreeSet<&str> {
    keys.iter().map(SeriesKey::name).collect()
}

/// What is written only once something has happened, and on a calm day does not.
const OF_BAD_DAYS: [&str; 5] = [
    "api.endpoint_errors",
    "api.rate_limit_pauses",
    "api.breaker_transitions",
    "resource.store_errors",
    "recovery.step",
];
/// What is about things that this world has none of: connections, and an API of the service. The program is held against it.
const OF_THE_PROGRAM: [&str; 5] = [
    "resource.connections_in_use",
    "resource.connections_max",
    "http.requests",
    "http.mean_ms",
    "http.max_ms",
];

fn expected(left_out: &[&str]) -> BTreeSet<&'static str> {
    let names = CATALOGUE.iter().map(|series| series.name);
    names.filter(|name| !left_out.contains(name)).collect()
}

#[test]
fn in_a_calm_hour_a_service_writes_all_but_what_is_about_failures() {
    let keys = written("");
    check_known(&keys);
    assert_eq!(names(&keys), expected(&[&OF_BAD_DAYS[..], &OF_THE_PROGRAM].concat()));
}

#[test]
fn in_an_hour_of_failures_a_service_writes_the_whole_catalogue() {
    let keys = written(
        "at 4m for 1m api-429=20s; at 8m for 0s part-panics=token-writer; at 12m for 5m api-503; \
         at 25m for 2m api-bad-pairs=20%; at 30m for 2m store-gone",
    );
    check_known(&keys);
    assert_eq!(names(&keys), expected(&OF_THE_PROGRAM));
    // Whatever happens, there are few of them, but for those of the tokens.
    let of_tokens = |key: &&SeriesKey| key.name().starts_with("token.");
    assert!(keys.iter().filter(|key| !of_tokens(key)).count() < 100, "{keys:?}");
}
