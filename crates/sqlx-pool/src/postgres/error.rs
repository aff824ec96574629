//! What PostgreSQL's error codes mean, and why a server cannot be opened. Retrying is up to the caller.

use std::borrow::Cow;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use ttm_kernel::{OPERATOR_RETRY, StoreError, StoreErrorKind};

use crate::Schema;
use crate::failure::{self, RESTORE, in_full};

/// Why the store cannot be opened; one line for a person, without the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be parsed.
    #[error("the database URL is invalid: {message}; expected postgres://user:password@host:port/database")]
    InvalidUrl {
        /// What is wrong with it.
        message: String,
    },
    /// Another process migrates, or another session holds a lock, for longer than this program waits; can be retried.
    #[error("PostgreSQL at {server}: cannot migrate the schema yet: waiting for {holder}")]
    Locked {
        /// `host:port/database`.
        server: String,
        /// That process, or the table and the session that holds it, as far as known.
        holder: String,
    },
    /// The database's encoding lacks characters that occur in the names of tokens.
    #[error(
        "PostgreSQL at {server}: the database's encoding is {found}; expected UTF8, as in CREATE DATABASE ttm \
        ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// `host:port/database`.
        server: String,
        /// The encoding.
        found: String,
    },
    /// A newer version of this program has migrated it.
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
    /// Its schema is missing or older than this program, and the caller must not migrate it.
    #[error("PostgreSQL at {server}: {message}")]
    Behind {
        /// `host:port/database`.
        server: String,
        /// What is missing, and the command that creates it.
        message: String,
    },
    /// The server cannot be reached, or refuses.
    #[error("{}: {}", prefix(server, error), in_full(error))]
    Store {
        /// `host:port/database`.
        server: String,
        /// What a start does next.
        #[source]
        error: StoreError,
    },
}

/// Which server it is, and what failed there.
fn prefix(server: &str, error: &StoreError) -> String {
    match error.kind() {
        StoreErrorKind::Transient { .. } => format!("cannot connect to PostgreSQL at {server}"),
        StoreErrorKind::Missing | StoreErrorKind::Unauthenticated => format!("PostgreSQL at {server}"),
        StoreErrorKind::Fenced { .. }
        | StoreErrorKind::Rejected
        | StoreErrorKind::Unexpected
        | StoreErrorKind::Corrupt => format!("PostgreSQL at {server} is not a usable store"),
    }
}

impl OpenError {
    pub(super) fn new(server: String, schema: &Schema, error: sqlx::Error) -> Self {
        if let Some(found) = schema.newer(&error) {
            return Self::NewerSchema { server, found, known: schema.version() };
        }
        let error = match schema.broken(&error) {
            Some(message) => StoreError::unexpected(message).with_source(error),
            None => store_error(error),
        };
        Self::Store { server, error }
    }

    /// Whether a retry may succeed without a change to the config or the program.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::Store { error, .. } => error.may_pass(),
            _ => false,
        }
    }

    /// Whether that takes an operator who provides what is missing.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Store { error, .. } if error.needs_a_person())
    }
}

/// What an error means where the database belongs to another system.
pub fn foreign_error(error: sqlx::Error) -> StoreError {
    failure::read(error, of_server)
}

/// What an error means to the caller of a store's port. The database is this program's own, so that the error also says
/// how an operator fixes it.
pub fn store_error(error: sqlx::Error) -> StoreError {
    let advice = state(&error).and_then(|state| advice(&state, &error.to_string()));
    let error = foreign_error(error);
    match advice {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// Whether a table does not exist.
pub fn is_missing_table(error: &sqlx::Error) -> bool {
    state(error).as_deref() == Some("42P01")
}

/// Whether the database does not exist. It may be about to: a restore drops it first.
pub fn is_missing_database(error: &sqlx::Error) -> bool {
    state(error).as_deref() == Some("3D000")
}

/// The SQLSTATE of an error, if it has one.
pub(super) fn state(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    match error {
        sqlx::Error::Database(error) => error.code(),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => state(error),
            _ => None,
        },
        _ => None,
    }
}

fn of_server(error: &dyn DatabaseError) -> StoreError {
    let state = error.code().unwrap_or_default();
    let read = StoreError::new(kind(&state), error.message().to_owned());
    if state.is_empty() { read } else { read.with_code(format!("SQLSTATE {state}")) }
}

/// What an operator can do about a SQLSTATE, where the server's message does not say so.
fn advice(state: &str, said: &str) -> Option<&'static str> {
    match state {
        "3D000" => Some("create it, as in CREATE DATABASE ttm ENCODING 'UTF8' TEMPLATE template0"),
        // "no schema has been selected to create in", and a missing privilege on one; never one on a table.
        "3F000" => Some("expected a user that may create tables in its schema"),
        "42501" if said.contains("for schema") => {
            Some("expected a user that may create tables in its schema")
        }
        "42P01" => Some(RESTORE),
        _ => None,
    }
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind(state: &str) -> StoreErrorKind {
    // Undefined database, schema or table, insufficient privilege.
    if matches!(state, "3D000" | "3F000" | "42P01" | "42501") {
        return StoreErrorKind::Missing;
    }
    // Servers and proxies answer these for internal trouble that passes, such as a table that is being altered.
    if matches!(state, "XX000" | "0A000") {
        return StoreErrorKind::Transient { retry_after: Some(OPERATOR_RETRY) };
    }
    // Damaged pages of a table or an index.
    if matches!(state, "XX001" | "XX002") {
        return StoreErrorKind::Corrupt;
    }
    match state.get(..2) {
        // The login is refused: the password or the role was changed.
        Some("28") => StoreErrorKind::Unauthenticated,
        // Connection, invalid transaction state (a standby is read-only), rollback, resources, locks, operator intervention,
        // system errors: all of them can pass while the data is kept.
        Some("08" | "25" | "40" | "53" | "55" | "57" | "58") => {
            StoreErrorKind::Transient { retry_after: None }
        }
        // Cardinality, data, constraint, limit: it is these values that are refused.
        Some("21" | "22" | "23" | "54") => StoreErrorKind::Rejected,
        // A schema that the migrations did not create, and unknown codes: only this statement is affected.
        _ => StoreErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttm_kernel::StoreErrorKind::{Corrupt, Missing, Rejected, Unauthenticated, Unexpected};

    const TRANSIENT: StoreErrorKind = StoreErrorKind::Transient { retry_after: None };
    const SLOWLY: StoreErrorKind = StoreErrorKind::Transient { retry_after: Some(OPERATOR_RETRY) };

    #[test]
    fn every_sqlstate_says_what_to_do_next() {
        for (state, expected) in [
            ("XX000", SLOWLY),          // internal error
            ("0A000", SLOWLY),          // feature not supported: a cached plan must not change its result
            ("08006", TRANSIENT),       // connection failure
            ("28P01", Unauthenticated), // invalid password
            ("28000", Unauthenticated), // the role may not log in
            ("25006", TRANSIENT),       // read-only transaction
            ("3D000", Missing),         // no such database
            ("40001", TRANSIENT),       // serialization failure
            ("40P01", TRANSIENT),       // deadlock
            ("53100", TRANSIENT),       // disk full
            ("53300", TRANSIENT),       // too many connections
            ("55P03", TRANSIENT),       // lock not available
            ("57014", TRANSIENT),       // statement timeout
            ("57P01", TRANSIENT),       // admin shutdown
            ("57P03", TRANSIENT),       // cannot connect now
            ("22021", Rejected),        // NUL in a text
            ("23514", Rejected),        // check violation
            ("54000", Rejected),        // program limit
            ("42P01", Missing),         // undefined table
            ("42501", Missing),         // insufficient privilege
            ("42703", Unexpected),      // undefined column
            ("XX001", Corrupt),         // data corrupted
            ("XX002", Corrupt),         // index corrupted
            ("58030", TRANSIENT),       // I/O error
            ("P0001", Unexpected),      // raised by a trigger
            ("", Unexpected),
        ] {
            assert_eq!(kind(state), expected, "{state}");
        }
    }
}
