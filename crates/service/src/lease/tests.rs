//! How long the holder of a lease may go on without it.

use ttm_kernel::Clock as _;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes::{self, ScriptedLease};

#[test]
fn a_store_that_is_away_excuses_the_holder_until_the_next_renewal() {
    let runtime = ManualRuntime::new(1);
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let port = Arc::new(ScriptedLease::new(false));
    port.renewals.lock().extend([(); 2].map(|()| StoreError::transient("connection refused").into()));
    let lease = Arc::new(Lease::new(port, &clock));
    let (life, _order) = fakes::life(&runtime);
    let keeping = runtime.spawn("keeper", Box::pin(lease.clone().keep(life, fakes::board(&runtime))));
    let wait = |millis| runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_millis(millis)));
    assert!(!lease.holds(), "it was never renewed");
    wait(100);
    assert!(lease.holds(), "the store is away");
    wait(5_000);
    assert!(!lease.holds(), "the store has answered since: only the lease itself counts");
    keeping.abort();
}

#[test]
fn a_renewal_that_fails_once_after_a_pause_excuses_nothing_and_finds_out_who_took_over() {
    let runtime = ManualRuntime::new(1);
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let port = Arc::new(ScriptedLease::new(false));
    let in_its_old_session = StoreError::transient("the session is closed (SQLSTATE 25P03)");
    port.renewals.lock().extend([in_its_old_session.into(), LeaseError::Lost { holder: None }]);
    let lease = Arc::new(Lease::new(port, &clock));
    let (life, _order) = fakes::life(&runtime);
    let begun = runtime.now();
    runtime.block_on(lease.clone().keep(life, fakes::board(&runtime)));
    assert!(lease.lost().is_some() && !lease.holds());
    assert_eq!(runtime.now(), begun, "at once");
}

#[test]
fn a_lease_has_lapsed_since_it_was_first_seen_until_it_stands_again() {
    let runtime = ManualRuntime::new(1);
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let port = Arc::new(ScriptedLease::new(true));
    let lease = Lease::new(port.clone(), &clock);
    let wait = || runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_secs(1)));
    assert_eq!((lease.lapsed_since(), lease.lapsed_until()), (None, None));
    *port.stands.lock() = false;
    let first = runtime.now();
    for _ in 0..2 {
        assert_eq!(lease.lapsed_since(), Some(first));
        wait();
    }
    *port.stands.lock() = true;
    assert_eq!(lease.lapsed_since(), None);
    assert_eq!(lease.lapsed_until(), Some(first + Duration::from_secs(1)), "when it was seen last");
    *port.stands.lock() = false;
    assert_eq!(lease.lapsed_since(), Some(runtime.now()), "it has stood meanwhile");
}
