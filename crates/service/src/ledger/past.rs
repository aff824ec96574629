//! Reads what the processes before did: out of the ledger and the local file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_kernel::{FencingToken, Runtime, StoreError, StoreErrorKind};
use ttm_recovery::{Entry, EntryKey, Fact, LEDGER_KEEPS, LastWords, Now, Past, RecoveryLedger};

use super::{PATIENCE, caught};
use crate::bounded::bounded;
use crate::local_file::LocalFile;

/// A ledger that does not answer is asked so often: the start does not wait for it as for the tokens.
const LOADS: usize = 3;

/// What is wrong with a ledger that begins with the loss of the one before.
const LOST_BEFORE: &str = "the ledger of recoveries could not be used when an earlier process started, so every budget counts as spent for an hour from then";

/// What was found of the processes before.
pub(crate) struct Found {
    pub(crate) past: Past,
    /// What is wrong with it, in a line for a person.
    pub(crate) problem: Option<String>,
    /// Whether it is still to be read: nothing is wrong with it but that it is away.
    pub(crate) is_unread: bool,
}

/// What was read.
pub(super) struct Reading {
    pub(super) found: Found,
    /// Everything, for readers.
    pub(super) entries: Vec<Entry>,
    /// What the local file has of it.
    pub(super) kept: Vec<Entry>,
}

/// Reads the ledger and the local file.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) port: Arc<dyn RecoveryLedger>,
    pub(super) words: LocalFile<dyn LastWords>,
    pub(super) io: Arc<dyn Runtime>,
    pub(super) under: FencingToken,
}

impl Reader {
    /// What there is at the start, before this process has written anything.
    pub(super) async fn first(&self, now: Now) -> Reading {
        // All that is kept, and not what is young: a wall clock that was set back would leave holes. A process that dies as often as
        // systemd starts it again makes some three thousand entries in an hour, each of which may count against a budget.
        let mut entries = self.load().await;
        for _ in 1..LOADS {
            if !matches!(&entries, Err(error) if error.may_pass()) {
                break;
            }
            self.io.sleep_until(self.io.now() + PATIENCE).await;
            entries = self.load().await;
        }
        self.judge(entries, false, now).await
    }

    /// The same later, when this process has entries of its own, which are not of the past.
    pub(super) async fn again(&self, now: Now) -> Reading {
        let entries = self.load().await;
        self.judge(entries, true, now).await
    }

    /// Puts the ledger and the local file together. One of them that is damaged is set aside, and what the other one has counts all the
    /// same.
    async fn judge(&self, ledger: Result<Vec<Entry>, StoreError>, is_late: bool, now: Now) -> Reading {
        let kept = match ledger {
            Err(error) if !is_damaged(&error) => return not_yet(&error.to_string()),
            _ => self.words.call(PATIENCE, LastWords::read).await.transpose(),
        };
        // A disk that takes its time has lost nothing. The ledger is read again with it.
        if let Err(error) = &kept
            && error.kind() == io::ErrorKind::TimedOut
        {
            return not_yet(&format!("the local file: {error}"));
        }
        let mut lost = Vec::new();
        let mut entries = match ledger {
            Ok(entries) => entries,
            Err(error) => {
                self.set_ledger_aside().await;
                lost.push(error.to_string());
                Vec::new()
            }
        };
        let mut kept = match kept {
            Ok(kept) => kept.unwrap_or_default(),
            Err(error) => {
                self.set_file_aside().await;
                lost.push(format!("the local file: {error}"));
                Vec::new()
            }
        };
        if is_late {
            let own = self.under.epoch();
            entries.retain(|entry| entry.key.epoch != own);
            kept.retain(|entry| entry.key.epoch != own);
        }
        // If another process has booted since without this file, as on another host, it has told how what was under way ended, and
        // taken the one before for dead. What was spent counts all the same.
        let newest = entries.last().map(|entry| entry.key.epoch);
        kept.retain(|entry| {
            let is_end = matches!(entry.fact, Fact::Closed | Fact::Ended { .. });
            !is_end || Some(entry.key.epoch) >= newest
        });
        let mut all: BTreeMap<EntryKey, Entry> =
            kept.iter().map(|entry| (entry.key, entry.clone())).collect();
        all.extend(entries.into_iter().map(|entry| (entry.key, entry)));
        let entries: Vec<Entry> = all.into_values().collect();
        match self.past(&entries, now) {
            Ok(past) if lost.is_empty() => {
                let problem = past.spent_until(now.moment).map(|_| LOST_BEFORE.to_owned());
                Reading { found: Found { past, problem, is_unread: false }, entries, kept }
            }
            Ok(past) => told(Reading { entries, kept, ..without(past.with_a_loss(now), &lost) }),
            Err(problem) => {
                self.set_ledger_aside().await;
                self.set_file_aside().await;
                lost.push(problem);
                told(without(Past::unreadable(now), &lost))
            }
        }
    }

    fn past(&self, entries: &[Entry], now: Now) -> Result<Past, String> {
        let own = self.under.epoch();
        if let Some(ahead) = entries.last().filter(|entry| entry.key.epoch >= own) {
            return Err(format!("it has entries of epoch {}, and this is {own}", ahead.key.epoch));
        }
        Past::replay(entries, now).map_err(|error| error.to_string())
    }

    async fn load(&self) -> Result<Vec<Entry>, StoreError> {
        let load = caught(self.port.load(Timestamp::MIN, LEDGER_KEEPS));
        bounded("loading the ledger of recoveries", &*self.io, load).await
    }

    async fn set_ledger_aside(&self) {
        let aside = caught(self.port.set_aside(self.under));
        if let Err(error) = bounded("setting the ledger aside", &*self.io, aside).await {
            tracing::error!(%error, "the ledger of recoveries cannot be set aside");
        }
    }

    async fn set_file_aside(&self) {
        if let Some(Err(error)) = self.words.call(PATIENCE, LastWords::set_aside).await {
            tracing::error!(%error, "the file of last words cannot be set aside");
        }
    }
}

/// Nothing is known so far.
fn not_yet(problem: &str) -> Reading {
    let problem =
        format!("the ledger of recoveries cannot be read yet, so every budget counts as spent: {problem}");
    nothing(Past::unread(), problem, true)
}

/// This is known, and that was lost.
fn without(past: Past, lost: &[String]) -> Reading {
    let problem = format!(
        "the record of restarts cannot be used, or a part of it, and was set aside, so every budget counts as spent for an hour: {}",
        lost.join("; ")
    );
    nothing(past, problem, false)
}

fn told(reading: Reading) -> Reading {
    let problem = reading.found.problem.as_deref();
    tracing::error!(
        problem,
        left = reading.entries.len(),
        "the record of earlier restarts, or a part of it, is lost"
    );
    reading
}

fn nothing(past: Past, problem: String, is_unread: bool) -> Reading {
    let found = Found { past, problem: Some(problem), is_unread };
    Reading { found, entries: Vec::new(), kept: Vec::new() }
}

/// Whether the content is what is wrong, and not the way to it.
fn is_damaged(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unexpected | StoreErrorKind::Corrupt)
}
