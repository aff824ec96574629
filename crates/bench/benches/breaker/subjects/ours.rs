//! Our own breaker, guard, retry and budget, as their callers use them. It knows no peer.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_breaker::{Breaker, BreakerConfig, BreakerSettings, RateSettings, SlowCallSettings, Window};
use ttm_guard::{Disposition, Guard, GuardConfig, GuardSettings};
use ttm_kernel::Moment;
use ttm_retry::{BudgetConfig, BudgetSettings, RetryBudget, RetryPolicy, RetrySettings};
use ttm_testkit::{ManualRuntime, SeededEntropy};

use super::{Answer, Operation, Phase, finish, works};
use ttm_bench::{Subject, now};

const NAME: &str = "ours";
/// The time that callers bring along where the clock is not what is measured.
const NOW: Moment = Moment::from_nanos(1_000_000_000);

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new("bench", config, Arc::new(SeededEntropy::new(1)))
}

/// A breaker that looks at shares alone, so that what is measured is the window.
fn with_rates(rates: RateSettings) -> Breaker {
    let settings =
        BreakerSettings { failure_threshold: None, rates: Some(rates), ..BreakerSettings::default() };
    breaker(BreakerConfig::try_new(settings).expect("the settings are sound"))
}

/// One call through the breaker at a given time: whether it was rejected.
fn call(
    breaker: &Breaker,
    begun: Moment,
    ended: impl FnOnce() -> Moment,
    operation: impl FnOnce() -> Answer,
) -> bool {
    let Ok(permit) = breaker.admit(begun) else { return true };
    match operation() {
        Ok(_) => permit.success(ended()),
        Err(_) => permit.failure(ended()),
    };
    false
}

/// Failures in a row alone are counted: the default.
pub(crate) fn consecutive(operation: impl Operation) -> Subject {
    through(breaker(BreakerConfig::default()), operation)
}

/// The share of failures in the last 100 calls is counted, as the peers count it.
pub(crate) fn windowed(operation: impl Operation) -> Subject {
    through(with_rates(RateSettings { window: Window::Calls(100), ..RateSettings::default() }), operation)
}

fn through(breaker: Breaker, operation: impl Operation) -> Subject {
    Subject::each(NAME, move |number| {
        let now = black_box(NOW);
        Phase::Closed.fits(call(&breaker, now, || now, || operation(number)))
    })
}

/// What the service does for each call: it also looks whether the breaker changed its state.
pub(crate) fn polling(operation: impl Operation) -> Subject {
    let breaker = breaker(BreakerConfig::default());
    Subject::each(NAME, move |number| {
        let now = black_box(NOW);
        let rejected = call(&breaker, now, || now, || operation(number));
        Phase::Closed.fits(rejected) && breaker.poll_transition().is_none()
    })
}

/// A guard that neither limits nor charges, around a breaker with its defaults.
fn guard(settings: GuardSettings, attempts: u32, runtime: &ManualRuntime) -> Guard {
    let config = GuardConfig::try_new(settings).expect("the settings are sound");
    let retry = RetrySettings { max_attempts: attempts, ..RetrySettings::default() };
    let retry = RetryPolicy::try_new(retry).expect("the settings are sound");
    let breaker = Arc::new(breaker(BreakerConfig::default()));
    Guard::new(config, breaker, retry, Arc::new(runtime.clone()), "bench")
}

const UNLIMITED: GuardSettings = GuardSettings {
    attempt_timeout: Duration::from_secs(5),
    deadline: Duration::from_secs(30),
    requests_per_minute: None,
    rate_recovery: Duration::from_mins(1),
    headroom_percent: 0.0,
    max_concurrent: None,
    budget: None,
};

fn through_guard(guard: Guard, operation: impl Operation) -> Subject {
    Subject::each(NAME, move |number| {
        let call = guard.call(Moment::MAX, |_| TRANSIENT, |_| async move { operation(number) });
        Phase::Closed.fits(finish(call).is_err())
    })
}

const TRANSIENT: Disposition = Disposition::Transient { retry_after: None };

/// A call of a future through the guard, without retry. Its runtime's clock is never read.
pub(crate) fn guarded(operation: impl Operation) -> Subject {
    through_guard(guard(UNLIMITED, 1, &ManualRuntime::new(0)), operation)
}

/// A call that works at once, with a retry around it that is not needed, and the breaker that each attempt passes.
pub(crate) fn retrying(operation: impl Operation) -> Subject {
    through_guard(guard(UNLIMITED, 3, &ManualRuntime::new(0)), operation)
}

/// A call that gets its turn at once, since the clock moves on by as much as turns are apart.
pub(crate) fn turn() -> Subject {
    let settings = GuardSettings { requests_per_minute: Some(60_000), ..UNLIMITED };
    let runtime = ManualRuntime::new(0);
    let guard = guard(settings, 1, &runtime);
    Subject::each(NAME, move |number| {
        runtime.clock().advance(Duration::from_millis(1));
        let call = guard.call(Moment::MAX, |_| TRANSIENT, |_| async move { works(number) });
        Phase::Closed.fits(finish(call).is_err())
    })
}

/// A call that the open breaker rejects; the caller has the time at hand.
pub(crate) fn rejecting() -> Subject {
    let breaker = breaker(BreakerConfig::default());
    while let Ok(permit) = breaker.admit(NOW) {
        permit.failure(NOW);
    }
    Subject::each(NAME, move |number| {
        let now = black_box(NOW);
        Phase::Open.fits(call(&breaker, now, || now, || works(number)))
    })
}

/// A window of time with so many calls in it, at all times: the time between two calls follows from that.
pub(crate) fn timed_window(name: &'static str, records: u64) -> Subject {
    const WINDOW: Duration = Duration::from_secs(10);
    let breaker = with_rates(RateSettings { window: Window::Time(WINDOW), ..RateSettings::default() });
    let step = u64::try_from(WINDOW.as_nanos()).expect("ten seconds are few nanoseconds") / records;
    let newest = AtomicU64::new(NOW.as_nanos());
    Subject::looped(name, move |calls| {
        // The window is as full in a later sample as it was at the end of the one before.
        let begun = newest.load(Ordering::Relaxed);
        let at = |number: u64| Moment::from_nanos(begun + step * number);
        let right = (0..calls)
            .map(|number| {
                let now = black_box(at(number));
                u64::from(Phase::Closed.fits(call(&breaker, now, || now, || works(number))))
            })
            .sum();
        newest.store(at(calls).as_nanos(), Ordering::Relaxed);
        right
    })
}

/// Slow calls are noticed: the clock is read before the call and after it.
pub(crate) fn timing(operation: impl Operation) -> Subject {
    let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(1), rate: 0.5 });
    let breaker = with_rates(RateSettings { slow_calls, ..RateSettings::default() });
    let origin = now();
    let moment = move || Moment::from_origin(now().duration_since(origin));
    Subject::each(NAME, move |number| {
        Phase::Closed.fits(call(&breaker, moment(), moment, || operation(number)))
    })
}

/// A first try pays into the budget of retries, which is full: that of a healthy target.
pub(crate) fn depositing() -> Subject {
    paying_into(RetryBudget::new(&BudgetConfig::default()))
}

/// The same before the budget is full, which it does not get while it is measured.
pub(crate) fn depositing_below_the_cap() -> Subject {
    let settings = BudgetSettings { cap: u32::MAX, ..BudgetSettings::default() };
    paying_into(RetryBudget::new(&BudgetConfig::try_new(settings).expect("the settings are sound")))
}

fn paying_into(budget: RetryBudget) -> Subject {
    Subject::each(NAME, move |_| {
        budget.deposit();
        true
    })
}
