//! The signals that order the process to end. What is done then is not known here.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ComposeError;

/// How a Ctrl-C arrives.
const SIGINT: &str = "SIGINT";

/// The signals that end the process in order. They are heard from the moment on that this exists.
pub(crate) struct Orders {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// No order: a write beyond the limit on the size of files fails like one on a full disk, instead of ending the process
    /// without a word. Heard is ignored.
    _file_too_large: Signal,
}

pub(super) fn hear(kind: SignalKind) -> Result<Signal, ComposeError> {
    signal(kind).map_err(|error| ComposeError::Process(format!("signals cannot be heard: {error}")))
}

impl Orders {
    /// Hears them.
    ///
    /// # Errors
    /// When the process cannot hear signals.
    pub(crate) fn listen() -> Result<Self, ComposeError> {
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hang_up: hear(SignalKind::hangup())?,
            _file_too_large: hear(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Completes with the next order, and its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => SIGINT,
            // Until it reloads the config, a hang-up is what it was for every program before: the end.
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}

/// Completes with the second Ctrl-C. The first one is the order to stop, comes with another order, or says that whoever is at
/// the terminal is waiting for a stop that something else ordered: it gives nothing up. `ordered` has the name of the order, or
/// is dropped when the service stops by itself; `interrupts` has been listening for as long as the orders, so that none is
/// missed.
pub(super) async fn second_interrupt(
    ordered: &mut tokio::sync::oneshot::Receiver<&'static str>,
    interrupts: &mut Signal,
) {
    let order = ordered.await;
    interrupts.recv().await;
    if order != Ok(SIGINT) {
        tracing::info!(order = SIGINT, "stopping already; another Ctrl-C gives up what is not stored");
    }
    interrupts.recv().await;
}
