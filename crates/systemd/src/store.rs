//! The listener that outlives the process: systemd keeps a copy of it while the process is restarted, and the connections
//! that are made meanwhile wait on it instead of being refused.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

use crate::Environment;

/// The name of the listener among the descriptors that systemd keeps or passes.
pub const LISTENER: &str = "http";

/// The listener that systemd passed on, if it did: from its descriptor store, or from a socket unit with
/// `FileDescriptorName=http`. Answers once, since the descriptor is then owned. To be called before there are other threads:
/// it takes the variables out of the environment, so that no child believes that they are meant for it.
///
/// # Errors
/// When what has the name is no listening socket.
pub fn inherited(environment: &Environment) -> io::Result<Option<TcpListener>> {
    let mut passed = ListenFd::from_env();
    let Some(place) = environment.place_of(LISTENER) else { return Ok(None) };
    let listener = passed.take_tcp_listener(place)?;
    if let Some(listener) = &listener
        && !rustix::net::sockopt::socket_acceptconn(listener)?
    {
        return Err(io::Error::other(format!("the descriptor {LISTENER} does not listen")));
    }
    Ok(listener)
}
