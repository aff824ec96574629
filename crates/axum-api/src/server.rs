//! The listener: takes connections, and when there are too many gives up the one that has kept it waiting the longest,
//! so that probes are answered whatever others do. It does not know what is answered.

mod activity;
mod connection;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};

use activity::Activity;

/// Probes, a scraper, some browsers: far below this, and what one connection can take is bounded.
const MAX_CONNECTIONS: usize = 512;
/// The longest head of a request, and what is read ahead of the answers.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// At the stop, answers under way get this long to reach their callers.
const DRAIN: Duration = Duration::from_secs(5);
/// When the machine has no descriptor left for a connection, asking again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        self.serve_up_to(cap(getrlimit(Resource::Nofile).current), router, shutdown).await
    }

    async fn serve_up_to(
        self,
        cap: usize,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let Self { listener, address } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = Connections { tasks: JoinSet::new(), open: BTreeMap::new(), cap };
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = connections.ended(), if !connections.tasks.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => connections.take(stream, router.clone(), stopped.clone()),
                // The socket is no listener any more: it was shut down under us.
                Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                    return Err(ServeError { address, source });
                }
                Err(error) if of_the_connection(&error) => {}
                // Most likely there is no descriptor left: one of ours makes room.
                Err(_) => {
                    connections.evict();
                    pause().await;
                }
            }
        }
        drop(listener);
        // Nobody is left to be told when all connections have ended already.
        let _ = stop.send(true);
        drain(&mut connections.tasks).await;
        Ok(())
    }
}

/// The connections that are open.
struct Connections {
    tasks: JoinSet<()>,
    open: BTreeMap<Id, (Arc<Activity>, AbortHandle)>,
    cap: usize,
}

impl Connections {
    /// Forgets one that has ended.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return,
        };
        self.open.remove(&id);
    }

    /// Serves one more; at the cap another one makes room for it.
    fn take(&mut self, stream: TcpStream, router: Router, stopped: watch::Receiver<bool>) {
        if self.open.len() >= self.cap {
            self.evict();
        }
        // Without it small answers wait for acknowledgements; failing to set it only makes them slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new(socket::now()));
        let served = connection::serve(stream, router, activity.clone(), stopped);
        let task = self.tasks.spawn(served);
        self.open.insert(task.id(), (activity, task));
    }

    /// Gives up the connection that has kept us waiting the longest, or where each is being answered, the oldest.
    fn evict(&mut self) {
        let waiting =
            self.open.iter().filter_map(|(id, (activity, _))| Some((activity.kept_waiting_since()?, *id)));
        let longest = waiting.min().map(|(_, id)| id).or_else(|| self.open.keys().next().copied());
        if let Some((_, task)) = longest.and_then(|id| self.open.remove(&id)) {
            task.abort();
        }
    }
}

/// How many connections may be open: half of the descriptors that this process may have; the stores and the outgoing
/// calls need the others.
fn cap(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(MAX_CONNECTIONS, |limit| (limit / 2).clamp(1, MAX_CONNECTIONS))
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
async fn drain(connections: &mut JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    // A caller that reads slower than this is cut off: a stop must end.
    let _ = tokio::time::timeout(DRAIN, all).await;
}
