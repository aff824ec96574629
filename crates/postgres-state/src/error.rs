//! What an error of PostgreSQL means to the caller of the port. It decides nothing about retries.

use ttm_market::TokenStoreError;
use ttm_sqlx_pool::{Failure, Verdict, postgres};

/// The port's error for one of PostgreSQL.
pub(crate) fn port_error(error: sqlx::Error) -> TokenStoreError {
    let Failure { verdict, message } = postgres::failure(error);
    match verdict {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}
