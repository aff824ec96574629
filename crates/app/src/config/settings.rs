//! Settings with valid values only: one file per section of the configuration, and the [`Draft`] that combines them.

use std::collections::BTreeMap;

mod alerts;
mod api;
mod breaker;
mod draft;
mod exchange;
mod history;
mod reader;
mod recovery;
mod secret_file;
mod service;
mod sources;
mod store;
mod store_url;

pub use alerts::{
    AlertSettings, ChannelKind, ChannelSettings, EmailSettings, HeartbeatSettings, MailSecurity,
};
pub use api::ApiSettings;
pub use draft::Draft;
pub use exchange::ExchangeSettings;
pub use history::{HistorySettings, HistoryUrl};
pub(crate) use secret_file::read_token;
pub use sources::SourceSettings;
pub use store_url::StoreUrl;

use crate::config::Origin;
use ttm_service::ServiceSettings;

/// Everything that was configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where tokens, scores, breakers and alerts are stored.
    pub store: StoreUrl,
    /// Where metrics and events are stored.
    pub history: HistorySettings,
    /// External token lists.
    pub sources: SourceSettings,
    /// Settings of the service.
    pub service: ServiceSettings,
    /// The price API.
    pub exchange: ExchangeSettings,
    /// The listener.
    pub api: ApiSettings,
    /// Who is told what.
    pub alerts: AlertSettings,
    /// Whether somebody gave the instance its name; otherwise it has that of the host.
    pub is_named: bool,
    /// Where each key was set, for those that were.
    places: BTreeMap<String, Origin>,
}

impl Settings {
    /// Where a key was set, for errors that are found later.
    pub fn place(&self, key: &str) -> Origin {
        place(&self.places, key)
    }
}

fn place(places: &BTreeMap<String, Origin>, key: &str) -> Origin {
    places.get(key).cloned().unwrap_or(Origin::Default)
}
