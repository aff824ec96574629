//! How long the holder of a lease may go on without it.

use std::collections::VecDeque;

use ttm_kernel::Clock as _;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;

/// A lease that never stands, and renews by a script, then with success.
struct Lapsed(Mutex<VecDeque<LeaseError>>);

#[async_trait]
impl StoreLease for Lapsed {
    async fn acquire(&self) -> Result<(), LeaseError> {
        Ok(())
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.0.lock().pop_front().map_or(Ok(()), Err)
    }

    async fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn stands(&self) -> bool {
        false
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[test]
fn a_store_that_is_away_excuses_the_holder_until_the_next_renewal() {
    let runtime = ManualRuntime::new(1);
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let away = VecDeque::from([StoreError::transient("connection refused").into()]);
    let lease = Arc::new(Lease::new(Arc::new(Lapsed(Mutex::new(away))), &clock));
    let keeping = runtime.spawn("keeper", Box::pin(lease.clone().keep(clock, fakes::board(&runtime))));
    let wait = |millis| runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_millis(millis)));
    assert!(!lease.holds(), "it was never renewed");
    wait(100);
    assert!(lease.holds(), "the store is away");
    wait(5_000);
    assert!(!lease.holds(), "the store has answered since: only the lease itself counts");
    keeping.abort();
}
