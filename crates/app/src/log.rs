//! The log of the process: text on a terminal, JSON otherwise. Both go to standard error, so that answers on standard
//! output stay clean. It decides nothing about what is worth a line, and nothing that happens to standard error can end
//! or stall whoever logs.

mod filter;
mod json;
mod queue;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

pub(crate) use filter::LogFilter;
use queue::Queue;

/// Keeps the log going; dropping it waits, not for long, until what was logged is written.
pub(crate) struct Log(Queue);

/// Starts the log.
///
/// # Errors
/// When its thread cannot start, in one line.
pub(crate) fn start(filter: LogFilter) -> Result<Log, String> {
    let queue = Queue::start().map_err(|error| format!("the log cannot start: {error}"))?;
    // The layer's own complaints about a line that cannot be written would panic where standard error is gone.
    let layer = fmt::layer().with_writer(queue.clone()).with_target(false).log_internal_errors(false);
    let registry = Registry::default().with(filter.into_targets());
    let done = if std::io::stderr().is_terminal() {
        registry.with(layer).try_init()
    } else {
        registry.with(layer.with_ansi(false).event_format(json::JsonLines)).try_init()
    };
    done.map_err(|error| format!("the log cannot start: {error}"))?;
    Ok(Log(queue))
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}
