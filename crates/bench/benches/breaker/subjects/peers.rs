//! The breakers of other crates, each with its natural API, configured to stay in the measured phase.

use std::future::poll_fn;
use std::task::Waker;
use std::time::Duration;

use circuitbreaker_rs::{BreakerError, CircuitBreaker, DefaultPolicy};
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use failsafe::{StateMachine, backoff};
use layered::{Execute, Service as _, Stack};
use recloser::{AsyncRecloser, Recloser};
use seatbelt::breaker::Breaker;
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::runtime::InactiveClock;
use tower::{Service as _, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};

use super::{Answer, Fault, LONG, Operation, Phase, finish};
use ttm_bench::Subject;

/// Consecutive failures or calls in a window, for the peers with such a setting.
const WINDOW: u32 = 100;

/// The defaults: half of 100 calls, in a ring under a spin lock.
fn new_recloser(phase: Phase) -> Recloser {
    let breaker = Recloser::custom().open_wait(LONG).build();
    if phase == Phase::Open {
        // It evaluates once its ring is full, at the next call.
        for _ in 0..=WINDOW {
            let _ = breaker.call(|| Err::<u64, _>(Fault::Failed));
        }
    }
    breaker
}

pub(crate) fn recloser(phase: Phase, operation: impl Operation) -> Subject {
    let breaker = new_recloser(phase);
    Subject::each("recloser", move |number| {
        let answer = breaker.call(|| operation(number));
        phase.fits(matches!(answer, Err(recloser::Error::Rejected)))
    })
}

pub(crate) fn recloser_async(operation: impl Operation) -> Subject {
    let breaker = AsyncRecloser::from(new_recloser(Phase::Closed));
    Subject::each("recloser", move |number| {
        let answer = finish(breaker.call(async move { operation(number) }));
        Phase::Closed.fits(matches!(answer, Err(recloser::Error::Rejected)))
    })
}

/// Its cheapest policy: consecutive failures, without the moving average that reads the clock at each call.
fn new_failsafe(phase: Phase) -> StateMachine<ConsecutiveFailures<backoff::Constant>, ()> {
    let breaker =
        failsafe::Config::new().failure_policy(consecutive_failures(5, backoff::constant(LONG))).build();
    if phase == Phase::Open {
        (0..5).for_each(|_| breaker.on_error());
    }
    breaker
}

pub(crate) fn failsafe(phase: Phase, operation: impl Operation) -> Subject {
    let breaker = new_failsafe(phase);
    Subject::each("failsafe", move |number| {
        let answer = failsafe::CircuitBreaker::call(&breaker, || operation(number));
        phase.fits(matches!(answer, Err(failsafe::Error::Rejected)))
    })
}

pub(crate) fn failsafe_async(operation: impl Operation) -> Subject {
    let breaker = new_failsafe(Phase::Closed);
    Subject::each("failsafe", move |number| {
        let call = failsafe::futures::CircuitBreaker::call(&breaker, async move { operation(number) });
        Phase::Closed.fits(matches!(finish(call), Err(failsafe::Error::Rejected)))
    })
}

/// Whether it also detects slow calls; it reads the clock twice per call in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlowCalls {
    Ignored,
    Noticed,
}

/// Each thread has a clone of the service, as usual for tower; they share the circuit. Its calls are asynchronous only.
pub(crate) fn tower_resilience(phase: Phase, slow: SlowCalls, operation: impl Operation) -> Subject {
    let mut builder = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(WINDOW as usize)
        .wait_duration_in_open(LONG);
    if slow == SlowCalls::Noticed {
        builder = builder.slow_call_duration_threshold(Duration::from_secs(1)).slow_call_rate_threshold(0.5);
    }
    let (layer, handle) = builder.build_with_handle().expect("valid settings");
    if phase == Phase::Open {
        finish(handle.force_open());
    }
    let service = layer.layer_fn(service_fn(move |number| async move { operation(number) }));
    Subject::with_own(
        "tower-resilience",
        move || service.clone(),
        move |service, number| {
            let answer = finish(async {
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(number).await
            });
            phase.fits(matches!(answer, Err(CircuitBreakerError::OpenCircuit)))
        },
    )
}

pub(crate) fn circuitbreaker_rs(phase: Phase, operation: impl Operation) -> Subject {
    let breaker = CircuitBreaker::<DefaultPolicy, Fault>::builder()
        .failure_threshold(0.5)
        .min_throughput(u64::from(WINDOW))
        .cooldown(LONG)
        .build();
    if phase == Phase::Open {
        breaker.force_open();
    }
    Subject::each("circuitbreaker-rs", move |number| {
        let answer = breaker.call(|| operation(number));
        phase.fits(matches!(answer, Err(BreakerError::Open)))
    })
}

/// Its calls are asynchronous only; telemetry is off.
pub(crate) fn seatbelt(phase: Phase, operation: impl Operation) -> Subject {
    // Nothing waits for this clock, so it is not driven.
    let (clock, driver) = InactiveClock::default().activate(Waker::noop().clone());
    let context = ResilienceContext::new(&clock);
    let stack = (
        Breaker::layer("bench", &context)
            .recovery_with(|answer: &Answer, _| match answer {
                Ok(_) => RecoveryInfo::never(),
                Err(_) => RecoveryInfo::retry(),
            })
            .rejected_input_error(|_, _| Fault::Rejected)
            .failure_threshold(0.5)
            .min_throughput(WINDOW)
            .break_duration(LONG),
        Execute::new(move |number: u64| async move {
            // The call that opens the breaker has a number that no measured call has.
            if number == u64::MAX { Err(Fault::Failed) } else { operation(number) }
        }),
    );
    let service = stack.into_service();
    if phase == Phase::Open {
        for _ in 0..=WINDOW {
            let _ = finish(service.execute(u64::MAX));
        }
    }
    Subject::each("seatbelt", move |number| {
        let _kept = &driver;
        let answer = finish(service.execute(number));
        phase.fits(answer == Err(Fault::Rejected))
    })
}
