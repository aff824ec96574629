//! Strategies: settings small enough that every state is reached often, and steps that make sense in a model's state.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::{Model, Step};
use crate::{BreakerSettings, CountAs, Outcome, RateSettings, SlowCallSettings, Window};

/// Valid settings without jitter.
pub fn any_settings() -> impl Strategy<Value = BreakerSettings> {
    let count_as = || prop_oneof![Just(CountAs::Ignored), Just(CountAs::Failure)];
    let probes = (1_u32..5).prop_flat_map(|most| (Just(most), 1..=most));
    let rules = prop_oneof![
        2 => (1_u32..4).prop_map(|threshold| (Some(threshold), None)),
        2 => any_rates().prop_map(|rates| (None, Some(rates))),
        1 => (1_u32..5, any_rates()).prop_map(|(threshold, rates)| (Some(threshold), Some(rates))),
    ];
    let metrics_only = prop_oneof![9 => Just(false), 1 => Just(true)];
    (rules, 1_u64..30, 0_u64..100, probes, 1_u64..30, count_as(), count_as(), metrics_only).prop_map(
        |(rules, recovery, more, (most, successes), lease, on_cancel, on_panic, metrics_only)| {
            BreakerSettings {
                failure_threshold: rules.0,
                rates: rules.1,
                recovery_timeout: Duration::from_secs(recovery),
                max_recovery_timeout: Duration::from_secs(recovery + more),
                recovery_jitter: 0.0,
                half_open_max_calls: most,
                success_threshold: successes,
                probe_lease: Duration::from_secs(lease),
                on_cancel,
                on_panic,
                metrics_only,
            }
        },
    )
}

fn any_rates() -> impl Strategy<Value = RateSettings> {
    // Windows small enough to fill and to slide within one test.
    let window = prop_oneof![
        (1_u32..12).prop_flat_map(|size| (Just(Window::Calls(size)), 1..=size)),
        (1_u64..100, 1_u32..8)
            .prop_map(|(seconds, calls)| (Window::Time(Duration::from_secs(seconds)), calls)),
    ];
    let rate = || prop_oneof![4 => 0.05_f64..=1.0, 1 => select(vec![0.2, 0.25, 0.5, 1.0])];
    let slow = (1_u64..20, rate())
        .prop_map(|(seconds, rate)| SlowCallSettings { duration: Duration::from_secs(seconds), rate });
    (window, rate(), proptest::option::of(slow)).prop_map(
        |((window, minimum_calls), failure_rate, slow_calls)| RateSettings {
            window,
            minimum_calls,
            failure_rate,
            slow_calls,
        },
    )
}

/// Other valid settings: some of these, and the others as they are.
fn other_settings(old: BreakerSettings) -> impl Strategy<Value = Step> {
    let any = || proptest::bool::ANY;
    (any_settings(), any(), any(), any(), any(), any()).prop_map(
        move |(new, rules, window, periods, probes, counts)| {
            let mut settings = old.clone();
            if rules {
                settings.failure_threshold = new.failure_threshold;
                settings.rates = match (old.rates, new.rates) {
                    // The rules of the new rates, of the window as it is.
                    (Some(old), Some(new)) if window => {
                        let most = if let Window::Calls(size) = old.window { size } else { u32::MAX };
                        Some(RateSettings {
                            window: old.window,
                            minimum_calls: new.minimum_calls.min(most),
                            ..new
                        })
                    }
                    (_, rates) => rates,
                };
            }
            if periods {
                settings.recovery_timeout = new.recovery_timeout;
                settings.max_recovery_timeout = new.max_recovery_timeout;
                settings.probe_lease = new.probe_lease;
            }
            if probes {
                settings.half_open_max_calls = new.half_open_max_calls;
                settings.success_threshold = new.success_threshold;
            }
            if counts {
                settings.on_cancel = new.on_cancel;
                settings.on_panic = new.on_panic;
                settings.metrics_only = new.metrics_only;
            }
            Step::Reconfigure(Box::new(settings))
        },
    )
}

/// A step that can be made in this state of the model.
pub fn any_step(model: &Model) -> BoxedStrategy<Step> {
    let elsewhere = prop_oneof![
        8 => Just(Step::Admit),
        4 => (0_u64..40).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        1 => (0_u64..40).prop_map(|seconds| Step::Rewind(Duration::from_secs(seconds))),
        1 => prop_oneof![
            1 => Just(Step::ForceOpen),
            1 => Just(Step::Disable),
            3 => Just(Step::Reset),
            1 => Just(Step::Wait(Duration::MAX)),
            2 => (0_u64..40).prop_map(|seconds| Step::Restart(Duration::from_secs(seconds))),
        ],
        1 => other_settings(model.settings().clone()),
    ];
    let out = model.calls_out();
    if out.is_empty() {
        return elsewhere.boxed();
    }
    let permit = select(out);
    let took = proptest::option::of((0_u64..25).prop_map(Duration::from_secs));
    let report = (permit.clone(), any_outcome(model), took)
        .prop_map(|(permit, outcome, took)| Step::Report { permit, outcome, took });
    let drop = permit.clone().prop_map(|permit| Step::Drop { permit });
    let leak = permit.prop_map(|permit| Step::Leak { permit });
    prop_oneof![6 => elsewhere, 8 => report, 1 => drop, 1 => leak].boxed()
}

fn any_outcome(model: &Model) -> impl Strategy<Value = Outcome> + use<> {
    let now = model.now();
    let retry_at = (0_u64..90).prop_map(move |seconds| now + Duration::from_secs(seconds));
    prop_oneof![
        4 => Just(Outcome::Success),
        6 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
        1 => proptest::option::of(retry_at).prop_map(|retry_at| Outcome::RateLimited { retry_at }),
    ]
}
