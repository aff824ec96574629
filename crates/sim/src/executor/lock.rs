//! Locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every change under a lock of the simulator is one call or one assignment, so a panic leaves the content whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
