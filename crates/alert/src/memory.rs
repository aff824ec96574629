//! What a store has after some commits.

use std::collections::BTreeMap;

use crate::{
    AlertKey, AlertRecord, Commit, DEAD_LETTERS_KEPT, DeadLetter, Loaded, OutboxRow, Quiet, QuietId,
    RECEIPTS_KEPT, Receipt, RowKey,
};

/// A store's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The states of alerts.
    pub records: BTreeMap<AlertKey, AlertRecord>,
    /// The messages that wait.
    pub rows: BTreeMap<RowKey, OutboxRow>,
    /// Silences and maintenance windows.
    pub quiets: BTreeMap<QuietId, Quiet>,
    /// Messages that were refused.
    pub dead: Vec<DeadLetter>,
    /// What became of attempts.
    pub receipts: Vec<Receipt>,
}

impl Memory {
    /// Takes up a commit. Twice is once.
    pub fn apply(&mut self, commit: &Commit) {
        self.records.extend(commit.records.iter().map(|record| (record.key.clone(), record.clone())));
        for key in &commit.forgotten {
            self.records.remove(key);
        }
        self.rows.extend(commit.rows.iter().map(|row| (row.key.clone(), row.clone())));
        for key in commit.settled.iter().chain(commit.dead.iter().map(|dead| &dead.row.key)) {
            self.rows.remove(key);
        }
        for dead in &commit.dead {
            self.dead.retain(|known| known.row.key != dead.row.key);
            self.dead.push(dead.clone());
        }
        for receipt in &commit.receipts {
            self.receipts.retain(|known| (&known.key, known.attempt) != (&receipt.key, receipt.attempt));
            self.receipts.push(receipt.clone());
        }
        self.receipts.drain(..self.receipts.len().saturating_sub(2 * RECEIPTS_KEPT));
        self.dead.drain(..self.dead.len().saturating_sub(2 * DEAD_LETTERS_KEPT));
        self.quiets.extend(commit.quiets.iter().cloned());
        for id in &commit.ended_quiets {
            self.quiets.remove(id);
        }
    }

    /// What a process begins with.
    pub fn loaded(&self) -> Loaded {
        Loaded {
            records: self.records.values().cloned().collect(),
            rows: self.rows.values().cloned().collect(),
            quiets: self.quiets.iter().map(|(id, quiet)| (*id, quiet.clone())).collect(),
            receipts: self.receipts[self.receipts.len().saturating_sub(RECEIPTS_KEPT)..].to_vec(),
            journal: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}
