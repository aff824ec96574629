//! What only the adapters can judge of the config, told with its place there. It starts, asks and makes nothing.

use ttm_dexscreener_http::{ConfigError as ExchangeError, DexscreenerConfig};
use ttm_file_tokens::FileTokenSource;
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sqlite_state::SqliteTokenStore;

use super::ComposeError;
use crate::config::{ConfigError, ExchangeSettings, Settings, StoreUrl};

/// A hundred times the largest body that was recorded.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The API's address and manners, as the adapter judges them.
pub fn exchange_config(exchange: &ExchangeSettings) -> Result<DexscreenerConfig, ComposeError> {
    try_exchange(exchange).map_err(|error| ComposeError::Config(error.to_string()))
}

fn try_exchange(exchange: &ExchangeSettings) -> Result<DexscreenerConfig, ExchangeError> {
    let ExchangeSettings { base_url, chain, user_agent, timeout } = exchange;
    DexscreenerConfig::try_new(base_url, chain, user_agent, *timeout, MAX_BODY_BYTES)
}

/// Everything that is wrong, at once. A list of mints in a file is part of the config; a database in one is none, and
/// fails as it does when it is opened.
pub fn check(settings: &Settings) -> Result<(), ComposeError> {
    let file = settings.sources.file.as_deref().and_then(|path| FileTokenSource::check(path).err());
    let file = file.map(|messages| with_place_of_file(settings, &messages));
    let store = match &settings.store {
        StoreUrl::Sqlite(path) => SqliteTokenStore::check(path).err().map(|error| error.to_string()),
        StoreUrl::Postgres(_) => None,
    };
    match (complain(wrong_urls(settings).chain(file)), store) {
        (Ok(()), Some(store)) => Err(ComposeError::Store(store)),
        (Err(ComposeError::Config(wrong)), Some(store)) => {
            Err(ComposeError::Config(format!("{wrong}\n{store}")))
        }
        (judged, _) => judged,
    }
}

/// The part of [`check`] that every command that needs a store looks at first.
pub fn check_urls(settings: &Settings) -> Result<(), ComposeError> {
    complain(wrong_urls(settings))
}

fn wrong_urls(settings: &Settings) -> impl Iterator<Item = String> {
    let exchange = try_exchange(&settings.exchange).err();
    let violations = exchange.iter().flat_map(ExchangeError::violations);
    let exchange: Vec<String> = violations
        .map(|wrong| {
            let name = format!("dexscreener.{}", wrong.key);
            placed(settings, &name, format!("{name} is {}, expected {}", wrong.value, wrong.bound))
        })
        .collect();
    let said = |key: &str, url: &str| {
        let error = PostgresTokenSource::check(url).err()?;
        Some(placed(settings, key, format!("{key}: {error}")))
    };
    let store = match &settings.store {
        StoreUrl::Sqlite(_) => None,
        StoreUrl::Postgres(url) => said("store.url", url),
    };
    let tokens =
        settings.sources.postgres_url.as_ref().and_then(|url| said("sources.postgres_url", url.expose()));
    exchange.into_iter().chain(store).chain(tokens)
}

fn placed(settings: &Settings, key: &str, message: String) -> String {
    ConfigError { origin: settings.place(key), message }.to_string()
}

/// The messages of all sources, with the place of `sources.file` before those about that file as a whole; those about its
/// lines have a place of their own.
pub(super) fn with_place_of_file(settings: &Settings, messages: &str) -> String {
    let Some(path) = &settings.sources.file else { return messages.to_owned() };
    let whole = format!("{}: ", path.display());
    let told = messages.lines().map(|line| {
        if line.starts_with(&whole) {
            placed(settings, "sources.file", format!("sources.file: {line}"))
        } else {
            line.to_owned()
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

fn complain(wrong: impl Iterator<Item = String>) -> Result<(), ComposeError> {
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() { Ok(()) } else { Err(ComposeError::Config(wrong.join("\n"))) }
}
