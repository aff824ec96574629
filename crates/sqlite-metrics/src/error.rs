//! What an error of SQLite means to the caller of the port. It decides nothing about retries.

use ttm_perf::{EventStoreError, MetricStoreError};
use ttm_sqlx_pool::{Failure, Verdict, sqlite};

/// The history's error for one of SQLite.
pub(crate) fn port_error(error: sqlx::Error) -> MetricStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => MetricStoreError::Transient { message },
        Verdict::Rejected => MetricStoreError::Rejected { message },
        Verdict::Corrupt => MetricStoreError::Corrupt { message },
    }
}

/// The same for the record of events.
pub(crate) fn event_error(error: sqlx::Error) -> EventStoreError {
    let Failure { verdict, message } = sqlite::failure(error);
    match verdict {
        Verdict::Transient => EventStoreError::Transient { message },
        Verdict::Rejected => EventStoreError::Rejected { message },
        Verdict::Corrupt => EventStoreError::Corrupt { message },
    }
}
