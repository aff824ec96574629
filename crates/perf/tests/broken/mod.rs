//! What the tests of broken stores share.
#![allow(dead_code, reason = "each test uses the stores of one port")]

mod event_pages;
pub(crate) mod events;
mod metric_reads;
mod metric_writes;
pub(crate) mod metrics;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits for anything outside itself.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Does what a call that is dropped leaves behind.
struct OnDrop<F: FnMut()>(bool, F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if self.0 {
            self.1();
        }
    }
}

/// Whether a text is a pattern, one of whose characters stands for any.
fn is_like(text: &str, pattern: &str, any: char) -> bool {
    text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(|(c, p)| p == any || p == c)
}
