//! SQLite's result codes read, and why a file is not open. It decides nothing about retries.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use ttm_kernel::StoreError;

use super::resolved;
use crate::failure::RESTORE;
use crate::{Failure, Schema, Verdict};

/// What helps where a file is not any more the one that was opened. A process that has a database open cannot tell what was
/// done to it meanwhile under another name, so it does not go on by itself once the file is back.
pub const PUT_BACK: &str =
    "put the right file back, then restart this process; until then it stores nothing more";

/// Why the file is not open; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk has no room; it can be tried again.
    #[error("cannot use {} now: {message}", path.display())]
    Full {
        /// The database's file.
        path: PathBuf,
        /// What happened.
        message: String,
    },
    /// The disk does not answer, or another process has a lock; it can be tried again.
    #[error("cannot use {} now: {message}", path.display())]
    Away {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        message: String,
    },
    /// The folder is missing or the file may not be read and written.
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
    /// Its schema is older than this program, or not there, and whoever opened it may not change that.
    #[error("{}: {message}", path.display())]
    Behind {
        /// The file.
        path: PathBuf,
        /// What is missing, and what makes it.
        message: String,
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
        if let Some(message) = schema.broken(&error) {
            return Self::Unusable { path, message };
        }
        let kind = kind(&error);
        let Failure { verdict, message } = failure(error);
        // Of a full disk SQLite says so only where it writes to the file itself.
        let is_full = matches!(kind, Some(IOERR | CANTOPEN)) && is_full(&path);
        let message = if is_full { format!("the disk is full: {message}") } else { message };
        match verdict {
            _ if is_full || kind == Some(FULL) => Self::Full { path, message },
            Verdict::Transient if needs_a_person(kind) => Self::Unavailable { path, message },
            // A table that a migration wants to change: none is made anew by waiting.
            Verdict::Missing => Self::Unavailable { path, message },
            Verdict::Transient | Verdict::Seldom | Verdict::Unauthenticated => Self::Away { path, message },
            Verdict::Rejected | Verdict::Unexpected | Verdict::Corrupt => Self::Unusable { path, message },
        }
    }

    /// Whether the same may succeed later, without a change to the config or the program.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Full { .. })
    }

    /// Whether that takes a person.
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

const BUSY: u32 = 5;
const IOERR: u32 = 10;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;

/// Of what keeps a file from being opened and passes for as long as it is in use: a right or a folder that is missing is a
/// mistake, and waiting for it says nothing to whoever starts the program.
fn needs_a_person(kind: Option<u32>) -> bool {
    // PERM, READONLY, CANTOPEN, AUTH, and what no code says.
    kind.is_none_or(|kind| matches!(kind, 3 | 8 | CANTOPEN | 23))
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

/// What an error of SQLite means to whoever called.
pub fn failure(error: sqlx::Error) -> Failure {
    Failure::new(error, |error| {
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
        of_sqlite(code, error.message())
    })
}

/// The same as every port of a store tells it.
pub fn store_error(error: sqlx::Error) -> StoreError {
    failure(error).into()
}

/// Whether another connection holds the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    kind(error) == Some(BUSY)
}

/// The kind that SQLite's code of an error names, where it has one.
fn kind(error: &sqlx::Error) -> Option<u32> {
    match error {
        sqlx::Error::Database(error) => error.code()?.parse::<u32>().ok().map(|code| code & 0xff),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => kind(error),
            _ => None,
        },
        // Every connection is taken: it waits for a disk or a lock.
        sqlx::Error::PoolTimedOut => Some(BUSY),
        _ => None,
    }
}

/// By the extended result codes of <https://www.sqlite.org/rescode.html>; the lower eight bits name the kind.
fn of_sqlite(code: u32, message: &str) -> Failure {
    const READONLY_DBMOVED: u32 = 1032;
    const IOERR_DATA: u32 = 8202;
    const IOERR_CORRUPTFS: u32 = 8458;
    let moved = format!("the file was deleted or moved away while it was in use: {PUT_BACK}");
    let message = if code == READONLY_DBMOVED { moved.as_str() } else { message };
    let verdict = match (code, code & 0xff) {
        // A checksum, a damaged file system; CORRUPT and NOTADB. Nothing else proves damage.
        (READONLY_DBMOVED | IOERR_DATA | IOERR_CORRUPTFS, _) | (_, 11 | 26) => Verdict::Corrupt,
        // PERM, ABORT, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL, SCHEMA, AUTH: the file's
        // surroundings can be mended while the data is kept.
        (_, 3..=10 | 13..=15 | 17 | 23) => Verdict::Transient,
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE: these very values.
        (_, 18..=20 | 25) => Verdict::Rejected,
        // ERROR says what only in its text.
        (_, 1) if message.contains("no such table") => Verdict::Missing,
        // A connection that is out of step, which is closed: "cannot start a transaction within a transaction", "cannot
        // commit - no transaction is active".
        (_, 1) if message.starts_with("cannot ") && message.contains(" transaction") => Verdict::Transient,
        // ERROR otherwise, INTERNAL, MISUSE and what is not known: it concerns this statement.
        _ => Verdict::Unexpected,
    };
    let message = format!("{message} ({}, {code})", name(code));
    match verdict {
        Verdict::Missing => Failure { verdict, message: format!("{message}; {RESTORE}") },
        _ => Failure { verdict, message },
    }
}

/// The name of the kind, as the manual and the web know it.
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

    /// Every kind of SQLite 3.51, the last of its extensions, and what is done next.
    const KINDS: [(u32, u32, Verdict); 31] = [
        (0, 2, Verdict::Unexpected),   // OK, no error
        (1, 6, Verdict::Unexpected),   // ERROR, unless its text says more
        (2, 0, Verdict::Unexpected),   // INTERNAL
        (3, 0, Verdict::Transient),    // PERM
        (4, 2, Verdict::Transient),    // ABORT
        (5, 3, Verdict::Transient),    // BUSY
        (6, 2, Verdict::Transient),    // LOCKED
        (7, 0, Verdict::Transient),    // NOMEM
        (8, 6, Verdict::Transient),    // READONLY
        (9, 0, Verdict::Transient),    // INTERRUPT
        (10, 36, Verdict::Transient),  // IOERR
        (11, 3, Verdict::Corrupt),     // CORRUPT
        (12, 0, Verdict::Unexpected),  // NOTFOUND
        (13, 0, Verdict::Transient),   // FULL
        (14, 6, Verdict::Transient),   // CANTOPEN
        (15, 0, Verdict::Transient),   // PROTOCOL
        (16, 0, Verdict::Unexpected),  // EMPTY, not used
        (17, 0, Verdict::Transient),   // SCHEMA
        (18, 0, Verdict::Rejected),    // TOOBIG
        (19, 12, Verdict::Rejected),   // CONSTRAINT
        (20, 0, Verdict::Rejected),    // MISMATCH
        (21, 0, Verdict::Unexpected),  // MISUSE
        (22, 0, Verdict::Unexpected),  // NOLFS
        (23, 1, Verdict::Transient),   // AUTH
        (24, 0, Verdict::Unexpected),  // FORMAT, not used
        (25, 0, Verdict::Rejected),    // RANGE
        (26, 0, Verdict::Corrupt),     // NOTADB
        (27, 3, Verdict::Unexpected),  // NOTICE, of the log
        (28, 1, Verdict::Unexpected),  // WARNING, of the log
        (100, 0, Verdict::Unexpected), // ROW, no error
        (101, 0, Verdict::Unexpected), // DONE, no error
    ];

    #[test]
    fn every_code_says_what_to_do_next() {
        // READONLY_DBMOVED, IOERR_DATA and IOERR_CORRUPTFS are not what their kinds are.
        let damage = [1032, 8202, 8458];
        for (kind, last, of_kind) in KINDS {
            for code in (0..=last).map(|extension| kind | extension << 8) {
                let expected = if damage.contains(&code) { Verdict::Corrupt } else { of_kind };
                assert_eq!(of_sqlite(code, "a text").verdict, expected, "{code}");
            }
        }
    }

    #[test]
    fn a_code_that_is_not_known_proves_no_damage() {
        let known = |code| KINDS.iter().any(|(kind, ..)| *kind == code & 0xff);
        for code in (0..=0xffff).filter(|code| !known(*code)) {
            assert_eq!(of_sqlite(code, "a text").verdict, Verdict::Unexpected, "{code}");
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
            assert_eq!(needs_a_person(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_general_error_is_read_by_its_text() {
        for (message, expected) in [
            ("no such table: main.token", Verdict::Missing),
            ("no such column: origin", Verdict::Unexpected),
            ("cannot start a transaction within a transaction", Verdict::Transient),
            ("cannot rollback - no transaction is active", Verdict::Transient),
        ] {
            assert_eq!(of_sqlite(1, message).verdict, expected, "{message}");
        }
    }

    #[test]
    fn the_message_names_the_code() {
        let Failure { message, .. } = of_sqlite(13, "database or disk is full");
        assert_eq!(message, "database or disk is full (SQLITE_FULL, 13)");
        let Failure { message, .. } = of_sqlite(778, "disk I/O error");
        assert_eq!(message, "disk I/O error (SQLITE_IOERR, 778)");
        let Failure { message, .. } = of_sqlite(1032, "attempt to write a readonly database");
        let moved = format!(
            "the file was deleted or moved away while it was in use: {PUT_BACK} (SQLITE_READONLY, 1032)"
        );
        assert_eq!(message, moved);
    }
}
