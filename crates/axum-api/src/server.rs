//! The listener: takes connections, and when there are too many gives up the one that has kept it waiting the longest,
//! so that probes are answered whatever others do. It does not know what is answered.

mod activity;
mod connection;
mod descriptors;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};

use activity::Activity;
pub use descriptors::Notice;
use descriptors::Outage;

/// At the stop, answers under way get this long to reach their callers.
const DRAIN: Duration = Duration::from_secs(5);
/// When no descriptor is left for a connection and none of ours makes room, asking again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An address that is taken, before anything is answered on it.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    /// Counted when the address is taken: what the process opens after that is not held against the connections.
    cap: usize,
    tell: Box<dyn Fn(Notice) + Send>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
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

/// Connections that wait to be taken. One for which there is no room is tried again by its client after a second, which is
/// too late for a probe.
const BACKLOG: u32 = 1_024;

impl Bound {
    /// Takes `address`; port 0 takes any that is free.
    ///
    /// # Errors
    /// [`BindError`], which names the address.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = async {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // As every listener does: an address whose connections have just ended is free.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, cap: descriptors::room(), tell: Box::new(drop) })
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

    /// Tells `tell` what whoever runs it should know; without it nobody is told.
    #[must_use]
    pub fn telling(self, tell: impl Fn(Notice) + Send + 'static) -> Self {
        Self { tell: Box::new(tell), ..self }
    }

    /// Answers until `shutdown` completes, then takes no more connections and gives those that are open five seconds
    /// to end. Needs a tokio runtime around it; dropping the future drops its connections.
    ///
    /// # Errors
    /// When the listening socket itself broke. A connection that cannot be taken is no error.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let cap = self.cap;
        self.serve_up_to(cap, router, shutdown).await
    }

    async fn serve_up_to(
        self,
        cap: usize,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let Self { listener, address, tell, .. } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = Connections { tasks: JoinSet::new(), open: BTreeMap::new(), cap };
        let (mut outage, mut failed_before, mut given_up) = (Outage::default(), false, 0);
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = connections.ended(), if !connections.tasks.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    failed_before = false;
                    if outage.taken(socket::now()) {
                        tell(Notice::Recovered);
                    }
                    given_up += usize::from(connections.take(stream, router.clone(), stopped.clone()));
                    if given_up >= descriptors::GIVEN_UP_AT_ONCE {
                        given_up = 0;
                        // They are closed when they have their turn, and until then they have their descriptors.
                        tokio::task::yield_now().await;
                    }
                }
                // The socket is no listener any more: it was shut down under us.
                Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                    return Err(ServeError { address, source });
                }
                Err(error) if of_the_connection(&error) => {}
                // Most likely there is no descriptor left: one of ours makes room.
                Err(error) => {
                    if outage.failed(socket::now()) {
                        tell(Notice::OutOfDescriptors { error, connections: connections.open.len() });
                    }
                    if connections.evict() && !failed_before {
                        tokio::task::yield_now().await;
                    } else {
                        pause().await;
                    }
                    failed_before = true;
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

    /// Serves one more; at the cap another one makes room for it. Whether one had to.
    fn take(&mut self, stream: TcpStream, router: Router, stopped: watch::Receiver<bool>) -> bool {
        let evicted = self.open.len() >= self.cap && self.evict();
        // Without it small answers wait for acknowledgements; failing to set it only makes them slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new(socket::now()));
        let served = connection::serve(stream, router, activity.clone(), stopped);
        let task = self.tasks.spawn(served);
        self.open.insert(task.id(), (activity, task));
        evicted
    }

    /// Gives up the connection that has kept us waiting the longest, or where each is being answered, the oldest. Whether
    /// there was one.
    fn evict(&mut self) -> bool {
        let waiting =
            self.open.iter().filter_map(|(id, (activity, _))| Some((activity.kept_waiting_since()?, *id)));
        let longest = waiting.min().map(|(_, id)| id).or_else(|| self.open.keys().next().copied());
        let Some((_, task)) = longest.and_then(|id| self.open.remove(&id)) else { return false };
        task.abort();
        true
    }
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
