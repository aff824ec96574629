//! The ports [`PairSource`](ttm_market::PairSource) and [`ProfileSource`](ttm_market::ProfileSource) over the DexScreener
//! HTTP API.
//!
//! One call is one request. A response is checked in this order: its status, whether it is JSON at all, its envelope, then
//! each pair separately, so that one bad pair is skipped alone. The adapter does not retry, cache or limit its rate: that is
//! the policy of its caller.
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
