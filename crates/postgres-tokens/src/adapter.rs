//! The source: each listing is one query.

use async_trait::async_trait;
use ttm_kernel::StoreErrorKind;
use ttm_market::{Listing, Origin, TokenSource, TokenSourceError};
use ttm_sqlx_pool::postgres::{OpenError, Pool, Server, foreign_error, is_missing_database, query_scalar};

/// One connection for the query, and another for when the first was given up and the server has not noticed yet.
const CONNECTIONS: u32 = 2;
/// More than can be requested from the API in ten minutes. A longer list is refused as a whole, since there is no right
/// choice of a part of it.
const MAX_ROWS: usize = 100_000;

/// All rows that are not archived, whatever the types of the columns. A row without a status is included.
const QUERY: &str = "SELECT mint_address::text FROM tokens \
     WHERE lower(trim(status::text)) IS DISTINCT FROM 'archived' ORDER BY 1 LIMIT $1";

/// The tokens of another system's database.
#[derive(Clone, Debug)]
pub struct PostgresTokenSource {
    server: Server,
    pool: Pool,
}

impl PostgresTokenSource {
    /// The origin of the tokens of this source.
    pub const ORIGIN: Origin = Origin::new("postgres");

    /// A source for the database with this URL, which is connected to only when listed.
    ///
    /// # Errors
    /// If the URL is invalid.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        let server = Server::parse(url)?;
        Ok(Self { pool: server.pool(CONNECTIONS), server })
    }

    /// Checks the URL; does not connect, and needs no runtime.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn check(url: &str) -> Result<(), OpenError> {
        Server::parse(url).map(drop)
    }

    async fn rows(&self) -> Result<Vec<Option<String>>, sqlx::Error> {
        let limit = i64::try_from(MAX_ROWS + 1).unwrap_or(i64::MAX);
        let mut tx = self.pool.begin_read().await?;
        let rows = query_scalar(QUERY).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    fn error(&self, error: sqlx::Error) -> TokenSourceError {
        let (server, is_away) = (&self.server, is_missing_database(&error));
        let error = foreign_error(error);
        let transient =
            || TokenSourceError::Transient { message: format!("PostgreSQL at {server}: {}", error.said()) };
        match error.kind() {
            StoreErrorKind::Missing if is_away => transient(),
            StoreErrorKind::Transient { .. } | StoreErrorKind::Unauthenticated => transient(),
            StoreErrorKind::Missing
            | StoreErrorKind::Fenced { .. }
            | StoreErrorKind::Rejected
            | StoreErrorKind::Unexpected
            | StoreErrorKind::Corrupt => self.unusable(&error.said()),
        }
    }

    fn unusable(&self, what: &str) -> TokenSourceError {
        let message = format!(
            "PostgreSQL at {}: {what}; expected a table tokens with the columns mint_address and status",
            self.server
        );
        TokenSourceError::Unusable { message }
    }
}

#[async_trait]
impl TokenSource for PostgresTokenSource {
    fn origin(&self) -> Origin {
        Self::ORIGIN
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        let rows = self.rows().await.map_err(|error| self.error(error))?;
        if rows.len() > MAX_ROWS {
            return Err(self.unusable(&format!("more than {MAX_ROWS} tokens are not archived")));
        }
        let mut listing = Listing::default();
        for (number, row) in (1..).zip(&rows) {
            listing.take(number, row.as_deref().unwrap_or_default().trim());
        }
        // A bad row is skipped. Only bad rows mean that this is another table, and no rows that it is being refilled.
        if listing.mints.is_empty() {
            return Err(self.unusable(&match rows.len() {
                0 => "the table has no token that is not archived".to_owned(),
                rows => format!("none of {rows} rows has a valid mint"),
            }));
        }
        Ok(listing)
    }
}
