//! Who may still write: the one check that every save makes inside its transaction; and whether the store is still the
//! one that granted an epoch. It does not know what is saved.

use sqlx::{Sqlite, Transaction};
use ttm_kernel::{Epoch, StoreError};

/// Whether this is the newest epoch that was claimed, and was claimed here. A writer's transaction keeps it so until its end.
pub(crate) async fn may_write(
    tx: &mut Transaction<'static, Sqlite>,
    epoch: Epoch,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT epoch FROM writer").fetch_optional(&mut **tx).await?;
    Ok(StoreError::check_epoch(epoch, newest.unwrap_or_default().unsigned_abs()))
}

/// The number of the last edit, and the newest epoch that was claimed; zero where the row is gone.
pub(crate) const REVISION: &str =
    "SELECT coalesce((SELECT number FROM revision), 0), coalesce((SELECT epoch FROM writer), 0)";

/// Claims the next epoch. Tables that a person made anew may lack the row, and whoever comes writes it.
pub(crate) const NEXT_EPOCH: &str = "INSERT INTO writer (one, epoch) VALUES (1, 1) \
     ON CONFLICT (one) DO UPDATE SET epoch = writer.epoch + 1 RETURNING epoch";

/// Counts an edit, the same.
pub(crate) const EDITED: &str = "INSERT INTO revision (one, number) VALUES (1, 1) \
     ON CONFLICT (one) DO UPDATE SET number = revision.number + 1";
