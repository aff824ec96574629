//! A small store of alerts: what its commits are made of, and what of them is there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use ttm_alert::testing::labels;
use ttm_alert::{
    AlertKey, AlertRecord, AlertStore, ChannelId, Commit, DeadLetter, EpisodeId, Loaded, Matcher, Message,
    OutboxRow, Outcome, Quiet, QuietId, Receipt, RowKey, Said, When,
};
use ttm_kernel::{FencingToken, Severity};
use ttm_market::TokenStore;
use ttm_postgres_state::PostgresTokenStore;
use ttm_sqlx_pool::postgres::testing::Database;

pub(super) const AT: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

/// A number that a statement asks for.
pub(super) async fn ask(database: &Database, statement: &'static str) -> i64 {
    let mut tx = database.begin_with("SET LOCAL search_path TO $schema").await;
    sqlx::query_scalar(statement).fetch_one(&mut *tx).await.expect("it answers")
}

pub(super) async fn claim(store: &PostgresTokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

pub(super) async fn commit(store: &PostgresTokenStore, under: FencingToken, commit: &Commit) {
    store.alerts().commit(under, commit).await.expect("commit works");
}

pub(super) async fn load(store: &PostgresTokenStore) -> Loaded {
    store.alerts().load().await.expect("load answers")
}

pub(super) fn alert(number: u64) -> AlertKey {
    AlertKey::new("stalled", labels(&format!("group=g{number:06}")))
}

pub(super) fn record(number: u64, is_flapping: bool) -> AlertRecord {
    AlertRecord { key: alert(number), life: None, changes: vec![AT], is_flapping, cases: Vec::new() }
}

pub(super) fn row(number: u64, attempts: u32) -> OutboxRow {
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

pub(super) fn letter(number: u64, attempts: u32) -> DeadLetter {
    DeadLetter { row: row(number, attempts), why: "401".to_owned(), at: AT }
}

pub(super) fn receipt(number: u64, attempt: u32) -> Receipt {
    let outcome = Outcome::Delivered { remote_id: None };
    Receipt { key: row(number, attempt).key, attempt, outcome, latency: Duration::ZERO, at: AT }
}

pub(super) fn silence(reason: &str) -> Quiet {
    let when = When::Once { from: AT, until: Some(AT + Duration::from_hours(1)) };
    Quiet::try_new(Matcher::default(), when, "ada", reason).expect("valid")
}

/// A commit with one of each, all of which say how often it was tried.
pub(super) fn one_of_each(attempt: u32) -> Commit {
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
pub(super) async fn tries(store: &PostgresTokenStore) -> [Option<u32>; 5] {
    let [records, rows, receipts, quiets] = loaded_tries(&load(store).await);
    let letters = store.alerts().dead_letters(1).await.expect("dead_letters answers");
    [records, rows, receipts, quiets, letters.last().map(|letter| letter.row.attempts)]
}

/// The same of what was loaded.
pub(super) fn loaded_tries(loaded: &Loaded) -> [Option<u32>; 4] {
    let digits = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
    [
        loaded.records.last().and_then(|record| digits(record.key.labels.get("group")?)),
        loaded.rows.last().map(|row| row.attempts),
        loaded.receipts.last().map(|receipt| receipt.attempt),
        loaded.quiets.last().and_then(|(_, quiet)| digits(quiet.reason())),
    ]
}

/// Polls a future a few times and drops it.
pub(super) async fn cancelled_after<F: Future>(mut polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match (future.as_mut().poll(context), polls) {
        (Poll::Ready(output), _) => Poll::Ready(Some(output)),
        (Poll::Pending, 0) => Poll::Ready(None),
        (Poll::Pending, _) => {
            polls -= 1;
            Poll::Pending
        }
    })
    .await
}
