//! What the surface is told about itself. It reads no file and no environment.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

/// Settings of the surface.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub(crate) listen: IpAddr,
    pub(crate) token: Option<SecretString>,
    pub(crate) request_timeout: Duration,
    pub(crate) history_timeout: Duration,
    pub(crate) max_requests: usize,
}

impl ApiConfig {
    /// Settings for a listener on `listen`, with the bearer token that opens it.
    ///
    /// A configured token is always required. Without one, a loopback listener is open to read, to whoever asks it under
    /// a name of this machine alone; any other shows everyone the words of health and nothing else.
    pub fn new(listen: SocketAddr, token: Option<SecretString>) -> Self {
        Self {
            listen: listen.ip().to_canonical(),
            token,
            // Longer than any answer may take; what is slower is stuck.
            request_timeout: Duration::from_secs(10),
            // A person waits for a chart, and the rest of the plane does not wait for the store.
            history_timeout: Duration::from_secs(2),
            // Answers take milliseconds: so many at once are a flood, or a store that hangs.
            max_requests: 64,
        }
    }

    /// Whether anybody is a stranger here; the others may see everything.
    pub(crate) const fn is_guarded(&self) -> bool {
        self.token.is_some() || !self.listen.is_loopback()
    }
}
