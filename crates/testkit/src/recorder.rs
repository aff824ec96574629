//! Records events in order.

use parking_lot::Mutex;

/// A list that many owners can write to through a shared reference.
#[derive(Debug)]
pub struct Recorder<T>(Mutex<Vec<T>>);

impl<T> Recorder<T> {
    /// Appends `event`.
    pub fn record(&self, event: T) {
        self.0.lock().push(event);
    }

    /// Takes what was recorded, and starts again empty.
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
