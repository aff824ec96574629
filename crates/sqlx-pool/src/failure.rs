//! What an error of the driver means to the caller of a port. It knows no port, and decides nothing about retries.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use ttm_kernel::{MENDED_AFTER, StoreError};

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same again later: the surroundings can be mended while the data is kept.
    Transient,
    /// The same again, but seldom: trouble of the server's own, which passes.
    Seldom,
    /// The same again, but seldom: a database, a table or a right is missing, until a person has mended it.
    Missing,
    /// The same again, but seldom: the credentials are refused, and a person is called.
    Unauthenticated,
    /// Never again with these very values.
    Rejected,
    /// The same again, but seldom: what was answered is not known here, and proves no damage.
    Unexpected,
    /// Damage that is proven: nothing more is written before a person has looked.
    Corrupt,
}

/// What to do about a table that is missing though its migration was applied, which none makes again.
pub(crate) const RESTORE: &str = "restore it from a backup";

/// An error of the driver, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the caller does next.
    pub verdict: Verdict,
    /// What the database said, or the driver; for a person.
    pub message: String,
}

impl Failure {
    /// Reads an error; `of_database` reads those of the database itself.
    pub fn new(error: sqlx::Error, of_database: fn(&dyn DatabaseError) -> Self) -> Self {
        Self { verdict: verdict(&error, of_database), message: message(error, of_database) }
    }
}

impl From<Failure> for StoreError {
    fn from(Failure { verdict, message }: Failure) -> Self {
        match verdict {
            Verdict::Transient => Self::transient(message),
            Verdict::Seldom => Self::Transient { message, retry_after: Some(MENDED_AFTER) },
            Verdict::Missing => Self::Missing { message },
            Verdict::Unauthenticated => Self::Unauthenticated { message },
            Verdict::Rejected => Self::rejected(message),
            Verdict::Unexpected => Self::Unexpected { message },
            Verdict::Corrupt => Self::corrupt(message),
        }
    }
}

fn message(error: sqlx::Error, of_database: fn(&dyn DatabaseError) -> Failure) -> String {
    match error {
        sqlx::Error::Database(error) => of_database(&*error).message,
        // Its text is the whole sentence.
        sqlx::Error::Configuration(text) => text.to_string(),
        sqlx::Error::Migrate(error) => match *error {
            MigrateError::Execute(error) => message(error, of_database),
            MigrateError::ExecuteMigration(error, version) => {
                format!("migration {version}: {}", message(error, of_database))
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
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

fn verdict(error: &sqlx::Error, of_database: fn(&dyn DatabaseError) -> Failure) -> Verdict {
    match error {
        sqlx::Error::Database(error) => of_database(&**error).verdict,
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                verdict(error, of_database)
            }
            _ => Verdict::Unexpected,
        },
        sqlx::Error::Configuration(error) if error.is::<Replaced>() => Verdict::Corrupt,
        // A connection that is lost or out of step is replaced by a new one.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::InvalidSavePointStatement
        | sqlx::Error::BeginFailed => Verdict::Transient,
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Verdict::Rejected,
        // Decoding, missing columns or rows: what was asked for is not what the migrations and writes of ours make. New
        // kinds of error too. It concerns whoever asked.
        _ => Verdict::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_driver_say_what_to_do_next() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let execute = MigrateError::Execute(sqlx::Error::PoolTimedOut);
        for (error, expected) in [
            (sqlx::Error::Io(reset), Verdict::Transient),
            (sqlx::Error::PoolTimedOut, Verdict::Transient),
            (sqlx::Error::WorkerCrashed, Verdict::Transient),
            (sqlx::Error::InvalidSavePointStatement, Verdict::Transient),
            (sqlx::Error::BeginFailed, Verdict::Transient),
            (sqlx::Error::Migrate(Box::new(execute)), Verdict::Transient),
            (sqlx::Error::Encode("year -9999".into()), Verdict::Rejected),
            (Replaced("it was replaced".to_owned()).into(), Verdict::Corrupt),
            (sqlx::Error::Configuration("no private key was found".into()), Verdict::Unexpected),
            (sqlx::Error::Decode("no status".into()), Verdict::Unexpected),
            (sqlx::Error::ColumnNotFound("status".into()), Verdict::Unexpected),
            (sqlx::Error::RowNotFound, Verdict::Unexpected),
            (sqlx::Error::Migrate(Box::new(MigrateError::VersionMismatch(1))), Verdict::Unexpected),
        ] {
            let failure = Failure::new(error, |error| panic!("{error} is none of a database"));
            assert_eq!(failure.verdict, expected, "{}", failure.message);
        }
    }
}
