//! Fencing: the check that every save makes inside its transaction, and whether the store is still the one that granted an
//! epoch.

use sqlx::{Sqlite, Transaction};
use ttm_kernel::{Admission, Epoch, FencingToken, Incarnation, StoreError};

/// A writer of the store. Each can be restarted, and is fenced, independently of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writer {
    /// Saves the states of tokens.
    Tokens,
    /// Follows the lists of tokens.
    Listings,
    /// Saves the states of breakers.
    Breakers,
    /// Appends to the ledger of recoveries.
    Recoveries,
    /// Commits the states of alerts and the messages about them.
    Alerts,
}

impl Writer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Listings => "listings",
            Self::Breakers => "breakers",
            Self::Recoveries => "recoveries",
            Self::Alerts => "alerts",
        }
    }
}

const KNOWN: &str = "SELECT writer.epoch, fence.epoch, fence.incarnation FROM writer \
     LEFT JOIN fence ON fence.writer = ?1";

const REMEMBER: &str = "INSERT INTO fence (writer, epoch, incarnation) VALUES (?1, ?2, ?3) \
     ON CONFLICT (writer) DO UPDATE SET epoch = excluded.epoch, incarnation = excluded.incarnation";

/// The newest epoch, and the epoch and incarnation that are remembered for a writer.
type Known = (i64, Option<i64>, Option<i64>);

/// The writer's newest fencing token, if one is remembered.
fn remembered((_, epoch, incarnation): Known) -> Option<FencingToken> {
    let (epoch, incarnation) = epoch.zip(incarnation)?;
    let incarnation = u32::try_from(incarnation).unwrap_or(u32::MAX);
    Some(FencingToken::new(Epoch::new(epoch.unsigned_abs()), Incarnation::new(incarnation)))
}

/// Checks that this is the writer's newest token under the newest epoch of this store, and remembers it if it is a new one.
/// As the only writer, the transaction keeps it true until it ends.
pub(crate) async fn may_write(
    tx: &mut Transaction<'static, Sqlite>,
    writer: Writer,
    under: FencingToken,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    let known = sqlx::query_as(KNOWN).bind(writer.as_str()).fetch_optional(&mut **tx).await?;
    let known: Known = known.unwrap_or_default();
    match under.admit(Epoch::new(known.0.unsigned_abs()), remembered(known)) {
        Ok(Admission::Known) => Ok(Ok(())),
        Ok(Admission::Newest) => {
            let remember = sqlx::query(REMEMBER).bind(writer.as_str()).bind(known.0);
            remember.bind(i64::from(under.incarnation().number())).execute(&mut **tx).await?;
            Ok(Ok(()))
        }
        Err(refused) => Ok(Err(refused)),
    }
}

/// The number of the last edit and the newest epoch; zero if the row is missing.
pub(crate) const REVISION: &str =
    "SELECT coalesce((SELECT number FROM revision), 0), coalesce((SELECT epoch FROM writer), 0)";

/// Claims the next epoch. Tables that an operator has recreated may lack the row; the first claim inserts it.
pub(crate) const NEXT_EPOCH: &str = "INSERT INTO writer (one, epoch) VALUES (1, 1) \
     ON CONFLICT (one) DO UPDATE SET epoch = writer.epoch + 1 RETURNING epoch";

/// Counts an edit; the first one inserts the row if it is missing.
pub(crate) const EDITED: &str = "INSERT INTO revision (one, number) VALUES (1, 1) \
     ON CONFLICT (one) DO UPDATE SET number = revision.number + 1";
