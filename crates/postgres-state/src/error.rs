//! What an error of PostgreSQL means to the caller of the port. It decides nothing about retries.

use sqlx::migrate::MigrateError;
use ttm_market::TokenStoreError;

use crate::schema;
use crate::server::Server;

/// Why the store is not open; one line for a person, without the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("the store's URL is not usable: {message}; expected postgres://user:password@host:port/database")]
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
    pub(crate) fn new(server: &Server, error: &sqlx::Error) -> Self {
        let server = server.to_string();
        if let sqlx::Error::Migrate(migrate) = error
            && let MigrateError::VersionMissing(found) = **migrate
            && found > schema::known_version()
        {
            return Self::NewerSchema { server, found, known: schema::known_version() };
        }
        let message = match error {
            sqlx::Error::PoolTimedOut => "the connection is refused or not answered".to_owned(),
            error => message(error),
        };
        match verdict(error) {
            Verdict::Transient => Self::Unavailable { server, message },
            Verdict::Rejected | Verdict::Corrupt => Self::Unusable { server, message },
        }
    }
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Transient,
    Rejected,
    Corrupt,
}

/// The port's error for one of PostgreSQL.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
pub(crate) fn port_error(error: sqlx::Error) -> TokenStoreError {
    let message = message(&error);
    match verdict(&error) {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}

fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(error) => verdict_of_state(error.code().as_deref().unwrap_or_default()),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => verdict(error),
            _ => Verdict::Corrupt,
        },
        // A connection that is lost or out of step is replaced by a new one.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Verdict::Transient,
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Verdict::Rejected,
        // Decoding, missing columns or rows: the database is not what the migrations made. New kinds of error too: a
        // person looks before anything is written on.
        _ => Verdict::Corrupt,
    }
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

    #[test]
    fn errors_of_the_driver_say_what_to_do_next() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(verdict(&sqlx::Error::Io(reset)), Verdict::Transient);
        assert_eq!(verdict(&sqlx::Error::PoolTimedOut), Verdict::Transient);
        assert_eq!(verdict(&sqlx::Error::Encode("year -9999".into())), Verdict::Rejected);
        assert_eq!(verdict(&sqlx::Error::Decode("no status".into())), Verdict::Corrupt);
        assert_eq!(verdict(&sqlx::Error::RowNotFound), Verdict::Corrupt);
        let execute = MigrateError::Execute(sqlx::Error::PoolTimedOut);
        assert_eq!(verdict(&sqlx::Error::Migrate(Box::new(execute))), Verdict::Transient);
    }
}
