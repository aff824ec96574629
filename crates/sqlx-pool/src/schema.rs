//! The migrations that a program carries, and what it means when the database's history differs. It knows no table.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

/// A store's migrations and the table that remembers which of them were applied.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The table of the history. Stores that share a database have one each.
    pub history: &'static str,
    /// Name and text of each migration; the first is version 1. What was published is never edited, only added to.
    pub migrations: &'static [(&'static str, &'static str)],
    /// The tables without which nothing can start, and which are there once all migrations were applied. One that holds
    /// history alone is missed by whoever writes it, and scores are served without.
    pub tables: &'static [&'static str],
}

impl Schema {
    /// The newest version that this program knows.
    pub fn version(&self) -> i64 {
        self.versions().last().map_or(0, |(version, _)| version)
    }

    /// What is wrong with a database of this version for whoever may not bring it up to date.
    pub fn behind(&self, version: i64) -> Option<String> {
        let known = self.version();
        (version < known).then(|| match version {
            0 => "there are no tables yet; `ttm migrate` makes them".to_owned(),
            _ => {
                format!("schema version {version}, this program needs {known}: `ttm migrate` brings it there")
            }
        })
    }

    /// What applies the migrations, each once and in order, and refuses a history that is not theirs.
    pub fn migrator(&self) -> Migrator {
        let migration = |(version, &(name, text)): (i64, &(&'static str, &'static str))| {
            Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
        };
        let mut migrator = Migrator::with_migrations(self.versions().map(migration).collect());
        migrator.dangerous_set_table_name(self.history);
        migrator
    }

    /// The database's version, where a newer program has been and that is why the migrator refused.
    pub fn newer(&self, error: &sqlx::Error) -> Option<i64> {
        match error {
            sqlx::Error::Migrate(error) => match **error {
                MigrateError::VersionMissing(found) => (found > self.version()).then_some(found),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is wrong with the database's history, where that is why the migrator refused.
    pub fn broken(&self, error: &sqlx::Error) -> Option<String> {
        let sqlx::Error::Migrate(error) = error else { return None };
        let history = self.history;
        let wrong = match &**error {
            MigrateError::VersionMissing(version) => format!("there is no migration {version}"),
            MigrateError::VersionMismatch(version) => format!("migration {version} was another one"),
            MigrateError::Dirty(version) => format!("migration {version} did not come to its end"),
            MigrateError::ExecuteMigration(error, version) => {
                format!("it lacks migration {version}, and {}", made_before(error)?)
            }
            _ => return None,
        };
        Some(format!(
            "its table {history} does not fit this program: {wrong}; restore that table from a backup, or take another \
             database"
        ))
    }

    /// What is wrong with a database that lacks a table which its history has. None is made anew: an empty one in the place
    /// of what was lost would be taken for all there is.
    pub fn lacking(&self, table: &str) -> String {
        let history = self.history;
        format!(
            "its table {table} is gone, and {history} says that it was made; restore it from a backup, or take another \
             database"
        )
    }

    fn versions(&self) -> impl Iterator<Item = (i64, &'static (&'static str, &'static str))> {
        (1..).zip(self.migrations)
    }
}

/// What a migration wanted to make and found, in the database's own words.
fn made_before(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    let message = error.message();
    // PostgreSQL's duplicate table, column and object, whose words may be translated; SQLite says it in words alone.
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
    fn a_history_that_is_not_ours_is_told_by_the_name_of_its_table() {
        let schema = Schema { history: "_history", migrations: &[("first", "SELECT 1")], tables: &[] };
        for (error, wrong) in [
            (MigrateError::VersionMissing(0), "there is no migration 0"),
            (MigrateError::VersionMismatch(1), "migration 1 was another one"),
            (MigrateError::Dirty(1), "migration 1 did not come to its end"),
        ] {
            let told = schema.broken(&sqlx::Error::Migrate(Box::new(error))).expect("it is broken");
            assert!(
                told.starts_with(&format!("its table _history does not fit this program: {wrong};")),
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
