//! The log of the process: text on a terminal, JSON otherwise. It goes to standard error, so that standard output has only
//! the output of the command. Lines are written by a thread of their own, so that a blocked or broken standard error
//! neither ends nor stalls the service.

mod filter;
mod json;
mod queue;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

pub(crate) use filter::LogFilter;
use queue::Queue;

/// A guard of the log; dropping it flushes the log, with a timeout.
pub(crate) struct Log(Queue);

/// Starts the log.
///
/// # Errors
/// If its thread cannot be started, in one line.
pub(crate) fn start(filter: LogFilter) -> Result<Log, String> {
    let queue = Queue::start().map_err(|error| format!("cannot start the log: {error}"))?;
    // With internal errors logged, the layer would panic if standard error is closed.
    let layer = fmt::layer().with_writer(queue.clone()).with_target(false).log_internal_errors(false);
    let registry = Registry::default().with(filter.into_targets());
    let done = if std::io::stderr().is_terminal() {
        registry.with(layer).try_init()
    } else {
        registry.with(layer.with_ansi(false).event_format(json::JsonLines)).try_init()
    };
    done.map_err(|error| format!("cannot start the log: {error}"))?;
    Ok(Log(queue))
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}
