//! The fake lease keeps the laws of its port, and the suite notices who does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::testing::{FakeLease, FakeLeases, check_lease, check_lease_that_runs_out};
use ttm_kernel::{LeaseError, StoreError, StoreLease};

/// Nothing here ever waits.
fn run<F: Future<Output = ()>>(suite: F) {
    assert_eq!(pin!(suite).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn the_fake_keeps_every_law() {
    let leases = FakeLeases::default();
    let open = async || Box::new(leases.holder()) as Box<dyn StoreLease>;
    run(check_lease(open));
    run(check_lease_that_runs_out(open, async |time| leases.pass(time)));
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    GrantsToEveryone,
    KeepsWhatIsReleased,
    StandsForEver,
    RenewsWhatItLost,
}

struct Broken {
    lease: FakeLease,
    bug: Bug,
}

#[async_trait]
impl StoreLease for Broken {
    async fn acquire(&self) -> Result<(), LeaseError> {
        match self.lease.acquire().await {
            Err(_) if self.bug == Bug::GrantsToEveryone => Ok(()),
            answer => answer,
        }
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        match self.lease.renew().await {
            Err(LeaseError::Lost { holder: Some(_) }) if self.bug == Bug::RenewsWhatItLost => Ok(()),
            answer => answer,
        }
    }

    async fn release(&self) -> Result<(), StoreError> {
        if self.bug == Bug::KeepsWhatIsReleased {
            return Ok(());
        }
        self.lease.release().await
    }

    fn stands(&self) -> bool {
        self.bug == Bug::StandsForEver || self.lease.stands()
    }

    fn renew_every(&self) -> Duration {
        self.lease.renew_every()
    }
}

#[test]
fn the_suite_notices_a_lease_that_breaks_a_law() {
    let bugs = [Bug::GrantsToEveryone, Bug::KeepsWhatIsReleased, Bug::StandsForEver, Bug::RenewsWhatItLost];
    for bug in bugs {
        let leases = FakeLeases::default();
        let open = async || {
            let lease = Broken { lease: leases.holder(), bug };
            Box::new(lease) as Box<dyn StoreLease>
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| run(check_lease(open))));
        assert!(outcome.is_err(), "{bug:?} goes unnoticed");
    }
}
