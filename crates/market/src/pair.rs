//! One pool of a token, as the domain sees it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::Mint;

/// A pool in which `base` trades against `quote`. Amounts are in US dollars.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Address of the pool.
    pub address: Box<str>,
    /// Name of the exchange that runs it, as the API spells it (`raydium`, `pumpfun`, …).
    pub dex: Box<str>,
    /// The token that the pool is about; `price_usd` is this token's.
    pub base: TokenRef,
    /// Address of the other side. A symbol is easily faked, an address is not.
    pub quote: Mint,
    /// Price of the base token; finite and > 0 when known.
    pub price_usd: Option<f64>,
    /// Trades of the last five minutes.
    pub trades_5m: Trades,
    /// Trades of the last hour.
    pub trades_1h: Trades,
    /// Volume of the last five minutes, finite and ≥ 0.
    pub volume_5m_usd: f64,
    /// Volume of the last hour, finite and ≥ 0.
    pub volume_1h_usd: f64,
    /// Liquidity; `None` is unknown, which is not zero.
    pub liquidity_usd: Option<f64>,
    /// When the pool was made, where the API says.
    pub created_at: Option<Timestamp>,
}

/// A token as a pool names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRef {
    /// Its address.
    pub mint: Mint,
    /// Its symbol, for people; bounded by the adapter, never trusted.
    pub symbol: Box<str>,
}

/// Counts of trades by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Trades that bought the base token.
    pub buys: u64,
    /// Trades that sold it.
    pub sells: u64,
}

impl Trades {
    /// Both sides together.
    pub fn total(self) -> u64 {
        self.buys.saturating_add(self.sells)
    }
}

/// Why an adapter left a pair of a body out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The asked token is not the base: `priceUsd` and the counts are another token's.
    QuoteSide,
    /// A pair of another chain.
    OtherChain,
    /// The base token was not asked for.
    NotAsked,
    /// A price that is not a number, not finite, or ≤ 0.
    BadPrice,
    /// An address that is not a valid mint.
    BadAddress,
    /// A required field is missing or of another type.
    Malformed,
}

impl SkipReason {
    /// The word used in logs and series.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuoteSide => "quote_side",
            Self::OtherChain => "other_chain",
            Self::NotAsked => "not_asked",
            Self::BadPrice => "bad_price",
            Self::BadAddress => "bad_address",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Pairs that were left out, counted by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped(BTreeMap<SkipReason, u64>);

impl Skipped {
    /// Counts one more.
    pub fn add(&mut self, reason: SkipReason) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// Adds the counts of another body.
    pub fn merge(&mut self, other: &Self) {
        for (reason, count) in &other.0 {
            *self.0.entry(*reason).or_default() += count;
        }
    }

    /// How many were left out for `reason`.
    pub fn count(&self, reason: SkipReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    /// How many were left out in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The counts, in the order of the reasons.
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, u64)> + '_ {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_listed_by_reason_with_its_count() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.iter().count(), 0);
        for reason in [SkipReason::Malformed, SkipReason::QuoteSide, SkipReason::Malformed] {
            skipped.add(reason);
        }
        let mut other = Skipped::default();
        other.add(SkipReason::QuoteSide);
        other.add(SkipReason::BadPrice);
        skipped.merge(&other);
        let listed: Vec<_> = skipped.iter().map(|(reason, count)| (reason.as_str(), count)).collect();
        assert_eq!(listed, [("quote_side", 2), ("bad_price", 1), ("malformed", 2)]);
        assert_eq!((skipped.total(), skipped.count(SkipReason::NotAsked)), (5, 0));
        assert_eq!(
            format!("{:>10}|{:<4}", SkipReason::BadPrice, SkipReason::Malformed),
            " bad_price|malformed"
        );
    }
}
