//! PostgreSQL's states read, and why a server is not open. It decides nothing about retries.

use super::Server;
use crate::{Failure, Schema, Verdict};
use ttm_kernel::StoreError;

/// Why the store is not open; one line for a person, without the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error(
        "the database's URL is not usable: {message}; expected postgres://user:password@host:port/database"
    )]
    InvalidUrl {
        /// What is wrong with it.
        message: String,
    },
    /// The server cannot be reached, or does not let this user in.
    #[error("cannot connect to PostgreSQL at {server}: {message}")]
    Unavailable {
        /// `host:port/database`.
        server: String,
        /// What happened.
        message: String,
    },
    /// A newer program was here.
    #[error(
        "PostgreSQL at {server} has schema version {found}, this program knows versions up to {known}: start a newer one"
    )]
    NewerSchema {
        /// `host:port/database`.
        server: String,
        /// The database's version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// The schema is damaged or foreign, or this user may not use it.
    #[error("PostgreSQL at {server} is not a usable store: {message}")]
    Unusable {
        /// `host:port/database`.
        server: String,
        /// What is wrong with it.
        message: String,
    },
}

impl OpenError {
    pub(super) fn new(server: &Server, schema: &Schema, error: sqlx::Error) -> Self {
        let server = server.to_string();
        if let Some(found) = schema.newer(&error) {
            return Self::NewerSchema { server, found, known: schema.version() };
        }
        if let sqlx::Error::PoolTimedOut = error {
            let message = "the connection is refused or not answered".to_owned();
            return Self::Unavailable { server, message };
        }
        let Failure { verdict, message } = failure(error);
        match verdict {
            Verdict::Transient => Self::Unavailable { server, message },
            Verdict::Rejected | Verdict::Corrupt => Self::Unusable { server, message },
        }
    }
}

/// What an error of PostgreSQL means to whoever called.
pub fn failure(error: sqlx::Error) -> Failure {
    Failure::new(error, verdict_of_state)
}

/// The same as every port of a store tells it.
pub fn store_error(error: sqlx::Error) -> StoreError {
    failure(error).into()
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn verdict_of_state(state: &str) -> Verdict {
    match state.get(..2) {
        // Connection, login, no such database (yet), invalid transaction state (a standby is read-only), rollback,
        // resources, locks, operator's stop, the system around: all of them can pass while the data is kept.
        Some("08" | "28" | "3D" | "25" | "40" | "53" | "55" | "57" | "58") => Verdict::Transient,
        // Cardinality, data, constraint, limit: these very values.
        Some("21" | "22" | "23" | "54") => Verdict::Rejected,
        // No such table or right, damaged pages and what is not known.
        _ => Verdict::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_says_what_to_do_next() {
        for (state, expected) in [
            ("08006", Verdict::Transient), // connection failure
            ("28P01", Verdict::Transient), // invalid password
            ("25006", Verdict::Transient), // read-only transaction
            ("40001", Verdict::Transient), // serialization failure
            ("40P01", Verdict::Transient), // deadlock
            ("53100", Verdict::Transient), // disk full
            ("53300", Verdict::Transient), // too many connections
            ("55P03", Verdict::Transient), // lock not available
            ("57014", Verdict::Transient), // statement timeout
            ("57P01", Verdict::Transient), // admin shutdown
            ("57P03", Verdict::Transient), // cannot connect now
            ("22021", Verdict::Rejected),  // NUL in a text
            ("23514", Verdict::Rejected),  // check violation
            ("54000", Verdict::Rejected),  // program limit
            ("42P01", Verdict::Corrupt),   // undefined table
            ("42501", Verdict::Corrupt),   // insufficient privilege
            ("XX001", Verdict::Corrupt),   // data corrupted
            ("", Verdict::Corrupt),
        ] {
            assert_eq!(verdict_of_state(state), expected, "{state}");
        }
    }
}
