//! The laws of the budget: against its reference model, over any interval, and with threads that race.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use ttm_kernel::Moment;
use ttm_retry::testing::{BudgetModel, BudgetStep, any_budget_settings, any_budget_step};
use ttm_retry::{BudgetConfig, BudgetSettings, RetryBudget, Source, Withdrawal};

fn config(settings: &BudgetSettings) -> BudgetConfig {
    BudgetConfig::try_new(settings.clone()).expect("valid settings")
}

fn budget(settings: &BudgetSettings) -> RetryBudget {
    RetryBudget::new(&config(settings))
}

/// A budget without a reserve.
fn deposits_only(deposit: f64, cap: u32) -> RetryBudget {
    budget(&BudgetSettings { deposit, reserve_per_second: 0.0, cap })
}

proptest! {
    #[test]
    fn the_budget_does_what_its_model_does(
        settings in any_budget_settings(),
        steps in prop::collection::vec(any_budget_step(), 1..200),
    ) {
        let budget = budget(&settings);
        let mut model = BudgetModel::new(settings);
        let mut now = Moment::ZERO;
        let mut held = Vec::new();
        for step in steps {
            match step {
                BudgetStep::Deposit => {
                    budget.deposit();
                    model.deposit();
                }
                BudgetStep::Withdraw => {
                    let withdrawal = budget.withdraw(now);
                    prop_assert_eq!(withdrawal.as_ref().map(Withdrawal::source), model.withdraw(now));
                    held.extend(withdrawal);
                }
                BudgetStep::Spend(which) if !held.is_empty() => {
                    held.swap_remove(which.index(held.len())).spend();
                }
                BudgetStep::Drop(which) if !held.is_empty() => {
                    let withdrawal = held.swap_remove(which.index(held.len()));
                    model.refund(withdrawal.source());
                }
                BudgetStep::Spend(_) | BudgetStep::Drop(_) => {}
                BudgetStep::Reconfigure(settings) => {
                    budget.reconfigure(&config(&settings), now);
                    model.reconfigure(settings, now);
                }
                BudgetStep::Wait(by) => now += by,
                BudgetStep::Rewind(by) => now = now.saturating_sub(by),
            }
            prop_assert_eq!(budget.balance().to_bits(), model.balance().to_bits());
            prop_assert_eq!(budget.exhausted_total(), model.exhausted_total());
        }
    }

    #[test]
    fn what_is_spent_in_any_interval_is_what_was_paid_in_and_what_time_gave(
        settings in any_budget_settings(),
        steps in prop::collection::vec(any_budget_step(), 1..200),
    ) {
        let burst = BudgetModel::new(settings.clone()).burst();
        let budget = budget(&settings);
        let mut now = Moment::ZERO;
        let (mut held, mut of_reserve) = (Vec::new(), Vec::new());
        let (mut deposited, mut spent, mut ever) = (0.0, 0.0, 0.0_f64);
        for step in steps {
            match step {
                BudgetStep::Deposit => {
                    budget.deposit();
                    deposited += settings.deposit;
                }
                BudgetStep::Withdraw => match budget.withdraw(now) {
                    Some(withdrawal) if withdrawal.source() == Source::Reserve => {
                        withdrawal.spend();
                        of_reserve.push(now);
                    }
                    of_deposits => held.extend(of_deposits),
                },
                BudgetStep::Spend(which) if !held.is_empty() => {
                    held.swap_remove(which.index(held.len())).spend();
                    spent += 1.0;
                }
                BudgetStep::Drop(which) if !held.is_empty() => drop(held.swap_remove(which.index(held.len()))),
                BudgetStep::Spend(_) | BudgetStep::Drop(_) => drop(budget.withdraw(now)),
                // This law holds between two changes of the settings.
                BudgetStep::Reconfigure(_) => {}
                BudgetStep::Wait(by) => now += by,
                BudgetStep::Rewind(by) => now = now.saturating_sub(by),
            }
            prop_assert!(budget.balance() <= f64::from(settings.cap));
            // What is spent, held and there, less what was paid in, rises from no step to a later one, so that no interval
            // between two steps spends more than its due; but for half a millionth that is rounded with each deposit.
            let left = spent + held.len() as f64 + budget.balance() - deposited;
            prop_assert!(left <= ever + 200.0 * 0.5e-6, "{left} <= {ever}");
            ever = ever.min(left);
        }
        of_reserve.sort_unstable();
        for (first, from) in of_reserve.iter().enumerate() {
            for (last, to) in of_reserve.iter().enumerate().skip(first) {
                let spent = (last - first + 1) as f64;
                let gave = burst + (*to - *from).as_secs_f64() * settings.reserve_per_second;
                prop_assert!(spent <= gave * (1.0 + 1e-9), "{spent} from {from:?} to {to:?}");
            }
        }
    }
}

#[test]
fn at_the_end_of_time_the_budget_does_what_its_model_does_to_the_nanosecond() {
    let settings = BudgetSettings { deposit: 0.0, reserve_per_second: 1.0, ..BudgetSettings::default() };
    for left in [0, 999_999_999, 1_000_000_000, 1_000_000_001] {
        let now = Moment::from_nanos(u64::MAX - left);
        let budget = budget(&settings);
        let taken = budget.withdraw(now).map(|withdrawal| withdrawal.source());
        assert_eq!(taken, BudgetModel::new(settings.clone()).withdraw(now), "{left} ns before it");
        assert_eq!(taken.is_some(), left >= 1_000_000_000, "what time cannot refill is not there");
    }
}

#[test]
fn threads_that_race_hand_out_exactly_what_was_paid_in() {
    const DEPOSITS: usize = 20_000;
    let budget = deposits_only(0.1, u32::MAX);
    let paying = AtomicBool::new(true);
    let spent: usize = thread::scope(|scope| {
        let payers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..DEPOSITS).for_each(|_| budget.deposit()))).collect();
        let takers: Vec<_> = (0..2).map(|_| scope.spawn(|| take_while(&budget, &paying))).collect();
        for payer in payers {
            payer.join().expect("it only deposits");
        }
        paying.store(false, Ordering::Release);
        takers.into_iter().map(|taker| taker.join().expect("it only withdraws")).sum()
    });
    let rest = take_all(&budget, Moment::ZERO);
    assert_eq!((spent + rest) * 10, 4 * DEPOSITS);
    assert_eq!(budget.balance().to_bits(), 0);
}

/// Spends what there is, and counts it. A budget that never runs out is told by the count.
fn take_all(budget: &RetryBudget, now: Moment) -> usize {
    std::iter::from_fn(|| budget.withdraw(now).map(Withdrawal::spend)).take(100_000).count()
}

/// Withdraws until the deposits end; every third withdrawal is dropped unspent. Counts what it spent.
fn take_while(budget: &RetryBudget, paying: &AtomicBool) -> usize {
    let mut spent = 0;
    for turn in 0_u32.. {
        if !paying.load(Ordering::Acquire) {
            break;
        }
        match budget.withdraw(Moment::ZERO) {
            Some(withdrawal) if turn % 3 == 0 => drop(withdrawal),
            Some(withdrawal) => {
                withdrawal.spend();
                spent += 1;
            }
            None => thread::yield_now(),
        }
    }
    spent
}

#[test]
fn threads_that_race_at_the_cap_never_carry_the_balance_over_it() {
    let budget = deposits_only(0.3, 1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    budget.deposit();
                    drop(budget.withdraw(Moment::ZERO));
                    assert!(budget.balance() <= 1.0);
                }
            });
        }
    });
    // No token is out, and each thread has deposited to the brim.
    assert_eq!(budget.balance().to_bits(), 1.0_f64.to_bits());
}

#[test]
fn threads_that_race_for_the_reserve_get_its_burst_and_what_time_adds() {
    let budget = budget(&BudgetSettings { reserve_per_second: 100.0, ..BudgetSettings::default() });
    let budget = &budget;
    let spent: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                // Each brings its own view of the clock: 0 to 10 s in steps of 1 ms, a little apart.
                scope.spawn(move || {
                    let moments = (0..10_000_u64).map(|ms| Duration::from_micros(ms * 1000 + thread));
                    let spend = |now| budget.withdraw(Moment::from_origin(now)).map(Withdrawal::spend);
                    moments.filter_map(spend).count()
                })
            })
            .collect();
        threads.into_iter().map(|each| each.join().expect("it only withdraws")).sum()
    });
    // The burst at once, and then one every 10 ms to the end at 9.999 s; however the threads are mixed, none is lost.
    assert_eq!(spent, 100 + 999);
}

#[test]
fn new_settings_keep_the_balance_up_to_their_cap_and_an_empty_reserve_empty() {
    let budget = RetryBudget::new(&BudgetConfig::default());
    for _ in 0..50 {
        budget.deposit();
    }
    let take_all = |now| take_all(&budget, now);
    let smaller = BudgetSettings { deposit: 0.5, cap: 2, ..BudgetSettings::default() };
    budget.reconfigure(&config(&smaller), Moment::ZERO);
    assert_eq!(budget.balance().to_bits(), 2.0_f64.to_bits());
    assert_eq!(take_all(Moment::ZERO), 5);
    budget.deposit();
    assert_eq!(budget.balance().to_bits(), 0.5_f64.to_bits(), "the deposit is the new one");
    // An empty reserve of a token every 1000 s owes 1000 s; the new one is empty for a second at most.
    let slow = BudgetSettings { deposit: 0.0, reserve_per_second: 0.001, ..smaller.clone() };
    budget.reconfigure(&config(&slow), Moment::ZERO);
    let later = Moment::from_origin(Duration::from_secs(10));
    assert_eq!(take_all(later), 1);
    let quick = BudgetSettings { deposit: 0.0, reserve_per_second: 3.0, ..smaller };
    budget.reconfigure(&config(&quick), later);
    assert_eq!(take_all(later), 0);
    assert_eq!(take_all(later + Duration::from_millis(1_001)), 3);
}

#[test]
fn a_token_that_goes_back_after_the_rate_changed_does_not_overfill_the_reserve() {
    let slow = BudgetSettings { deposit: 0.0, reserve_per_second: 0.001, ..BudgetSettings::default() };
    let budget = budget(&slow);
    let held = budget.withdraw(Moment::ZERO);
    budget.reconfigure(&config(&BudgetSettings { reserve_per_second: 3.0, ..slow.clone() }), Moment::ZERO);
    budget.reconfigure(&config(&slow), Moment::ZERO);
    drop(held);
    assert_eq!(take_all(&budget, Moment::ZERO), 1);
}
