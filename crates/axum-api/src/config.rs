//! Settings of the HTTP API: the address, the token and the limits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use crate::AckLinks;

/// Settings of the HTTP API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub(crate) listen: IpAddr,
    pub(crate) token: Option<SecretString>,
    pub(crate) request_timeout: Duration,
    pub(crate) history_timeout: Duration,
    pub(crate) max_requests: usize,
    pub(crate) ack_links: Option<AckLinks>,
}

impl ApiConfig {
    /// Settings for a listener on `listen`, with the bearer token that grants access.
    ///
    /// A configured token is always required. Without one, a loopback listener is open to read for requests whose `Host` is
    /// this machine; any other listener shows the status of health and nothing else.
    pub fn new(listen: SocketAddr, token: Option<SecretString>) -> Self {
        Self {
            listen: listen.ip().to_canonical(),
            token,
            // No response takes this long unless it is stuck.
            request_timeout: Duration::from_secs(10),
            // A person is waiting for a chart; health and tokens never wait for the store.
            history_timeout: Duration::from_secs(2),
            // Responses take milliseconds: this many at once means a flood, or a store that hangs.
            max_requests: 64,
            ack_links: None,
        }
    }

    /// The same, and whoever has one of these links may acknowledge an alert with it, without the token. `None`: nobody may.
    #[must_use]
    pub fn with_ack_links(mut self, links: Option<AckLinks>) -> Self {
        self.ack_links = links;
        self
    }

    /// Whether a caller needs the token to see everything.
    pub(crate) const fn is_guarded(&self) -> bool {
        self.token.is_some() || !self.listen.is_loopback()
    }
}
