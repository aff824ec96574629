//! The simulated stores keep the laws of their ports, like every other adapter: otherwise the simulator would prove
//! nothing.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use jiff::Timestamp;
use ttm_breaker::BreakerStore;
use ttm_kernel::testing::{clock_conformance, runtime_conformance};
use ttm_kernel::{Clock, Runtime, StoreLease};
use ttm_market::TokenStore;
use ttm_perf::{EventStore, MetricStore};
use ttm_recovery::RecoveryLedger;
use ttm_sim::oracle::Verdicts;
use ttm_sim::world::{SimEventStore, SimMetricStore, SimTokenStore, World};
use ttm_sim::{Executor, FaultSchedule, Plan, SimRuntime};

/// Polls a suite every virtual millisecond until it is done; a suite is not `Send`, so it cannot be a task.
fn run<F: Future<Output = ()>>(suite: impl FnOnce(SimRuntime, Arc<FaultSchedule>) -> F) {
    let mut executor = Executor::new(1, Timestamp::UNIX_EPOCH);
    let mut suite = pin!(suite(executor.runtime().clone(), Arc::default()));
    while suite.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        executor.run_until(executor.now() + Duration::from_millis(1));
    }
}

#[test]
fn the_simulated_history_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let store = SimMetricStore::new(&runtime, &faults);
        ttm_perf::testing::conformance::check(async || Box::new(store.clone()) as Box<dyn MetricStore>).await;
    });
}

#[test]
fn the_simulated_table_of_events_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let store = SimEventStore::new(&runtime, &faults);
        let open = async || Box::new(store.clone()) as Box<dyn EventStore>;
        ttm_perf::testing::event_conformance::check(open).await;
    });
}

#[test]
fn the_simulated_table_of_tokens_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let store = SimTokenStore::new(&[], &runtime, &faults);
        ttm_market::testing::conformance::token_store::check(async || {
            Box::new(store.clone()) as Box<dyn TokenStore>
        })
        .await;
    });
}

#[test]
fn the_simulated_runtime_keeps_the_laws_of_its_ports() {
    run(async |runtime, _faults| {
        runtime_conformance::check(&runtime).await;
        let pass = async |time| runtime.sleep_until(runtime.now() + time).await;
        clock_conformance::check(&runtime, pass).await;
    });
    let [one, same] = [(); 2].map(|()| Executor::new(3, Timestamp::UNIX_EPOCH));
    runtime_conformance::check_seeded(one.runtime(), same.runtime());
}

#[test]
fn the_simulated_lease_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let promised = Plan::new(1, Duration::ZERO, FaultSchedule::default()).promised;
        let verdicts = Arc::new(Verdicts::new(runtime.clone()));
        let (world, processes) = (World::new(1, 0, promised, &runtime, &faults, &verdicts), Cell::new(0));
        // An odd seed uses a row, which expires.
        let open = async || {
            processes.set(processes.get() + 1);
            Box::new(world.leases.of(processes.get(), 0, &runtime)) as Box<dyn StoreLease>
        };
        ttm_kernel::testing::check_lease(open).await;
        let pass = async |time| runtime.sleep_until(runtime.now() + time).await;
        ttm_kernel::testing::check_lease_that_runs_out(open, pass).await;
    });
}

#[test]
fn the_simulated_table_of_breakers_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let promised = Plan::new(1, Duration::ZERO, FaultSchedule::default()).promised;
        let verdicts = Arc::new(Verdicts::new(runtime.clone()));
        let world = World::new(1, 0, promised, &runtime, &faults, &verdicts);
        let claim = async || world.tokens.claim().await.expect("claim works");
        let open = async || Box::new(world.breakers.clone()) as Box<dyn BreakerStore>;
        ttm_breaker::testing::conformance::check(open, claim).await;
    });
}

#[test]
fn the_simulated_ledger_keeps_the_laws_of_its_port() {
    run(async |runtime, faults| {
        let promised = Plan::new(1, Duration::ZERO, FaultSchedule::default()).promised;
        let verdicts = Arc::new(Verdicts::new(runtime.clone()));
        let world = World::new(1, 0, promised, &runtime, &faults, &verdicts);
        let claim = async || world.tokens.claim().await.expect("claim works");
        let open = async || Box::new(world.recoveries.clone()) as Box<dyn RecoveryLedger>;
        ttm_recovery::testing::conformance::check(open, claim).await;
    });
}
