//! The ports [`PairSource`](ttm_market::PairSource) and [`ProfileSource`](ttm_market::ProfileSource) over the DexScreener
//! HTTP API.
//!
//! One call is one request. What comes back is judged in this order: status, then whether it is JSON at all, then the
//! envelope, then every pair by itself, so that one bad pair costs one pair. The adapter neither retries nor caches
//! nor limits its rate: that is the policy of whoever holds it.
//!
//! It knows nothing of scores, and decides nothing about a pool except whether it is usable.

mod adapter;
mod config;
mod convert;
mod decode;
mod dto;
mod error;
mod gzip;
mod mend;
mod profiles;
mod retry_after;
#[cfg(feature = "testing")]
pub mod testing;

pub use adapter::DexscreenerSource;
pub use config::{ConfigError, DEFAULT_USER_AGENT, DexscreenerConfig};
pub use decode::{Decoded, Undecodable, decode};
pub use error::BuildError;
pub use profiles::decode_profiles;
