//! Every port that the service stands on, and the runtimes that it runs on. Which adapter is behind one, only `compose` and
//! the simulator know.

use std::io;
use std::sync::Arc;

use ttm_alert::{AlertControl, AlertJournal, AlertStore, ChannelId, Feed, Heartbeat, Notifier};
use ttm_breaker::{BreakerControl, BreakerStore};
use ttm_health::ResourceSource;
use ttm_kernel::{BoxFuture, Runtime};
use ttm_market::{PairSource, ProfileSource, TokenSource, TokenStore};
use ttm_perf::{EventStore, MetricStore};
use ttm_recovery::{LastWords, RecoveryControl, RecoveryLedger, ThreadSource};

use crate::{Stop, Vital};

/// The outside, as the service sees it. The lease on the store comes before it: see [`Supervisor`](crate::Supervisor).
#[derive(Clone)]
pub struct Ports {
    /// The price API.
    pub pairs: Arc<dyn PairSource>,
    /// Tokens and their newest scores.
    pub tokens: Arc<dyn TokenStore>,
    /// Lists of tokens that are kept elsewhere, each of another origin; the store follows them.
    pub sources: Vec<Arc<dyn TokenSource>>,
    /// The newest profiles of tokens. `None` if new tokens are not to be followed.
    pub profiles: Option<Arc<dyn ProfileSource>>,
    /// The state of the breakers, fenced by the epochs of the tokens.
    pub breakers: Arc<dyn BreakerStore>,
    /// The ledger of recoveries, fenced by the epochs of the tokens.
    pub ledger: Arc<dyn RecoveryLedger>,
    /// Where a step that ends the process is kept beside the ledger. `None` if there is no such place.
    pub last_words: Option<Arc<dyn LastWords>>,
    /// The threads of this process, to say why one hung. `None` if they cannot be seen.
    pub threads: Option<Arc<dyn ThreadSource>>,
    /// The history of every metric.
    pub history: Arc<dyn MetricStore>,
    /// The record of what happened.
    pub events: Arc<dyn EventStore>,
    /// What this process uses.
    pub resources: Arc<dyn ResourceSource>,
    /// The states of alerts and the messages that wait, fenced by the epochs of the tokens.
    pub alerts: Arc<dyn AlertStore>,
    /// Where it is kept what is told while the store is away. `None` if there is no such place.
    pub alert_journal: Option<Arc<dyn AlertJournal>>,
    /// Where messages go, each channel once.
    pub channels: Vec<(ChannelId, Arc<dyn Notifier>)>,
    /// Those who want to know all that fires, again and again.
    pub feeds: Vec<(ChannelId, Arc<dyn Feed>)>,
    /// Who is told again and again that this process lives. `None` if nobody is.
    pub heartbeat: Option<Arc<dyn Heartbeat>>,
}

/// Makes the runtimes, which share one clock.
///
/// Laws: (1) `supervision` and `io` are the same for as long as the process lives; (2) nothing that runs on one plane can
/// keep what runs on another from running; (3) a work plane that was replaced takes nothing of the other planes along.
pub trait Planes: Send + Sync {
    /// Runs the monitor and the health endpoints. A job that blocks or spins in the work plane can neither stall it nor make
    /// the process look alive.
    fn supervision(&self) -> Arc<dyn Runtime>;

    /// Runs the adapters' code, and the timers of what outlives a work plane.
    fn io(&self) -> Arc<dyn Runtime>;

    /// Builds the plane that runs the groups and the writers. The one before it, if there was one, is left behind with all that
    /// still runs there.
    ///
    /// # Errors
    /// When its threads cannot be started.
    fn build_work(&self) -> io::Result<Arc<dyn Runtime>>;
}

/// What a part runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// The groups, the API calls and the writers.
    Work,
    /// The monitor, the endpoints and the lease.
    Supervision,
}

impl Plane {
    /// As the documentation names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Supervision => "supervision",
        }
    }
}

/// What operators see and order while the service runs.
#[derive(Clone)]
pub struct Controls {
    /// The breakers.
    pub breakers: Arc<dyn BreakerControl>,
    /// Parts and recoveries.
    pub recovery: Arc<dyn RecoveryControl>,
    /// Alerts, silences and channels.
    pub alerts: Arc<dyn AlertControl>,
}

/// Shows the board to readers: the HTTP API in production.
pub trait Surface: Send + Sync {
    /// Answers readers from the first moment of a start on, until the stop is ordered. Called once for each time that it is
    /// started.
    /// It gives a sign of life whenever a connection was answered, its own included.
    fn serve(&self, stop: Stop, vital: Vital) -> BoxFuture<'static, ()>;

    /// The stores are open from now on.
    fn opened(&self, ports: &Ports);

    /// The service has started: operators may act from now on.
    fn started(&self, controls: Controls);

    /// The service has stopped, and [`serve`](Self::serve) is not called any more: whoever asks from now on is to find nobody.
    fn ended(&self) {}
}
