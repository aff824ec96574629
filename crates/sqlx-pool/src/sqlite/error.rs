//! SQLite's result codes read, and why a file is not open. It decides nothing about retries.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use ttm_kernel::{StoreError, StoreErrorKind};

use super::resolved;
use crate::Schema;
use crate::failure::{self, RESTORE, in_full};

/// What helps where a file is not any more the one that was opened. A process that has a database open cannot tell what was
/// done to it meanwhile under another name, so it does not go on by itself once the file is back.
pub const PUT_BACK: &str =
    "put the right file back, then restart this process; until then it stores nothing more";

/// Why the file is not open; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is missing or the file may not be read and written.
    #[error("cannot open {}: {}; expected a folder and a file that this user may read and write", path.display(), in_full(error))]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        #[source]
        error: StoreError,
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
    /// Its schema is older than this program, or not there, and whoever opened it may not change that.
    #[error("{}: {message}", path.display())]
    Behind {
        /// The file.
        path: PathBuf,
        /// What is missing, and what makes it.
        message: String,
    },
    /// The disk is full or does not answer, another process has a lock, or the file is no database, a damaged or a foreign
    /// one.
    #[error("{}: {}", prefix(path, error), in_full(error))]
    Store {
        /// The file.
        path: PathBuf,
        /// What a start does next.
        #[source]
        error: StoreError,
    },
}

/// Which file it is, and what does not work there.
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

    /// Whether the same may succeed later, without a change to the config or the program.
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

/// Of what may pass while a file is in use, what is a mistake when it is opened: a permission or a folder is missing, and a
/// start that waited for it would tell the operator nothing.
fn is_a_mistake(result: Option<u32>) -> bool {
    // PERM, READONLY, CANTOPEN, AUTH, and what has no code.
    result.is_none_or(|result| matches!(result, 3 | 8 | CANTOPEN | 23))
}

/// Whether the file's disk has no room for what SQLite keeps beside a database: its index of the log has 32 KiB.
fn is_full(path: &Path) -> bool {
    const NEEDED: u64 = 32 * 1024;
    // The disk that the file itself is on, wherever the links to it are.
    let Ok(path) = resolved(path) else { return false };
    let folder = path.parent().unwrap_or(Path::new("/"));
    // A disk without a limit on its files says that it has none.
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
        // Every connection is taken: it waits for a disk or a lock.
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
        // A checksum, a damaged file system; CORRUPT and NOTADB. Nothing else proves damage.
        (READONLY_DBMOVED | IOERR_DATA | IOERR_CORRUPTFS, _) | (_, 11 | 26) => StoreErrorKind::Corrupt,
        // PERM, ABORT, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, SCHEMA, AUTH: the file's
        // surroundings can be mended while the data is kept.
        (_, 3..=10 | 13..=15 | 17 | 23) => StoreErrorKind::Transient { retry_after: None },
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE: these very values.
        (_, 18..=20 | 25) => StoreErrorKind::Rejected,
        // ERROR says what only in its text.
        (_, 1) if message.contains("no such table") => StoreErrorKind::Missing,
        // A connection that is out of step, which is closed: "cannot start a transaction within a transaction", "cannot
        // commit - no transaction is active".
        (_, 1) if message.starts_with("cannot ") && message.contains(" transaction") => {
            StoreErrorKind::Transient { retry_after: None }
        }
        // ERROR otherwise, INTERNAL, MISUSE and what is not known: it concerns this statement.
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

    /// Every kind of SQLite 3.51, the last of its extensions, and what is done next.
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
        // READONLY_DBMOVED, IOERR_DATA and IOERR_CORRUPTFS are not what their kinds are.
        let damage = [1032, 8202, 8458];
        for (kind, last, of_kind) in KINDS {
            for code in (0..=last).map(|extension| kind | extension << 8) {
                let expected = if damage.contains(&code) { Corrupt } else { of_kind };
                assert_eq!(of_sqlite(code, "a text").kind(), expected, "{code}");
            }
        }
    }

    #[test]
    fn a_code_that_is_not_known_proves_no_damage() {
        let known = |code| KINDS.iter().any(|(kind, ..)| *kind == code & 0xff);
        for code in (0..=0xffff).filter(|code| !known(*code)) {
            assert_eq!(of_sqlite(code, "a text").kind(), Unexpected, "{code}");
        }
    }

    #[test]
    fn what_is_busy_or_full_is_waited_for_and_what_nobody_may_open_is_not() {
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
    fn a_general_error_is_read_by_its_text() {
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
