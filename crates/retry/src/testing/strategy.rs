//! Strategies: policies up to the edges of what is valid, budgets small enough to be empty and full often, and steps.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::{BudgetSettings, Class, Jitter, RetryPolicy, RetrySettings};

/// From a nanosecond to the longest there is, never zero.
pub fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (1_u64..1_000_000).prop_map(Duration::from_millis),
        1 => (1_u64..1_000).prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ]
}

/// Each jitter as often as the others.
pub fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![Just(Jitter::None), Just(Jitter::Full), Just(Jitter::Equal), Just(Jitter::Decorrelated)]
}

/// Mostly what may pass by itself.
pub fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![4 => Just(Class::Transient), 2 => Just(Class::RateLimited), 1 => Just(Class::Permanent)]
}

/// A valid policy, with the extremes of each setting.
#[expect(clippy::missing_panics_doc, reason = "what it makes is valid")]
pub fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let attempts = prop_oneof![4 => 1_u32..10, 1 => Just(u32::MAX)];
    let multiplier = prop_oneof![4 => 1.0_f64..10.0, 1 => Just(1.0), 1 => Just(f64::MAX)];
    (attempts, any_duration(), multiplier, any_duration(), any_jitter(), any_duration()).prop_map(
        |(max_attempts, base_delay, multiplier, max_delay, jitter, max_retry_after)| {
            let max_delay = max_delay.max(base_delay);
            let max_retry_after = max_retry_after.max(max_delay);
            let settings =
                RetrySettings { max_attempts, base_delay, multiplier, max_delay, jitter, max_retry_after };
            RetryPolicy::try_new(settings).expect("ordered by the strategy")
        },
    )
}

/// Valid settings of a budget, mostly with a small cap.
pub fn any_budget_settings() -> impl Strategy<Value = BudgetSettings> {
    let cap = prop_oneof![8 => 1_u32..5, 1 => Just(100), 1 => Just(u32::MAX)];
    let deposit = prop_oneof![1 => Just(0.0), 2 => Just(0.1), 4 => 0.000_001_f64..1.0, 1 => Just(1.0)];
    let reserve = prop_oneof![1 => Just(0.0), 1 => Just(0.001), 2 => Just(3.0), 4 => 0.001_f64..8.0];
    (deposit, reserve, cap).prop_map(|(deposit, reserve_per_second, cap)| BudgetSettings {
        deposit,
        reserve_per_second,
        cap,
    })
}

/// What can happen to a budget. An index names one of the withdrawals that are held.
#[derive(Clone, Debug)]
pub enum BudgetStep {
    /// A first try is made.
    Deposit,
    /// A caller wants to retry.
    Withdraw,
    /// A retry is made.
    Spend(Index),
    /// A retry is not made after all.
    Drop(Index),
    /// The budget is reconfigured.
    Reconfigure(BudgetSettings),
    /// Time passes.
    Wait(Duration),
    /// The next callers bring a `now` that is this much older.
    Rewind(Duration),
}

/// A step, in proportions that keep a small budget between empty and full.
pub fn any_budget_step() -> impl Strategy<Value = BudgetStep> {
    let time = || prop_oneof![4 => (0_u64..2_000).prop_map(Duration::from_millis), 1 => any_duration()];
    prop_oneof![
        8 => Just(BudgetStep::Deposit),
        8 => Just(BudgetStep::Withdraw),
        3 => any::<Index>().prop_map(BudgetStep::Spend),
        3 => any::<Index>().prop_map(BudgetStep::Drop),
        1 => any_budget_settings().prop_map(BudgetStep::Reconfigure),
        3 => time().prop_map(BudgetStep::Wait),
        1 => time().prop_map(BudgetStep::Rewind),
    ]
}
