//! What a commit becomes in the file, a statement for each row. It does not know in which transaction.

use std::collections::BTreeSet;
use std::fmt::Display;

use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, query};
use ttm_alert::{AlertKey, AlertRecord, DeadLetter, OutboxRow, Quiet, QuietId, Receipt, RowKey};
use ttm_alert_json::{Json as _, Misfit, micros, write};

type Statement = Query<'static, Sqlite, SqliteArguments>;

const RECORD: &str = "INSERT INTO alert (rule, labels, state) VALUES (?1, ?2, ?3) \
     ON CONFLICT (rule, labels) DO UPDATE SET state = excluded.state";

const MESSAGE: &str = "INSERT INTO alert_message (channel, rule, labels, epoch, number, step, attempts, failing_since, \
     message, covers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
     ON CONFLICT (channel, rule, labels, epoch, number, step) DO UPDATE SET attempts = excluded.attempts, \
     failing_since = excluded.failing_since, message = excluded.message, covers = excluded.covers";

const SETTLED: &str = "DELETE FROM alert_message WHERE channel = ?1 AND rule = ?2 AND labels = ?3 AND epoch = ?4 \
     AND number = ?5 AND step = ?6";

/// What is replaced gets a new place, behind all others.
const DEAD_LETTER: &str = "INSERT OR REPLACE INTO alert_dead_letter (channel, rule, labels, epoch, number, step, attempts, \
     failing_since, message, covers, why, refused_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// What is replaced gets a new place, behind all others.
const RECEIPT: &str = "INSERT OR REPLACE INTO alert_receipt (channel, rule, labels, epoch, number, step, attempt, outcome, \
     remote_id, retry_after_us, why, latency_us, known_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Keeps the newest dead letters, so many of them.
pub(super) const PRUNE_DEAD_LETTERS: &str = "DELETE FROM alert_dead_letter WHERE place <= \
     (SELECT place FROM alert_dead_letter ORDER BY place DESC LIMIT 1 OFFSET ?1)";

/// Keeps the newest receipts, so many of them.
pub(super) const PRUNE_RECEIPTS: &str = "DELETE FROM alert_receipt WHERE place <= \
     (SELECT place FROM alert_receipt ORDER BY place DESC LIMIT 1 OFFSET ?1)";

const QUIET: &str = "INSERT INTO alert_quiet (id, quiet) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET quiet = excluded.quiet";

/// The newest of them, so many, each once; the oldest of them first.
pub(super) fn newest<'a, T, K: Ord>(all: &'a [T], most: usize, key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let mut seen = BTreeSet::new();
    let mut newest: Vec<&T> = all.iter().rev().filter(|it| seen.insert(key(it))).take(most).collect();
    newest.reverse();
    newest
}

pub(super) fn record(record: &AlertRecord) -> Result<Statement, sqlx::Error> {
    let state = ttm_alert_json::state(record)
        .map_err(|what| refused(format_args!("the alert {}", record.key), what))?;
    Ok(of_alert(query(RECORD), &record.key).bind(state))
}

pub(super) fn forgotten(key: &AlertKey) -> Statement {
    of_alert(query("DELETE FROM alert WHERE rule = ?1 AND labels = ?2"), key)
}

pub(super) fn message(row: &OutboxRow) -> Result<Statement, sqlx::Error> {
    of_row(query(MESSAGE), row)
}

pub(super) fn settled(key: &RowKey) -> Result<Statement, sqlx::Error> {
    of_message(query(SETTLED), key)
}

pub(super) fn dead_letter(letter: &DeadLetter) -> Result<Statement, sqlx::Error> {
    let row = of_row(query(DEAD_LETTER), &letter.row)?;
    Ok(row.bind(letter.why.clone()).bind(letter.at.as_microsecond()))
}

pub(super) fn receipt(receipt: &Receipt) -> Result<Statement, sqlx::Error> {
    let of = |what| refused(format_args!("a receipt of the message {}", receipt.key), what);
    let outcome = receipt.outcome.form().map_err(of)?;
    Ok(of_message(query(RECEIPT), &receipt.key)?
        .bind(i64::from(receipt.attempt))
        .bind(outcome.outcome)
        .bind(outcome.remote_id)
        .bind(outcome.retry_after_us)
        .bind(outcome.why)
        .bind(micros(receipt.latency))
        .bind(receipt.at.as_microsecond()))
}

pub(super) fn quiet(id: QuietId, quiet: &Quiet) -> Result<Statement, sqlx::Error> {
    let text = write(quiet).map_err(|what| refused(format_args!("the silence {id}"), what))?;
    Ok(query(QUIET).bind(whole(id.0)?).bind(text))
}

pub(super) fn ended_quiet(id: QuietId) -> Result<Statement, sqlx::Error> {
    Ok(query("DELETE FROM alert_quiet WHERE id = ?1").bind(whole(id.0)?))
}

fn of_alert(query: Statement, key: &AlertKey) -> Statement {
    query.bind((*key.rule).to_owned()).bind(key.labels.to_string())
}

fn of_message(query: Statement, key: &RowKey) -> Result<Statement, sqlx::Error> {
    Ok(of_alert(query.bind(key.channel.to_string()), &key.alert)
        .bind(whole(key.episode.epoch.number())?)
        .bind(whole(key.episode.number)?)
        .bind(i64::from(key.step)))
}

fn of_row(query: Statement, row: &OutboxRow) -> Result<Statement, sqlx::Error> {
    let of = |what: Misfit| refused(format_args!("the message {}", row.key), what);
    Ok(of_message(query, &row.key)?
        .bind(i64::from(row.attempts))
        .bind(row.failing_since.map(Timestamp::as_microsecond))
        .bind(write(&row.message).map_err(of)?)
        .bind(write(&row.covers).map_err(of)?))
}

/// A number for a column, which holds half of them.
fn whole(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|_| sqlx::Error::Encode(format!("{number} is too large for a key").into()))
}

fn refused(of: impl Display, what: impl Display) -> sqlx::Error {
    sqlx::Error::Encode(format!("{of} has {what}").into())
}
