//! What holds for every breaker that can be configured, the most extreme ones included, whatever happens to it and however
//! its clocks behave: nothing panics, nothing is admitted that should not be, and it is never stuck.
#![cfg(not(any(loom, shuttle)))]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, CountAs, Outcome, Permit, RateSettings, SlowCallSettings, State,
    Verdict, Window,
};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

/// From the shortest there is to the longest.
fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::from_nanos(1)),
        (1_u64..100).prop_map(Duration::from_millis),
        (1_u64..100_000).prop_map(Duration::from_secs),
        Just(Duration::from_nanos(u64::MAX)),
        Just(Duration::MAX),
    ]
}

fn any_rate() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.001_f64..=1.0, 1 => Just(f64::MIN_POSITIVE), 1 => Just(1.0)]
}

fn any_rates() -> impl Strategy<Value = RateSettings> {
    let window = prop_oneof![
        select(vec![1_u32, 2, 7, 100, BreakerConfig::MAX_WINDOW_CALLS])
            .prop_flat_map(|size| (Just(Window::Calls(size)), 1..=size)),
        (any_duration().prop_map(Window::Time), prop_oneof![1_u32..10, Just(u32::MAX)]),
    ];
    let slow = (any_duration(), any_rate()).prop_map(|(duration, rate)| SlowCallSettings { duration, rate });
    (window, any_rate(), prop::option::of(slow)).prop_map(
        |((window, minimum_calls), failure_rate, slow_calls)| RateSettings {
            window,
            minimum_calls,
            failure_rate,
            slow_calls,
        },
    )
}

fn any_settings() -> impl Strategy<Value = BreakerSettings> {
    let count_as = || select(vec![CountAs::Ignored, CountAs::Failure]);
    let threshold = prop_oneof![4 => 1_u32..6, 1 => Just(u32::MAX)];
    let rules = prop_oneof![
        threshold.clone().prop_map(|threshold| (Some(threshold), None)),
        (prop::option::of(threshold), any_rates()).prop_map(|(threshold, rates)| (threshold, Some(rates))),
    ];
    let probes =
        prop_oneof![1_u32..5, Just(BreakerConfig::MAX_PROBES)].prop_flat_map(|most| (Just(most), 1..=most));
    let periods = (any_duration(), any_duration(), any_duration(), 0.0_f64..=1.0);
    (rules, periods, probes, count_as(), count_as(), any::<bool>()).prop_map(
        |(rules, (one, other, probe_lease, recovery_jitter), probes, on_cancel, on_panic, metrics_only)| {
            BreakerSettings {
                failure_threshold: rules.0,
                rates: rules.1,
                recovery_timeout: one.min(other),
                max_recovery_timeout: one.max(other),
                recovery_jitter,
                half_open_max_calls: probes.0,
                success_threshold: probes.1,
                probe_lease,
                on_cancel,
                on_panic,
                metrics_only,
            }
        },
    )
}

/// A clock reading: anything at all.
fn any_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        Just(Moment::ZERO),
        (0_u64..100_000).prop_map(|seconds| Moment::from_origin(Duration::from_secs(seconds))),
        any::<u64>().prop_map(Moment::from_nanos),
        Just(Moment::MAX),
    ]
}

#[derive(Clone, Debug)]
enum Deed {
    Admit,
    Report(Outcome),
    ReportTimed(Outcome, Duration),
    Drop,
    Leak,
    ForceOpen,
    Disable,
    Reset,
    Restore(Duration),
    Reconfigure(Box<BreakerSettings>),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let outcome = || {
        prop_oneof![
            3 => Just(Outcome::Success),
            4 => Just(Outcome::Failure),
            1 => Just(Outcome::Ignored),
            1 => prop::option::of(any_moment()).prop_map(|retry_at| Outcome::RateLimited { retry_at }),
        ]
    };
    prop_oneof![
        8 => Just(Deed::Admit),
        8 => outcome().prop_map(Deed::Report),
        3 => (outcome(), any_duration()).prop_map(|(outcome, took)| Deed::ReportTimed(outcome, took)),
        1 => Just(Deed::Drop),
        1 => Just(Deed::Leak),
        1 => select(vec![Deed::ForceOpen, Deed::Disable, Deed::Reset, Deed::Reset]),
        1 => any_duration().prop_map(Deed::Restore),
        1 => any_settings().prop_map(|settings| Deed::Reconfigure(Box::new(settings))),
    ]
}

fn config(settings: &BreakerSettings) -> BreakerConfig {
    BreakerConfig::try_new(settings.clone()).expect("valid settings")
}

fn breaker(settings: &BreakerSettings, seed: u64) -> Breaker {
    Breaker::new("subject", config(settings), Arc::new(SeededEntropy::new(seed)))
}

fn live<'a>(breaker: &'a Breaker, permits: &mut Vec<Permit<'a>>, deed: &Deed, now: Moment) {
    match deed {
        Deed::Admit => match breaker.admit(now) {
            Ok(permit) => permits.push(permit),
            Err(rejected) => assert!(now < rejected.retry_at || rejected.retry_at == Moment::MAX),
        },
        Deed::ForceOpen => breaker.force_open(now),
        Deed::Disable => breaker.disable(now),
        Deed::Reset => breaker.reset(now),
        Deed::Restore(elapsed) => breaker.restore(breaker.save(now), *elapsed, now),
        Deed::Reconfigure(settings) => breaker.reconfigure(config(settings), now),
        Deed::Report(outcome) => {
            permits.pop().map(|permit| permit.report(*outcome, now));
        }
        Deed::ReportTimed(outcome, took) => {
            permits.pop().map(|permit| permit.report_timed(*outcome, *took, now));
        }
        Deed::Drop => drop(permits.pop()),
        Deed::Leak => permits.pop().into_iter().for_each(std::mem::forget),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn under_any_sequence_nothing_panics_and_snapshots_are_consistent(
        settings in any_settings(),
        deeds in prop::collection::vec((any_deed(), any_moment()), 0..60),
        seed: u64,
    ) {
        let breaker = breaker(&settings, seed);
        let mut settings = settings;
        let mut most_probes = settings.half_open_max_calls;
        let mut permits = Vec::new();
        for (deed, now) in &deeds {
            if let Deed::Reconfigure(new) = deed {
                settings.clone_from(new);
                most_probes = most_probes.max(settings.half_open_max_calls);
            }
            live(&breaker, &mut permits, deed, *now);
            let shown = breaker.snapshot(*now);
            prop_assert!(shown.probes_in_flight <= most_probes);
            prop_assert_eq!(breaker.check(*now).err().map(|rejected| rejected.retry_at), shown.retry_at);
            if let Some(window) = shown.window {
                prop_assert!(window.failures <= window.calls && window.slow <= window.calls);
            }
            prop_assert!(!settings.metrics_only || !matches!(shown.state, State::Open | State::HalfOpen));
            let saved = breaker.save(*now);
            prop_assert!(saved.state == State::Open || saved.open_for.is_zero());
        }
    }

    #[test]
    fn when_the_upstream_works_again_the_breaker_closes(
        settings in any_settings(),
        deeds in prop::collection::vec((any_deed(), any_moment()), 0..60),
        seed: u64,
    ) {
        let breaker = breaker(&settings, seed);
        let mut permits = Vec::new();
        for (deed, now) in &deeds {
            live(&breaker, &mut permits, deed, *now);
        }
        permits.into_iter().for_each(std::mem::forget);
        // Every call works at once from here on. Silent probes are waited for once; then all places are free.
        let mut now = deeds.last().map_or(Moment::ZERO, |(_, now)| *now);
        for _ in 0..=2 * BreakerConfig::MAX_PROBES {
            match breaker.admit(now) {
                Ok(permit) => {
                    prop_assert_ne!(permit.report_timed(Outcome::Success, Duration::ZERO, now), Verdict::Stale);
                }
                // Only an operator, or a wait until the end of time, keeps it from probing.
                Err(rejected) if rejected.retry_at == Moment::MAX => return Ok(()),
                Err(rejected) => now = rejected.retry_at,
            }
            if matches!(breaker.snapshot(now).state, State::Closed | State::Disabled) {
                return Ok(());
            }
        }
        prop_assert!(false, "still {:?}", breaker.snapshot(now));
    }
}
