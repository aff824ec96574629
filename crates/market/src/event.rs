//! Events in the life of a token, as plain data.

use std::fmt;

use jiff::Timestamp;
use ttm_kernel::Lane;

use crate::Mint;

/// A change in the life of one token.
#[derive(Clone, Debug, PartialEq)]
pub enum MarketEvent {
    /// A full list of its pools held what activates a token.
    Activated {
        /// The token.
        mint: Mint,
        /// Which rule the pools satisfied.
        rule: ActivationRule,
        /// The pools that satisfied it.
        pools: PoolsSeen,
    },
    /// It was below the minimum liquidity for too long, and is no longer asked for.
    Archived {
        /// The token.
        mint: Mint,
        /// Since when it was below, without the time in which it was not observed.
        below_since: Timestamp,
        /// What a pool must hold to count.
        min_liquidity_usd: f64,
        /// The pools that it had, none of which counted.
        pools: PoolsSeen,
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

/// What a full list of pools must hold to activate a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationRule {
    /// A pump.fun pool and one that counts: the token has moved on from its bonding curve.
    PumpFunAndOne,
    /// Two pools that count.
    Two,
}

impl ActivationRule {
    /// The word for logs and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PumpFunAndOne => "pump_fun_and_one",
            Self::Two => "two",
        }
    }
}

/// Pools behind an event: how many, and what is to be known of the first of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolsSeen {
    /// How many there were.
    pub count: u32,
    /// At most [`PoolsSeen::LISTED`] of them, those of the highest liquidity.
    pub listed: Vec<PoolSeen>,
}

impl PoolsSeen {
    /// An event names at most this many pools and counts the rest, because people read it and it is kept for ever.
    pub const LISTED: usize = 5;
}

/// One pool behind an event.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSeen {
    /// Its address.
    pub address: Box<str>,
    /// The exchange that runs it.
    pub dex: Box<str>,
    /// What it held, finite and ≥ 0; `None` is unknown.
    pub liquidity_usd: Option<f64>,
}

impl fmt::Display for MarketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activated { mint, rule: ActivationRule::Two, pools } => {
                write!(f, "{mint} is active with {} pools that count", pools.count)
            }
            Self::Activated { mint, rule: ActivationRule::PumpFunAndOne, .. } => {
                write!(f, "{mint} is active with a pump.fun pool and one that counts")
            }
            Self::Archived { mint, below_since, min_liquidity_usd, pools } => {
                let count = pools.count;
                write!(
                    f,
                    "{mint} is archived: none of its {count} pools held {min_liquidity_usd} USD since {below_since}"
                )
            }
            Self::Unlisted { mint, misses, ask_again_at } => {
                write!(f, "{mint} was not found {misses} times in a row: not asked for before {ask_again_at}")
            }
            Self::Relisted { mint } => write!(f, "{mint} was found again"),
            Self::LaneChanged { mint, from, to } => write!(f, "{mint} moved from {from} to {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_have_the_words_that_events_are_kept_with() {
        let words = [ActivationRule::PumpFunAndOne, ActivationRule::Two].map(ActivationRule::as_str);
        assert_eq!(words, ["pump_fun_and_one", "two"]);
    }

    #[test]
    fn each_event_is_a_sentence_about_its_token() {
        let (mint, at) = (Mint::WSOL, Timestamp::UNIX_EPOCH);
        let activated = |rule| MarketEvent::Activated { mint, rule, pools: PoolsSeen::default() };
        let told = [
            activated(ActivationRule::Two),
            activated(ActivationRule::PumpFunAndOne),
            MarketEvent::Archived {
                mint,
                below_since: at,
                min_liquidity_usd: 500.0,
                pools: PoolsSeen::default(),
            },
            MarketEvent::Unlisted { mint, misses: 3, ask_again_at: at },
            MarketEvent::Relisted { mint },
            MarketEvent::LaneChanged { mint, from: Lane::Hot, to: Lane::Cold },
        ]
        .map(|event| event.to_string());
        let about = format!("{mint} ");
        assert!(told.iter().all(|told| told.strip_prefix(&about).is_some_and(|rest| !rest.is_empty())));
        assert_eq!(BTreeSet::from(told).len(), 6);
    }
}
