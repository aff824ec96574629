//! Who may still write: the one check that every save makes inside its transaction. It does not know what is saved.

use sqlx::PgConnection;
use ttm_kernel::Epoch;
use ttm_sqlx_pool::postgres::query_scalar;

/// Whether no newer epoch was claimed than this one. The row stays locked, so that a claim waits for the transaction's
/// end; saves do not wait for each other.
pub(crate) async fn may_write(tx: &mut PgConnection, epoch: Epoch) -> Result<bool, sqlx::Error> {
    let newest: i64 = query_scalar("SELECT epoch FROM writer FOR SHARE").fetch_one(tx).await?;
    Ok(i64::try_from(epoch.number()).map_or(true, |epoch| epoch >= newest))
}
