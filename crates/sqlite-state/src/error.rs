//! What an error of SQLite means to the caller of a port. It decides nothing about retries.

use ttm_breaker::BreakerStoreError;
use ttm_market::TokenStoreError;
use ttm_sqlx_pool::{Failure, Verdict, sqlite};

/// The token port's error for one of SQLite.
pub(crate) fn token_error(error: sqlx::Error) -> TokenStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}

/// The breaker port's error for one of SQLite.
pub(crate) fn breaker_error(error: sqlx::Error) -> BreakerStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => BreakerStoreError::Transient { message },
        Verdict::Rejected => BreakerStoreError::Rejected { message },
        Verdict::Corrupt => BreakerStoreError::Corrupt { message },
    }
}
