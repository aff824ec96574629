//! The history, by its URL: everything that differs from one adapter of it to the next. Where the history is beside the state,
//! what is wrong with its URL or its file is told of the state.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;
use ttm_perf::{EventStore, MetricStore};
use ttm_postgres_metrics::PostgresMetricStore;
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sqlite_metrics::SqliteMetricStore;
use ttm_sqlite_state::SqliteTokenStore;

use super::error::ComposeError;
use super::stores::{make_folder, told_of_postgres, told_of_sqlite};
use crate::config::{HistorySettings, HistoryUrl, StoreUrl};

/// What is kept of the past: metrics, and events beside them.
pub type History = (Arc<dyn MetricStore>, Arc<dyn EventStore>);

/// Opens the history, with its schema up to date.
///
/// # Errors
/// The adapter's own, behind the key where the history is apart.
pub async fn open_history(settings: &HistorySettings) -> Result<History, ComposeError> {
    let opened = open(settings).await;
    if settings.is_apart { opened.map_err(|error| error.of_key(settings.key)) } else { opened }
}

async fn open(settings: &HistorySettings) -> Result<History, ComposeError> {
    Ok(match &settings.url {
        HistoryUrl::Sql(StoreUrl::Sqlite(path)) => {
            make_folder(path)?;
            let store = SqliteMetricStore::open(path).await.map_err(told_of_sqlite)?;
            let events = store.events();
            (Arc::new(store), Arc::new(events))
        }
        HistoryUrl::Sql(StoreUrl::Postgres(url)) => {
            let mut store = PostgresMetricStore::open(url.expose_secret()).await.map_err(told_of_postgres)?;
            if let Some(reader) = &settings.reader_url {
                store = store.read_by(reader.expose_secret()).map_err(told_of_postgres)?;
                tell_of_reader(&store).await;
            }
            let events = store.events();
            (Arc::new(store), Arc::new(events))
        }
    })
}

/// Says at once that the history cannot be read. Nothing waits for it: scores matter more than queries, and each query says so
/// for as long as that lasts.
async fn tell_of_reader(store: &PostgresMetricStore) {
    if let Err(error) = store.check_reader().await {
        let (said, code) = (error.said(), error.code());
        tracing::error!(
            key = READER,
            error = said,
            code,
            "the history cannot be read until this is repaired"
        );
    }
}

const READER: &str = "store.reader_url";

/// What is wrong with the URL by which the history is read. Nothing is asked.
pub(super) fn wrong_reader(settings: &HistorySettings) -> Option<(&'static str, String)> {
    let wrong = PostgresTokenSource::check(settings.reader_url.as_ref()?.expose_secret()).err()?;
    Some((READER, wrong.to_string()))
}

/// What is wrong with a URL that only the adapter can judge. Nothing is asked.
pub(super) fn wrong_url(url: &HistoryUrl) -> Option<String> {
    match url {
        HistoryUrl::Sql(StoreUrl::Sqlite(_)) => None,
        HistoryUrl::Sql(StoreUrl::Postgres(url)) => {
            PostgresTokenSource::check(url.expose_secret()).err().map(|error| error.to_string())
        }
    }
}

/// What is wrong with a database that is a file. Nothing is made.
pub(super) fn wrong_file(url: &HistoryUrl) -> Option<String> {
    SqliteTokenStore::check(file(url)?).err().map(|error| error.to_string())
}

/// A database that is a file.
pub(super) fn file(url: &HistoryUrl) -> Option<&Path> {
    match url {
        HistoryUrl::Sql(StoreUrl::Sqlite(path)) => Some(path),
        HistoryUrl::Sql(StoreUrl::Postgres(_)) => None,
    }
}

/// That there is no database yet, where it would be a file.
pub fn lacks_file(url: &HistoryUrl) -> bool {
    file(url).is_some_and(|path| !path.exists())
}
