//! The stores and the lease on them, by their URL: which adapter it is, and what its errors mean to a start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use ttm_alert::AlertStore;
use ttm_breaker::BreakerStore;
use ttm_file_journal::FileJournal;
use ttm_kernel::StoreLease;
use ttm_market::TokenStore;
use ttm_postgres_state::{PostgresLease, PostgresTokenStore};
use ttm_recovery::{Entry, LEDGER_KEEPS, LastWords as _, Recoveries, RecoveryLedger};
use ttm_sqlite_state::{SqliteLease, SqliteTokenStore};

use super::error::ComposeError;
use crate::config::StoreUrl;

/// Opens the store of the tokens, with its schema up to date, to edit the set of tokens beside a running service.
pub async fn open_tokens(url: &StoreUrl) -> Result<Arc<dyn TokenStore>, ComposeError> {
    Ok(open_state(url, None).await?.tokens)
}

/// Opens the store of the tokens as it is: what is not up to date is refused, and nothing is made or changed.
pub async fn open_existing_tokens(url: &StoreUrl) -> Result<Arc<dyn TokenStore>, ComposeError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => {
            Arc::new(SqliteTokenStore::open_existing(path).await.map_err(told_of_sqlite)?)
        }
        StoreUrl::Postgres(url) => {
            Arc::new(PostgresTokenStore::open_existing(url.expose_secret()).await.map_err(told)?)
        }
    })
}

/// The file for what is said last, beside a database. With the name of the database: two of them may be in one folder.
pub(crate) fn journal_beside(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-recovery");
    database.with_file_name(name)
}

/// The same for what is told of alerts while the database is away.
pub(super) fn alert_journal_beside(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push("-alerts");
    database.with_file_name(name)
}

/// What a process could not store before it ended. A file that cannot be read is told of by the next start.
fn last_words(url: &StoreUrl) -> Vec<Entry> {
    let StoreUrl::Sqlite(path) = url else { return Vec::new() };
    let journal = path.canonicalize().map(|database| FileJournal::new(journal_beside(&database)));
    journal.and_then(|journal| journal.read()).unwrap_or_default()
}

/// The recoveries in the ledger as it is, and those that its last process could not store: nothing is made or changed.
pub async fn stored_recoveries(url: &StoreUrl) -> Result<Recoveries, ComposeError> {
    let (store, ledger): (Arc<dyn TokenStore>, Arc<dyn RecoveryLedger>) = match url {
        StoreUrl::Sqlite(path) => {
            let store = SqliteTokenStore::open_existing(path).await.map_err(told_of_sqlite)?;
            let ledger = store.recoveries();
            (Arc::new(store), Arc::new(ledger))
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresTokenStore::open_existing(url.expose_secret()).await.map_err(told)?;
            let ledger = store.recoveries();
            (Arc::new(store), Arc::new(ledger))
        }
    };
    let entries = ledger.load(Timestamp::MIN, LEDGER_KEEPS).await;
    store.close().await;
    let entries = entries.map_err(|error| ComposeError::Store(format!("{url}: {error}")))?;
    let entries = last_words(url).into_iter().chain(entries).map(|entry| (entry.key, entry));
    let mut recoveries = Recoveries::new(LEDGER_KEEPS);
    for entry in entries.collect::<BTreeMap<_, _>>().values() {
        recoveries.add(entry);
    }
    Ok(recoveries)
}

/// The lease on the store of the state.
pub(crate) enum StateLease {
    Sqlite(SqliteLease),
    Postgres(Arc<PostgresLease>),
}

impl StateLease {
    /// Nothing is taken yet.
    pub(crate) fn new(url: &StoreUrl) -> Result<Self, ComposeError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => {
                make_folder(path)?;
                let lease = SqliteLease::new(path);
                Self::Sqlite(lease.map_err(|error| {
                    ComposeError::Store(format!(
                        "sqlite://{}: the folder cannot be used: {error}",
                        path.display()
                    ))
                })?)
            }
            StoreUrl::Postgres(url) => {
                Self::Postgres(Arc::new(PostgresLease::new(url.expose_secret()).map_err(told)?))
            }
        })
    }

    /// The folder of a database that is a file, wherever the links to it are.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.database()?.parent()
    }

    /// A database that is a file, wherever the links to it are.
    pub(super) fn database(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(lease) => Some(lease.database()),
            Self::Postgres(_) => None,
        }
    }

    /// Who holds it, as far as that can be seen without taking it.
    pub(super) async fn holder(&self) -> Option<String> {
        match self {
            Self::Sqlite(lease) => lease.holder(),
            Self::Postgres(lease) => lease.holder().await,
        }
    }

    pub(crate) fn port(&self) -> Arc<dyn StoreLease> {
        match self {
            Self::Sqlite(lease) => Arc::new(lease.clone()),
            Self::Postgres(lease) => lease.clone(),
        }
    }
}

/// What is kept in the store of the state, all under the same epochs.
pub(super) struct StateStores {
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) breakers: Arc<dyn BreakerStore>,
    pub(super) ledger: Arc<dyn RecoveryLedger>,
    pub(super) alerts: Arc<dyn AlertStore>,
}

/// Opens the store of the state, with its schema up to date.
pub(super) async fn open_state(
    url: &StoreUrl,
    lease: Option<&StateLease>,
) -> Result<StateStores, ComposeError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => {
            make_folder(path)?;
            let mut store = SqliteTokenStore::open(path).await.map_err(told_of_sqlite)?;
            if let Some(lease) = lease {
                store = store.with_lease(lease.port());
            }
            let (breakers, ledger) = (Arc::new(store.breakers()), Arc::new(store.recoveries()));
            let alerts = Arc::new(store.alerts());
            StateStores { tokens: Arc::new(store), breakers, ledger, alerts }
        }
        StoreUrl::Postgres(url) => {
            let mut store = PostgresTokenStore::open(url.expose_secret()).await.map_err(told_of_postgres)?;
            if let Some(StateLease::Postgres(lease)) = lease {
                store = store.with_lease(lease.clone());
            }
            let (breakers, ledger) = (Arc::new(store.breakers()), Arc::new(store.recoveries()));
            let alerts = Arc::new(store.alerts());
            StateStores { tokens: Arc::new(store), breakers, ledger, alerts }
        }
    })
}

/// The adapters' own line, which names the file or the server.
fn told(error: impl std::error::Error) -> ComposeError {
    ComposeError::Store(error.to_string())
}

/// The same; a disk that is full, or a lock in the way, may be different the next time.
pub(super) fn told_of_sqlite(error: ttm_sqlite_state::OpenError) -> ComposeError {
    if error.needs_a_person() {
        return ComposeError::OnceMended(error.to_string());
    }
    if error.is_transient() { ComposeError::Away(error.to_string()) } else { told(error) }
}

/// The same; a server that is away, or has a lock in the way, may be there the next time.
pub(super) fn told_of_postgres(error: ttm_postgres_state::OpenError) -> ComposeError {
    if error.needs_a_person() {
        return ComposeError::OnceMended(error.to_string());
    }
    if error.is_transient() { ComposeError::Away(error.to_string()) } else { told(error) }
}

pub(super) fn make_folder(file: &Path) -> Result<(), ComposeError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all).map_err(|error| {
        ComposeError::Store(format!("sqlite://{}: the folder cannot be made: {error}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use ttm_kernel::{Epoch, FailureClass};
    use ttm_recovery::{By, EntryKey, Fact};

    use super::*;

    #[test]
    fn what_the_last_process_could_not_store_is_shown_from_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        let url = StoreUrl::Sqlite(path.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads");
        runtime.block_on(async {
            let tokens = open_tokens(&url).await.expect("a new store");
            tokens.close().await;
        });
        let shown = || runtime.block_on(stored_recoveries(&url)).expect("it is there").newest(10);
        assert_eq!(shown(), []);
        let entry = |number, fact| {
            let key = EntryKey { epoch: Epoch::new(1), number };
            Entry { key, recovery: key, at: Timestamp::UNIX_EPOCH, subject: "work".to_owned(), fact }
        };
        let (cause, class, by) = ("it hangs".to_owned(), FailureClass::System, By::Service);
        let began = Fact::Began { cause, class, by, evidence: None };
        let journal = FileJournal::new(journal_beside(&path.canonicalize().expect("it is there")));
        journal.write(&[entry(0, Fact::Booted), entry(1, began)]).expect("written");
        let causes: Vec<String> = shown().into_iter().map(|recovery| recovery.cause).collect();
        assert_eq!(causes, ["it hangs"]);
    }
}
