//! What an error of SQLite means to the caller of the port. It decides nothing about retries.

use ttm_market::TokenStoreError;
use ttm_sqlx_pool::{Failure, Verdict, sqlite};

/// The port's error for one of SQLite.
pub(crate) fn port_error(error: sqlx::Error) -> TokenStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}
