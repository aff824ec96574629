//! The listener: takes connections, bounds each of them, and lets them end at the stop. It does not know what is
//! answered.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Probes, a scraper, some browsers: far below this. Each connection costs a descriptor, which the stores need too.
const MAX_CONNECTIONS: usize = 256;
/// A caller that sends no whole request head for this long is gone, or means harm; this frees idle connections too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// At the stop, answers under way get this long to reach their callers.
const DRAIN: Duration = Duration::from_secs(5);
/// When the machine has no descriptor left for a connection, asking again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// An address that is taken, before anything is answered on it.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Why an address could not be taken; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it.
    #[error("{address} is in use: stop what listens there, or choose another address")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else: a port that needs privileges, an address that is not this machine's.
    #[error("{address} cannot be listened on: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The listener broke, and takes no more connections.
#[derive(Debug, thiserror::Error)]
#[error("the listener on {address} broke: {source}")]
pub struct ServeError {
    address: SocketAddr,
    source: io::Error,
}

impl Bound {
    /// Takes `address`; port 0 takes any that is free.
    ///
    /// # Errors
    /// [`BindError`], which names the address.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bound.await.map_err(|source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Refused { address, source },
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` completes, then takes no more connections and gives those that are open five seconds
    /// to end. Needs a tokio runtime around it; dropping the future drops its connections.
    ///
    /// # Errors
    /// When the listening socket itself broke. A connection that cannot be taken is no error.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { listener, address } = self;
        let mut connections = JoinSet::new();
        let graceful = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection = connection(stream, router.clone(), &graceful);
                    connections.spawn(connection);
                }
                // The socket is no listener any more: it was shut down under us.
                Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                    return Err(ServeError { address, source });
                }
                Err(error) if of_the_connection(&error) => {}
                Err(_) => pause().await,
            }
        }
        drop(listener);
        drain(graceful).await;
        Ok(())
    }
}

/// Serves one connection until it ends. How it ends concerns the caller alone.
fn connection(
    stream: TcpStream,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Without it small answers wait for acknowledgements; failing to set it only makes them slower.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let watched = graceful.watch(served);
    async move { drop(watched.await) }
}

/// Errors of a caller that went away before it was taken.
fn of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the socket is tokio's own, and so is the time in which it recovers"
)]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sockets are tokio's own, and so is the time in which they drain"
)]
async fn drain(graceful: GracefulShutdown) {
    // A caller that reads slower than this is cut off: a stop must end.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}
