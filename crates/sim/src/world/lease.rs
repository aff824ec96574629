//! The lease on the simulated store: one process of this world at a time has it. A process that was killed is known to be
//! dead, as it is on the machine that it ran on.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::{Clock, LeaseError, Moment, StoreError, StoreLease};

use crate::SimRuntime;
use crate::executor::lock;

/// How long a grant or a renewal lasts.
const TTL: Duration = Duration::from_secs(15);
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// The row of the lease.
#[derive(Clone, Debug, Default)]
pub struct SimLeases(Arc<Mutex<Option<Row>>>);

#[derive(Debug)]
struct Row {
    process: u64,
    /// What lives exactly as long as the process.
    alive: Weak<()>,
    until: Moment,
}

impl SimLeases {
    /// The lease as the process of this number sees it.
    pub fn of(&self, process: u64, runtime: &SimRuntime) -> SimLease {
        let (leases, runtime) = (self.clone(), runtime.clone());
        SimLease { process, leases, runtime, alive: Arc::new(()), stands_until: Mutex::default() }
    }
}

/// The lease as one process sees it.
#[derive(Debug)]
pub struct SimLease {
    process: u64,
    leases: SimLeases,
    runtime: SimRuntime,
    alive: Arc<()>,
    stands_until: Mutex<Option<Moment>>,
}

impl SimLease {
    async fn take(&self, lost: bool) -> Result<(), LeaseError> {
        let begun = self.runtime.now();
        self.runtime.yields().await;
        let now = self.runtime.now();
        let mut row = lock(&self.leases.0);
        let other = row.as_ref().filter(|row| row.process != self.process);
        let other = other.filter(|row| now < row.until && row.alive.upgrade().is_some());
        if let Some(other) = other {
            let holder = format!("process {}", other.process);
            return Err(if lost {
                LeaseError::Lost { holder: Some(holder) }
            } else {
                LeaseError::Held { holder, until: None }
            });
        }
        let is_own = row.as_ref().is_some_and(|row| row.process == self.process);
        if lost && !is_own {
            return Err(LeaseError::Lost { holder: None });
        }
        *row = Some(Row { process: self.process, alive: Arc::downgrade(&self.alive), until: now + TTL });
        *lock(&self.stands_until) = Some(begun + TTL);
        Ok(())
    }
}

#[async_trait]
impl StoreLease for SimLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.take(false).await
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.take(true).await
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.runtime.yields().await;
        *lock(&self.stands_until) = None;
        let mut row = lock(&self.leases.0);
        if row.as_ref().is_some_and(|row| row.process == self.process) {
            *row = None;
        }
        Ok(())
    }

    fn stands(&self) -> bool {
        lock(&self.stands_until).is_some_and(|until| self.runtime.now() < until)
    }

    fn renew_every(&self) -> Duration {
        RENEW_EVERY
    }
}
