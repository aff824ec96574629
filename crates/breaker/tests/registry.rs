//! Breakers by service and endpoint: one each, bounded in number, forgotten when idle, and not all open at once.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Evicted, Registry, RegistryConfig, RegistryFull,
    RegistrySettings, State, SuppressedBy,
};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn registry(settings: RegistrySettings) -> Registry {
    let config = RegistryConfig::try_new(settings).expect("valid settings");
    Registry::new(config, opens_after(1), Arc::new(SeededEntropy::new(3)))
}

/// So many failures open a breaker, and one success closes it.
fn opens_after(failures: u32) -> BreakerConfig {
    let settings = BreakerSettings {
        failure_threshold: Some(failures),
        success_threshold: 1,
        ..BreakerSettings::default()
    };
    BreakerConfig::try_new(settings).expect("valid settings")
}

fn get(registry: &Registry, endpoint: &str, now: Moment) -> Arc<Breaker> {
    registry.breaker("api", endpoint, now).expect("there is room")
}

fn fail(breaker: &Breaker, now: Moment) {
    breaker.admit(now).expect("admitted").failure(now);
}

fn evicted(registry: &Registry) -> Vec<String> {
    std::iter::from_fn(|| registry.poll_evicted())
        .map(|Evicted { endpoint, .. }| endpoint.to_string())
        .collect()
}

#[test]
fn an_endpoint_has_one_breaker_and_another_endpoint_another() {
    let registry = registry(RegistrySettings::default());
    assert!(registry.is_empty() && registry.get("api", "a", at(0)).is_none());
    let (a, b) = (get(&registry, "a", at(0)), get(&registry, "b", at(0)));
    assert!(Arc::ptr_eq(&a, &get(&registry, "a", at(1))));
    let other = registry.breaker("other", "a", at(0)).expect("there is room");
    fail(&a, at(0));
    assert_eq!(
        [&a, &b, &other].map(|each| each.snapshot(at(0)).state),
        [State::Open, State::Closed, State::Closed]
    );
    let names: Vec<_> = registry.breakers().iter().map(|each| each.name().to_owned()).collect();
    assert_eq!(names, ["api/a", "api/b", "other/a"]);
    assert_eq!((registry.len(), registry.is_empty(), registry.open()), (3, false, 1));
}

#[test]
fn a_breaker_that_is_idle_closed_and_not_held_is_evicted() {
    let registry = registry(RegistrySettings::default());
    let held = get(&registry, "held", at(0));
    fail(&get(&registry, "open", at(0)), at(0));
    get(&registry, "idle", at(0));
    get(&registry, "asked for", at(3_000));
    assert_eq!(registry.evict_idle(at(3_599)), 0);
    assert_eq!(registry.evict_idle(at(3_600)), 1);
    assert_eq!(evicted(&registry), ["idle"]);
    drop(held);
    assert_eq!(registry.evict_idle(at(6_600)), 2);
    assert_eq!(evicted(&registry), ["asked for", "held"]);
    assert_eq!(registry.len(), 1, "the open one remembers that its upstream was down");
    // A new one of the same name starts afresh.
    assert_eq!(get(&registry, "idle", at(6_600)).snapshot(at(6_600)).generation, 0);
}

#[test]
fn a_million_keys_take_no_more_room_than_the_bound() {
    let registry = registry(RegistrySettings { max_breakers: 100, ..RegistrySettings::default() });
    for key in 0..1_000_000_u64 {
        let now = Moment::from_nanos(key);
        registry.breaker("api", &key.to_string(), now).expect("the oldest make room");
        assert!(registry.len() <= 100);
    }
    let newest = registry.get("api", "999999", at(1));
    assert!(newest.is_some(), "the newest stay");
    assert_eq!(evicted(&registry).len(), 1_000, "the names of forgotten ones are bounded too");
}

#[test]
fn the_one_that_was_unused_the_longest_makes_room() {
    let registry = registry(RegistrySettings { max_breakers: 3, ..RegistrySettings::default() });
    for (second, endpoint) in ["a", "b", "c", "a", "d"].into_iter().enumerate() {
        get(&registry, endpoint, at(second as u64));
    }
    assert_eq!(evicted(&registry), ["b"]);
}

#[test]
fn when_all_are_in_use_or_open_none_is_created() {
    let registry = registry(RegistrySettings { max_breakers: 2, ..RegistrySettings::default() });
    let held = get(&registry, "held", at(0));
    fail(&get(&registry, "open", at(0)), at(0));
    let full = registry.breaker("api", "new", at(0)).expect_err("no room");
    assert_eq!(full, RegistryFull { max_breakers: 2 });
    assert_eq!(full.to_string(), "all 2 breakers are in use or open");
    drop(held);
    assert!(registry.breaker("api", "new", at(0)).is_ok());
}

#[test]
fn no_more_than_the_share_are_open_at_once_and_the_others_record_that_they_were_suppressed() {
    let registry = registry(RegistrySettings { max_open_share: 0.3, ..RegistrySettings::default() });
    let breakers: Vec<_> = (0..10).map(|n| get(&registry, &n.to_string(), at(0))).collect();
    for breaker in &breakers {
        fail(breaker, at(0));
    }
    let open = breakers.iter().filter(|each| each.snapshot(at(0)).state == State::Open).count();
    assert_eq!((open, registry.open()), (3, 3));
    let kept = breakers[9].poll_transition().expect("it is recorded");
    assert_eq!((kept.to, kept.suppressed), (State::Open, Some(SuppressedBy::OpenShare)));

    // Half-open ones keep their place; one that closes gives it to the next that fails.
    let probe = breakers[0].admit(at(60)).expect("a probe");
    fail(&breakers[9], at(60));
    assert_eq!(breakers[9].snapshot(at(60)).state, State::Closed);
    probe.success(at(60));
    fail(&breakers[9], at(60));
    assert_eq!(breakers[9].snapshot(at(60)).state, State::Open);
    // So does one that an operator takes over.
    breakers[1].force_open(at(60));
    fail(&breakers[8], at(60));
    assert_eq!((breakers[8].snapshot(at(60)).state, registry.open()), (State::Open, 3));
}

#[test]
fn among_few_breakers_the_share_does_not_apply() {
    let registry = registry(RegistrySettings { max_open_share: 0.1, ..RegistrySettings::default() });
    for endpoint in ["a", "b"] {
        fail(&get(&registry, endpoint, at(0)), at(0));
    }
    assert_eq!(registry.open(), 2);
}

#[test]
fn new_settings_reach_existing_breakers_and_later_ones() {
    let registry = registry(RegistrySettings::default());
    let old = get(&registry, "old", at(0));
    let config = RegistryConfig::try_new(RegistrySettings::default()).expect("valid settings");
    registry.reconfigure(config, &opens_after(2), at(1));
    for breaker in [old, get(&registry, "new", at(1))] {
        fail(&breaker, at(1));
        assert_eq!(breaker.snapshot(at(1)).state, State::Closed);
        fail(&breaker, at(1));
        assert_eq!(breaker.snapshot(at(1)).state, State::Open);
    }
}

#[test]
fn a_lower_limit_keeps_breakers_in_use_and_creates_none_until_there_is_room() {
    let registry = registry(RegistrySettings::default());
    let open = get(&registry, "open", at(0));
    fail(&open, at(0));
    let held: Vec<_> = (1..30).map(|n| get(&registry, &n.to_string(), at(0))).collect();
    let smaller = RegistrySettings { max_breakers: 2, max_open_share: 0.1, ..RegistrySettings::default() };
    let smaller = RegistryConfig::try_new(smaller).expect("valid settings");
    registry.reconfigure(smaller, &opens_after(1), at(1));
    assert_eq!((registry.len(), registry.open()), (30, 1));
    assert_eq!(registry.breaker("api", "new", at(1)).expect_err("full"), RegistryFull { max_breakers: 2 });
    drop(held);
    get(&registry, "new", at(1));
    assert_eq!((registry.len(), open.snapshot(at(1)).state), (2, State::Open));
}

#[test]
fn a_larger_open_share_applies_at_once() {
    let registry = registry(RegistrySettings { max_open_share: 0.3, ..RegistrySettings::default() });
    let breakers: Vec<_> = (0..10).map(|n| get(&registry, &n.to_string(), at(0))).collect();
    for breaker in &breakers {
        fail(breaker, at(0));
    }
    let larger = RegistrySettings { max_open_share: 0.5, ..RegistrySettings::default() };
    registry.reconfigure(RegistryConfig::try_new(larger).expect("valid settings"), &opens_after(1), at(1));
    assert_eq!(registry.open(), 3, "none opens by the change itself");
    for breaker in &breakers[5..] {
        fail(breaker, at(1));
    }
    assert_eq!(registry.open(), 5);
}

#[test]
fn racing_callers_get_the_same_breaker() {
    let registry = registry(RegistrySettings::default());
    let breakers: Vec<Arc<Breaker>> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| get(&registry, "a", at(0)))).collect();
        callers.into_iter().map(|caller| caller.join().expect("no panic")).collect()
    });
    assert!(breakers.iter().all(|each| Arc::ptr_eq(each, &breakers[0])));
}

#[test]
fn impossible_settings_are_refused_all_at_once() {
    let errors = RegistryConfig::try_new(RegistrySettings {
        max_breakers: 0,
        idle_after: Duration::ZERO,
        max_open_share: f64::NAN,
        share_applies_from: 0,
    })
    .expect_err("all but one are wrong");
    let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
    assert_eq!(keys, ["max_breakers", "idle_after", "max_open_share"]);
    assert_eq!(RegistryConfig::try_new(RegistrySettings::default()), Ok(RegistryConfig::default()));
    for (share, is_one) in
        [(0.0, false), (-0.5, false), (1.000_1, false), (f64::MIN_POSITIVE, true), (1.0, true)]
    {
        let settings = RegistrySettings { max_open_share: share, ..RegistrySettings::default() };
        assert_eq!(RegistryConfig::try_new(settings).is_ok(), is_one, "{share}");
    }
}

#[test]
fn in_logs_they_show_their_names_and_where_they_are() {
    let registry = registry(RegistrySettings::default());
    let breaker = get(&registry, "a", at(0));
    let permit = format!("{:?}", breaker.admit(at(0)).expect("closed"));
    assert!(permit.contains("api/a") && permit.contains("ticket"), "{permit}");
    fail(&breaker, at(0));
    let shown = format!("{breaker:?}");
    assert!(shown.contains("api/a") && shown.contains("Open"), "{shown}");
    let all = format!("{registry:?}");
    assert!(all.contains("len: 1") && all.contains("open: 1"), "{all}");
}
