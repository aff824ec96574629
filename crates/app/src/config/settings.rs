//! Settings that hold only valid values: one file for each section of the configuration, and the [`Draft`] that puts
//! them together.

use std::collections::BTreeMap;

mod api;
mod breaker;
mod draft;
mod exchange;
mod reader;
mod service;
mod sources;
mod store;
mod store_url;
mod token_file;

pub use api::ApiSettings;
pub use draft::Draft;
pub use exchange::ExchangeSettings;
pub use sources::SourceSettings;
pub use store_url::StoreUrl;
pub(crate) use token_file::read as read_token;

use crate::config::Origin;
use ttm_service::ServiceSettings;

/// Everything that was configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where tokens, scores and metrics are kept.
    pub store: StoreUrl,
    /// Lists of tokens that are kept elsewhere.
    pub sources: SourceSettings,
    /// What the service needs to know.
    pub service: ServiceSettings,
    /// The price API.
    pub exchange: ExchangeSettings,
    /// The listener.
    pub api: ApiSettings,
    /// Where each key stands that was set.
    places: BTreeMap<&'static str, Origin>,
}

impl Settings {
    /// Where a key was set, for what is found wrong with it later.
    pub fn place(&self, key: &str) -> Origin {
        place(&self.places, key)
    }
}

fn place(places: &BTreeMap<&'static str, Origin>, key: &str) -> Origin {
    places.get(key).cloned().unwrap_or(Origin::Default)
}
