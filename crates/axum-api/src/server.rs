//! The listener: accepts connections, and at the cap closes the one that has been idle the longest, so that probes are
//! answered whatever other clients do.

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
use std::os::fd::{AsFd, BorrowedFd};
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

/// On shutdown, responses in flight get this long to reach their clients.
const DRAIN: Duration = Duration::from_secs(5);
/// The pause before accepting again when there is no file descriptor left and no connection to close for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound address, before requests are served on it.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    /// Computed when the address is bound; descriptors that the process opens later do not lower it.
    cap: usize,
    on_notice: Box<dyn Fn(Notice) + Send>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Why an address could not be bound; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens on it.
    #[error("{address} is in use: stop what listens there, or choose another address")]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else: a port that needs privileges, an address that is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
}

/// The listening socket failed, and accepts no more connections.
#[derive(Debug, thiserror::Error)]
#[error("the listener on {address} failed: {source}")]
pub struct ServeError {
    address: SocketAddr,
    source: io::Error,
}

/// The backlog of connections to accept. When it is full, a client retries its connection after a second, which is too late
/// for a probe.
const BACKLOG: u32 = 1_024;

impl Bound {
    /// Binds `address`; port 0 means any free port.
    ///
    /// # Errors
    /// [`BindError`], which names the address.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = async {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // Otherwise connections of a previous process in TIME_WAIT keep the address in use.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, cap: descriptors::room(), on_notice: Box::new(drop) })
        };
        bound.await.map_err(|source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { address },
            _ => BindError::Refused { address, source },
        })
    }

    /// Takes over a listener that was bound elsewhere, as by an earlier process.
    ///
    /// # Errors
    /// When it is of no use.
    pub fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, cap: descriptors::room(), on_notice: Box::new(drop) })
    }

    /// The same listener once more, for what serves after this one: a connection that comes in between waits for it, and none is
    /// refused for as long as either is there.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn again(&self) -> io::Result<Self> {
        let listener = std::net::TcpListener::from(self.listener.as_fd().try_clone_to_owned()?);
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { listener, address: self.address, cap: self.cap, on_notice: Box::new(drop) })
    }

    /// The bound address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls `on_notice` with what an operator should know; without it, notices are dropped.
    #[must_use]
    pub fn telling(self, on_notice: impl Fn(Notice) + Send + 'static) -> Self {
        Self { on_notice: Box::new(on_notice), ..self }
    }

    /// Serves until `shutdown` completes, then accepts no more connections and gives open ones five seconds to end. Must run
    /// inside a tokio runtime; dropping the future drops its connections.
    ///
    /// # Errors
    /// When the listening socket itself failed. Failing to accept one connection is not an error.
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
        let Self { listener, address, on_notice, .. } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = Connections { tasks: JoinSet::new(), open: BTreeMap::new(), cap };
        let (mut outage, mut failed_before, mut evicted) = (Outage::default(), false, 0);
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
                    if outage.accepted(socket::now()) {
                        on_notice(Notice::Recovered);
                    }
                    evicted += usize::from(connections.serve(stream, router.clone(), stopped.clone()));
                    if evicted >= descriptors::EVICTED_AT_ONCE {
                        evicted = 0;
                        // An evicted connection keeps its descriptor until its task runs.
                        tokio::task::yield_now().await;
                    }
                }
                // The listening socket was shut down.
                Err(source) if source.kind() == io::ErrorKind::InvalidInput => {
                    return Err(ServeError { address, source });
                }
                Err(error) if is_of_the_client(&error) => {}
                // Most likely there is no descriptor left: evict a connection to free one.
                Err(error) => {
                    if outage.failed(socket::now()) {
                        on_notice(Notice::OutOfDescriptors { error, connections: connections.open.len() });
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
        // Fails when all connections have ended already.
        let _ = stop.send(true);
        drain(&mut connections.tasks).await;
        Ok(())
    }
}

/// The open connections.
struct Connections {
    tasks: JoinSet<()>,
    open: BTreeMap<Id, (Arc<Activity>, AbortHandle)>,
    cap: usize,
}

impl Connections {
    /// Waits until one has ended, and removes it.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return,
        };
        self.open.remove(&id);
    }

    /// Serves one more; at the cap, evicts another one first. Whether one was evicted.
    fn serve(&mut self, stream: TcpStream, router: Router, stopped: watch::Receiver<bool>) -> bool {
        let evicted = self.open.len() >= self.cap && self.evict();
        // Without it, small responses wait for acknowledgements; failing to set it only makes them slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new(socket::now()));
        let served = connection::serve(stream, router, activity.clone(), stopped);
        let task = self.tasks.spawn(served);
        self.open.insert(task.id(), (activity, task));
        evicted
    }

    /// Closes the connection that has been idle the longest, or the oldest one if all have a request in flight. Whether there
    /// was one.
    fn evict(&mut self) -> bool {
        let idle = self.open.iter().filter_map(|(id, (activity, _))| Some((activity.idle_since()?, *id)));
        let longest = idle.min().map(|(_, id)| id).or_else(|| self.open.keys().next().copied());
        let Some((_, task)) = longest.and_then(|id| self.open.remove(&id)) else { return false };
        task.abort();
        true
    }
}

/// Errors of a client that disconnected before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[expect(clippy::disallowed_methods, reason = "the sockets and their timers are tokio's")]
async fn drain(connections: &mut JoinSet<()>) {
    let all = async { while connections.join_next().await.is_some() {} };
    // A client that reads more slowly than this is cut off: shutdown must end.
    let _ = tokio::time::timeout(DRAIN, all).await;
}
