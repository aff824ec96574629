//! PostgreSQL's states read, and why a server is not open. It decides nothing about retries.

use std::borrow::Cow;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use ttm_kernel::StoreError;

use crate::failure::RESTORE;
use crate::{Failure, Schema, Verdict};

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
    /// Somebody else holds a lock for longer than this program waits; it can be tried again.
    #[error("PostgreSQL at {server}: the schema cannot be brought up to date yet; it waits for {holder}")]
    Locked {
        /// `host:port/database`.
        server: String,
        /// Who holds it, as far as it can be told.
        holder: String,
    },
    /// The database, the schema, a right or the right password is missing, which a person can give.
    #[error("PostgreSQL at {server}: {message}")]
    Forbidden {
        /// `host:port/database`.
        server: String,
        /// What is missing.
        message: String,
    },
    /// Its text lacks characters that tokens have in their names.
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
    /// Its schema is older than this program, or not there, and whoever opened it may not change that.
    #[error("PostgreSQL at {server}: {message}")]
    Behind {
        /// `host:port/database`.
        server: String,
        /// What is missing, and what makes it.
        message: String,
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
    pub(super) fn new(server: String, schema: &Schema, error: sqlx::Error) -> Self {
        if let Some(found) = schema.newer(&error) {
            return Self::NewerSchema { server, found, known: schema.version() };
        }
        if let Some(message) = schema.broken(&error) {
            return Self::Unusable { server, message };
        }
        let Failure { verdict, message } = failure_of_our_own(error);
        match verdict {
            Verdict::Transient | Verdict::Seldom => Self::Unavailable { server, message },
            Verdict::Missing | Verdict::Unauthenticated => Self::Forbidden { server, message },
            Verdict::Rejected | Verdict::Unexpected | Verdict::Corrupt => Self::Unusable { server, message },
        }
    }

    /// Whether the same may succeed later, without a change to the config or the program.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Locked { .. } | Self::Forbidden { .. })
    }

    /// Whether that takes a person who gives what is missing.
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Forbidden { .. })
    }
}

/// What an error of PostgreSQL means to whoever called.
pub fn failure(error: sqlx::Error) -> Failure {
    let message = message(&error);
    let of_server = |error: &dyn DatabaseError| Failure {
        verdict: verdict_of_state(error.code().as_deref().unwrap_or_default()),
        message: error.message().to_owned(),
    };
    Failure { message, ..Failure::new(error, of_server) }
}

/// Whether a table is not there.
pub fn is_missing_table(error: &sqlx::Error) -> bool {
    state(error).as_deref() == Some("42P01")
}

/// Whether there is no database of that name, which may be on its way: one that is restored is dropped first.
pub fn is_missing_database(error: &sqlx::Error) -> bool {
    state(error).as_deref() == Some("3D000")
}

/// PostgreSQL's own code of an error, where it has one.
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

/// One line with the code of whoever reports it: the server's SQLSTATE, or the system's number.
fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(state) => format!("{} (SQLSTATE {state})", error.message()),
            None => error.message().to_owned(),
        },
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) => message(error),
            MigrateError::ExecuteMigration(error, version) => {
                format!("migration {version}: {}", message(error))
            }
            other => other.to_string(),
        },
        sqlx::Error::Io(error) => match error.raw_os_error() {
            Some(number) => format!("{} (os error {number})", error.kind()),
            None => error.to_string(),
        },
        other => other.to_string(),
    }
}

/// The same of a database that is this program's own, with what to do about it.
fn failure_of_our_own(error: sqlx::Error) -> Failure {
    let mend = state(&error).and_then(|state| mend(&state, &error.to_string()));
    let mut failure = failure(error);
    if let Some(mend) = mend {
        failure.message = format!("{}; {mend}", failure.message);
    }
    failure
}

/// What to do about a state that only a person can mend, where the server's own words do not say it.
fn mend(state: &str, said: &str) -> Option<&'static str> {
    match state {
        "3D000" => Some("create it, as in CREATE DATABASE ttm ENCODING 'UTF8' TEMPLATE template0"),
        // "no schema has been selected to create in", and what a user may not do in one; never a table of its own.
        "3F000" => Some("expected a user that may create tables in its schema"),
        "42501" if said.contains("for schema") => {
            Some("expected a user that may create tables in its schema")
        }
        "42P01" => Some(RESTORE),
        _ => None,
    }
}

/// The same as every port of a store tells it.
pub fn store_error(error: sqlx::Error) -> StoreError {
    failure_of_our_own(error).into()
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn verdict_of_state(state: &str) -> Verdict {
    // Undefined database, schema or table, insufficient privilege.
    if matches!(state, "3D000" | "3F000" | "42P01" | "42501") {
        return Verdict::Missing;
    }
    // What servers and proxies answer for trouble of their own that passes, such as a table that is being altered.
    if matches!(state, "XX000" | "0A000") {
        return Verdict::Seldom;
    }
    // Damaged pages: of a table, of an index.
    if matches!(state, "XX001" | "XX002") {
        return Verdict::Corrupt;
    }
    match state.get(..2) {
        // A login that is refused: a password or a right that was changed.
        Some("28") => Verdict::Unauthenticated,
        // Connection, invalid transaction state (a standby is read-only), rollback, resources, locks, operator's stop, the system around: all of them can pass while the data is kept.
        Some("08" | "25" | "40" | "53" | "55" | "57" | "58") => Verdict::Transient,
        // Cardinality, data, constraint, limit: these very values.
        Some("21" | "22" | "23" | "54") => Verdict::Rejected,
        // Another schema than the migrations made, and what is not known: it concerns this statement.
        _ => Verdict::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_says_what_to_do_next() {
        for (state, expected) in [
            ("XX000", Verdict::Seldom),          // internal error
            ("0A000", Verdict::Seldom), // feature not supported: a cached plan must not change its result
            ("08006", Verdict::Transient), // connection failure
            ("28P01", Verdict::Unauthenticated), // invalid password
            ("28000", Verdict::Unauthenticated), // the role may not log in
            ("25006", Verdict::Transient), // read-only transaction
            ("3D000", Verdict::Missing), // no such database
            ("40001", Verdict::Transient), // serialization failure
            ("40P01", Verdict::Transient), // deadlock
            ("53100", Verdict::Transient), // disk full
            ("53300", Verdict::Transient), // too many connections
            ("55P03", Verdict::Transient), // lock not available
            ("57014", Verdict::Transient), // statement timeout
            ("57P01", Verdict::Transient), // admin shutdown
            ("57P03", Verdict::Transient), // cannot connect now
            ("22021", Verdict::Rejected), // NUL in a text
            ("23514", Verdict::Rejected), // check violation
            ("54000", Verdict::Rejected), // program limit
            ("42P01", Verdict::Missing), // undefined table
            ("42501", Verdict::Missing), // insufficient privilege
            ("42703", Verdict::Unexpected), // undefined column
            ("XX001", Verdict::Corrupt), // data corrupted
            ("XX002", Verdict::Corrupt), // index corrupted
            ("58030", Verdict::Transient), // I/O error
            ("P0001", Verdict::Unexpected), // raised by a trigger
            ("", Verdict::Unexpected),
        ] {
            assert_eq!(verdict_of_state(state), expected, "{state}");
        }
    }
}
