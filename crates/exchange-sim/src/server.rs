//! The listener and its connections.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use ttm_kernel::Runtime;
use ttm_market::Mint;
use ttm_market::synthetic::SyntheticMarket;

use crate::answer::{Api, ResetConnection};
use crate::{ExchangeConfig, ExchangeStats};

/// The pause after a failed accept (in practice, no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Starts the stand-in.
#[derive(Clone, Copy, Debug)]
pub struct Exchange;

/// Why the stand-in cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It has no access control, so it listens on loopback only.
    #[error("{address} is not a loopback address")]
    NotLoopback {
        /// The configured address.
        address: SocketAddr,
    },
    /// The port is in use, or needs privileges.
    #[error("cannot listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

impl Exchange {
    /// Listens and serves, with time, entropy and tasks from `runtime`, which must be a tokio runtime with I/O enabled. The
    /// fault script starts now.
    ///
    /// # Errors
    /// [`StartError`] if it cannot listen.
    pub async fn start(
        config: ExchangeConfig,
        runtime: Arc<dyn Runtime>,
    ) -> Result<ExchangeHandle, StartError> {
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback { address });
        }
        let refused = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        let api = Arc::new(Api::new(config, Arc::clone(&runtime)));
        let (stop, stopped) = watch::channel(());
        let accepting = accept(listener, Arc::clone(&api), Arc::clone(&runtime), stopped);
        // The tasks are detached: each ends when the handle is dropped.
        drop(runtime.spawn("exchange-accept", Box::pin(accepting)));
        Ok(ExchangeHandle { address: bound, api, stop })
    }
}

/// A running stand-in; dropping it closes the listener and every connection.
pub struct ExchangeHandle {
    address: SocketAddr,
    api: Arc<Api>,
    stop: watch::Sender<()>,
}

impl ExchangeHandle {
    /// The base URL of the API, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All tokens of the market, including unlisted ones.
    pub fn mints(&self) -> impl Iterator<Item = Mint> + use<> {
        self.market().mints()
    }

    /// The market.
    pub fn market(&self) -> SyntheticMarket {
        self.api.market()
    }

    /// The counts so far.
    pub fn stats(&self) -> ExchangeStats {
        self.api.stats()
    }

    /// Closes everything, waits for that, and returns the final counts.
    pub async fn shutdown(self) -> ExchangeStats {
        self.stop.send_replace(());
        self.stop.closed().await;
        self.api.stats()
    }
}

impl std::fmt::Debug for ExchangeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExchangeHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Accepts connections until the handle is dropped.
async fn accept(
    listener: TcpListener,
    api: Arc<Api>,
    runtime: Arc<dyn Runtime>,
    stopped: watch::Receiver<()>,
) {
    let mut stop = stopped.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _client)) => {
                let connection = serve_until_stopped(stream, Arc::clone(&api), stopped.clone());
                drop(runtime.spawn("exchange-connection", Box::pin(connection)));
            }
            Err(_no_descriptor_left) => runtime.sleep_until(runtime.now() + ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_until_stopped(stream: TcpStream, api: Arc<Api>, mut stopped: watch::Receiver<()>) {
    tokio::select! {
        biased;
        _ = stopped.changed() => {}
        () = serve(stream, api) => {}
    }
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, api: Arc<Api>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let api = Arc::clone(&api);
        Box::pin(async move { api.answer(request).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Not `connection.await`: the socket is needed afterwards, to reset it.
    let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    if served.is_err_and(|error| matches!(error.source(), Some(cause) if cause.is::<ResetConnection>())) {
        let stream: TcpStream = connection.into_parts().io.into_inner();
        // With zero linger, closing the socket sends a reset; if setting it fails, the close is graceful.
        let _graceful_close = stream.set_zero_linger();
    }
}
