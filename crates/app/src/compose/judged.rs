//! What only the adapters can judge of the config, told with its place there. It starts, asks and makes nothing.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;
use ttm_alert::defaults::Meanings;
use ttm_alert::words::Words;
use ttm_dexscreener_http::{ConfigError as ExchangeError, DexscreenerConfig};
use ttm_file_tokens::FileTokenSource;
use ttm_kernel::Clock;
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sqlite_state::SqliteTokenStore;
use ttm_tokio_runtime::TokioClock;

use super::channels;
use super::error::ComposeError;
use crate::config::{ConfigError, Draft, ExchangeSettings, Origin, Settings, StoreUrl};

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

/// The settings, where nothing is wrong; otherwise everything that is, at once. A list of mints in a file is part of the
/// config; a database in one is none, and fails as it does when it is opened.
pub fn check(draft: Draft) -> Result<Settings, ComposeError> {
    let file = draft.sources.as_ref().and_then(|sources| sources.file.as_deref());
    let file = file.and_then(|path| {
        let messages = FileTokenSource::check(path).err()?;
        Some(with_place_of_file(path, &draft.place(FILE), &messages))
    });
    let store = match &draft.store {
        Some(StoreUrl::Sqlite(path)) => SqliteTokenStore::check(path).err().map(|error| error.to_string()),
        Some(StoreUrl::Postgres(_)) | None => None,
    };
    match (settled(wrong(&draft).into_iter().chain(file).collect(), draft), store) {
        (Ok(_), Some(store)) => Err(ComposeError::Store(store)),
        (Err(ComposeError::Config(wrong)), Some(store)) => {
            Err(ComposeError::Config(format!("{wrong}\n{store}")))
        }
        (judged, _) => judged,
    }
}

/// The part of [`check`] that every command that needs a store looks at first.
pub fn check_urls(draft: Draft) -> Result<Settings, ComposeError> {
    settled(wrong(&draft), draft)
}

/// What the adapters refuse, in the order in which they were asked.
fn wrong(draft: &Draft) -> Vec<String> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
    let words: Arc<dyn Words> = Arc::new(Meanings);
    let channels = channels::refused(draft, &clock, &words);
    wrong_urls(draft).into_iter().chain(channels.iter().map(ToString::to_string)).collect()
}

fn wrong_urls(draft: &Draft) -> Vec<String> {
    let exchange = draft.exchange.as_ref().and_then(|exchange| try_exchange(exchange).err());
    let violations = exchange.iter().flat_map(ExchangeError::violations);
    let exchange = violations.map(|wrong| {
        let name = format!("dexscreener.{}", wrong.key);
        placed(draft.place(&name), format!("{name} is {}, expected {}", wrong.value, wrong.bound))
    });
    let said = |key: &str, url: &str| {
        let error = PostgresTokenSource::check(url).err()?;
        Some(placed(draft.place(key), format!("{key}: {error}")))
    };
    let store = match &draft.store {
        Some(StoreUrl::Postgres(url)) => said("store.url", url.expose_secret()),
        Some(StoreUrl::Sqlite(_)) | None => None,
    };
    let tokens = draft.sources.as_ref().and_then(|sources| sources.postgres_url.as_ref());
    let tokens = tokens.and_then(|url| said("sources.postgres_url", url.expose_secret()));
    exchange.chain(store).chain(tokens).collect()
}

fn placed(origin: Origin, message: String) -> String {
    ConfigError { origin, message }.to_string()
}

const FILE: &str = "sources.file";

/// The messages of all sources, with the place of the file's key before those about the file as a whole; those about its lines
/// have a place of their own.
pub(super) fn with_place_of_file(path: &Path, place: &Origin, messages: &str) -> String {
    let whole = format!("{}: ", path.display());
    let told = messages.lines().map(|line| {
        if line.starts_with(&whole) {
            placed(place.clone(), format!("{FILE}: {line}"))
        } else {
            line.to_owned()
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

/// The settings, unless something else is wrong with them too.
fn settled(wrong: Vec<String>, draft: Draft) -> Result<Settings, ComposeError> {
    match draft.settled() {
        Ok(settings) if wrong.is_empty() => Ok(settings),
        settled => {
            let errors = settled.err().map(|errors| errors.to_string());
            Err(ComposeError::Config(errors.into_iter().chain(wrong).collect::<Vec<_>>().join("\n")))
        }
    }
}
