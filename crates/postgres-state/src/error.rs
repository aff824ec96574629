//! What an error of PostgreSQL means to the caller of a port. It decides nothing about retries.

use ttm_breaker::BreakerStoreError;
use ttm_market::TokenStoreError;
use ttm_sqlx_pool::{Failure, Verdict, postgres};

/// The token port's error for one of PostgreSQL.
pub(crate) fn token_error(error: sqlx::Error) -> TokenStoreError {
    let Failure { verdict, message } = postgres::failure(error);
    match verdict {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}

/// The breaker port's error for one of PostgreSQL.
pub(crate) fn breaker_error(error: sqlx::Error) -> BreakerStoreError {
    let Failure { verdict, message } = postgres::failure(error);
    match verdict {
        Verdict::Transient => BreakerStoreError::Transient { message },
        Verdict::Rejected => BreakerStoreError::Rejected { message },
        Verdict::Corrupt => BreakerStoreError::Corrupt { message },
    }
}
