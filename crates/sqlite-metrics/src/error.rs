//! What an error of SQLite means to the caller of the port. It decides nothing about retries.

use ttm_perf::MetricStoreError;
use ttm_sqlx_pool::{Failure, Verdict, sqlite};

/// The port's error for one of SQLite.
pub(crate) fn port_error(error: sqlx::Error) -> MetricStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => MetricStoreError::Transient { message },
        Verdict::Rejected => MetricStoreError::Rejected { message },
        Verdict::Corrupt => MetricStoreError::Corrupt { message },
    }
}
