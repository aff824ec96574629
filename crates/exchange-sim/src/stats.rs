//! Counts of requests by endpoint and outcome.

use std::collections::BTreeMap;

/// The paths that the stand-in serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/tokens/v1/{chain}/{addresses}`: the primary pool of each.
    Tokens,
    /// `/token-pairs/v1/{chain}/{address}`: all pools of one.
    TokenPairs,
    /// `/latest/dex/tokens/{addresses}`: the old endpoint, at most 30 pairs.
    LatestTokens,
    /// `/token-profiles/latest/v1`, `/token-boosts/…` and `/orders/v1/…`: the smaller budget; the last two are always
    /// empty here.
    Promotion,
    /// Anything else.
    Unknown,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Answered correctly.
    Answered,
    /// 429 by the rate limit, not by a fault.
    OverLimit,
    /// 403: no `User-Agent`.
    Forbidden,
    /// 404 or 405.
    Rejected,
    /// A fault of the script, or a poisoned mint.
    Faulted,
}

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeStats {
    /// Requests by endpoint and outcome, without zeros.
    pub requests: BTreeMap<(Endpoint, Outcome), u64>,
    /// Addresses in answered requests to [`Endpoint::Tokens`].
    pub batched: u64,
    /// The most requests of the budget of 300 that arrived in any minute.
    pub busiest_minute: usize,
    /// The same for the budget of 60.
    pub busiest_promotion_minute: usize,
}

impl ExchangeStats {
    /// The total number of requests.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Requests with this outcome, on any endpoint.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.requests.iter().filter(|((_, end), _)| *end == outcome).map(|(_, count)| count).sum()
    }
}
