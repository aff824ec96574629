//! Our breaker, guard, retry and budget, as their callers use them.

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
/// The time of the caller where reading the clock is not measured.
const NOW: Moment = Moment::from_nanos(1_000_000_000);

fn breaker(config: BreakerConfig) -> Breaker {
    Breaker::new("bench", config, Arc::new(SeededEntropy::new(1)))
}

/// A breaker with rates only, to measure the window.
fn with_rates(rates: RateSettings) -> Breaker {
    let settings =
        BreakerSettings { failure_threshold: None, rates: Some(rates), ..BreakerSettings::default() };
    breaker(BreakerConfig::try_new(settings).expect("valid settings"))
}

/// A call through the breaker at a given time; whether it was rejected.
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

/// Only consecutive failures are counted: the default.
pub(crate) fn consecutive(operation: impl Operation) -> Subject {
    through(breaker(BreakerConfig::default()), operation)
}

/// The failure rate of the last 100 calls, as for the peers.
pub(crate) fn windowed(operation: impl Operation) -> Subject {
    through(with_rates(RateSettings { window: Window::Calls(100), ..RateSettings::default() }), operation)
}

fn through(breaker: Breaker, operation: impl Operation) -> Subject {
    Subject::each(NAME, move |number| {
        let now = black_box(NOW);
        Phase::Closed.fits(call(&breaker, now, || now, || operation(number)))
    })
}

/// As in the service: each call also polls for transitions of the breaker.
pub(crate) fn polling(operation: impl Operation) -> Subject {
    let breaker = breaker(BreakerConfig::default());
    Subject::each(NAME, move |number| {
        let now = black_box(NOW);
        let rejected = call(&breaker, now, || now, || operation(number));
        Phase::Closed.fits(rejected) && breaker.poll_transition().is_none()
    })
}

/// A guard without limits, around a breaker with its defaults.
fn guard(settings: GuardSettings, attempts: u32, runtime: &ManualRuntime) -> Guard {
    let config = GuardConfig::try_new(settings).expect("valid settings");
    let retry = RetrySettings { max_attempts: attempts, ..RetrySettings::default() };
    let retry = RetryPolicy::try_new(retry).expect("valid settings");
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

/// A call through the guard, without retry. The clock of its runtime is never read.
pub(crate) fn guarded(operation: impl Operation) -> Subject {
    through_guard(guard(UNLIMITED, 1, &ManualRuntime::new(0)), operation)
}

/// A call that succeeds at once, with a retry that is not needed, through the breaker.
pub(crate) fn retrying(operation: impl Operation) -> Subject {
    through_guard(guard(UNLIMITED, 3, &ManualRuntime::new(0)), operation)
}

/// A call that gets its turn at once, since the clock advances by the spacing of the turns.
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

/// A call that the open breaker rejects, with a time of the caller.
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

/// A time window with a constant number of calls, which determines the time between two of them.
pub(crate) fn timed_window(name: &'static str, records: u64) -> Subject {
    const WINDOW: Duration = Duration::from_secs(10);
    let breaker = with_rates(RateSettings { window: Window::Time(WINDOW), ..RateSettings::default() });
    let step = u64::try_from(WINDOW.as_nanos()).expect("ten seconds fit") / records;
    let newest = AtomicU64::new(NOW.as_nanos());
    Subject::looped(name, move |calls| {
        // The window stays full from one sample to the next.
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

/// Slow calls are detected: the clock is read before and after the call.
pub(crate) fn timing(operation: impl Operation) -> Subject {
    let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(1), rate: 0.5 });
    let breaker = with_rates(RateSettings { slow_calls, ..RateSettings::default() });
    let origin = now();
    let moment = move || Moment::from_origin(now().duration_since(origin));
    Subject::each(NAME, move |number| {
        Phase::Closed.fits(call(&breaker, moment(), moment, || operation(number)))
    })
}

/// A first attempt deposits into a retry budget that is full, as for a healthy target.
pub(crate) fn depositing() -> Subject {
    paying_into(RetryBudget::new(&BudgetConfig::default()))
}

/// The same with a budget that is not full, and does not become full while it is measured.
pub(crate) fn depositing_below_the_cap() -> Subject {
    let settings = BudgetSettings { cap: u32::MAX, ..BudgetSettings::default() };
    paying_into(RetryBudget::new(&BudgetConfig::try_new(settings).expect("valid settings")))
}

fn paying_into(budget: RetryBudget) -> Subject {
    Subject::each(NAME, move |_| {
        budget.deposit();
        true
    })
}
