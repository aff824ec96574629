//! What operators ordered of breakers, until it is stored: an order that was confirmed outlives the process.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use ttm_kernel::{Runtime, within};

/// How long an order waits for the store before it is confirmed without. Clients wait for five seconds.
pub(crate) const STORED_WITHIN: Duration = Duration::from_secs(2);

/// The orders of this process.
pub(crate) struct Orders(watch::Sender<Book>);

#[derive(Default)]
struct Book {
    /// How many were given. Each has its place as its number.
    given: u64,
    /// All up to this one are stored.
    stored: u64,
    /// The last one for each breaker.
    last: BTreeMap<String, u64>,
}

impl Orders {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Counts an order that is in force; its number.
    pub(crate) fn give(&self, breaker: &str) -> u64 {
        let mut number = 0;
        self.0.send_modify(|book| {
            book.given += 1;
            number = book.given;
            book.last.insert(breaker.to_owned(), number);
        });
        number
    }

    /// The last one: what is read of the breakers from now on is how all orders up to it left them.
    pub(crate) fn given(&self) -> u64 {
        self.0.borrow().given
    }

    /// Waits for one after this.
    pub(crate) async fn after(&self, number: u64) {
        // Fails when nobody can give one any more, which is not before this is dropped.
        let _ = self.0.subscribe().wait_for(|book| book.given > number).await;
    }

    /// All up to this one are stored.
    pub(crate) fn stored(&self, number: u64) {
        self.0.send_modify(|book| book.stored = book.stored.max(number));
    }

    /// Waits until an order is stored, but not for long: whether it is.
    pub(crate) async fn is_stored(&self, number: u64, runtime: &dyn Runtime) -> bool {
        let mut book = self.0.subscribe();
        let stored = book.wait_for(|book| book.stored >= number);
        matches!(within(runtime, runtime.now() + STORED_WITHIN, stored).await, Ok(Ok(_)))
    }

    /// The breakers whose last order is not stored.
    pub(crate) fn unstored(&self) -> Vec<String> {
        let book = self.0.borrow();
        let left = book.last.iter().filter(|(_, number)| **number > book.stored);
        left.map(|(breaker, _)| breaker.clone()).collect()
    }
}
