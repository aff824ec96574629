//! SQLite's result codes read, and why a file is not open. It decides nothing about retries.

use std::path::{Path, PathBuf};
use ttm_kernel::StoreError;

use crate::{Failure, Schema, Verdict};

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
    pub(super) fn new(path: &Path, schema: &Schema, error: sqlx::Error) -> Self {
        let path = path.to_path_buf();
        if let Some(found) = schema.newer(&error) {
            return Self::NewerSchema { path, found, known: schema.version() };
        }
        let Failure { verdict, message } = failure(error);
        match verdict {
            Verdict::Transient | Verdict::Missing => Self::Unavailable { path, message },
            Verdict::Rejected | Verdict::Corrupt => Self::Unusable { path, message },
        }
    }
}

/// What an error of SQLite means to whoever called.
pub fn failure(error: sqlx::Error) -> Failure {
    Failure::new(error, verdict_of_code)
}

/// The same as every port of a store tells it.
pub fn store_error(error: sqlx::Error) -> StoreError {
    failure(error).into()
}

/// Whether another connection holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// By the extended result codes of <https://www.sqlite.org/rescode.html>.
fn verdict_of_code(code: &str) -> Verdict {
    const IOERR_DATA: u32 = 8202;
    const IOERR_CORRUPTFS: u32 = 8458;
    let Ok(code) = code.parse::<u32>() else { return Verdict::Corrupt };
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
            ("5", Verdict::Transient),    // BUSY
            ("261", Verdict::Transient),  // BUSY_RECOVERY
            ("517", Verdict::Transient),  // BUSY_SNAPSHOT
            ("13", Verdict::Transient),   // FULL
            ("778", Verdict::Transient),  // IOERR_WRITE
            ("14", Verdict::Transient),   // CANTOPEN
            ("1544", Verdict::Transient), // READONLY_DIRECTORY
            ("275", Verdict::Rejected),   // CONSTRAINT_CHECK
            ("1299", Verdict::Rejected),  // CONSTRAINT_NOTNULL
            ("18", Verdict::Rejected),    // TOOBIG
            ("1", Verdict::Corrupt),      // ERROR
            ("11", Verdict::Corrupt),     // CORRUPT
            ("26", Verdict::Corrupt),     // NOTADB
            ("8458", Verdict::Corrupt),   // IOERR_CORRUPTFS
            ("8202", Verdict::Corrupt),   // IOERR_DATA
            ("250", Verdict::Corrupt),    // not a code
            ("", Verdict::Corrupt),
        ] {
            assert_eq!(verdict_of_code(code), expected, "{code}");
        }
    }
}
