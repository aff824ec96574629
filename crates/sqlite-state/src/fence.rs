//! Who may still write: the one check that every save makes inside its transaction. It does not know what is saved.

use sqlx::{Sqlite, Transaction};
use ttm_kernel::Epoch;

/// Whether no newer epoch was claimed than this one. A writer's transaction keeps it so until its end.
pub(crate) async fn may_write(
    tx: &mut Transaction<'static, Sqlite>,
    epoch: Epoch,
) -> Result<bool, sqlx::Error> {
    let newest: i64 = sqlx::query_scalar("SELECT epoch FROM writer").fetch_one(&mut **tx).await?;
    Ok(i64::try_from(epoch.number()).map_or(true, |epoch| epoch >= newest))
}
