//! The migrations of this store.

use ttm_sqlx_pool::Schema;

/// The history is this store's own, since the tokens may keep theirs in the same file.
pub(crate) const SCHEMA: Schema = Schema {
    history: "_ttm_metrics_migrations",
    migrations: &[
        ("samples", include_str!("../../../migrations/sqlite/metrics/0001_samples.sql")),
        ("events", include_str!("../../../migrations/sqlite/metrics/0002_events.sql")),
    ],
    tables: &[],
};
