//! How busy connection pools are.

use sqlx::{Database, Pool};
use ttm_kernel::Connections;

/// How busy the connections of all of these pools are.
pub fn connections<D: Database>(pools: &[&Pool<D>]) -> Connections {
    let idle = |pool: &Pool<D>| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pools.iter().map(|pool| pool.size().saturating_sub(idle(pool))).sum();
    Connections { in_use, max: pools.iter().map(|pool| pool.options().get_max_connections()).sum() }
}
