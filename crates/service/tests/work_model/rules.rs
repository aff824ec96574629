//! Each rule of the work by itself.

mod answers;
mod changes;
mod runs;

use ttm_service::machine::Upstream;

/// Upstream holds calls back, but for its probes.
const AWAY: Upstream = Upstream { is_away: true, retry_at: None, share: 1.0, paused_until: None };
