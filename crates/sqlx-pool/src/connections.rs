//! How busy connection pools are.

use sqlx::{Database, Pool};

/// The connections in use and the maximum, over all of these pools.
pub fn connections<D: Database>(pools: &[&Pool<D>]) -> (u32, u32) {
    let idle = |pool: &Pool<D>| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pools.iter().map(|pool| pool.size().saturating_sub(idle(pool))).sum();
    (in_use, pools.iter().map(|pool| pool.options().get_max_connections()).sum())
}
