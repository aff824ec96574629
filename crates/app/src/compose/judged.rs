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
use super::history;
use crate::config::{ConfigError, Draft, ExchangeSettings, HistorySettings, Origin, Settings, StoreUrl};

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
    let stores = unusable_files(&draft);
    match settled(wrong(&draft).into_iter().chain(file).collect(), draft) {
        judged if stores.is_empty() => judged,
        Ok(_) => Err(ComposeError::Store(stores.join("\n"))),
        Err(ComposeError::Config(wrong)) => {
            Err(ComposeError::Config(format!("{wrong}\n{}", stores.join("\n"))))
        }
        judged => judged,
    }
}

/// What is wrong with the files of the databases.
fn unusable_files(draft: &Draft) -> Vec<String> {
    let state = match &draft.store {
        Some(StoreUrl::Sqlite(path)) => SqliteTokenStore::check(path).err().map(|error| error.to_string()),
        Some(StoreUrl::Postgres(_)) | None => None,
    };
    let history = history_apart(draft)
        .and_then(|history| Some(of_key(draft, history.key, &history::wrong_file(&history.url)?)));
    state.into_iter().chain(history).collect()
}

/// The history, where it has a database of its own.
fn history_apart(draft: &Draft) -> Option<&HistorySettings> {
    draft.history.as_ref().filter(|history| history.is_apart)
}

/// Something that is wrong with the value of a key, with its place.
fn of_key(draft: &Draft, key: &str, wrong: &str) -> String {
    placed(draft.place(key), format!("{key}: {wrong}"))
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
        Some(of_key(draft, key, &error.to_string()))
    };
    let store = match &draft.store {
        Some(StoreUrl::Postgres(url)) => said("store.url", url.expose_secret()),
        Some(StoreUrl::Sqlite(_)) | None => None,
    };
    let history = draft.history.as_ref().filter(|history| history.key != "store.url");
    let history =
        history.and_then(|history| Some(of_key(draft, history.key, &history::wrong_url(&history.url)?)));
    let reader = draft.history.as_ref().and_then(history::wrong_reader);
    let reader = reader.map(|(key, wrong)| of_key(draft, key, &wrong));
    let tokens = draft.sources.as_ref().and_then(|sources| sources.postgres_url.as_ref());
    let tokens = tokens.and_then(|url| said("sources.postgres_url", url.expose_secret()));
    exchange.chain(store).chain(history).chain(reader).chain(tokens).collect()
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
