//! Strategies: settings small enough that every state is reached often, and steps that make sense in a model's state.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::{Model, Step};
use crate::{BreakerSettings, CountAs, Outcome};

/// Valid settings without jitter.
pub fn any_settings() -> impl Strategy<Value = BreakerSettings> {
    let count_as = || prop_oneof![Just(CountAs::Ignored), Just(CountAs::Failure)];
    let probes = (1_u32..5).prop_flat_map(|most| (Just(most), 1..=most));
    (1_u32..4, 1_u64..30, 0_u64..100, probes, 1_u64..30, count_as(), count_as()).prop_map(
        |(failure_threshold, recovery, more, (most, successes), lease, on_cancel, on_panic)| {
            BreakerSettings {
                failure_threshold,
                recovery_timeout: Duration::from_secs(recovery),
                max_recovery_timeout: Duration::from_secs(recovery + more),
                recovery_jitter: 0.0,
                half_open_max_calls: most,
                success_threshold: successes,
                probe_lease: Duration::from_secs(lease),
                on_cancel,
                on_panic,
            }
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
        ],
    ];
    let out = model.calls_out();
    if out.is_empty() {
        return elsewhere.boxed();
    }
    let permit = select(out);
    let report =
        (permit.clone(), any_outcome(model)).prop_map(|(permit, outcome)| Step::Report { permit, outcome });
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
