//! What was asked and how it was answered, counted. It judges nobody.

use std::collections::BTreeMap;

/// The paths that the stand-in serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `/tokens/v1/{chain}/{addresses}`: the primary pool of each.
    Tokens,
    /// `/token-pairs/v1/{chain}/{address}`: all pools of one.
    TokenPairs,
    /// `/latest/dex/tokens/{addresses}`: the old one, 30 pairs in all.
    LatestTokens,
    /// `/token-profiles/latest/v1`, `/token-boosts/…` and `/orders/v1/…`: the slow budget; the last two are always
    /// empty here.
    Promotion,
    /// Anything else.
    Unknown,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// 200, as the real API would.
    Answered,
    /// 429 because of the limit, not because of the script.
    OverLimit,
    /// 403: no `User-Agent`.
    Forbidden,
    /// 404 or 405.
    Rejected,
    /// What the script says, or a poisoned mint.
    Faulted,
}

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeStats {
    /// Requests by path and end; a pair that never occurred is missing.
    pub requests: BTreeMap<(Endpoint, Outcome), u64>,
    /// Addresses in the requests on [`Endpoint::Tokens`] that were answered.
    pub batched: u64,
    /// The most requests that arrived in any sliding minute for the budget of 300.
    pub busiest_minute: usize,
    /// The same for the budget of 60.
    pub busiest_promotion_minute: usize,
}

impl ExchangeStats {
    /// Requests in all.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Requests that ended so, on whatever path.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.requests.iter().filter(|((_, end), _)| *end == outcome).map(|(_, count)| count).sum()
    }
}
