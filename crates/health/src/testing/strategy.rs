//! Strategies: facts as they should be, facts of any kind, and changes for the worse.

use std::time::Duration;

use jiff::Timestamp;
use proptest::option;
use proptest::prelude::*;
use ttm_kernel::{Connections, Quantiles};

use crate::{
    ApiFacts, BreakerState, Commands, DataFacts, Facts, GroupFacts, LaneFacts, LastLevel, Level,
    OverruledBreaker, PanicFacts, PartFacts, Phase, Reached, RecoveryFacts, ResourceSample, SilenceFacts,
    SourceFacts, StoreCall, StoreFacts, StoreUseFacts, UnreadableFacts, Waiting,
};

/// Facts of a service that is an hour old and as it should be.
pub fn healthy_facts() -> Facts {
    let at = Timestamp::UNIX_EPOCH;
    let seconds = Duration::from_secs;
    let group = |interval| GroupFacts {
        interval: seconds(interval),
        last_run: Some(at),
        processing_time: Some(Duration::from_millis(1500)),
        since_progress: Some(seconds(2)),
        attempted: 100,
        ..GroupFacts::default()
    };
    let ages = Some(Quantiles { p50: seconds(4), p95: seconds(9), p99: seconds(12), max: seconds(30) });
    let lane = |tokens| LaneFacts { tokens, ages, ..LaneFacts::default() };
    Facts {
        at,
        uptime: seconds(3600),
        measured_for: seconds(3600),
        phase: Phase::Running,
        waiting_for: None,
        hot: group(10),
        cold: group(45),
        lease_lapsed_for: None,
        tokens_per_minute: Some(1200.0),
        resources: Some(ResourceSample {
            memory_bytes: Some(64 << 20),
            memory_limit_bytes: Some(1 << 30),
            cpu_percent: Some(5.0),
            disk_usage_percent: Some(40.0),
            open_file_descriptors: Some(30),
            file_descriptor_limit: Some(1024),
        }),
        database_connections: Some(Connections { in_use: 1, max: 5 }),
        api: ApiFacts {
            calls: 500,
            errors: 0,
            average_response_time: Some(Duration::from_millis(120)),
            p95_response_time: Some(Duration::from_millis(300)),
            breaker: Some(BreakerState::Closed),
            breaker_name: "dexscreener",
            overruled: Vec::new(),
            cache_hit_rate: None,
            requests_per_minute: Some(100.0),
            last_error: None,
            failing_for: None,
            silence: None,
            unreadable: None,
        },
        data: DataFacts { hot: lane(50), cold: lane(500), unlisted: 3, archived: 7 },
        plan: None,
        store: StoreFacts {
            uses: vec![answering("token writes"), answering("samples")],
            ..StoreFacts::default()
        },
        sources: vec![SourceFacts { origin: "file".to_owned(), tokens: Some(3), problem: None }],
        recovery: RecoveryFacts::default(),
        reached: Reached::default(),
        commands: Commands::default(),
    }
}

/// A use of a store that works.
pub(super) fn answering(name: &str) -> StoreUseFacts {
    StoreUseFacts { name: name.to_owned(), answers: Some(true), ..StoreUseFacts::default() }
}

/// Facts of any kind, the impossible ones included: what measures is not always right.
pub fn any_facts() -> impl Strategy<Value = Facts> {
    let waiting =
        any::<bool>().prop_map(|needs_a_person| Waiting { what: "the store".to_owned(), needs_a_person });
    let waiting = option::weighted(0.2, waiting);
    let life = (
        any_timestamp(),
        (any_duration(), any_duration()),
        any_phase(),
        option::of(any::<(u32, u32)>()),
        waiting,
    );
    let float = || option::of(proptest::num::f64::ANY);
    let work = (any_group(), any_group(), float(), option::of(any_resources()));
    let rest = (
        any_api(),
        any_lane(),
        any_lane(),
        any::<(u64, u64)>(),
        any_store(),
        any_sources(),
        (any_recovery(), any_reached(), option::weighted(0.1, any_duration())),
    );
    (life, work, rest).prop_map(|(life, work, rest)| {
        let (at, (uptime, measured_for), phase, database_connections, waiting_for) = life;
        let (hot, cold, tokens_per_minute, resources) = work;
        let (
            api,
            hot_lane,
            cold_lane,
            (unlisted, archived),
            store,
            sources,
            (recovery, reached, lease_lapsed_for),
        ) = rest;
        Facts {
            at,
            uptime,
            measured_for,
            phase,
            waiting_for,
            hot,
            cold,
            lease_lapsed_for,
            tokens_per_minute,
            resources,
            database_connections: database_connections.map(|(in_use, max)| Connections { in_use, max }),
            api,
            data: DataFacts { hot: hot_lane, cold: cold_lane, unlisted, archived },
            plan: None,
            store,
            sources,
            recovery,
            reached,
            commands: Commands::default(),
        }
    })
}

// Boxed, like all parts of the facts: together their trees are too large for the stack of a test.
fn any_reached() -> impl Strategy<Value = Reached> {
    let level = prop::sample::select(vec![Level::None, Level::Warning, Level::Critical]);
    let since = || option::of(any_duration());
    let level = (level, any_duration(), any_duration(), since(), since()).prop_map(
        |(level, at, reached, warning_since, critical_since)| LastLevel {
            level,
            at,
            reached,
            warning_since,
            critical_since,
        },
    );
    prop::array::uniform6(level.boxed())
        .prop_map(|[memory, cpu, disk, descriptors, api_errors, api_slow]| Reached {
            memory,
            cpu,
            disk,
            descriptors,
            api_errors,
            api_slow,
        })
        .boxed()
}

/// Often within the range that limits are about, and sometimes far out of it.
pub(super) fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0_u64..2000).prop_map(Duration::from_secs),
        1 => any::<Duration>(),
    ]
}

fn any_timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    let near = (0_i64..2000).prop_map(|second| Timestamp::from_second(second).unwrap_or_default());
    let any = seconds.prop_map(|second| Timestamp::from_second(second).unwrap_or_default());
    prop_oneof![8 => near, 1 => any]
}

fn any_phase() -> impl Strategy<Value = Phase> {
    prop_oneof![1 => Just(Phase::Starting), 3 => Just(Phase::Running), 1 => Just(Phase::Stopping)]
}

fn any_group() -> impl Strategy<Value = GroupFacts> {
    let time = || option::of(any_duration());
    let times = (any_duration(), option::of(any_timestamp()), time(), time(), time(), time());
    let panics = option::weighted(0.1, (1_u64..200, any_duration()).prop_map(panics));
    let counts = (0_u64..200, 0_u64..200, 0_u64..200);
    (times, any::<bool>(), any::<u64>(), counts, panics).prop_map(
        |(times, running, missed_runs, (attempted, failed, broken), panics)| {
            let (interval, last_run, processing_time, since_progress, since_tick, withheld_for) = times;
            GroupFacts {
                interval,
                last_run,
                processing_time,
                since_progress,
                since_tick,
                running,
                missed_runs,
                withheld_for,
                since_held_up: withheld_for,
                attempted,
                failed,
                broken: broken.min(failed),
                panics,
            }
        },
    )
}

/// So many requests that panicked.
pub(super) fn panics((requests, lasts): (u64, Duration)) -> PanicFacts {
    PanicFacts { requests, lasts, since_last: lasts / 2, message: "index out of bounds".to_owned() }
}

fn any_resources() -> impl Strategy<Value = ResourceSample> {
    let count = || option::of(prop_oneof![4 => 0_u64..2000, 1 => any::<u64>()]);
    let percent = || option::of(prop_oneof![4 => 0.0..200.0, 1 => proptest::num::f64::ANY]);
    (count(), count(), percent(), percent(), count(), count()).prop_map(
        |(memory_bytes, memory_limit_bytes, cpu_percent, disk_usage_percent, open, limit)| ResourceSample {
            memory_bytes,
            memory_limit_bytes,
            cpu_percent,
            disk_usage_percent,
            open_file_descriptors: open,
            file_descriptor_limit: limit,
        },
    )
}

fn any_api() -> impl Strategy<Value = ApiFacts> {
    let breaker = option::of(prop_oneof![
        4 => Just(BreakerState::Closed),
        1 => Just(BreakerState::Open),
        1 => Just(BreakerState::HalfOpen),
        1 => Just(BreakerState::ForcedOpen),
        1 => Just(BreakerState::Disabled),
    ]);
    let float = || option::of(proptest::num::f64::ANY);
    let time = || option::of(any_duration());
    let silence =
        option::of((0_u64..200, any_duration()).prop_map(|(tokens, lasts)| SilenceFacts { tokens, lasts }));
    let example = || "priceUsd \"abc\"".to_owned();
    let unreadable =
        option::of((0_u64..200).prop_map(move |tokens| UnreadableFacts { tokens, example: example() }));
    let brings = (time(), silence, unreadable);
    (0_u64..200, 0_u64..200, time(), time(), breaker, float(), float(), brings)
        .prop_map(|(calls, errors, average, p95, breaker, cache_hit_rate, requests_per_minute, brings)| {
            ApiFacts {
                calls,
                errors,
                average_response_time: average,
                p95_response_time: p95,
                breaker,
                breaker_name: "dexscreener",
                overruled: (calls == 1)
                    .then(|| OverruledBreaker { name: "profiles".to_owned(), is_open: errors > 0 })
                    .into_iter()
                    .collect(),
                cache_hit_rate,
                requests_per_minute,
                last_error: (errors > 0).then(|| "503: upstream".to_owned()),
                failing_for: brings.0,
                silence: brings.1,
                unreadable: brings.2,
            }
        })
        .boxed()
}

fn any_lane() -> impl Strategy<Value = LaneFacts> {
    let age = any_duration;
    (any::<u64>(), any::<u64>(), 0_u64..3, option::of([age(), age(), age(), age()])).prop_map(
        |(tokens, never_observed, stale, ages)| LaneFacts {
            tokens,
            never_observed,
            overdue: never_observed / 2,
            stale,
            expired: stale / 2,
            ages: ages.map(|[p50, p95, p99, max]| Quantiles { p50, p95, p99, max }),
        },
    )
}

fn any_store() -> impl Strategy<Value = StoreFacts> {
    let counts = any::<(u64, u64, u64)>();
    let rarely = || proptest::bool::weighted(0.1);
    let error = option::of(Just("connection refused".to_owned()));
    let call = prop::sample::select(vec![StoreCall::Unauthenticated, StoreCall::Unguarded]);
    let call = option::weighted(0.2, call);
    let down = (option::of(any_timestamp()), option::of(any_duration()), error);
    let unreadable = option::weighted(0.1, (1u64..3, Just("the silence 1 has no end".to_owned())));
    let each = (option::of(any::<bool>()), down, call, rarely(), rarely(), unreadable).prop_map(
        |(answers, (down_since, down_for, last_error), call, gave_up, losing, unreadable)| StoreUseFacts {
            name: "samples".to_owned(),
            database: None,
            answers,
            down_since,
            down_for,
            last_error,
            call,
            gave_up,
            losing,
            unreadable,
        },
    );
    (proptest::collection::vec(each, 0..4), counts)
        .prop_map(|(uses, (tokens_waiting, samples_waiting, samples_dropped))| StoreFacts {
            uses,
            tokens_waiting,
            samples_waiting,
            samples_dropped,
        })
        .boxed()
}

/// A part that is not as it should be.
pub(super) fn broken() -> PartFacts {
    PartFacts { name: "hot-group".to_owned(), critical: true, problem: "it panicked".to_owned() }
}

fn any_recovery() -> impl Strategy<Value = RecoveryFacts> {
    let part = any::<bool>().prop_map(|critical| PartFacts { critical, ..broken() });
    let parts = || proptest::collection::vec(part.clone(), 0..3);
    let ended = option::weighted(0.2, Just(3));
    (parts(), parts(), option::of(Just("it leaks".to_owned())), ended).prop_map(
        |(restarting, escalated, needs_a_person, process_ended)| {
            let set_aside = needs_a_person.clone();
            RecoveryFacts { restarting, escalated, needs_a_person, process_ended, set_aside }
        },
    )
}

fn any_sources() -> impl Strategy<Value = Vec<SourceFacts>> {
    let source = (option::of(any::<u64>()), option::of(Just("it is gone".to_owned())))
        .prop_map(|(tokens, problem)| SourceFacts { origin: "file".to_owned(), tokens, problem });
    proptest::collection::vec(source, 0..3).boxed()
}
