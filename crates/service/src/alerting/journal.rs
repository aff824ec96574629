//! What was told from memory while the store was away, beside the store and in memory: a process that follows this one, and
//! a desk that has read the store at last, know of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ttm_alert::{AlertJournal, Journal, Journalled, OutboxRow, Outcome};
use ttm_kernel::{Runtime, within};

use crate::io::run_on;

/// A disk that takes longer keeps no message from being sent.
const PATIENCE: Duration = Duration::from_millis(300);
/// Reading and clearing may take longer: nothing waits for it.
const LONG: Duration = Duration::from_secs(5);

/// How many attempts are remembered: of a store that is away for weeks the newest ones.
const MOST: usize = 1_000;

/// The journal.
pub(crate) struct Told {
    port: Option<Arc<dyn AlertJournal>>,
    io: Arc<dyn Runtime>,
    /// Calls are made one at a time.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Since the last time that it was cleared.
    sent: Vec<Journalled>,
    /// Whether there may be something in the file.
    in_file: bool,
    has_failed: bool,
}

impl Told {
    pub(crate) fn new(port: Option<Arc<dyn AlertJournal>>, io: &Arc<dyn Runtime>) -> Self {
        Self { port, io: io.clone(), kept: Mutex::default() }
    }

    /// Keeps that a message is sent, or what became of it.
    pub(crate) async fn append(&self, row: &OutboxRow, outcome: Option<&Outcome>) {
        let sent = Journalled { row: row.clone(), outcome: outcome.cloned() };
        let mut kept = self.kept.lock().await;
        let known = std::mem::take(&mut kept.sent);
        kept.sent = Journal::of(known.into_iter().chain([sent.clone()]), 0).sent;
        let surplus = kept.sent.len().saturating_sub(MOST);
        kept.sent.drain(..surplus);
        kept.in_file |= self.port.is_some();
        let appended = self.call(PATIENCE, move |port| port.append(&sent)).await;
        if let Err(error) = appended
            && !std::mem::replace(&mut kept.has_failed, true)
        {
            tracing::warn!(%error, "what is told while the store is away cannot be kept: the next process may tell it again");
        }
    }

    /// What an earlier process told, and this one.
    pub(crate) async fn read(&self) -> Vec<Journalled> {
        let mut kept = self.kept.lock().await;
        match self.call(LONG, |port| port.read()).await {
            Ok(None) => {}
            Ok(Some(Journal { sent, torn })) => {
                if torn > 0 {
                    tracing::warn!(torn, "what was being kept of messages when a process ended is lost");
                }
                kept.in_file = !sent.is_empty();
                let all = sent.into_iter().chain(std::mem::take(&mut kept.sent));
                kept.sent = Journal::of(all, 0).sent;
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(%error, "what was told while the store was away cannot be read, and is set aside");
                if let Err(error) = self.call(LONG, |port| port.set_aside()).await {
                    tracing::error!(%error, "it cannot be set aside, either");
                }
            }
            Err(error) => tracing::warn!(%error, "what was told while the store was away cannot be read"),
        }
        kept.sent.clone()
    }

    /// The store has everything.
    pub(crate) async fn clear(&self) {
        let mut kept = self.kept.lock().await;
        kept.sent.clear();
        if !kept.in_file {
            return;
        }
        match self.call(LONG, |port| port.clear()).await {
            Ok(_) => (kept.in_file, kept.has_failed) = (false, false),
            Err(error) => tracing::warn!(%error, "what was told while the store was away cannot be cleared"),
        }
    }

    /// Whether there is anything to clear.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.try_lock().is_ok_and(|kept| kept.sent.is_empty() && !kept.in_file)
    }

    /// A call on the io plane, where it may block; `None` without a port.
    async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl FnOnce(&dyn AlertJournal) -> io::Result<T> + Send + 'static,
    ) -> io::Result<Option<T>> {
        let Some(port) = self.port.clone() else { return Ok(None) };
        let called = run_on(&*self.io, async move { call(&*port) });
        let answer = within(&*self.io, self.io.now() + patience, called).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer");
        answer.map_err(|_| late())?.map(Some)
    }
}
