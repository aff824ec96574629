//! Settings as they were read, together with their errors: valid parts can be checked further even if others are invalid,
//! so that all errors are reported at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::alerts::AlertSettings;
use super::api::ApiSettings;
use super::exchange::ExchangeSettings;
use super::history::HistorySettings;
use super::reader::Reader;
use super::service::INSTANCE;
use super::sources::SourceSettings;
use super::store_url::StoreUrl;
use super::{Settings, place, store};
use crate::config::{ConfigError, ConfigErrors, Origin, Values, file};
use ttm_service::ServiceSettings;

/// What was read. A part is `None` if one of its keys is invalid.
#[derive(Debug)]
pub struct Draft {
    /// Where tokens, scores, breakers and alerts are stored.
    pub store: Option<StoreUrl>,
    /// Where metrics and events are stored.
    pub history: Option<HistorySettings>,
    /// External token lists.
    pub sources: Option<SourceSettings>,
    /// The price API.
    pub exchange: Option<ExchangeSettings>,
    /// Who is told what; what is wrong with it is left out.
    pub alerts: AlertSettings,
    service: Option<ServiceSettings>,
    api: Option<ApiSettings>,
    is_named: bool,
    places: BTreeMap<String, Origin>,
    errors: Vec<ConfigError>,
}

impl Draft {
    /// Reads the configuration: defaults, then the file, then the environment.
    pub fn read(path: Option<&Path>, environment: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut errors = Vec::new();
        let mut values = Values::default();
        let mut folder = PathBuf::new();
        if let Some(path) = path {
            folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            match file::read_text(path) {
                Ok(text) => values.read_toml(path, &text, &mut errors),
                Err(error) => errors.push(ConfigError {
                    origin: Origin::File { path: path.to_path_buf(), line: None },
                    message: file::no_config(path, &error),
                }),
            }
        }
        values.read_environment(environment, &mut errors);
        let mut reader = Reader { values: &values, errors: &mut errors };
        let store = reader.store(store::KEY, &folder);
        let history = reader.history(&folder, store.as_ref());
        let sources = reader.sources(&folder);
        let timeout = reader.duration("dexscreener.timeout");
        let service = reader.service(timeout);
        let exchange = reader.exchange(timeout);
        let api = reader.api(&folder);
        let alerts = reader.alerts(&folder, service.as_ref());
        let is_named = reader.is_set(INSTANCE);
        let places = values.places();
        Self { store, history, sources, exchange, alerts, service, api, is_named, places, errors }
    }

    /// Where a key was set, for errors that are found later.
    pub fn place(&self, key: &str) -> Origin {
        place(&self.places, key)
    }

    /// Whether something wrong with this key is told already.
    pub fn is_told(&self, key: &str) -> bool {
        self.errors.iter().any(|error| error.is_about(key))
    }

    /// The settings, if there are no errors.
    ///
    /// # Errors
    /// All of them.
    pub fn settled(self) -> Result<Settings, ConfigErrors> {
        let Self { store, history, sources, exchange, alerts, service, api, is_named, places, errors } = self;
        let settings = || {
            let (store, history) = (store?, history?);
            let databases = history.databases(&store);
            Some(Settings {
                store,
                history,
                sources: sources?,
                service: ServiceSettings { databases, ..service? },
                exchange: exchange?,
                api: api?,
                alerts,
                is_named,
                places,
            })
        };
        match settings() {
            Some(settings) if errors.is_empty() => Ok(settings),
            _ => Err(errors.into()),
        }
    }
}
