//! What is measured, and the call that all of it is put around. It measures nothing.

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

/// Longer than any run, so that what is open stays open.
pub(crate) const LONG: Duration = Duration::from_hours(24);

/// How a call ended.
pub(crate) type Answer = Result<u64, Fault>;

/// Why a call brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call itself failed.
    Failed,
    /// It was not made: for the peers that answer with the caller's own error.
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

/// The call that a breaker is put around: it gets its number, and costs next to nothing.
pub(crate) trait Operation: Fn(u64) -> Answer + Copy + Send + Sync + 'static {}

impl<F: Fn(u64) -> Answer + Copy + Send + Sync + 'static> Operation for F {}

/// Every call works.
pub(crate) fn works(number: u64) -> Answer {
    black_box(Ok(number))
}

/// Every tenth call fails, and never two in a row.
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
    /// Whether a call in this phase went as it should: rejected when the breaker is open, and only then.
    pub(crate) fn fits(self, rejected: bool) -> bool {
        rejected == (self == Self::Open)
    }
}

/// Polls a future until it is ready, with nobody to wake. Only a lock that another thread holds makes it poll twice.
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
