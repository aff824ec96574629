//! Remembers what happened, in order.

use parking_lot::Mutex;

/// A list that many owners can write to through a shared reference.
#[derive(Debug)]
pub struct Recorder<T>(Mutex<Vec<T>>);

impl<T> Recorder<T> {
    /// Remembers `event` after all the others.
    pub fn record(&self, event: T) {
        self.0.lock().push(event);
    }

    /// Hands over what was recorded, and starts anew.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl<T: Clone> Recorder<T> {
    /// What was recorded so far.
    pub fn events(&self) -> Vec<T> {
        self.0.lock().clone()
    }
}

impl<T> Default for Recorder<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}
