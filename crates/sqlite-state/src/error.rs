//! What an error of SQLite means to the caller of the port. It decides nothing about retries.

use std::path::{Path, PathBuf};

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use ttm_market::TokenStoreError;

use crate::schema;

/// Why the file is not open; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is missing or the file may not be read and written; or another process holds it.
    #[error("cannot open {}: {message}; expected a folder and a file that this user may read and write", path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        message: String,
    },
    /// A newer program was here.
    #[error("{} has schema version {found}, this program knows versions up to {known}: start a newer one", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// It is no database, or a damaged or foreign one.
    #[error("{} is not a usable store: {message}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl OpenError {
    pub(crate) fn new(path: &Path, error: &sqlx::Error) -> Self {
        let (path, message) = (path.to_path_buf(), message(error));
        if let sqlx::Error::Migrate(migrate) = error
            && let MigrateError::VersionMissing(found) = **migrate
            && found > schema::known_version()
        {
            return Self::NewerSchema { path, found, known: schema::known_version() };
        }
        match verdict(error) {
            Verdict::Transient => Self::Unavailable { path, message },
            Verdict::Rejected | Verdict::Corrupt => Self::Unusable { path, message },
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

/// The port's error for one of SQLite.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
pub(crate) fn port_error(error: sqlx::Error) -> TokenStoreError {
    let message = message(&error);
    match verdict(&error) {
        Verdict::Transient => TokenStoreError::Transient { message },
        Verdict::Rejected => TokenStoreError::Rejected { message },
        Verdict::Corrupt => TokenStoreError::Corrupt { message },
    }
}

/// Whether another connection holds the lock.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(extended_code).is_some_and(|code| code & 0xff == 5)
}

fn extended_code(error: &dyn DatabaseError) -> Option<u32> {
    error.code()?.parse().ok()
}

fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(error) => verdict_of_code(extended_code(&**error)),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => verdict(error),
            _ => Verdict::Corrupt,
        },
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Verdict::Transient,
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Verdict::Rejected,
        // Decoding, missing columns or rows: the file is not what the migrations made. New kinds of error too: a
        // person looks before anything is written on.
        _ => Verdict::Corrupt,
    }
}

/// By the extended result codes of <https://www.sqlite.org/rescode.html>.
fn verdict_of_code(code: Option<u32>) -> Verdict {
    const IOERR_DATA: u32 = 8202;
    const IOERR_CORRUPTFS: u32 = 8458;
    let Some(code) = code else { return Verdict::Corrupt };
    match (code, code & 0xff) {
        (IOERR_DATA | IOERR_CORRUPTFS, _) => Verdict::Corrupt,
        // PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, SCHEMA, AUTH: the file's
        // surroundings can be mended while the data is kept.
        (_, 3 | 5..=10 | 13..=15 | 17 | 23) => Verdict::Transient,
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE: these very values.
        (_, 18..=20 | 25) => Verdict::Rejected,
        // ERROR (no such table), INTERNAL, CORRUPT, NOTADB and what is not known.
        _ => Verdict::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_do_next() {
        for (code, expected) in [
            (5, Verdict::Transient),    // BUSY
            (261, Verdict::Transient),  // BUSY_RECOVERY
            (517, Verdict::Transient),  // BUSY_SNAPSHOT
            (13, Verdict::Transient),   // FULL
            (778, Verdict::Transient),  // IOERR_WRITE
            (14, Verdict::Transient),   // CANTOPEN
            (1544, Verdict::Transient), // READONLY_DIRECTORY
            (275, Verdict::Rejected),   // CONSTRAINT_CHECK
            (1299, Verdict::Rejected),  // CONSTRAINT_NOTNULL
            (18, Verdict::Rejected),    // TOOBIG
            (1, Verdict::Corrupt),      // ERROR
            (11, Verdict::Corrupt),     // CORRUPT
            (26, Verdict::Corrupt),     // NOTADB
            (8458, Verdict::Corrupt),   // IOERR_CORRUPTFS
            (8202, Verdict::Corrupt),   // IOERR_DATA
            (250, Verdict::Corrupt),    // not a code
        ] {
            assert_eq!(verdict_of_code(Some(code)), expected, "{code}");
        }
        assert_eq!(verdict_of_code(None), Verdict::Corrupt);
    }

    #[test]
    fn errors_of_the_driver_say_what_to_do_next() {
        assert_eq!(verdict(&sqlx::Error::PoolTimedOut), Verdict::Transient);
        assert_eq!(verdict(&sqlx::Error::WorkerCrashed), Verdict::Transient);
        assert_eq!(verdict(&sqlx::Error::Encode("NaN".into())), Verdict::Rejected);
        assert_eq!(verdict(&sqlx::Error::Decode("no status".into())), Verdict::Corrupt);
        assert_eq!(verdict(&sqlx::Error::RowNotFound), Verdict::Corrupt);
        let execute = MigrateError::Execute(sqlx::Error::PoolTimedOut);
        assert_eq!(verdict(&sqlx::Error::Migrate(Box::new(execute))), Verdict::Transient);
    }
}
