//! The migrations of a program, and what it means if the database's history of them differs.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// A store's migrations, and the table that records which of them were applied.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The table of the history. Stores that share a database have one each.
    pub history: &'static str,
    /// The name and SQL of each migration; the first is version 1. Published migrations are never edited, only added to.
    pub migrations: &'static [(&'static str, &'static str)],
    /// The tables that a start requires and that exist once all migrations are applied. A table that holds only history is
    /// not among them: its writer reports that it is missing, and scores are served without it.
    pub tables: &'static [&'static str],
}

impl Schema {
    /// The newest schema version that this program knows.
    pub fn version(&self) -> i64 {
        self.versions().last().map_or(0, |(version, _)| version)
    }

    /// What is wrong with a database of this version for a caller that must not migrate it.
    pub fn behind(&self, version: i64) -> Option<String> {
        let known = self.version();
        (version < known).then(|| match version {
            0 => "there are no tables yet: run `ttm migrate` to create them".to_owned(),
            _ => {
                format!("schema version {version}, but this program needs {known}: run `ttm migrate` to upgrade it")
            }
        })
    }

    /// Applies the migrations, each once and in order, and refuses a history that is not theirs.
    pub fn migrator(&self) -> Migrator {
        let migration = |(version, &(name, text)): (i64, &(&'static str, &'static str))| {
            Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
        };
        let mut migrator = Migrator::with_migrations(self.versions().map(migration).collect());
        migrator.dangerous_set_table_name(self.history);
        migrator
    }

    /// The database's version, if the migrator refused because a newer program has migrated it.
    pub fn newer(&self, error: &sqlx::Error) -> Option<i64> {
        match error {
            sqlx::Error::Migrate(error) => match **error {
                MigrateError::VersionMissing(found) => (found > self.version()).then_some(found),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is wrong with the database's history, if that is why the migrator refused.
    pub fn broken(&self, error: &sqlx::Error) -> Option<String> {
        let sqlx::Error::Migrate(error) = error else { return None };
        let history = self.history;
        let wrong = match &**error {
            MigrateError::VersionMissing(version) => format!("this program has no migration {version}"),
            MigrateError::VersionMismatch(version) => format!("migration {version} has changed"),
            MigrateError::Dirty(version) => format!("migration {version} was not completed"),
            MigrateError::ExecuteMigration(error, version) => {
                format!("it lacks migration {version}, but {}", made_before(error)?)
            }
            _ => return None,
        };
        Some(format!(
            "its table {history} does not match this program: {wrong}; restore that table from a backup, or use another \
             database"
        ))
    }

    /// What is wrong with a database that lacks a table although its history has the migration. It is not recreated: an empty
    /// table in place of the lost one would be taken for the whole content.
    pub fn lacking(&self, table: &str) -> String {
        let history = self.history;
        format!(
            "its table {table} is missing, although {history} has its migration as applied; restore it from a backup, or use another \
             database"
        )
    }

    fn versions(&self) -> impl Iterator<Item = (i64, &'static (&'static str, &'static str))> {
        (1..).zip(self.migrations)
    }
}

/// What a migration wanted to create but found in place, in the database's own words.
fn made_before(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    let message = error.message();
    // PostgreSQL's codes for a duplicate table, column and object, since its messages may be translated; SQLite has only the
    // message.
    let is_made = match error.code().as_deref() {
        Some("42P07" | "42701" | "42710") => true,
        _ => message.ends_with(" already exists") || message.starts_with("duplicate column name: "),
    };
    is_made.then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_in_the_order_of_the_migrations() {
        let migrations = &[("first", "SELECT 1"), ("second", "SELECT 2")];
        let schema = Schema { history: "_history", migrations, tables: &[] };
        let migrator = schema.migrator();
        let applied: Vec<_> = migrator.iter().map(|each| (each.version, &*each.description)).collect();
        assert_eq!(applied, [(1, "first"), (2, "second")]);
        assert_eq!(schema.version(), 2);
    }

    #[test]
    fn a_foreign_history_is_reported_with_the_name_of_its_table() {
        let schema = Schema { history: "_history", migrations: &[("first", "SELECT 1")], tables: &[] };
        for (error, wrong) in [
            (MigrateError::VersionMissing(0), "this program has no migration 0"),
            (MigrateError::VersionMismatch(1), "migration 1 has changed"),
            (MigrateError::Dirty(1), "migration 1 was not completed"),
        ] {
            let told = schema.broken(&sqlx::Error::Migrate(Box::new(error))).expect("it is broken");
            assert!(
                told.starts_with(&format!("its table _history does not match this program: {wrong};")),
                "{told}"
            );
        }
        assert_eq!(schema.broken(&sqlx::Error::PoolTimedOut), None);
    }

    #[test]
    fn a_missing_version_is_newer_only_above_the_known_ones() {
        let schema = Schema { history: "_history", migrations: &[("first", "SELECT 1")], tables: &[] };
        let missing = |version| sqlx::Error::Migrate(Box::new(MigrateError::VersionMissing(version)));
        assert_eq!(schema.newer(&missing(2)), Some(2));
        assert_eq!(schema.newer(&missing(0)), None);
        assert_eq!(schema.newer(&sqlx::Error::PoolTimedOut), None);
    }
}
