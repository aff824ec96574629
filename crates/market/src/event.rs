//! What happened to a token: facts, as plain data. It does not know who listens.

use std::fmt;

use jiff::Timestamp;

use crate::{Lane, Mint};

/// A change in the life of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// A full list of its pools held what activates a token.
    Activated {
        /// The token.
        mint: Mint,
        /// How many pools counted.
        pools: u32,
    },
    /// It was below the minimum liquidity for too long, and is no longer asked for.
    Archived {
        /// The token.
        mint: Mint,
        /// Since when it was below, without the time in which nobody looked.
        below_since: Timestamp,
    },
    /// The API does not know it, neither in a batch nor singly.
    Unlisted {
        /// The token.
        mint: Mint,
        /// How many times in a row.
        misses: u32,
        /// Not asked for again before.
        ask_again_at: Timestamp,
    },
    /// The API knows it again.
    Relisted {
        /// The token.
        mint: Mint,
    },
    /// Another group asks for it from now on.
    LaneChanged {
        /// The token.
        mint: Mint,
        /// The lane that it left.
        from: Lane,
        /// The lane that it is in.
        to: Lane,
    },
}

impl fmt::Display for MarketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activated { mint, pools } => write!(f, "{mint} is active with {pools} pools that count"),
            Self::Archived { mint, below_since } => {
                write!(f, "{mint} is archived: too little liquidity since {below_since}")
            }
            Self::Unlisted { mint, misses, ask_again_at } => {
                write!(f, "{mint} was not found {misses} times in a row: not asked for before {ask_again_at}")
            }
            Self::Relisted { mint } => write!(f, "{mint} was found again"),
            Self::LaneChanged { mint, from, to } => write!(f, "{mint} moved from {from} to {to}"),
        }
    }
}
