//! The composition: the only place that names concrete adapters. It holds no behaviour of its own beyond the order of
//! starting and stopping.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::signal::unix::{Signal, SignalKind};
use ttm_axum_api::{ApiConfig, ApiState, BindError, Bound, Stores};
use ttm_dexscreener_http::DexscreenerSource;
use ttm_file_tokens::FileTokenSource;
use ttm_health::HealthView;
use ttm_kernel::{LeaseError, Runtime, within};
use ttm_market::{ProfileSource, TokenSource};
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_sysinfo_resources::SysinfoResources;

use crate::config::{Settings, SourceSettings, StoreUrl};
use ttm_service::{Again, Board, Failure, Service, StartError, Starting};
use ttm_service::{Planes, Ports};

mod descriptors;
mod error;
mod judged;
mod orders;
mod stores;

pub use error::ComposeError;
use judged::with_place_of_file;
pub use judged::{check, check_urls, exchange_config};
pub(crate) use orders::Orders;
use orders::{hear, second_interrupt};
pub(crate) use stores::StateLease;
use stores::open_state;
pub use stores::{open_existing_tokens, open_history, open_tokens};

/// The database of an existing system, if there is one; it is not asked yet.
fn postgres_tokens(sources: &SourceSettings) -> Result<Option<PostgresTokenSource>, ComposeError> {
    let source =
        sources.postgres_url.as_ref().map(|url| PostgresTokenSource::new(url.expose_secret())).transpose();
    source.map_err(|error| ComposeError::Config(format!("sources.postgres_url: {error}")))
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

/// The service's own line; a store is named in front of it, and the place in the config where that is wrong.
fn not_started(settings: &Settings, error: StartError) -> ComposeError {
    let store = &settings.store;
    match error {
        StartError::Sources { messages, is_config: true } => {
            ComposeError::Config(match &settings.sources.file {
                Some(path) => with_place_of_file(path, &settings.place("sources.file"), &messages),
                None => messages,
            })
        }
        StartError::Sources { messages, is_config: false } => ComposeError::Source(messages),
        error @ StartError::Held(_) => ComposeError::Held(format!("{store}: {error}")),
        error @ StartError::Store { .. } => ComposeError::Store(format!("{store}: {error}")),
    }
}

/// Why nothing listens. Where the port is taken the service most likely runs already, and then its store knows more of it.
/// It is only looked at: to take the lease for a moment could end the one that has the port and is about to take it.
async fn not_listening(settings: &Settings, runtime: &dyn Runtime, error: &BindError) -> ComposeError {
    let told = ComposeError::Listen(error.to_string());
    let is_new = matches!(&settings.store, StoreUrl::Sqlite(path) if !path.exists());
    let (BindError::InUse { .. }, false) = (error, is_new) else { return told };
    let Ok(lease) = StateLease::new(&settings.store) else { return told };
    match within(runtime, runtime.now() + ASKED_WITHIN, Box::pin(lease.holder())).await {
        Ok(Some(holder)) => {
            let held = LeaseError::Held { holder, until: None };
            ComposeError::Held(format!("{}: {held}", settings.store))
        }
        Ok(None) | Err(_) => told,
    }
}

/// The whole process: the service and its HTTP surface.
pub struct Process {
    service: Service,
    store: String,
    planes: Planes,
    board: Arc<Board>,
    address: SocketAddr,
    patience: Duration,
    server: Server,
    orders: Orders,
    /// Every Ctrl-C once more: what they mean depends on who ordered the stop.
    interrupts: Signal,
}

/// What became of a start.
pub enum Start {
    /// It runs.
    Running(Box<Process>),
    /// It was told to stop before it ran.
    Abandoned,
}

/// The HTTP surface while it answers.
struct Server {
    close: tokio::sync::oneshot::Sender<()>,
    task: ttm_kernel::Task,
}

impl Server {
    async fn close(self) {
        drop(self.close);
        self.task.await;
    }
}

/// A store is asked for this long who works on it, when the port is taken.
const ASKED_WITHIN: Duration = Duration::from_secs(2);
/// A start that is given up waits for its lease to be released for this long.
const RELEASE_WITHIN: Duration = Duration::from_millis(500);

impl Process {
    /// Puts everything together and starts it. Runs on the supervision plane. The probes answer from the first moment on,
    /// whatever the start waits for, and an order to stop is heard all the time.
    ///
    /// # Errors
    /// The first part that does not come up; what came up before it is closed again.
    pub async fn start(settings: &Settings, planes: Planes) -> Result<Start, ComposeError> {
        descriptors::ensure()?;
        let (mut orders, interrupts) = (Orders::listen()?, hear(SignalKind::interrupt())?);
        let prometheus = crate::telemetry::prometheus().map_err(ComposeError::Process)?;
        let exchange = DexscreenerSource::new(exchange_config(&settings.exchange)?)
            .map_err(|error| ComposeError::Process(error.to_string()))?;
        let sources = token_sources(&settings.sources, &planes.work)?;

        // The listener first: a port that is taken is the commonest mistake, and nothing is touched before it is told.
        let listener = match Bound::bind(settings.api.listen).await {
            Ok(listener) => listener.telling(descriptors::tell),
            Err(error) => return Err(not_listening(settings, &*planes.supervision, &error).await),
        };
        let address = listener.address();
        let lease = StateLease::new(&settings.store)?;
        let board = Service::board_of(&settings.service, &planes);
        let stores = Arc::new(OnceLock::new());
        let state = ApiState {
            health: board.clone(),
            tokens: board.clone(),
            stores: stores.clone(),
            event_kinds: &ttm_service::EVENT_KINDS,
            runtime: planes.supervision.clone(),
            metrics: Arc::new(move || {
                prometheus.run_upkeep();
                prometheus.render()
            }),
        };
        let api = ApiConfig::new(address, settings.api.token.clone());
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let serving = listener.serve(ttm_axum_api::router(state, api), async { drop(closed.await) });
        let task = planes.supervision.spawn(
            "api",
            Box::pin(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the API stopped answering");
                }
            }),
        );
        let server = Server { close, task };
        tracing::info!(%address, store = %settings.store, "listening; starting");

        let starting = Starting::new(&board, &settings.service, &planes.supervision);
        // The next process need not wait for it; one that another holds is left as it is.
        let (runtime, port) = (planes.supervision.clone(), lease.port());
        let let_go = async move {
            drop(within(&*runtime, runtime.now() + RELEASE_WITHIN, port.release()).await);
        };
        let opening = async {
            // Before the migrations: two processes that migrate at once are two processes on one store.
            let port = lease.port();
            let opening = Box::pin(open(settings, &lease, exchange, sources, &starting));
            let opened = starting.leased(&*port, opening).await;
            let ports = opened.map_err(|error| not_started(settings, error))??;
            // Nothing else sets it.
            drop(stores.set(Stores { history: ports.history.clone(), events: ports.events.clone() }));
            let service = Service::start(ports, settings.service.clone(), planes.clone(), board.clone());
            service.await.map_err(|error| not_started(settings, error))
        };
        let started = tokio::select! {
            biased;
            order = orders.next() => {
                let waited_for = board.report().reasons.first().cloned().unwrap_or_default();
                tracing::info!(order, waited_for, "stopped before the start was over");
                // What was being opened is given up: a connection that hangs is nothing to wait for.
                let_go.await;
                return Ok(Start::Abandoned);
            }
            started = opening => started,
        };
        let service = match started {
            Ok(service) => service,
            Err(error) => {
                let_go.await;
                server.close().await;
                return Err(error);
            }
        };
        tracing::info!(%address, store = %settings.store, "started");
        if !board.has_tokens() {
            tracing::warn!("there are no tokens yet; `ttm tokens add` and `ttm tokens import` bring some");
        }
        Ok(Start::Running(Box::new(Self {
            service,
            store: settings.store.to_string(),
            planes,
            board,
            address,
            patience: settings.graceful_shutdown_timeout,
            server,
            orders,
            interrupts,
        })))
    }

    /// Where it answers.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What readers may look at.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Works until SIGTERM, SIGINT, SIGHUP or until it is `over`, then stops: finishes what is in flight, writes everything.
    ///
    /// # Errors
    /// When a part ended that never should, or another process took over the store; the rest is stopped in order first.
    /// When not everything was stored, or the store is damaged.
    pub async fn until_stopped(self, over: impl Future<Output = ()>) -> Result<(), ComposeError> {
        let Self { service, store, planes, board, patience, server, mut orders, mut interrupts, .. } = self;
        let runtime = planes.supervision;
        let (ordered, mut by_a_person) = tokio::sync::oneshot::channel();
        let told = async {
            tokio::select! {
                biased;
                order = orders.next() => {
                    tracing::info!(order, "stopping");
                    // Nobody hears it once the stop is over.
                    let _ = ordered.send(order);
                }
                () = over => {
                    tracing::info!("stopping: the demo is over");
                    drop(ordered);
                }
            }
            runtime.now() + patience
        };
        let ended = {
            let mut run = std::pin::pin!(service.run(told, patience));
            tokio::select! {
                biased;
                ended = &mut run => ended,
                () = second_interrupt(&mut by_a_person, &mut interrupts) => {
                    let message = "given up at the second Ctrl-C; what was not stored is lost";
                    return Err(ComposeError::Process(message.to_owned()));
                }
            }
        };
        // The endpoints answer until the end, so that one can see it stopping.
        server.close().await;
        let left = ended.stopped.left();
        let also = left.as_ref().map_or_else(String::new, |left| format!("; it had {left}"));
        match (ended.failure, board.given_up()) {
            (Some(failure @ Failure::Superseded(_)), _) => {
                Err(ComposeError::Held(format!("{store}: {failure}{also}")))
            }
            (Some(failure @ Failure::Part { .. }), _) => Err(ComposeError::Process(failure.to_string())),
            (None, Some(why)) => Err(ComposeError::Store(format!(
                "{store}: stopped with a store that a person must mend: {why}{also}"
            ))),
            (None, None) => {
                left.map_or(Ok(()), |left| Err(ComposeError::Store(format!("stopped with {left}"))))
            }
        }
    }
}

/// Opens the stores, which are leased, and fills the ports. A database that is away is waited for.
async fn open(
    settings: &Settings,
    lease: &StateLease,
    exchange: DexscreenerSource,
    sources: Vec<Arc<dyn TokenSource>>,
    starting: &Starting,
) -> Result<Ports, ComposeError> {
    let data = lease.folder().unwrap_or(Path::new(".")).to_path_buf();
    let again = |error: &ComposeError| match error {
        ComposeError::Away(_) => Again::MayPass,
        ComposeError::OnceMended(_) => Again::OnceMended,
        _ => Again::Never,
    };
    let state = || open_state(&settings.store, Some(lease));
    let (tokens, breakers) = starting.patiently("the store of the tokens", state, again).await?;
    let history = || open_history(&settings.store);
    let (history, events) = starting.patiently("the store of the metrics", history, again).await?;
    Ok(Ports {
        lease: lease.port(),
        profiles: settings.sources.profiles.then(|| Arc::new(exchange.clone()) as Arc<dyn ProfileSource>),
        pairs: Arc::new(exchange),
        tokens,
        sources,
        breakers,
        history,
        events,
        resources: Arc::new(SysinfoResources::new(data)),
    })
}
