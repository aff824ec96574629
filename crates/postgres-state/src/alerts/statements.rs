//! What a commit becomes in the database: statements for many rows each, bounded, since the server gives one five seconds. It does
//! not know in which transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use sqlx::PgConnection;
use ttm_alert::{
    AlertKey, Commit, DEAD_LETTERS_KEPT, DeadLetter, OutboxRow, Quiet, QuietId, RECEIPTS_KEPT, Receipt,
    RowKey,
};
use ttm_alert_json::{Json as _, OutcomeForm, micros, state, write};
use ttm_sqlx_pool::postgres::{Time, query};

use super::count;
use crate::columns::Statement;

/// The most rows of a statement.
const MOST_ROWS: usize = 1_000;

/// How much JSON a statement may have before the next one begins, in bytes.
const MOST_JSON: usize = 1 << 20;

const RECORDS: &str = "INSERT INTO alert (rule, labels, state) SELECT rule, labels, state::json \
     FROM unnest($1::text[], $2::text[], $3::text[]) AS new (rule, labels, state) \
     ON CONFLICT (rule, labels) DO UPDATE SET state = excluded.state";

const FORGOTTEN: &str = "DELETE FROM alert USING unnest($1::text[], $2::text[]) AS gone (rule, labels) \
     WHERE alert.rule = gone.rule AND alert.labels = gone.labels";

const MESSAGES: &str = "INSERT INTO alert_message (channel, rule, labels, epoch, number, step, attempts, failing_since, \
     message, covers) SELECT channel, rule, labels, epoch, number, step, attempts, failing_since, message::json, covers::json \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::timestamptz[], \
     $9::text[], $10::text[]) \
     AS new (channel, rule, labels, epoch, number, step, attempts, failing_since, message, covers) \
     ON CONFLICT (channel, rule, labels, epoch, number, step) DO UPDATE SET attempts = excluded.attempts, \
     failing_since = excluded.failing_since, message = excluded.message, covers = excluded.covers";

const SETTLED: &str = "DELETE FROM alert_message AS old \
     USING unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[]) \
     AS gone (channel, rule, labels, epoch, number, step) \
     WHERE old.channel = gone.channel AND old.rule = gone.rule AND old.labels = gone.labels \
     AND old.epoch = gone.epoch AND old.number = gone.number AND old.step = gone.step";

/// What is replaced gets a new place, behind all others.
const DEAD_LETTERS: &str = "INSERT INTO alert_dead_letter (channel, rule, labels, epoch, number, step, attempts, failing_since, \
     message, covers, why, refused_at, place) SELECT channel, rule, labels, epoch, number, step, attempts, failing_since, \
     message::json, covers::json, why, refused_at, \
     new.place + (SELECT coalesce(max(place), 0) FROM alert_dead_letter) \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::timestamptz[], \
     $9::text[], $10::text[], $11::text[], $12::timestamptz[]) WITH ORDINALITY \
     AS new (channel, rule, labels, epoch, number, step, attempts, failing_since, message, covers, why, refused_at, place) \
     ON CONFLICT (channel, rule, labels, epoch, number, step) DO UPDATE SET attempts = excluded.attempts, \
     failing_since = excluded.failing_since, message = excluded.message, covers = excluded.covers, why = excluded.why, \
     refused_at = excluded.refused_at, place = excluded.place";

/// Keeps the newest dead letters, so many of them.
const PRUNE_DEAD_LETTERS: &str = "DELETE FROM alert_dead_letter WHERE place <= \
     (SELECT place FROM alert_dead_letter ORDER BY place DESC LIMIT 1 OFFSET $1)";

/// What is replaced gets a new place, behind all others.
const RECEIPTS: &str = "INSERT INTO alert_receipt (channel, rule, labels, epoch, number, step, attempt, outcome, remote_id, \
     retry_after_us, why, latency_us, known_at, place) SELECT channel, rule, labels, epoch, number, step, attempt, outcome, \
     remote_id, retry_after_us, why, latency_us, known_at, new.place + (SELECT coalesce(max(place), 0) FROM alert_receipt) \
     FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::text[], $9::text[], \
     $10::int8[], $11::text[], $12::int8[], $13::timestamptz[]) WITH ORDINALITY \
     AS new (channel, rule, labels, epoch, number, step, attempt, outcome, remote_id, retry_after_us, why, latency_us, \
     known_at, place) \
     ON CONFLICT (channel, rule, labels, epoch, number, step, attempt) DO UPDATE SET outcome = excluded.outcome, \
     remote_id = excluded.remote_id, retry_after_us = excluded.retry_after_us, why = excluded.why, \
     latency_us = excluded.latency_us, known_at = excluded.known_at, place = excluded.place";

/// Keeps the newest receipts, so many of them.
const PRUNE_RECEIPTS: &str = "DELETE FROM alert_receipt WHERE place <= \
     (SELECT place FROM alert_receipt ORDER BY place DESC LIMIT 1 OFFSET $1)";

const QUIETS: &str = "INSERT INTO alert_quiet (id, quiet) SELECT id, quiet::json FROM unnest($1::int8[], $2::text[]) \
     AS new (id, quiet) ON CONFLICT (id) DO UPDATE SET quiet = excluded.quiet";

type Done = Result<(), sqlx::Error>;

/// The states of alerts: the last one of each, and none of what the same commit forgets. In order, so that two writers wait for
/// each other instead of deadlocking.
pub(super) async fn records(tx: &mut PgConnection, commit: &Commit) -> Done {
    let forgotten: BTreeSet<&AlertKey> = commit.forgotten.iter().collect();
    let latest: BTreeMap<_, _> = commit.records.iter().map(|record| (&record.key, record)).collect();
    let latest: Vec<_> = latest.into_values().filter(|record| !forgotten.contains(&record.key)).collect();
    let mut rest = &*latest;
    while !rest.is_empty() {
        let (some, [states]) = piece(&mut rest, |record| {
            Ok([state(record).map_err(|what| refused(format_args!("the alert {}", record.key), what))?])
        })?;
        let keys: Vec<_> = some.iter().map(|record| &record.key).collect();
        of_alerts(query(RECORDS), &keys).bind(states).execute(&mut *tx).await?;
    }
    let forgotten: Vec<_> = forgotten.into_iter().collect();
    for some in forgotten.chunks(MOST_ROWS) {
        of_alerts(query(FORGOTTEN), some).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The messages that wait: the last one of each key, and none of what the same commit has as settled or dead.
pub(super) async fn messages(tx: &mut PgConnection, commit: &Commit) -> Done {
    let dead = commit.dead.iter().map(|letter| &letter.row.key);
    let settled: BTreeSet<&RowKey> = commit.settled.iter().chain(dead).collect();
    let latest: BTreeMap<_, _> = commit.rows.iter().map(|row| (&row.key, row)).collect();
    let latest: Vec<_> = latest.into_values().filter(|row| !settled.contains(&row.key)).collect();
    let mut rest = &*latest;
    while !rest.is_empty() {
        let (some, texts) = piece(&mut rest, |row| content(row))?;
        of_rows(query(MESSAGES), some, texts)?.execute(&mut *tx).await?;
    }
    let settled: Vec<_> = settled.into_iter().collect();
    for some in settled.chunks(MOST_ROWS) {
        of_messages(query(SETTLED), some)?.execute(&mut *tx).await?;
    }
    Ok(())
}

/// The newest dead letters of a commit; older ones would be pruned at once.
pub(super) async fn dead_letters(tx: &mut PgConnection, letters: &[DeadLetter]) -> Done {
    let newest = newest(letters, DEAD_LETTERS_KEPT, |letter| &letter.row.key);
    let mut rest = &*newest;
    while !rest.is_empty() {
        let (some, texts) = piece(&mut rest, |letter| content(&letter.row))?;
        let rows: Vec<_> = some.iter().map(|letter| &letter.row).collect();
        of_rows(query(DEAD_LETTERS), &rows, texts)?
            .bind(column(some, |letter| &*letter.why))
            .bind(column(some, |letter| Time(letter.at)))
            .execute(&mut *tx)
            .await?;
    }
    if !letters.is_empty() {
        query(PRUNE_DEAD_LETTERS).bind(count(DEAD_LETTERS_KEPT)).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The newest receipts of a commit; older ones would be pruned at once.
pub(super) async fn receipts(tx: &mut PgConnection, receipts: &[Receipt]) -> Done {
    let newest = newest(receipts, RECEIPTS_KEPT, |receipt| (&receipt.key, receipt.attempt));
    for some in newest.chunks(MOST_ROWS) {
        let keys: Vec<_> = some.iter().map(|receipt| &receipt.key).collect();
        let outcomes = some.iter().map(|receipt| outcome(receipt)).collect::<Result<Vec<_>, _>>()?;
        of_messages(query(RECEIPTS), &keys)?
            .bind(column(some, |receipt| i64::from(receipt.attempt)))
            .bind(outcomes.iter().map(|it| &*it.outcome).collect::<Vec<_>>())
            .bind(outcomes.iter().map(|it| it.remote_id.as_deref()).collect::<Vec<_>>())
            .bind(outcomes.iter().map(|it| it.retry_after_us).collect::<Vec<_>>())
            .bind(outcomes.iter().map(|it| it.why.as_deref()).collect::<Vec<_>>())
            .bind(column(some, |receipt| micros(receipt.latency)))
            .bind(column(some, |receipt| Time(receipt.at)))
            .execute(&mut *tx)
            .await?;
    }
    if !receipts.is_empty() {
        query(PRUNE_RECEIPTS).bind(count(RECEIPTS_KEPT)).execute(&mut *tx).await?;
    }
    Ok(())
}

/// The silences that are new: the last one of each id, and none of what the same commit ends.
pub(super) async fn quiets(tx: &mut PgConnection, commit: &Commit) -> Done {
    let ended: BTreeSet<QuietId> = commit.ended_quiets.iter().copied().collect();
    let latest: BTreeMap<_, _> = commit.quiets.iter().map(|(id, quiet)| (*id, quiet)).collect();
    let latest = latest.into_iter().filter(|(id, _)| !ended.contains(id));
    let latest: Vec<(QuietId, &Quiet)> = latest.collect();
    let mut rest = &*latest;
    while !rest.is_empty() {
        let (some, [texts]) = piece(&mut rest, |(id, quiet)| {
            Ok([write(*quiet).map_err(|what| refused(format_args!("the silence {id}"), what))?])
        })?;
        let ids = some.iter().map(|(id, _)| whole(id.0)).collect::<Result<Vec<_>, _>>()?;
        query(QUIETS).bind(ids).bind(texts).execute(&mut *tx).await?;
    }
    if !ended.is_empty() {
        let ended = ended.into_iter().map(|id| whole(id.0)).collect::<Result<Vec<_>, _>>()?;
        query("DELETE FROM alert_quiet WHERE id = ANY($1)").bind(ended).execute(tx).await?;
    }
    Ok(())
}

/// The newest of them, so many, each once; the oldest of them first.
fn newest<'a, T, K: Ord>(all: &'a [T], most: usize, key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let mut seen = BTreeSet::new();
    let mut newest: Vec<&T> = all.iter().rev().filter(|it| seen.insert(key(it))).take(most).collect();
    newest.reverse();
    newest
}

/// Takes what the next statement stores off the rest, with its JSON in columns.
fn piece<'a, T, const N: usize>(
    rest: &mut &'a [T],
    json: impl Fn(&T) -> Result<[String; N], sqlx::Error>,
) -> Result<(&'a [T], [Vec<String>; N]), sqlx::Error> {
    let mut columns = [const { Vec::new() }; N];
    let (mut rows, mut bytes) = (0, 0);
    for it in rest.iter().take(MOST_ROWS) {
        for (column, text) in columns.iter_mut().zip(json(it)?) {
            bytes += text.len();
            column.push(text);
        }
        rows += 1;
        if bytes >= MOST_JSON {
            break;
        }
    }
    let (some, left) = rest.split_at(rows);
    *rest = left;
    Ok((some, columns))
}

/// The message and what it covers.
fn content(row: &OutboxRow) -> Result<[String; 2], sqlx::Error> {
    let texts = write(&row.message).and_then(|message| Ok([message, write(&row.covers)?]));
    texts.map_err(|what| refused(format_args!("the message {}", row.key), what))
}

fn outcome(receipt: &Receipt) -> Result<OutcomeForm, sqlx::Error> {
    let of = |what| refused(format_args!("a receipt of the message {}", receipt.key), what);
    receipt.outcome.form().map_err(of)
}

fn of_alerts<'q>(query: Statement<'q>, keys: &[&AlertKey]) -> Statement<'q> {
    query.bind(column(keys, |key| &*key.rule)).bind(column(keys, |key| key.labels.as_str()))
}

fn of_messages<'q>(query: Statement<'q>, keys: &[&RowKey]) -> Result<Statement<'q>, sqlx::Error> {
    let numbers = |field: fn(&RowKey) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        keys.iter().map(|key| whole(field(key))).collect()
    };
    let alerts: Vec<_> = keys.iter().map(|key| &key.alert).collect();
    Ok(of_alerts(query.bind(column(keys, |key| key.channel.as_str())), &alerts)
        .bind(numbers(|key| key.episode.epoch.number())?)
        .bind(numbers(|key| key.episode.number)?)
        .bind(numbers(|key| key.step.into())?))
}

fn of_rows<'q>(
    query: Statement<'q>,
    rows: &[&OutboxRow],
    [messages, covers]: [Vec<String>; 2],
) -> Result<Statement<'q>, sqlx::Error> {
    let keys: Vec<_> = rows.iter().map(|row| &row.key).collect();
    Ok(of_messages(query, &keys)?
        .bind(column(rows, |row| i64::from(row.attempts)))
        .bind(column(rows, |row| row.failing_since.map(Time)))
        .bind(messages)
        .bind(covers))
}

fn column<'a, T, U>(all: &[&'a T], field: impl Fn(&'a T) -> U) -> Vec<U> {
    all.iter().map(|it| field(it)).collect()
}

/// A number for a column, which holds half of them.
fn whole(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|_| sqlx::Error::Encode(format!("{number} is too large for a key").into()))
}

fn refused(of: impl Display, what: impl Display) -> sqlx::Error {
    sqlx::Error::Encode(format!("{of} has {what}").into())
}
