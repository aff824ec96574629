//! What the process has of its service manager: systemd hears where it stands, watches over it, and keeps its listener while
//! it is restarted. Without one nothing of this happens.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::Shutdown;
use ttm_axum_api::{BindError, Bound};
use ttm_health::{HealthView as _, Phase, Report, Status};
use ttm_kernel::{Runtime, within};
use ttm_recovery::{Notice, ServiceManager as _};
use ttm_service::Board;
use ttm_systemd::{Delivery, Environment, Systemd, Watchdog};

use super::error::ComposeError;

/// The status is looked at this often.
const EVERY: Duration = Duration::from_secs(5);
/// A start that goes on asks for this much more time: it may miss a few looks.
const LONGER: Duration = Duration::from_secs(30);
/// A stop is over this long after its deadline, with whatever has to be left behind.
const LEAVING: Duration = Duration::from_secs(10);

/// The service manager, and what it passed on.
pub(crate) struct Managed {
    systemd: Arc<Systemd>,
    listener: Option<TcpListener>,
    /// A folder for what outlives the process.
    pub(super) state_folder: Option<PathBuf>,
    /// Whether it was told that the process stops.
    stops: AtomicBool,
}

impl Managed {
    /// None.
    pub(crate) fn by_nobody() -> Self {
        Self {
            systemd: Arc::new(Systemd::absent()),
            listener: None,
            state_folder: None,
            stops: AtomicBool::new(false),
        }
    }

    /// What started this process. To be called before the planes are started, since the variables for the listener are taken
    /// out of the environment. What cannot be used is logged, and done without.
    pub(crate) fn find() -> Self {
        let environment = Environment::read();
        let listener = ttm_systemd::inherited(&environment).unwrap_or_else(|error| {
            tracing::warn!(%error, "the listener that was passed cannot be used; the address is bound anew");
            None
        });
        let systemd = Systemd::new(&environment, std::process::id()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager is told nothing");
            Systemd::absent()
        });
        if systemd.is_there() {
            let watchdog_s = systemd.watchdog().map(|patience| patience.as_secs_f64());
            tracing::info!(watchdog_s, inherited = listener.is_some(), "started by systemd");
        } else {
            tracing::debug!("not started by systemd: it is told nothing, and nothing is kept over a restart");
        }
        let systemd = systemd.telling(|delivery| match delivery {
            Delivery::Failed(error) => tracing::warn!(%error, "systemd does not hear what it is told"),
            Delivery::Restored => tracing::info!("systemd hears again"),
        });
        let state_folder = environment.state_folder();
        Self { systemd: Arc::new(systemd), listener, state_folder, stops: AtomicBool::new(false) }
    }

    /// The listener on this address: the one that was kept, or else a new one. systemd, if it is there, keeps either from
    /// now on.
    pub(super) async fn listen(&mut self, address: SocketAddr) -> Result<Bound, BindError> {
        let bound = match self.listener.take() {
            Some(listener) if listener.local_addr().is_ok_and(|bound| bound == address) => {
                Bound::adopt(listener).map_err(|source| BindError::Refused { address, source })?
            }
            other => {
                if let Some(other) = other {
                    // The copy that is kept ends with it: it would have the new address in use if only the host is another.
                    // Fails if it is shut down already.
                    let _ = rustix::net::shutdown(&other, Shutdown::Both);
                    self.systemd.drop_kept();
                }
                Bound::bind(address).await?
            }
        };
        self.systemd.keep(&bound);
        Ok(bound)
    }

    /// Starts to ping, for as long as `is_alive`, if pings are waited for.
    pub(super) fn watch(&self, is_alive: impl Fn() -> bool + Send + 'static) -> io::Result<Option<Watchdog>> {
        Watchdog::start(self.systemd.clone(), is_alive)
    }

    /// Tells of the start, which may take its time, from then on what the report says, and of a stop that nobody ordered, which
    /// is over within `stop_within`. Never completes.
    pub(super) async fn follow(
        &self,
        board: &Board,
        runtime: &dyn Runtime,
        started: impl Future<Output = ()>,
        stop_within: Duration,
    ) -> Infallible {
        let mut started = pin!(started);
        loop {
            self.say(in_words(&board.report()));
            self.systemd.notify(Notice::Extend(LONGER));
            if within(runtime, runtime.now() + EVERY, started.as_mut()).await.is_ok() {
                break;
            }
        }
        self.systemd.notify(Notice::Ready);
        loop {
            if board.phase() == Phase::Stopping {
                self.stopping(stop_within);
            }
            self.say(in_words(&board.report()));
            let due = runtime.now() + EVERY;
            runtime.sleep_until(due).await;
            if runtime.now() - due > EVERY && self.stops.load(Ordering::Relaxed) {
                // Paused: the stop has its time all the same, and what waits for it did not stand still.
                self.systemd.notify(Notice::Extend(stop_within + LEAVING));
            }
        }
    }

    /// Tells once that it stops, and may take this long.
    pub(super) fn stopping(&self, stop_within: Duration) {
        if !self.stops.swap(true, Ordering::Relaxed) {
            self.systemd.notify(Notice::Stopping);
            self.systemd.notify(Notice::Extend(stop_within + LEAVING));
        }
    }

    /// Tells why it ends.
    pub(super) fn ended(&self, error: &ComposeError) {
        self.say(format!("ended: {error}"));
    }

    fn say(&self, words: String) {
        self.systemd.notify(Notice::Status(words));
    }
}

/// A report in one line.
fn in_words(report: &Report) -> String {
    match (report.phase, report.reasons().first(), report.status) {
        (Phase::Starting, None, _) => "starting".to_owned(),
        (Phase::Stopping, None, _) => "stopping".to_owned(),
        (Phase::Running, None, Status::Healthy) => match report.data.hot.tokens + report.data.cold.tokens {
            1 => "scoring 1 token".to_owned(),
            tokens => format!("scoring {tokens} tokens"),
        },
        (Phase::Running, None, status) => status.as_str().to_owned(),
        (Phase::Running, Some(reason), status) => format!("{}: {reason}", status.as_str()),
        (Phase::Starting | Phase::Stopping, Some(reason), _) => (*reason).to_owned(),
    }
}
