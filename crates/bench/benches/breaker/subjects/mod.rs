//! The subjects, and the call that each of them wraps.

pub(crate) mod floor;
pub(crate) mod ours;
pub(crate) mod peers;
pub(crate) mod policies;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::hint::{black_box, spin_loop};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Longer than any run, so that an open breaker stays open.
pub(crate) const LONG: Duration = Duration::from_hours(24);

/// How a call ended.
pub(crate) type Answer = Result<u64, Fault>;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call itself failed.
    Failed,
    /// It was rejected: for peers that return an error of the caller.
    Rejected,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        })
    }
}

impl Error for Fault {}

/// The wrapped call: it gets its number, and costs next to nothing.
pub(crate) trait Operation: Fn(u64) -> Answer + Copy + Send + Sync + 'static {}

impl<F: Fn(u64) -> Answer + Copy + Send + Sync + 'static> Operation for F {}

/// All calls succeed.
pub(crate) fn works(number: u64) -> Answer {
    black_box(Ok(number))
}

/// Every tenth call fails.
pub(crate) fn fails_each_tenth(number: u64) -> Answer {
    black_box(if number % 10 == 9 { Err(Fault::Failed) } else { Ok(number) })
}

/// The state that a breaker is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Closed,
    Open,
}

impl Phase {
    /// Whether a call in this phase had the expected result: rejected if the breaker is open, and only then.
    pub(crate) fn fits(self, rejected: bool) -> bool {
        rejected == (self == Self::Open)
    }
}

/// Polls a future until it is ready, without a waker. It is polled more than once only if another thread holds a lock.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        spin_loop();
    }
}
