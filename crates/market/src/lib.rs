//! The market: mints, pools, the hybrid momentum score, and the life of a token from its first sight to the archive.
//!
//! Pools come in as [`Pair`]s through the [`PairSource`] port. The [`Book`] turns what was observed of a token into
//! its score, its lane (hot or cold) and its status, and the [`TokenStore`] port keeps the result. The set of
//! tokens may be kept elsewhere: the [`TokenSource`] port lists it, and the store follows; the [`ProfileSource`] port names new
//! ones. Everything between the ports is pure: time is an argument, and nothing is read, slept or spawned.
//!
//! It does not know HTTP, SQL, rate limits or schedules.

mod book;
mod config;
mod data_quality;
mod event;
#[cfg(feature = "memory")]
pub mod memory;
mod mint;
mod pair;
mod pool;
mod port;
mod score;
mod source;
#[cfg(feature = "synthetic")]
pub mod synthetic;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod view;

pub use book::{Book, Edit, ListPurpose, Observation};
pub use config::{MarketConfig, MarketSettings};
pub use data_quality::DataQuality;
pub use event::{ActivationRule, MarketEvent, PoolSeen, PoolsSeen};
pub use mint::{InvalidMint, Mint};
pub use pair::{Pair, SkipReason, Skipped, TokenRef, Trades};
pub use pool::{PoolSummary, summarize};
pub use port::{
    Added, FOLLOW_STEP, Followed, MAX_BATCH, PairBatch, PairSource, PairSourceError, ProfileSource,
    TokenStore, TokenView,
};
pub use score::{Components, Score, ScoreInputs, Scored, Smoothed, score};
pub use source::{
    Listing, Origin, TokenSource, TokenSourceError, UnusableEntries, UnusableEntry, parse_mints,
};
pub use token::{Basis, ScoreState, Token, TokenStatus, Unlisted};
pub use view::{
    InvalidTokenCursor, LaneAges, TokenCursor, TokenIndex, TokenPage, TokenQuery, TokenRow, TokenSort, row,
};
