//! What an error of PostgreSQL means to the caller of the port. It decides nothing about retries.

use ttm_perf::{EventStoreError, MetricStoreError};
use ttm_sqlx_pool::{Failure, Verdict, postgres};

/// The history's error for one of PostgreSQL.
pub(crate) fn port_error(error: sqlx::Error) -> MetricStoreError {
    let Failure { verdict, message } = postgres::failure(error);
    match verdict {
        Verdict::Transient => MetricStoreError::Transient { message },
        Verdict::Rejected => MetricStoreError::Rejected { message },
        Verdict::Corrupt => MetricStoreError::Corrupt { message },
    }
}

/// The same for the record of events.
pub(crate) fn event_error(error: sqlx::Error) -> EventStoreError {
    let Failure { verdict, message } = postgres::failure(error);
    match verdict {
        Verdict::Transient => EventStoreError::Transient { message },
        Verdict::Rejected => EventStoreError::Rejected { message },
        Verdict::Corrupt => EventStoreError::Corrupt { message },
    }
}
