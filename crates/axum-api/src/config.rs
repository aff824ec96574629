//! What the surface is told about itself. It reads no file and no environment.

use std::net::SocketAddr;
use std::time::Duration;

use crate::access::Token;

/// Settings of the surface.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    pub(crate) public: bool,
    pub(crate) token: Option<Token>,
    pub(crate) request_timeout: Duration,
    pub(crate) history_timeout: Duration,
    pub(crate) max_requests: usize,
}

impl ApiConfig {
    /// Settings for a listener on `listen`, with the bearer token that opens it.
    ///
    /// A loopback listener is open to read. Any other shows strangers the words of health alone, and without a token
    /// everyone is a stranger.
    pub fn new(listen: SocketAddr, token: Option<String>) -> Self {
        Self {
            public: !listen.ip().to_canonical().is_loopback(),
            token: token.map(Token::new),
            // Longer than any answer may take; what is slower is stuck.
            request_timeout: Duration::from_secs(10),
            // A person waits for a chart, and the rest of the plane does not wait for the store.
            history_timeout: Duration::from_secs(2),
            // Answers take milliseconds: so many at once are a flood, or a store that hangs.
            max_requests: 64,
        }
    }
}
