//! The source itself: one question a listing. It does not know when to ask again.

use async_trait::async_trait;
use ttm_kernel::StoreErrorKind;
use ttm_market::{Listing, Origin, TokenSource, TokenSourceError};
use ttm_sqlx_pool::postgres::{OpenError, Pool, Server, foreign_error, is_missing_database, query_scalar};

/// One asks; another is there when the first was given up and the server has not noticed yet.
const CONNECTIONS: u32 = 2;
/// More than the API can be asked about in ten minutes. A longer list is refused as a whole: which part of it counts is
/// not ours to choose.
const MOST: usize = 100_000;

/// Every row that is not archived, whatever the types of the columns. A row without a status is watched.
const QUESTION: &str = "SELECT mint_address::text FROM tokens \
     WHERE lower(trim(status::text)) IS DISTINCT FROM 'archived' ORDER BY 1 LIMIT $1";

/// The tokens of another system's database.
#[derive(Clone, Debug)]
pub struct PostgresTokenSource {
    server: Server,
    pool: Pool,
}

impl PostgresTokenSource {
    /// The word of this kind of source.
    pub const ORIGIN: Origin = Origin::new("postgres");

    /// The database of this URL, which is connected to only when it is listed.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        let server = Server::parse(url)?;
        Ok(Self { pool: server.pool(CONNECTIONS), server })
    }

    /// Whether the URL of a database can be read; connects to nothing, and needs no runtime.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(url: &str) -> Result<(), OpenError> {
        Server::parse(url).map(drop)
    }

    async fn rows(&self) -> Result<Vec<Option<String>>, sqlx::Error> {
        let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
        let mut tx = self.pool.begin_read().await?;
        let rows = query_scalar(QUESTION).bind(limit).fetch_all(&mut *tx).await?;
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
        if rows.len() > MOST {
            return Err(self.unusable(&format!("more than {MOST} tokens are not archived")));
        }
        let mut listing = Listing::default();
        for (number, row) in (1..).zip(&rows) {
            listing.take(number, row.as_deref().unwrap_or_default().trim());
        }
        // One bad row is somebody's typing error; nothing but bad rows is another table than was meant, and no row at all one
        // that is being filled anew.
        if listing.mints.is_empty() {
            return Err(self.unusable(&match rows.len() {
                0 => "it lists no token that is not archived".to_owned(),
                rows => format!("not one of {rows} rows holds a mint"),
            }));
        }
        Ok(listing)
    }
}
