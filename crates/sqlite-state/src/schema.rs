//! The migrations of this store.

use ttm_sqlx_pool::Schema;

/// The history is this store's own, since the metrics may keep theirs in the same file.
pub(crate) const SCHEMA: Schema = Schema {
    history: "_ttm_state_migrations",
    migrations: &[
        ("tokens", include_str!("../../../migrations/sqlite/state/0001_tokens.sql")),
        ("breakers", include_str!("../../../migrations/sqlite/state/0002_breakers.sql")),
        ("origins", include_str!("../../../migrations/sqlite/state/0003_origins.sql")),
        ("rates", include_str!("../../../migrations/sqlite/state/0004_rates.sql")),
        ("fences", include_str!("../../../migrations/sqlite/state/0005_fences.sql")),
        ("recoveries", include_str!("../../../migrations/sqlite/state/0006_recoveries.sql")),
        ("since", include_str!("../../../migrations/sqlite/state/0007_since.sql")),
        ("alerts", include_str!("../../../migrations/sqlite/state/0008_alerts.sql")),
    ],
    tables: &["token", "writer", "fence", "revision"],
};
