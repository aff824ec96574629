//! What an error of the driver means to the caller of a port. It knows no port, and decides nothing about retries.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use ttm_kernel::StoreError;

/// What to do about a table that is missing although its migration was applied: no migration creates it again.
pub(crate) const RESTORE: &str = "restore it from a backup";

/// Reads an error and keeps it as the source; `of_database` reads what the database itself answered.
pub(crate) fn read(error: sqlx::Error, of_database: fn(&dyn DatabaseError) -> StoreError) -> StoreError {
    meaning(&error, of_database).with_source(error)
}

fn meaning(error: &sqlx::Error, of_database: fn(&dyn DatabaseError) -> StoreError) -> StoreError {
    match error {
        sqlx::Error::Database(error) => of_database(&**error),
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) => meaning(error, of_database),
            MigrateError::ExecuteMigration(error, version) => {
                meaning(error, of_database).while_doing(format!("applying migration {version}"))
            }
            other => StoreError::unexpected(other.to_string()),
        },
        sqlx::Error::Configuration(error) if error.is::<Replaced>() => StoreError::corrupt(error.to_string()),
        // Its text is the whole sentence.
        sqlx::Error::Configuration(text) => StoreError::unexpected(text.to_string()),
        // A connection that is lost or out of step is replaced by a new one.
        sqlx::Error::Io(error) => match error.raw_os_error() {
            Some(number) => {
                StoreError::transient(error.kind().to_string()).with_code(format!("os error {number}"))
            }
            None => StoreError::transient(error.to_string()),
        },
        sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::InvalidSavePointStatement
        | sqlx::Error::BeginFailed => StoreError::transient(error.to_string()),
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => StoreError::rejected(error.to_string()),
        // Decoding, missing columns or rows: the answer is not what our migrations and writes produce. New kinds of error
        // too. It concerns this call alone.
        _ => StoreError::unexpected(error.to_string()),
    }
}

/// What happened and what was being done, behind a prefix that says what does not work.
pub(crate) fn in_full(error: &StoreError) -> String {
    let said = error.said();
    error.doing().map_or_else(|| said.clone(), |doing| format!("{said}, while {doing}"))
}

/// A file is not the one that was opened: nothing may be written into either.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Replaced(pub(crate) String);

impl From<Replaced> for sqlx::Error {
    fn from(replaced: Replaced) -> Self {
        Self::Configuration(Box::new(replaced))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use ttm_kernel::StoreErrorKind;

    use super::*;

    const TRANSIENT: StoreErrorKind = StoreErrorKind::Transient { retry_after: None };

    fn read(error: sqlx::Error) -> StoreError {
        super::read(error, |error| panic!("{error} is none of a database"))
    }

    #[test]
    fn errors_of_the_driver_say_what_to_do_next() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let execute = MigrateError::Execute(sqlx::Error::PoolTimedOut);
        for (error, expected) in [
            (sqlx::Error::Io(reset), TRANSIENT),
            (sqlx::Error::PoolTimedOut, TRANSIENT),
            (sqlx::Error::WorkerCrashed, TRANSIENT),
            (sqlx::Error::InvalidSavePointStatement, TRANSIENT),
            (sqlx::Error::BeginFailed, TRANSIENT),
            (sqlx::Error::Migrate(Box::new(execute)), TRANSIENT),
            (sqlx::Error::Encode("year -9999".into()), StoreErrorKind::Rejected),
            (Replaced("it was replaced".to_owned()).into(), StoreErrorKind::Corrupt),
            (sqlx::Error::Configuration("no private key was found".into()), StoreErrorKind::Unexpected),
            (sqlx::Error::Decode("no status".into()), StoreErrorKind::Unexpected),
            (sqlx::Error::ColumnNotFound("status".into()), StoreErrorKind::Unexpected),
            (sqlx::Error::RowNotFound, StoreErrorKind::Unexpected),
            (sqlx::Error::Migrate(Box::new(MigrateError::VersionMismatch(1))), StoreErrorKind::Unexpected),
        ] {
            let error = read(error);
            assert_eq!(error.kind(), expected, "{error}");
        }
    }

    #[test]
    fn the_error_of_the_driver_is_kept_with_the_systems_code_and_the_migration() {
        let refused = || sqlx::Error::Io(std::io::Error::from_raw_os_error(111));
        let error = read(refused());
        assert_eq!(
            (&*error.said(), error.code()),
            ("connection refused (os error 111)", Some("os error 111"))
        );
        let source = error.source().and_then(|source| source.downcast_ref::<sqlx::Error>());
        assert!(matches!(source, Some(sqlx::Error::Io(_))), "{error:?}");
        let migration = MigrateError::ExecuteMigration(refused(), 3);
        assert_eq!(read(sqlx::Error::Migrate(Box::new(migration))).doing(), Some("applying migration 3"));
    }
}
