//! The composition: the only place that names concrete adapters. It holds no behaviour of its own beyond the order of
//! starting and stopping.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::signal::unix::{Signal, SignalKind};
use ttm_alert::AlertJournal;
use ttm_alert::words::Words;
use ttm_axum_api::BindError;
use ttm_dexscreener_http::DexscreenerSource;
use ttm_file_journal::{FileAlertJournal, FileJournal};
use ttm_file_tokens::FileTokenSource;
use ttm_kernel::{Clock, LeaseError, Runtime, within};
use ttm_market::{ProfileSource, TokenSource};
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_procfs_threads::ProcfsThreads;
use ttm_recovery::LastWords;
use ttm_sysinfo_resources::SysinfoResources;

use ttm_service::{
    Again, AlertSettings, Board, Briefing, Damage, Ended, Exit, Failure, Open, Planes, Ports,
    ServiceSettings, StartError, Starting, Supervisor, run_on,
};

use crate::config::{self, Settings, SourceSettings, StoreUrl};

mod channels;
mod descriptors;
mod error;
mod history;
mod judged;
mod managed;
mod orders;
mod self_check;
mod stores;
mod surface;

pub use channels::{Channel, Channels, channel};
pub use error::ComposeError;
pub use history::{History, lacks_file, open_history};
use judged::with_place_of_file;
pub use judged::{check, check_urls, exchange_config};
pub(crate) use managed::Managed;
pub(crate) use orders::Orders;
use orders::{hear, second_interrupt};
pub(crate) use stores::StateLease;
use stores::{StateStores, open_state};
pub use stores::{open_existing_tokens, open_tokens, stored_recoveries};
use surface::HttpSurface;
pub use surface::recoveries_as_json;

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
fn not_started(settings: &Settings, error: StartError<ComposeError>) -> ComposeError {
    let store = &settings.store;
    match error {
        StartError::Open(error) => error,
        StartError::Sources { messages, is_config: true } => {
            ComposeError::Config(match &settings.sources.file {
                Some(path) => with_place_of_file(path, &settings.place("sources.file"), &messages),
                None => messages,
            })
        }
        StartError::Sources { messages, is_config: false } => ComposeError::Source(messages),
        error @ (StartError::Held(_) | StartError::Superseded(_)) => {
            ComposeError::Held(format!("{store}: {error}"))
        }
        error @ StartError::Store(_) => ComposeError::Store(format!("{store}: {error}")),
        StartError::Process(message) => ComposeError::Process(message),
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

/// The whole process: the service and its HTTP surface, which has not started yet.
pub struct Process {
    settings: Settings,
    supervisor: Supervisor,
    open: Open<ComposeError>,
    supervision: Arc<dyn Runtime>,
    board: Arc<Board>,
    address: SocketAddr,
    managed: Managed,
    orders: Orders,
    /// Every Ctrl-C once more: what they mean depends on who ordered the stop.
    interrupts: Signal,
}

/// A store is asked for this long who works on it, when the port is taken.
const ASKED_WITHIN: Duration = Duration::from_secs(2);

impl Process {
    /// Puts everything together: it listens, and touches no store. Runs on the supervision plane. Orders that came before it
    /// runs are carried out then.
    ///
    /// # Errors
    /// The first thing that cannot be had; what was there before it is closed again.
    pub(crate) async fn compose(
        settings: Settings,
        planes: Arc<dyn Planes>,
        mut managed: Managed,
        orders: Orders,
    ) -> Result<Self, ComposeError> {
        descriptors::ensure()?;
        let interrupts = hear(SignalKind::interrupt())?;
        let prometheus = crate::telemetry::prometheus().map_err(ComposeError::Process)?;
        let exchange = DexscreenerSource::new(exchange_config(&settings.exchange)?)
            .map_err(|error| ComposeError::Process(error.to_string()))?;
        let (supervision, io) = (planes.supervision(), planes.io());
        let sources = token_sources(&settings.sources, &io)?;
        // The listener first: a port that is taken is the commonest mistake, and nothing is touched before it is told.
        let listener = match managed.listen(settings.api.listen).await {
            Ok(listener) => listener,
            Err(error) => return Err(not_listening(&settings, &*supervision, &error).await),
        };
        let address = listener.address();
        let lease = StateLease::new(&settings.store)?;
        let board = Board::starting(&settings.service, &*planes);
        let commands = settings.service.commands.clone();
        let clock: Arc<dyn Clock> = io.clone();
        let (links, rules) = (surface::links(&settings, &clock), settings.alerts.rules.rules());
        let briefing = Briefing::new(board.clone(), commands, links, rules);
        let instance = &settings.service.instance;
        let briefing = if settings.is_named { briefing.on(instance.clone()) } else { briefing };
        let words: Arc<dyn Words> = Arc::new(briefing);
        let channels = Channels::make(&settings.alerts, instance, &clock, &words)?;
        let surface = HttpSurface::new(listener, &settings.api, instance, &board, &supervision, prometheus);
        let port = lease.port();
        let service = with_alerts(settings.service.clone(), &settings.alerts);
        let supervisor = Supervisor::new(service, planes, board.clone(), port, Arc::new(surface));
        let history =
            settings.history.is_apart.then(|| tracing::field::display(settings.history.url.clone()));
        tracing::info!(%address, store = %settings.store, history, "listening; starting");
        let state_folder = managed.state_folder.clone();
        let parts = Outside {
            settings: settings.clone(),
            lease: Arc::new(lease),
            exchange,
            sources,
            channels,
            state_folder,
            io,
        };
        let open: Open<ComposeError> = Box::new(|starting| Box::pin(parts.open(starting)));
        Ok(Self { settings, supervisor, open, supervision, board, address, managed, orders, interrupts })
    }

    /// Where it answers.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What readers may look at.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Completes when the service has started.
    pub fn started(&self) -> impl Future<Output = ()> + use<> {
        let figures = self.supervisor.figures();
        async move { figures.started().await }
    }

    /// Starts, and works until SIGTERM, SIGINT, SIGHUP or until it is `over`, then stops: finishes what is in flight, writes
    /// everything. The probes answer from the first moment on, whatever the start waits for.
    ///
    /// # Errors
    /// When it cannot start. When a part ended that never should, or another process took over the store; the rest is stopped
    /// in order first. When not everything was stored, or the store is damaged.
    pub async fn run(self, over: impl Future<Output = ()>) -> Result<(), ComposeError> {
        let started = self.started();
        let Self { settings, supervisor, open, supervision, board, address, managed, .. } = self;
        let Self { mut orders, mut interrupts, .. } = self;
        let vigil = supervisor.vigil();
        // Until this returns: a stop that hangs ends by systemd's hand, too.
        let _watchdog = managed
            .watch(move || vigil.is_alive())
            .map_err(|error| ComposeError::Process(format!("the watchdog's thread cannot start: {error}")))?;
        let stop_within = settings.service.stop_within;
        let (ordered, mut was_ordered) = tokio::sync::oneshot::channel();
        let stop = async {
            tokio::select! {
                biased;
                order = orders.next() => {
                    tracing::info!(order, "stopping");
                    // Dropped unheard once the stop is over.
                    let _ = ordered.send(order);
                }
                () = over => {
                    tracing::info!("stopping: the demo is over");
                    drop(ordered);
                }
            }
            managed.stopping(stop_within);
            supervision.now() + stop_within
        };
        let logged = async {
            started.await;
            let history =
                settings.history.is_apart.then(|| tracing::field::display(settings.history.url.clone()));
            tracing::info!(%address, store = %settings.store, history, "started");
            if !board.has_tokens() {
                let [add, import] =
                    ["tokens add", "tokens import"].map(|command| settings.service.commands.quoted(command));
                tracing::warn!("there are no tokens yet; {add} and {import} bring some");
            }
        };
        let exit = tokio::select! {
            biased;
            exit = supervisor.run(open, stop) => exit,
            never = managed.follow(&board, &*supervision, logged, stop_within) => match never {},
            () = second_interrupt(&mut was_ordered, &mut interrupts) => {
                let message = "given up at the second Ctrl-C; what was not stored is lost";
                return Err(ComposeError::Process(message.to_owned()));
            }
        };
        let ended = match exit {
            Exit::NotStarted(error) => Err(not_started(&settings, error)),
            Exit::Abandoned => Ok(()),
            Exit::Ended(ended) => as_result(&settings, ended, board.given_up()),
        };
        ended.inspect_err(|error| managed.ended(error))
    }
}

/// What the command's exit says of how a service ended.
fn as_result(settings: &Settings, ended: Ended, damage: Option<Damage>) -> Result<(), ComposeError> {
    let store = &settings.store;
    let left = ended.stopped.left();
    let also = left.as_ref().map_or_else(String::new, |left| format!("; it had {left}"));
    match (ended.failure, damage) {
        (Some(failure @ Failure::Superseded(_)), _) => {
            Err(ComposeError::Held(format!("{store}: {failure}{also}")))
        }
        (Some(Failure::Recovery(cause)), _) => {
            Err(ComposeError::Recovery(format!("ended by self-healing, to be started again: {cause}{also}")))
        }
        (None, Some(damage)) => {
            let is_of_history = damage.is_of_history_alone(&settings.service.databases);
            let why = damage.why;
            let store = if is_of_history { settings.history.url.to_string() } else { store.to_string() };
            Err(ComposeError::Store(format!(
                "{store}: stopped with a store that an operator must repair: {why}{also}"
            )))
        }
        (None, None) => left.map_or(Ok(()), |left| Err(ComposeError::Store(format!("stopped with {left}")))),
    }
}

/// What the ports are made of.
struct Outside {
    settings: Settings,
    lease: Arc<StateLease>,
    exchange: DexscreenerSource,
    sources: Vec<Arc<dyn TokenSource>>,
    channels: Channels,
    state_folder: Option<PathBuf>,
    io: Arc<dyn Runtime>,
}

impl Outside {
    /// Opens the stores, which are leased, and fills the ports. A database that is away is waited for. Before the first
    /// connection: two processes that migrate at once are two processes on one store.
    async fn open(self, starting: &Starting) -> Result<Ports, ComposeError> {
        let Self { settings, lease, exchange, sources, channels, state_folder, io } = self;
        let Channels { notifiers, feeds, heartbeat } = channels;
        let data = folders_of_data(&settings, &lease);
        let again = |error: &ComposeError| match error {
            ComposeError::Away(_) => Again::MayPass,
            ComposeError::OnceMended(_) => Again::OnceMended,
            _ => Again::Never,
        };
        // Connections belong to the runtime that they are made on.
        let state = || {
            let (url, lease) = (settings.store.clone(), lease.clone());
            run_on(&*io, async move { open_state(&url, Some(&lease)).await })
        };
        let StateStores { tokens, breakers, ledger, alerts } =
            starting.patiently("the store of the tokens", state, again).await?;
        let history = || {
            let history = settings.history.clone();
            run_on(&*io, async move { open_history(&history).await })
        };
        let (history, events) = starting.patiently("the store of the metrics", history, again).await?;
        Ok(Ports {
            profiles: settings.sources.profiles.then(|| Arc::new(exchange.clone()) as Arc<dyn ProfileSource>),
            pairs: Arc::new(exchange),
            tokens,
            sources,
            breakers,
            ledger,
            last_words: journal(&lease, state_folder.as_deref()),
            threads: Some(Arc::new(ProcfsThreads)),
            history,
            events,
            resources: Arc::new(SysinfoResources::new(data)),
            alerts,
            alert_journal: alert_journal(&lease, state_folder.as_deref()),
            channels: notifiers,
            feeds,
            heartbeat: heartbeat.map(|(heartbeat, _)| heartbeat),
        })
    }
}

/// The folders of the databases that are files; where there is none, the one that the process works in.
fn folders_of_data(settings: &Settings, lease: &StateLease) -> Vec<PathBuf> {
    let history = Some(&settings.history).filter(|history| history.is_apart);
    let history = history.and_then(|history| history::file(&history.url)?.parent());
    let folders: Vec<PathBuf> = lease.folder().into_iter().chain(history).map(Path::to_path_buf).collect();
    if folders.is_empty() { vec![PathBuf::from(".")] } else { folders }
}

/// The service's settings with those of the alerts.
fn with_alerts(service: ServiceSettings, alerts: &config::AlertSettings) -> ServiceSettings {
    let of_alerts = AlertSettings {
        rules: alerts.rules.clone(),
        notify: alerts.notify.clone(),
        every: service.health_check_interval,
        heartbeat: alerts.heartbeat.as_ref().map_or(service.alerts.heartbeat, |heartbeat| heartbeat.every),
    };
    ServiceSettings { alerts: of_alerts, ..service }
}

/// Where it is kept what is told while the store is away: beside the other journal.
fn alert_journal(lease: &StateLease, given: Option<&Path>) -> Option<Arc<dyn AlertJournal>> {
    let beside = lease.database().map(stores::alert_journal_beside);
    let path = beside.or_else(|| Some(given?.join("ttm-alerts")))?;
    Some(Arc::new(FileAlertJournal::new(path)))
}

/// Where a step that ends the process is kept without its store: beside a database that is a file, else where systemd gives the
/// service a folder. `None` if there is neither.
fn journal(lease: &StateLease, given: Option<&Path>) -> Option<Arc<dyn LastWords>> {
    let path = lease.database().map(stores::journal_beside).or_else(|| Some(given?.join("ttm-recovery")))?;
    Some(Arc::new(FileJournal::new(path)))
}
