//! Who may still write: the one check that every save makes inside its transaction; and whether the store is still the
//! one that granted an epoch. It does not know what is saved.

use sqlx::PgConnection;
use ttm_kernel::{Epoch, StoreError};
use ttm_sqlx_pool::postgres::query_scalar;

/// Whether no newer epoch was claimed than this one. The row stays locked, so that a claim waits for the transaction's
/// end; saves do not wait for each other.
pub(crate) async fn may_write(tx: &mut PgConnection, epoch: Epoch) -> Result<bool, sqlx::Error> {
    let newest: i64 = query_scalar("SELECT epoch FROM writer FOR SHARE").fetch_one(tx).await?;
    Ok(i64::try_from(epoch.number()).map_or(true, |epoch| epoch >= newest))
}

/// The number of the last edit, and the newest epoch that was claimed; zero where the row is gone.
pub(crate) const REVISION: &str =
    "SELECT coalesce((SELECT number FROM revision), 0), coalesce((SELECT epoch FROM writer), 0)";

/// The number of the last edit, where `epoch` was claimed.
pub(crate) fn revision((number, newest): (i64, i64), epoch: Epoch) -> Result<u64, StoreError> {
    let newest = newest.unsigned_abs();
    if epoch.number() > newest { Err(StoreError::replaced(epoch, newest)) } else { Ok(number.unsigned_abs()) }
}
