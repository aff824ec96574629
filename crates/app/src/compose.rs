//! The composition: the only place that names concrete adapters. It holds no behaviour of its own beyond the order of
//! starting and stopping.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ttm_axum_api::{ApiConfig, ApiState, Bound, Stores};
use ttm_breaker::BreakerStore;
use ttm_dexscreener_http::{DexscreenerConfig, DexscreenerSource};
use ttm_file_tokens::FileTokenSource;
use ttm_kernel::Runtime;
use ttm_market::{ProfileSource, TokenSource, TokenStore};
use ttm_perf::{EventStore, MetricStore};
use ttm_postgres_metrics::PostgresMetricStore;
use ttm_postgres_state::PostgresTokenStore;
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sqlite_metrics::SqliteMetricStore;
use ttm_sqlite_state::SqliteTokenStore;
use ttm_sysinfo_resources::SysinfoResources;

use crate::config::{ExchangeSettings, Settings, SourceSettings, StoreUrl};
use crate::service::{Board, Service, StartError};
use crate::{Planes, Ports};

/// A part that could not be put in its place; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A value that only the adapter can judge.
    #[error("{0}")]
    Config(String),
    /// The store.
    #[error("{0}")]
    Store(String),
    /// A list of tokens that is kept elsewhere, and does not answer now.
    #[error("{0}")]
    Source(String),
    /// The listener.
    #[error("{0}")]
    Listen(String),
    /// Something of the process itself.
    #[error("{0}")]
    Process(String),
}

impl ComposeError {
    /// Whether starting again with the same config is pointless.
    pub const fn is_config(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}

/// The API's address and manners, as the adapter judges them.
pub fn exchange_config(exchange: &ExchangeSettings) -> Result<DexscreenerConfig, ComposeError> {
    let ExchangeSettings { base_url, chain, user_agent, timeout } = exchange;
    DexscreenerConfig::try_new(base_url, chain, user_agent, *timeout, MAX_BODY_BYTES)
        .map_err(|error| ComposeError::Config(error.to_string()))
}

/// What only the adapters can judge, all of it at once; nothing is started or asked.
pub fn check(settings: &Settings) -> Result<(), ComposeError> {
    let wrong = [exchange_config(&settings.exchange).err(), postgres_tokens(&settings.sources).err()];
    let wrong: Vec<String> = wrong.into_iter().flatten().map(|error| error.to_string()).collect();
    if wrong.is_empty() { Ok(()) } else { Err(ComposeError::Config(wrong.join("\n"))) }
}

/// The database of an existing system, if there is one; it is not asked yet.
fn postgres_tokens(sources: &SourceSettings) -> Result<Option<PostgresTokenSource>, ComposeError> {
    let source = sources.postgres_url.as_ref().map(|url| PostgresTokenSource::new(url.expose())).transpose();
    source.map_err(|error| ComposeError::Config(format!("sources.postgres_url: {error}")))
}

/// A hundred times the largest body that was recorded.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Opens the store of the tokens, with its schema up to date.
pub async fn open_tokens(url: &StoreUrl) -> Result<Arc<dyn TokenStore>, ComposeError> {
    Ok(open_state(url).await?.0)
}

/// Opens the store of the state, with its schema up to date: the tokens, and the breakers beside them.
async fn open_state(url: &StoreUrl) -> Result<(Arc<dyn TokenStore>, Arc<dyn BreakerStore>), ComposeError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => {
            make_folder(path)?;
            let store = SqliteTokenStore::open(path).await.map_err(told)?;
            let breakers = store.breakers();
            (Arc::new(store), Arc::new(breakers))
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresTokenStore::open(url).await.map_err(told)?;
            let breakers = store.breakers();
            (Arc::new(store), Arc::new(breakers))
        }
    })
}

/// Opens the store of the metrics, with its schema up to date, and the record of events beside them.
pub async fn open_history(
    url: &StoreUrl,
) -> Result<(Arc<dyn MetricStore>, Arc<dyn EventStore>), ComposeError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => {
            make_folder(path)?;
            let store = SqliteMetricStore::open(path).await.map_err(told)?;
            let events = store.events();
            (Arc::new(store), Arc::new(events))
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresMetricStore::open(url).await.map_err(told)?;
            let events = store.events();
            (Arc::new(store), Arc::new(events))
        }
    })
}

/// The lists of tokens that are kept elsewhere; they are not asked yet.
pub fn token_sources(
    sources: &SourceSettings,
    runtime: &Arc<dyn Runtime>,
) -> Result<Vec<Arc<dyn TokenSource>>, ComposeError> {
    let mut all: Vec<Arc<dyn TokenSource>> = Vec::new();
    if let Some(path) = &sources.file {
        all.push(Arc::new(FileTokenSource::new(path.clone(), runtime.clone())));
    }
    if let Some(source) = postgres_tokens(sources)? {
        all.push(Arc::new(source));
    }
    Ok(all)
}

/// The service's own line; a store is named in front of it.
fn not_started(store: &StoreUrl, error: StartError) -> ComposeError {
    match error {
        StartError::Sources { messages, is_config: true } => ComposeError::Config(messages),
        StartError::Sources { messages, is_config: false } => ComposeError::Source(messages),
        error @ StartError::Tokens(_) => ComposeError::Store(format!("{store}: {error}")),
    }
}

/// The adapters' own line, which names the file or the server.
fn told(error: impl std::error::Error) -> ComposeError {
    ComposeError::Store(error.to_string())
}

fn make_folder(file: &Path) -> Result<(), ComposeError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), std::fs::create_dir_all).map_err(|error| {
        ComposeError::Store(format!("sqlite://{}: the folder cannot be made: {error}", file.display()))
    })
}

/// The whole process: the service and its HTTP surface.
pub struct Process {
    service: Service,
    planes: Planes,
    board: Arc<Board>,
    address: SocketAddr,
    patience: Duration,
    close: tokio::sync::oneshot::Sender<()>,
    server: ttm_kernel::Task,
    terminate: tokio::signal::unix::Signal,
}

impl Process {
    /// Puts everything together and starts it. Runs on the supervision plane.
    ///
    /// # Errors
    /// The first part that does not come up; what came up before it is closed again.
    pub async fn start(settings: &Settings, planes: Planes) -> Result<Self, ComposeError> {
        // Before anybody can know that it started: whoever then tells it to stop is heard.
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| ComposeError::Process(format!("SIGTERM cannot be heard: {error}")))?;
        let prometheus = crate::telemetry::prometheus().map_err(ComposeError::Process)?;
        let exchange = DexscreenerSource::new(exchange_config(&settings.exchange)?)
            .map_err(|error| ComposeError::Process(error.to_string()))?;
        let profiles =
            settings.sources.profiles.then(|| Arc::new(exchange.clone()) as Arc<dyn ProfileSource>);

        let sources = token_sources(&settings.sources, &planes.work)?;

        // The listener first: a port that is taken is the commonest mistake, and nothing is touched before it is told.
        let listener = Bound::bind(settings.api.listen)
            .await
            .map_err(|error| ComposeError::Listen(error.to_string()))?;
        let address = listener.address();

        let data = match &settings.store {
            StoreUrl::Sqlite(path) => path.parent().unwrap_or(Path::new(".")).to_path_buf(),
            StoreUrl::Postgres(_) => ".".into(),
        };
        let (tokens, breakers) = open_state(&settings.store).await?;
        let (history, events) = open_history(&settings.store).await?;
        let ports = Ports {
            pairs: Arc::new(exchange),
            tokens,
            sources,
            profiles,
            breakers,
            history,
            events,
            resources: Arc::new(SysinfoResources::new(data)),
        };
        let board = Service::board_of(&settings.service, &planes);
        let state = ApiState {
            health: board.clone(),
            tokens: board.clone(),
            stores: Arc::new(OnceLock::from(Stores {
                history: ports.history.clone(),
                events: ports.events.clone(),
            })),
            runtime: planes.supervision.clone(),
            metrics: Arc::new(move || {
                prometheus.run_upkeep();
                prometheus.render()
            }),
        };
        let api = ApiConfig::new(address, settings.api.token.as_ref().map(|token| token.expose().to_owned()));
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let serving = listener.serve(ttm_axum_api::router(state, api), async { drop(closed.await) });
        let server = planes.supervision.spawn(
            "api",
            Box::pin(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the API stopped answering");
                }
            }),
        );
        let service = Service::start(ports, settings.service.clone(), planes.clone(), board.clone())
            .await
            .map_err(|error| not_started(&settings.store, error))?;
        tracing::info!(%address, store = %settings.store, "started");
        if board.tokens().is_empty() {
            tracing::warn!("there are no tokens yet; `ttm tokens add` and `ttm tokens import` bring some");
        }
        Ok(Self {
            service,
            planes,
            board,
            address,
            patience: settings.graceful_shutdown_timeout,
            close,
            server,
            terminate,
        })
    }

    /// Where it answers.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What readers may look at.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Works until SIGTERM, Ctrl-C or the end of `lasts`, then stops: finishes what is in flight, writes everything.
    ///
    /// # Errors
    /// When a part ended that never should; the rest is stopped in order first.
    pub async fn until_stopped(mut self, lasts: Option<Duration>) -> Result<(), ComposeError> {
        let runtime = self.planes.supervision.clone();
        let end = lasts.map_or(ttm_kernel::Moment::MAX, |lasts| runtime.now() + lasts);
        let failed = tokio::select! {
            biased;
            _ = self.terminate.recv() => None,
            _ = tokio::signal::ctrl_c() => None,
            () = runtime.sleep_until(end) => None,
            failed = self.service.failed() => Some(failed),
        };
        let stopped = tokio::select! {
            biased;
            stopped = self.service.stop(runtime.now() + self.patience) => stopped,
            _ = tokio::signal::ctrl_c() => {
                return Err(ComposeError::Process("given up at the second Ctrl-C; what was not stored is lost".into()));
            }
        };
        // The endpoints answer until the end, so that one can see it stopping.
        drop(self.close);
        self.server.await;
        match failed {
            Some((part, end)) => Err(ComposeError::Process(format!("{part} ended by itself: {end:?}"))),
            None if stopped.tokens_left + stopped.samples_left + stopped.events_left > 0 => {
                Err(ComposeError::Store(format!(
                    "stopped with {} tokens, {} samples and {} events that the store did not take",
                    stopped.tokens_left, stopped.samples_left, stopped.events_left
                )))
            }
            None => Ok(()),
        }
    }
}
