//! From rows to what was committed. A row that no commit can have written is refused here, with what is wrong with it.

use std::fmt::Display;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use ttm_alert::{
    AlertRecord, ChannelId, DeadLetter, EpisodeId, OutboxRow, Outcome, Quiet, QuietId, Receipt, RowKey,
};
use ttm_alert_json::{Json as _, OutcomeForm, alert_key, period, read};
use ttm_kernel::Epoch;
use ttm_sqlx_pool::sqlite::time;

pub(super) const RECORDS: &str = "SELECT rule, labels, state FROM alert ORDER BY rule, labels";

pub(super) const MESSAGES: &str = "SELECT channel, rule, labels, epoch, number, step, attempts, failing_since, message, covers \
     FROM alert_message ORDER BY channel, rule, labels, epoch, number, step";

pub(super) const QUIETS: &str = "SELECT id, quiet FROM alert_quiet ORDER BY id";

/// The newest first.
pub(super) const RECEIPTS: &str = "SELECT channel, rule, labels, epoch, number, step, attempt, outcome, remote_id, \
     retry_after_us, why, latency_us, known_at FROM alert_receipt ORDER BY place DESC LIMIT ?1";

/// The newest first.
pub(super) const DEAD_LETTERS: &str = "SELECT channel, rule, labels, epoch, number, step, attempts, failing_since, message, \
     covers, why, refused_at FROM alert_dead_letter ORDER BY place DESC LIMIT ?1";

fn broken(of: impl Display, what: impl Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("{of} has {what}").into())
}

/// Reads a record from a row of [`RECORDS`].
pub(super) fn record(row: &SqliteRow) -> Result<AlertRecord, sqlx::Error> {
    let key = alert_key(row.try_get(0)?, row.try_get(1)?).map_err(|what| broken("an alert", what))?;
    ttm_alert_json::record(key.clone(), row.try_get(2)?)
        .map_err(|what| broken(format_args!("the state of the alert {key}"), what))
}

/// Reads a silence or a window from a row of [`QUIETS`].
pub(super) fn quiet(row: &SqliteRow) -> Result<(QuietId, Quiet), sqlx::Error> {
    let id = QuietId(number(row, 0, "a silence", "id")?);
    let quiet = read(row.try_get(1)?).map_err(|what| broken(format_args!("the silence {id}"), what))?;
    Ok((id, quiet))
}

/// Reads a message from a row of [`MESSAGES`].
pub(super) fn message(row: &SqliteRow) -> Result<OutboxRow, sqlx::Error> {
    let key = key(row)?;
    let of = format!("the message {key}");
    Ok(OutboxRow {
        attempts: number(row, 6, &of, "count of attempts")?,
        failing_since: row.try_get::<Option<i64>, _>(7)?.map(time).transpose()?,
        message: read(row.try_get(8)?).map_err(|what| broken(&of, what))?,
        covers: read(row.try_get(9)?).map_err(|what| broken(&of, what))?,
        key,
    })
}

/// Reads a dead letter from a row of [`DEAD_LETTERS`].
pub(super) fn dead_letter(row: &SqliteRow) -> Result<DeadLetter, sqlx::Error> {
    Ok(DeadLetter { row: message(row)?, why: row.try_get(10)?, at: time(row.try_get(11)?)? })
}

/// Reads a receipt from a row of [`RECEIPTS`].
pub(super) fn receipt(row: &SqliteRow) -> Result<Receipt, sqlx::Error> {
    let key = key(row)?;
    let of = format!("a receipt of the message {key}");
    let outcome = OutcomeForm {
        outcome: row.try_get(7)?,
        remote_id: row.try_get(8)?,
        retry_after_us: row.try_get(9)?,
        why: row.try_get(10)?,
    };
    Ok(Receipt {
        attempt: number(row, 6, &of, "attempt")?,
        outcome: Outcome::of(outcome).map_err(|what| broken(&of, what))?,
        latency: period(row.try_get(11)?).map_err(|what| broken(&of, what))?,
        at: time(row.try_get(12)?)?,
        key,
    })
}

/// Reads the key of a message from the first six columns.
fn key(row: &SqliteRow) -> Result<RowKey, sqlx::Error> {
    let of = "a message";
    Ok(RowKey {
        channel: ChannelId::new(row.try_get(0)?),
        alert: alert_key(row.try_get(1)?, row.try_get(2)?).map_err(|what| broken(of, what))?,
        episode: EpisodeId {
            epoch: Epoch::new(number(row, 3, of, "epoch")?),
            number: number(row, 4, of, "number")?,
        },
        step: number(row, 5, of, "step")?,
    })
}

fn number<T: TryFrom<i64>>(row: &SqliteRow, column: usize, of: &str, what: &str) -> Result<T, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| broken(of, format_args!("the {what} {number}")))
}
