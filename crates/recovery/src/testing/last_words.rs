//! Last words in memory that obey every law of the port, and fail on request.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Entry, LastWords};

/// Remembers entries. Clones share their memory, so that a clone is what the next process sees.
#[derive(Clone, Debug, Default)]
pub struct FakeLastWords {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    aside: Vec<Entry>,
    failure: Option<io::ErrorKind>,
    /// What makes it unreadable.
    spoiled: Option<String>,
}

impl FakeLastWords {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail with this error, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: io::ErrorKind) {
        self.lock().failure = Some(error);
    }

    /// Lets calls work again; what was written before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Makes it unreadable, with what is wrong, until it is set aside.
    pub fn spoil(&self, what: &str) {
        self.lock().spoiled = Some(what.to_owned());
    }

    /// Everything that is kept.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// What was set aside.
    pub fn aside(&self) -> Vec<Entry> {
        self.lock().aside.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.lock();
        inner.failure.map_or(Ok(inner), |error| Err(error.into()))
    }

    fn readable(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.working()?;
        match &inner.spoiled {
            Some(what) => Err(io::Error::new(io::ErrorKind::InvalidData, what.clone())),
            None => Ok(inner),
        }
    }
}

impl LastWords for FakeLastWords {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        for entry in entries {
            entry.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        }
        self.readable()?.entries.extend_from_slice(entries);
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        Ok(self.readable()?.entries.clone())
    }

    fn clear(&self) -> io::Result<()> {
        let mut inner = self.working()?;
        inner.entries.clear();
        inner.spoiled = None;
        Ok(())
    }

    fn set_aside(&self) -> io::Result<()> {
        let mut inner = self.working()?;
        let entries = std::mem::take(&mut inner.entries);
        inner.aside.extend(entries);
        inner.spoiled = None;
        Ok(())
    }
}
