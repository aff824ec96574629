//! The section `[dexscreener]`: the price API.

use std::time::Duration;

use super::reader::{Reader, SECRETIVE};

/// The price API, as its adapter wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Where it answers.
    pub base_url: String,
    /// Whose pools count.
    pub chain: String,
    /// How the client names itself.
    pub user_agent: String,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// The one chain that can work: mints are its addresses, and so are the quotes that pools are compared by.
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
