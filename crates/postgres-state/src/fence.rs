//! Fencing: the check that every save makes inside its transaction, and whether the store is still the one that granted an
//! epoch.
//!
//! The rows that the check reads stay locked in share mode until the transaction ends, so saves do not wait for each other, but
//! for those of a writer whose order counts.
//! Raising one of them waits for every transaction that has already passed the check: a claim waits for all saves, a
//! writer's new incarnation for those of its older ones.

use sqlx::PgConnection;
use ttm_kernel::{Admission, Epoch, FencingToken, Incarnation, StoreError};
use ttm_sqlx_pool::postgres::{query, query_as, query_scalar};

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

    /// Reads, and locks, what is known of its tokens. What the others save is either whole states or never taken back, so it comes to
    /// the same in any order.
    const fn known(self) -> &'static str {
        match self {
            Self::Tokens | Self::Listings | Self::Breakers | Self::Recoveries => KNOWN,
            Self::Alerts => KNOWN_IN_TURN,
        }
    }
}

const NEWEST: &str = "SELECT epoch FROM writer FOR SHARE";

const KNOWN: &str = "SELECT writer.epoch, known.epoch, known.incarnation FROM writer LEFT JOIN LATERAL \
     (SELECT epoch, incarnation FROM fence WHERE fence.writer = $1 FOR SHARE) AS known ON true FOR SHARE OF writer";

/// The same for a writer whose saves wait for each other: one that was given up may still be under way.
const KNOWN_IN_TURN: &str = "SELECT writer.epoch, known.epoch, known.incarnation FROM writer LEFT JOIN LATERAL \
     (SELECT epoch, incarnation FROM fence WHERE fence.writer = $1 FOR NO KEY UPDATE) AS known ON true FOR SHARE OF writer";

/// If two incarnations raise a writer's token at the same time, the second one changes nothing unless its own is newer.
const REMEMBER: &str = "INSERT INTO fence (writer, epoch, incarnation) VALUES ($1, $2, $3) \
     ON CONFLICT (writer) DO UPDATE SET epoch = excluded.epoch, incarnation = excluded.incarnation \
     WHERE fence.epoch <> excluded.epoch OR fence.incarnation < excluded.incarnation";

/// The newest epoch, and the epoch and incarnation that are remembered for a writer.
type Known = (i64, Option<i64>, Option<i64>);

/// The writer's newest fencing token, if one is remembered.
fn remembered((_, epoch, incarnation): Known) -> Option<FencingToken> {
    let (epoch, incarnation) = epoch.zip(incarnation)?;
    let incarnation = u32::try_from(incarnation).unwrap_or(u32::MAX);
    Some(FencingToken::new(Epoch::new(epoch.unsigned_abs()), Incarnation::new(incarnation)))
}

/// Checks that this is the newest epoch of this store.
pub(crate) async fn is_newest(
    tx: &mut PgConnection,
    epoch: Epoch,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    let newest: Option<i64> = query_scalar(NEWEST).fetch_optional(tx).await?;
    Ok(epoch.check_newest(Epoch::new(newest.unwrap_or_default().unsigned_abs())))
}

/// Checks that this is the writer's newest token under the newest epoch of this store, and remembers it if it is a new one.
pub(crate) async fn may_write(
    tx: &mut PgConnection,
    writer: Writer,
    under: FencingToken,
) -> Result<Result<(), StoreError>, sqlx::Error> {
    loop {
        let known = query_as(writer.known()).bind(writer.as_str()).fetch_optional(&mut *tx).await?;
        let known: Known = known.unwrap_or_default();
        match under.admit(Epoch::new(known.0.unsigned_abs()), remembered(known)) {
            Ok(Admission::Known) => return Ok(Ok(())),
            Ok(Admission::Newest) => {
                let remember = query(REMEMBER).bind(writer.as_str()).bind(known.0);
                let remember = remember.bind(i64::from(under.incarnation().number()));
                if remember.execute(&mut *tx).await?.rows_affected() > 0 {
                    return Ok(Ok(()));
                }
                // Another incarnation was first: read its token.
            }
            Err(refused) => return Ok(Err(refused)),
        }
    }
}

/// The number of the last edit and the newest epoch; zero if the row is missing.
pub(crate) const REVISION: &str =
    "SELECT coalesce((SELECT number FROM revision), 0), coalesce((SELECT epoch FROM writer), 0)";

/// Claims the next epoch. Tables that an operator has recreated may lack the row; the first claim inserts it.
pub(crate) const NEXT_EPOCH: &str = "INSERT INTO writer (one, epoch) VALUES (true, 1) \
     ON CONFLICT (one) DO UPDATE SET epoch = writer.epoch + 1 RETURNING epoch";

/// Counts an edit; the first one inserts the row if it is missing.
pub(crate) const EDITED: &str = "INSERT INTO revision (one, number) VALUES (true, 1) \
     ON CONFLICT (one) DO UPDATE SET number = revision.number + 1";
