//! A small store of alerts, for tests of adapters: what its commits are made of, and what of them is there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{FencingToken, Severity};

use super::example::labels;
use crate::memory::Memory;
use crate::{
    AlertKey, AlertRecord, AlertStore, ChannelId, Commit, DeadLetter, EpisodeId, Loaded, Matcher, Message,
    OutboxRow, Outcome, Quiet, QuietId, Receipt, RowKey, Said, When,
};

/// When all of it was.
pub const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// An alert of this number.
pub fn alert(number: u64) -> AlertKey {
    AlertKey::new("stalled", labels(&format!("group=g{number:06}")))
}

/// What is kept of it, and nothing of its life.
pub fn record(number: u64, is_flapping: bool) -> AlertRecord {
    AlertRecord { key: alert(number), life: None, changes: vec![AT], is_flapping, cases: Vec::new() }
}

/// A message about it that was tried so often.
pub fn row(number: u64, attempts: u32) -> OutboxRow {
    let episode = EpisodeId::parse("1-7").expect("an id");
    let said = Said { is_over: false, severity: Severity::Error, is_flapping: false, step: 1 };
    let message = Message {
        group: "stalled".into(),
        severity: Severity::Error,
        fires: true,
        items: Vec::new(),
        more_items: 0,
        affected: Vec::new(),
        more_affected: 0,
        replies_to: None,
        at: AT,
    };
    OutboxRow {
        key: RowKey { channel: ChannelId::new("ops"), alert: alert(number), episode, step: 1 },
        message,
        covers: Arc::new(vec![(alert(number), episode, said)]),
        attempts,
        failing_since: None,
    }
}

/// The same, refused.
pub fn letter(number: u64, attempts: u32) -> DeadLetter {
    DeadLetter { row: row(number, attempts), why: "401".to_owned(), at: AT }
}

/// The receipt of such a try, which arrived.
pub fn receipt(number: u64, attempt: u32) -> Receipt {
    let outcome = Outcome::Delivered { remote_id: None };
    Receipt { key: row(number, attempt).key, attempt, outcome, latency: Duration::ZERO, at: AT }
}

/// A silence of an hour.
pub fn silence(reason: &str) -> Quiet {
    let when = When::Once { from: AT, until: Some(AT + Duration::from_hours(1)) };
    Quiet::try_new(Matcher::default(), when, "ada", reason).expect("valid")
}

/// A commit with one of each, all of which say how often it was tried.
pub fn one_of_each(attempt: u32) -> Commit {
    Commit {
        records: vec![record(u64::from(attempt), true)],
        rows: vec![row(1, attempt)],
        dead: vec![letter(2, attempt)],
        receipts: vec![receipt(1, attempt)],
        quiets: vec![(QuietId(1), silence(&format!("try {attempt}")))],
        ..Commit::default()
    }
}

/// What of [`one_of_each`] is there: the number of each try.
pub async fn tries(store: &dyn AlertStore) -> [Option<u32>; 5] {
    let [records, rows, receipts, quiets] = loaded_tries(&store.load().await.expect("load answers"));
    let letters = store.dead_letters(1).await.expect("dead_letters answers");
    [records, rows, receipts, quiets, letters.last().map(|letter| letter.row.attempts)]
}

/// The same of what was loaded.
pub fn loaded_tries(loaded: &Loaded) -> [Option<u32>; 4] {
    let digits = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
    [
        loaded.records.last().and_then(|record| digits(record.key.labels.get("group")?)),
        loaded.rows.last().map(|row| row.attempts),
        loaded.receipts.last().map(|receipt| receipt.attempt),
        loaded.quiets.last().and_then(|(_, quiet)| digits(quiet.reason())),
    ]
}

/// Checks that these commits to an empty store come to what [`Memory`] has after each.
pub async fn check_commits(store: &dyn AlertStore, under: FencingToken, commits: &[Commit]) {
    let mut memory = Memory::default();
    for commit in commits {
        store.commit(under, commit).await.expect("commit works");
        memory.apply(commit);
        assert_eq!(store.load().await.expect("load answers"), memory.loaded());
        assert_eq!(store.receipts(usize::MAX).await.expect("receipts answers"), memory.receipts);
        assert_eq!(store.dead_letters(usize::MAX).await.expect("dead_letters answers"), memory.dead);
    }
}
