//! The section `[dexscreener]`: the price API.

use std::time::Duration;

use super::reader::{Reader, SECRETIVE};

/// Settings of the price API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Its base URL.
    pub base_url: String,
    /// The chain whose pools are scored.
    pub chain: String,
    /// The User-Agent of requests.
    pub user_agent: String,
    /// The timeout of one attempt.
    pub timeout: Duration,
}

/// The only supported chain: mints and quote tokens are its addresses.
const SOLANA: &str = "solana";

impl Reader<'_> {
    pub(super) fn exchange(&mut self, timeout: Option<Duration>) -> Option<ExchangeSettings> {
        let base_url = self.read("dexscreener.base_url", |text| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
            (!rest.is_empty() && !rest.contains(SECRETIVE)).then(|| text.trim_end_matches('/').to_owned())
        });
        let chain = self.read("dexscreener.chain", |text| (text == SOLANA).then(|| text.to_owned()));
        let user_agent = self.read("dexscreener.user_agent", |text| {
            (!text.trim().is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' '))
                .then(|| text.to_owned())
        });
        Some(ExchangeSettings {
            base_url: base_url?,
            chain: chain?,
            user_agent: user_agent?,
            timeout: timeout?,
        })
    }
}
