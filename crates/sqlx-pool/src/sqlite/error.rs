//! What SQLite's result codes mean, and why a file cannot be opened. Retrying is up to the caller.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use ttm_kernel::{StoreError, StoreErrorKind};

use super::resolved;
use crate::Schema;
use crate::failure::{self, RESTORE, in_full};

/// What to do if a file is no longer the one that was opened. A process that has the database open cannot know what was done
/// to it under another name in the meantime, so it does not resume once the file is back.
pub const PUT_BACK: &str =
    "put the original file back and restart this process, which stores nothing until then";

/// Why the file cannot be opened; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is missing, or the file is not readable and writable.
    #[error("cannot open {}: {}; expected a folder and a file that this user may read and write", path.display(), in_full(error))]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        #[source]
        error: StoreError,
    },
    /// A newer version of this program has migrated it.
    #[error("{} has schema version {found}, this program knows versions up to {known}: start a newer one", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// Its schema is missing or older than this program, and the caller must not migrate it.
    #[error("{}: {message}", path.display())]
    Behind {
        /// The file.
        path: PathBuf,
        /// What is missing, and the command that creates it.
        message: String,
    },
    /// The disk is full or does not respond, another process holds a lock, or the file is not a database, or is a damaged or a
    /// foreign one.
    #[error("{}: {}", prefix(path, error), in_full(error))]
    Store {
        /// The file.
        path: PathBuf,
        /// What a start does next.
        #[source]
        error: StoreError,
    },
}

/// Which file it is, and what failed there.
fn prefix(path: &Path, error: &StoreError) -> String {
    let path = path.display();
    if error.may_pass() { format!("cannot use {path} now") } else { format!("{path} is not a usable store") }
}

impl OpenError {
    pub(super) fn new(path: &Path, schema: &Schema, error: sqlx::Error) -> Self {
        let path = path.to_path_buf();
        if let Some(found) = schema.newer(&error) {
            return Self::NewerSchema { path, found, known: schema.version() };
        }
        if let Some(message) = schema.broken(&error) {
            let error = StoreError::unexpected(message).with_source(error);
            return Self::Store { path, error };
        }
        let result = result(&error);
        let error = store_error(error);
        if result == Some(FULL) {
            return Self::Store { path, error: error.with_kind(StoreErrorKind::Missing) };
        }
        // SQLite reports a full disk as such only where it writes to the file itself.
        if matches!(result, Some(IOERR | CANTOPEN)) && is_full(&path) {
            let said = format!("the disk is full: {}", error.said());
            return Self::Store { path, error: StoreError::missing(said).with_source(error) };
        }
        match error.kind() {
            StoreErrorKind::Transient { .. } if is_a_mistake(result) => Self::Unavailable { path, error },
            // A table that a migration wants to change: waiting does not bring it back.
            StoreErrorKind::Missing => Self::Unavailable { path, error },
            _ => Self::Store { path, error },
        }
    }

    /// Whether a retry may succeed without a change to the config or the program.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store { error, .. } if error.may_pass())
    }

    /// Whether that takes an operator, who makes room.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Store { error, .. } if error.needs_a_person())
    }
}

const BUSY: u32 = 5;
const IOERR: u32 = 10;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;

/// Whether an error that may pass while a file is in use is a mistake when it is opened: a permission or a folder is missing,
/// and waiting for it at the start would not tell the operator.
fn is_a_mistake(result: Option<u32>) -> bool {
    // PERM, READONLY, CANTOPEN, AUTH, and what has no code.
    result.is_none_or(|result| matches!(result, 3 | 8 | CANTOPEN | 23))
}

/// Whether the file's disk has no room for the files that SQLite keeps beside a database: the index of the log takes 32 KiB.
fn is_full(path: &Path) -> bool {
    const NEEDED: u64 = 32 * 1024;
    // The disk of the file itself, not of the links to it.
    let Ok(path) = resolved(path) else { return false };
    let folder = path.parent().unwrap_or(Path::new("/"));
    // A file system without a limit on the number of files reports zero.
    rustix::fs::statvfs(folder).is_ok_and(|disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) < NEEDED || (disk.f_files > 0 && disk.f_favail == 0)
    })
}

/// What an error means to the caller of a store's port.
pub fn store_error(error: sqlx::Error) -> StoreError {
    failure::read(error, |error| {
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
        of_sqlite(code, error.message())
    })
}

/// Whether another connection holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    result(error) == Some(BUSY)
}

/// SQLite's primary result code of an error, where it has one.
fn result(error: &sqlx::Error) -> Option<u32> {
    match error {
        sqlx::Error::Database(error) => error.code()?.parse::<u32>().ok().map(|code| code & 0xff),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => result(error),
            _ => None,
        },
        // All connections are in use: they wait for a disk or a lock.
        sqlx::Error::PoolTimedOut => Some(BUSY),
        _ => None,
    }
}

/// By the extended result codes of <https://www.sqlite.org/rescode.html>; the lower eight bits are the primary one.
fn of_sqlite(code: u32, message: &str) -> StoreError {
    const READONLY_DBMOVED: u32 = 1032;
    const IOERR_DATA: u32 = 8202;
    const IOERR_CORRUPTFS: u32 = 8458;
    let kind = match (code, code & 0xff) {
        // A wrong checksum, a damaged file system, CORRUPT and NOTADB. Nothing else proves damage.
        (READONLY_DBMOVED | IOERR_DATA | IOERR_CORRUPTFS, _) | (_, 11 | 26) => StoreErrorKind::Corrupt,
        // PERM, ABORT, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, SCHEMA, AUTH: the file's
        // environment can be fixed while the data is kept.
        (_, 3..=10 | 13..=15 | 17 | 23) => StoreErrorKind::Transient { retry_after: None },
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE: it is these values that are refused.
        (_, 18..=20 | 25) => StoreErrorKind::Rejected,
        // ERROR says what it is only in its message.
        (_, 1) if message.contains("no such table") => StoreErrorKind::Missing,
        // A connection whose transaction state is out of step is closed: "cannot start a transaction within a transaction", "cannot
        // commit - no transaction is active".
        (_, 1) if message.starts_with("cannot ") && message.contains(" transaction") => {
            StoreErrorKind::Transient { retry_after: None }
        }
        // Any other ERROR, INTERNAL, MISUSE and unknown codes: only this statement is affected.
        _ => StoreErrorKind::Unexpected,
    };
    let moved = "the file was deleted or moved away while it was in use";
    let message = if code == READONLY_DBMOVED { moved } else { message };
    let error = StoreError::new(kind, message.to_owned()).with_code(format!("{}, {code}", name(code)));
    match kind {
        StoreErrorKind::Missing => error.with_advice(RESTORE),
        _ if code == READONLY_DBMOVED => error.with_advice(PUT_BACK),
        _ => error,
    }
}

/// The name of the primary code, as in SQLite's manual.
fn name(code: u32) -> &'static str {
    match code & 0xff {
        1 => "SQLITE_ERROR",
        2 => "SQLITE_INTERNAL",
        3 => "SQLITE_PERM",
        4 => "SQLITE_ABORT",
        5 => "SQLITE_BUSY",
        6 => "SQLITE_LOCKED",
        7 => "SQLITE_NOMEM",
        8 => "SQLITE_READONLY",
        9 => "SQLITE_INTERRUPT",
        10 => "SQLITE_IOERR",
        11 => "SQLITE_CORRUPT",
        13 => "SQLITE_FULL",
        14 => "SQLITE_CANTOPEN",
        15 => "SQLITE_PROTOCOL",
        17 => "SQLITE_SCHEMA",
        18 => "SQLITE_TOOBIG",
        19 => "SQLITE_CONSTRAINT",
        20 => "SQLITE_MISMATCH",
        21 => "SQLITE_MISUSE",
        23 => "SQLITE_AUTH",
        25 => "SQLITE_RANGE",
        26 => "SQLITE_NOTADB",
        _ => "SQLite's code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttm_kernel::StoreErrorKind::{Corrupt, Missing, Rejected, Unexpected};

    const TRANSIENT: StoreErrorKind = StoreErrorKind::Transient { retry_after: None };

    /// Every primary code of SQLite 3.51, the last of its extensions, and what the caller does next.
    const KINDS: [(u32, u32, StoreErrorKind); 31] = [
        (0, 2, Unexpected),   // OK, no error
        (1, 6, Unexpected),   // ERROR, unless its text says more
        (2, 0, Unexpected),   // INTERNAL
        (3, 0, TRANSIENT),    // PERM
        (4, 2, TRANSIENT),    // ABORT
        (5, 3, TRANSIENT),    // BUSY
        (6, 2, TRANSIENT),    // LOCKED
        (7, 0, TRANSIENT),    // NOMEM
        (8, 6, TRANSIENT),    // READONLY
        (9, 0, TRANSIENT),    // INTERRUPT
        (10, 36, TRANSIENT),  // IOERR
        (11, 3, Corrupt),     // CORRUPT
        (12, 0, Unexpected),  // NOTFOUND
        (13, 0, TRANSIENT),   // FULL
        (14, 6, TRANSIENT),   // CANTOPEN
        (15, 0, TRANSIENT),   // PROTOCOL
        (16, 0, Unexpected),  // EMPTY, not used
        (17, 0, TRANSIENT),   // SCHEMA
        (18, 0, Rejected),    // TOOBIG
        (19, 12, Rejected),   // CONSTRAINT
        (20, 0, Rejected),    // MISMATCH
        (21, 0, Unexpected),  // MISUSE
        (22, 0, Unexpected),  // NOLFS
        (23, 1, TRANSIENT),   // AUTH
        (24, 0, Unexpected),  // FORMAT, not used
        (25, 0, Rejected),    // RANGE
        (26, 0, Corrupt),     // NOTADB
        (27, 3, Unexpected),  // NOTICE, of the log
        (28, 1, Unexpected),  // WARNING, of the log
        (100, 0, Unexpected), // ROW, no error
        (101, 0, Unexpected), // DONE, no error
    ];

    #[test]
    fn every_code_says_what_to_do_next() {
        // READONLY_DBMOVED, IOERR_DATA and IOERR_CORRUPTFS differ from their primary codes.
        let damage = [1032, 8202, 8458];
        for (kind, last, of_kind) in KINDS {
            for code in (0..=last).map(|extension| kind | extension << 8) {
                let expected = if damage.contains(&code) { Corrupt } else { of_kind };
                assert_eq!(of_sqlite(code, "a text").kind(), expected, "{code}");
            }
        }
    }

    #[test]
    fn an_unknown_code_proves_no_damage() {
        let known = |code| KINDS.iter().any(|(kind, ..)| *kind == code & 0xff);
        for code in (0..=0xffff).filter(|code| !known(*code)) {
            assert_eq!(of_sqlite(code, "a text").kind(), Unexpected, "{code}");
        }
    }

    #[test]
    fn a_busy_or_full_file_is_waited_for_and_an_inaccessible_one_is_not() {
        for (kind, expected) in [
            (Some(5), false),  // BUSY
            (Some(10), false), // IOERR
            (Some(13), false), // FULL
            (Some(15), false), // PROTOCOL
            (Some(3), true),   // PERM
            (Some(8), true),   // READONLY
            (Some(14), true),  // CANTOPEN
            (None, true),
        ] {
            assert_eq!(is_a_mistake(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_general_error_is_read_by_its_message() {
        for (message, expected) in [
            ("no such table: main.token", Missing),
            ("no such column: origin", Unexpected),
            ("cannot start a transaction within a transaction", TRANSIENT),
            ("cannot rollback - no transaction is active", TRANSIENT),
        ] {
            assert_eq!(of_sqlite(1, message).kind(), expected, "{message}");
        }
    }

    #[test]
    fn the_message_names_the_code() {
        for (code, message, said) in [
            (13, "database or disk is full", "database or disk is full (SQLITE_FULL, 13)"),
            (778, "disk I/O error", "disk I/O error (SQLITE_IOERR, 778)"),
        ] {
            assert_eq!(of_sqlite(code, message).said(), said);
        }
        let moved = of_sqlite(1032, "attempt to write a readonly database");
        assert_eq!(moved.code(), Some("SQLITE_READONLY, 1032"));
        assert_eq!(
            moved.said(),
            format!(
                "the file was deleted or moved away while it was in use (SQLITE_READONLY, 1032); {PUT_BACK}"
            )
        );
    }
}
