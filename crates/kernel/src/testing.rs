//! For tests here and elsewhere: how a suite runs the laws of a port ([`Laws`]) and drives its futures, and the laws of [`StoreLease`]
//! as a suite that every adapter passes, with a fake that passes it too. It knows no runtime: suites are plain futures.

#![expect(clippy::missing_panics_doc, reason = "a suite fails by panicking, and says why there")]

pub mod clock_conformance;
pub mod entropy_conformance;
mod futures;
mod laws;
pub mod runtime_conformance;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::{LeaseError, StoreError, StoreLease};

pub use futures::{cancelled_after, side_by_side, yield_now};
pub use laws::{Laws, assert_noticed, expect, works};

/// The laws that need no time to pass. `open` gives a new holder of the same lease, which is free.
///
/// ```
/// use ttm_kernel::StoreLease;
/// use ttm_kernel::testing::{FakeLeases, check_lease};
///
/// # async fn suite() {
/// let leases = FakeLeases::default();
/// check_lease(async || Box::new(leases.holder()) as Box<dyn StoreLease>).await;
/// # }
/// ```
pub async fn check_lease(open: impl AsyncFn() -> Box<dyn StoreLease>) {
    let (one, other) = (open().await, open().await);
    assert!(one.renew_every() > Duration::ZERO, "it says how often it wants to be renewed");
    assert!(!one.stands(), "nothing was granted yet");
    for _ in 0..2 {
        one.acquire().await.expect("it is free, then its own");
        assert!(one.stands(), "it was granted");
    }
    one.renew().await.expect("it has it");

    held(&*other).await;
    lost(&*other, "it never had it").await;
    other.release().await.expect("there is nothing to give up");
    one.renew().await.expect("nothing that another does takes it away");
    held(&*other).await;

    one.release().await.expect("it is given up");
    assert!(!one.stands(), "it was given up");
    other.acquire().await.expect("what was given up is free at once");
    assert!(other.stands(), "it was granted");
    lost(&*one, "it gave it up").await;
    one.release().await.expect("it has given it up already");
    other.renew().await.expect("who had it before takes nothing away");
    held(&*one).await;
    other.release().await.expect("it is given up");
}

/// The laws of a lease that runs out. `pass` lets so much time pass for holders and store alike.
pub async fn check_lease_that_runs_out(
    open: impl AsyncFn() -> Box<dyn StoreLease>,
    pass: impl AsyncFn(Duration),
) {
    /// More renewals than this are never missed by a lease that runs out.
    const MOST: u32 = 100;
    let (one, other) = (open().await, open().await);
    let every = one.renew_every();
    let runs_out = async || {
        for _ in 0..MOST {
            if !one.stands() {
                return;
            }
            pass(every).await;
        }
        panic!("a grant that is not renewed stands for ever");
    };
    one.acquire().await.expect("it is free");
    for _ in 0..MOST {
        pass(every).await;
        assert!(one.stands(), "it is renewed in time");
        held(&*other).await;
        one.renew().await.expect("it has it");
    }
    runs_out().await;
    pass(every).await;
    one.renew().await.expect("no other process came in between");
    assert!(one.stands(), "it was renewed");
    runs_out().await;
    pass(every).await;
    other.acquire().await.expect("it has run out");
    let holder = lost(&*one, "another took over").await;
    assert!(holder.is_some(), "the new holder is named");
    assert!(!one.stands() && other.stands(), "one has it");
    held(&*one).await;
    other.release().await.expect("it is given up");
}

async fn held(lease: &dyn StoreLease) {
    match lease.acquire().await {
        Err(LeaseError::Held { holder, .. }) => {
            assert!(!holder.is_empty() && !holder.contains('\n'), "{holder:?} is a name in one line");
        }
        other => panic!("another has it, and the answer is {other:?}"),
    }
    assert!(!lease.stands(), "it was refused");
}

async fn lost(lease: &dyn StoreLease, why: &str) -> Option<String> {
    match lease.renew().await {
        Err(LeaseError::Lost { holder }) => holder,
        other => panic!("{why}, and the answer is {other:?}"),
    }
}

/// A lease in memory, and its time.
#[derive(Clone, Debug, Default)]
pub struct FakeLeases(Arc<Mutex<Row>>);

#[derive(Debug, Default)]
struct Row {
    now: Duration,
    holders: u64,
    /// Who has it, until when.
    held: Option<(u64, Duration)>,
}

impl FakeLeases {
    /// Another holder.
    pub fn holder(&self) -> FakeLease {
        let mut row = self.row();
        row.holders += 1;
        FakeLease { leases: self.clone(), id: row.holders, until: Mutex::default() }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.row().now += time;
    }

    fn row(&self) -> MutexGuard<'_, Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fake lease as one process sees it.
#[derive(Debug)]
pub struct FakeLease {
    leases: FakeLeases,
    id: u64,
    until: Mutex<Duration>,
}

impl FakeLease {
    const TTL: Duration = Duration::from_secs(15);

    fn set(&self, until: Duration) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// The holder that is in the way, if any.
    fn take(&self, is_renewal: bool) -> Result<(), Option<u64>> {
        let mut row = self.leases.row();
        let taken = match row.held {
            Some((id, _)) if id == self.id => Ok(()),
            Some((id, until)) if row.now < until || is_renewal => Err(Some(id)),
            None if is_renewal => Err(None),
            Some(_) | None => Ok(()),
        };
        let until = if taken.is_ok() { row.now + Self::TTL } else { Duration::ZERO };
        if taken.is_ok() {
            row.held = Some((self.id, until));
        }
        self.set(until);
        taken
    }
}

#[async_trait]
impl StoreLease for FakeLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.take(false).map_err(|id| LeaseError::Held { holder: name(id.unwrap_or_default()), until: None })
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.take(true).map_err(|id| LeaseError::Lost { holder: id.map(name) })
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.set(Duration::ZERO);
        let mut row = self.leases.row();
        row.held = row.held.filter(|(id, _)| *id != self.id);
        Ok(())
    }

    fn stands(&self) -> bool {
        self.leases.row().now < *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(5)
    }
}

fn name(id: u64) -> String {
    format!("holder {id}")
}
