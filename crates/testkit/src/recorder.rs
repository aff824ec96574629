//! Remembers what happened, in order.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A list that many owners can write to through a shared reference.
#[derive(Debug)]
pub struct Recorder<T>(Mutex<Vec<T>>);

impl<T> Recorder<T> {
    /// Remembers `event` after all the others.
    pub fn record(&self, event: T) {
        self.lock().push(event);
    }

    /// Hands over what was recorded, and starts anew.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Recorder<T> {
    /// What was recorded so far.
    pub fn events(&self) -> Vec<T> {
        self.lock().clone()
    }
}

impl<T> Default for Recorder<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}
