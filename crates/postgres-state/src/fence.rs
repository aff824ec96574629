//! Who may still write: the one check that every save makes inside its transaction; and whether the store is still the
//! one that granted an epoch. It does not know what is saved.
//!
//! Both rows that are read stay locked until the transaction ends, shared, so that saves do not wait for each other. What
//! raises one of them waits for every transaction that has passed the check before: a claim for all, a writer's new
//! incarnation for those of the older ones.

use sqlx::PgConnection;
use ttm_kernel::{Admission, Epoch, FencingToken, Incarnation, StoreError};
use ttm_sqlx_pool::postgres::{query, query_as, query_scalar};

/// A writer of the store: what is restarted by itself, and so fenced by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writer {
    /// Saves the states of tokens.
    Tokens,
    /// Follows the lists of tokens.
    Listings,
    /// Saves the states of breakers.
    Breakers,
}

impl Writer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Listings => "listings",
            Self::Breakers => "breakers",
        }
    }
}

const NEWEST: &str = "SELECT epoch FROM writer FOR SHARE";

const KNOWN: &str = "SELECT writer.epoch, known.epoch, known.incarnation FROM writer LEFT JOIN LATERAL \
     (SELECT epoch, incarnation FROM fence WHERE fence.writer = $1 FOR SHARE) AS known ON true FOR SHARE OF writer";

/// Of two that raise a writer's token at the same time, the second one changes nothing if its own is the older one.
const REMEMBER: &str = "INSERT INTO fence (writer, epoch, incarnation) VALUES ($1, $2, $3) \
     ON CONFLICT (writer) DO UPDATE SET epoch = excluded.epoch, incarnation = excluded.incarnation \
     WHERE fence.epoch <> excluded.epoch OR fence.incarnation < excluded.incarnation";

/// The newest epoch, and what is remembered of this writer.
type Known = (i64, Option<i64>, Option<i64>);

/// The token of a row.
fn remembered((_, epoch, incarnation): Known) -> Option<FencingToken> {
    let (epoch, incarnation) = epoch.zip(incarnation)?;
    let incarnation = u32::try_from(incarnation).unwrap_or(u32::MAX);
    Some(FencingToken::new(Epoch::new(epoch.unsigned_abs()), Incarnation::new(incarnation)))
}

/// Whether this is the newest epoch that was claimed, and was claimed here.
pub(crate) async fn is_newest(
    tx: &mut PgConnection,
    epoch: Epoch,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    let newest: Option<i64> = query_scalar(NEWEST).fetch_optional(tx).await?;
    Ok(epoch.check_newest(Epoch::new(newest.unwrap_or_default().unsigned_abs())))
}

/// Whether this is the newest token of its writer, under the newest epoch, which was claimed here.
pub(crate) async fn may_write(
    tx: &mut PgConnection,
    writer: Writer,
    under: FencingToken,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    loop {
        let known = query_as(KNOWN).bind(writer.as_str()).fetch_optional(&mut *tx).await?;
        let known: Known = known.unwrap_or_default();
        match under.admit(Epoch::new(known.0.unsigned_abs()), remembered(known)) {
            Ok(Admission::Known) => return Ok(Ok(())),
            Ok(Admission::Newest) => {
                let remember = query(REMEMBER).bind(writer.as_str()).bind(known.0);
                let remember = remember.bind(i64::from(under.incarnation().number()));
                if remember.execute(&mut *tx).await?.rows_affected() > 0 {
                    return Ok(Ok(()));
                }
                // Another incarnation came first: what it wrote under is read now.
            }
            Err(refused) => return Ok(Err(refused)),
        }
    }
}

/// The number of the last edit, and the newest epoch that was claimed; zero where the row is gone.
pub(crate) const REVISION: &str =
    "SELECT coalesce((SELECT number FROM revision), 0), coalesce((SELECT epoch FROM writer), 0)";

/// Claims the next epoch. Tables that a person made anew may lack the row, and whoever comes writes it.
pub(crate) const NEXT_EPOCH: &str = "INSERT INTO writer (one, epoch) VALUES (true, 1) \
     ON CONFLICT (one) DO UPDATE SET epoch = writer.epoch + 1 RETURNING epoch";

/// Counts an edit, the same.
pub(crate) const EDITED: &str = "INSERT INTO revision (one, number) VALUES (true, 1) \
     ON CONFLICT (one) DO UPDATE SET number = revision.number + 1";
