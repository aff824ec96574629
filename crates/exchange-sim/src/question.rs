//! Parses the path of a request.

use ttm_market::{MAX_BATCH, Mint};

use crate::Endpoint;

/// A parsed path.
pub(crate) enum Question {
    Tokens(Vec<Mint>),
    TokenPairs(Vec<Mint>),
    LatestTokens(Vec<Mint>),
    Profiles,
    Boosts,
    Orders,
    Unknown,
}

impl Question {
    /// Parses a path. Invalid mints and mints on another chain are ignored, as if they were not listed; so are addresses beyond
    /// the thirtieth.
    pub(crate) fn read(path: &str, chain: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let on_chain = |asked: &str, list: &str| if asked == chain { mints(list) } else { Vec::new() };
        match segments[..] {
            ["tokens", "v1", asked, list] => Self::Tokens(on_chain(asked, list)),
            ["token-pairs", "v1", asked, address] => Self::TokenPairs(on_chain(asked, address)),
            ["latest", "dex", "tokens", list] => Self::LatestTokens(mints(list)),
            ["token-profiles", "latest", "v1"] => Self::Profiles,
            ["token-boosts", "latest" | "top", "v1"] => Self::Boosts,
            ["orders", "v1", _, _] => Self::Orders,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tokens(_) => Endpoint::Tokens,
            Self::TokenPairs(_) => Endpoint::TokenPairs,
            Self::LatestTokens(_) => Endpoint::LatestTokens,
            Self::Profiles | Self::Boosts | Self::Orders => Endpoint::Promotion,
            Self::Unknown => Endpoint::Unknown,
        }
    }

    /// The requested mints.
    pub(crate) fn mints(&self) -> &[Mint] {
        match self {
            Self::Tokens(asked) | Self::TokenPairs(asked) | Self::LatestTokens(asked) => asked,
            Self::Profiles | Self::Boosts | Self::Orders | Self::Unknown => &[],
        }
    }

    /// Whether it requests several tokens at once.
    pub(crate) fn is_batch(&self) -> bool {
        matches!(self, Self::Tokens(asked) | Self::LatestTokens(asked) if asked.len() > 1)
    }

    /// A batch without its second half.
    pub(crate) fn halved(mut self) -> Self {
        if let Self::Tokens(asked) = &mut self
            && asked.len() > 1
        {
            asked.truncate(asked.len() / 2);
        }
        self
    }

    /// The same, with only the mints that are `known`.
    pub(crate) fn only(mut self, known: impl Fn(&Mint) -> bool) -> Self {
        if let Self::Tokens(asked) | Self::TokenPairs(asked) | Self::LatestTokens(asked) = &mut self {
            asked.retain(known);
        }
        self
    }
}

fn mints(list: &str) -> Vec<Mint> {
    list.split(',').take(MAX_BATCH).filter_map(|address| address.parse().ok()).collect()
}
