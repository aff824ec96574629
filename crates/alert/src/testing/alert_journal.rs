//! A journal in memory that obeys every law of the port, and fails on request.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{AlertJournal, Journal, Journalled};

/// Remembers what was sent. Clones share their memory, so that a clone is what the next process sees.
#[derive(Clone, Debug, Default)]
pub struct FakeAlertJournal {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    appended: Vec<Journalled>,
    torn: usize,
    aside: Vec<Journalled>,
    failure: Option<io::ErrorKind>,
    /// What makes it unreadable.
    spoiled: Option<String>,
}

impl Inner {
    fn journal(&self) -> Journal {
        Journal::of(self.appended.iter().cloned(), self.torn)
    }
}

impl FakeAlertJournal {
    /// Nothing was appended yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail with this error, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: io::ErrorKind) {
        self.lock().failure = Some(error);
    }

    /// Lets calls work again; what was appended before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Makes it unreadable, with what is wrong, until it is cleared or set aside.
    pub fn spoil(&self, what: &str) {
        self.lock().spoiled = Some(what.to_owned());
    }

    /// A process was killed while it appended; until the next one appends.
    pub fn tear(&self) {
        self.lock().torn = 1;
    }

    /// Everything that is kept.
    pub fn sent(&self) -> Vec<Journalled> {
        self.lock().journal().sent
    }

    /// What was set aside.
    pub fn aside(&self) -> Vec<Journalled> {
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

impl AlertJournal for FakeAlertJournal {
    fn append(&self, sent: &Journalled) -> io::Result<()> {
        let mut inner = self.readable()?;
        inner.torn = 0;
        inner.appended.push(sent.clone());
        Ok(())
    }

    fn read(&self) -> io::Result<Journal> {
        Ok(self.readable()?.journal())
    }

    fn clear(&self) -> io::Result<()> {
        let mut inner = self.working()?;
        inner.appended.clear();
        (inner.torn, inner.spoiled) = (0, None);
        Ok(())
    }

    fn set_aside(&self) -> io::Result<()> {
        let mut inner = self.working()?;
        let sent = inner.journal().sent;
        inner.aside.extend(sent);
        inner.appended.clear();
        (inner.torn, inner.spoiled) = (0, None);
        Ok(())
    }
}
