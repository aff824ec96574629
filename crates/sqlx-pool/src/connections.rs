//! How busy pools are. It does not know with what.

use sqlx::{Database, Pool};

/// Connections in use, and the most that there may be, over all of these pools.
pub fn connections<D: Database>(pools: &[&Pool<D>]) -> (u32, u32) {
    let idle = |pool: &Pool<D>| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pools.iter().map(|pool| pool.size().saturating_sub(idle(pool))).sum();
    (in_use, pools.iter().map(|pool| pool.options().get_max_connections()).sum())
}
