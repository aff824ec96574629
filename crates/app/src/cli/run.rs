//! `ttm run` and `ttm migrate`: the commands that put the parts together.

use std::fmt::Display;
use std::process::ExitCode;

use ttm_health::Commands;

use super::failure::Failure;
use super::output::wrapped;
use crate::compose::{self, Managed, Orders, Process};
use crate::config::{HistorySettings, Settings, StoreUrl};
use crate::planes::Threads;

pub(super) fn run(settings: Settings) -> Result<ExitCode, Failure> {
    let managed = Managed::find();
    let threads = start_threads()?;
    let planes = threads.planes();
    let ended = threads.block_on(async {
        let process = Process::compose(settings, planes, managed, Orders::listen()?).await?;
        Box::pin(process.run(std::future::pending())).await
    });
    // Everything was stopped in order, or given up: what still hangs in a call is no reason to stay.
    threads.leave();
    ended?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn migrate(settings: &Settings) -> Result<ExitCode, Failure> {
    let threads = start_threads()?;
    threads.block_on(async {
        let migrate = async {
            let Settings { store, history, service, .. } = settings;
            let up_to_date = |url: &dyn Display| format!("{url}: the schema is up to date");
            // What is missing is not out of date, and a folder that was misspelt must not come to be.
            let state = missing(settings);
            if state.is_none() {
                compose::open_tokens(store).await?.close().await;
            }
            // Where one database has both, its line comes once both are done.
            if history.is_apart {
                wrapped("", &state.clone().unwrap_or_else(|| up_to_date(store)))?;
            }
            let missing = if history.is_apart { missing_history(history, &service.commands) } else { state };
            if missing.is_none() {
                compose::open_history(history).await?.0.close().await;
            }
            wrapped("", &missing.unwrap_or_else(|| up_to_date(&history.url)))?;
            Ok(())
        };
        unless_ordered(&mut Orders::listen()?, Box::pin(migrate)).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Works until it is done or the process is ordered to end; then what was being done is given up, and told as that.
pub(super) async fn unless_ordered<T>(
    orders: &mut Orders,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        // First: what is done is not told as ended.
        outcome = work => outcome,
        order = orders.next() => Err(Failure::Told(format!(
            "{}; it may have been done, and the same command again does no harm", ended_by(order)
        ))),
    }
}

/// The line for a command that an order ended.
pub(super) fn ended_by(order: &str) -> String {
    format!("ended by {order}")
}

/// That there is no database of the state, where it would be a file.
pub(super) fn missing(settings: &Settings) -> Option<String> {
    let Settings { store, service, .. } = settings;
    let [import, run] = ["tokens import", "run"].map(|command| service.commands.quoted(command));
    let is_missing = matches!(store, StoreUrl::Sqlite(path) if !path.exists());
    is_missing.then(|| format!("{store}: there is no database yet; {import} and {run} make one"))
}

/// The same of a history of its own.
fn missing_history(history: &HistorySettings, commands: &Commands) -> Option<String> {
    let (url, run) = (&history.url, commands.quoted("run"));
    compose::lacks_file(url)
        .then(|| format!("{url}: there is no database of the history yet; {run} makes one"))
}

pub(super) fn start_threads() -> Result<Threads, Failure> {
    Threads::start().map_err(|error| Failure::Told(format!("threads cannot start: {error}")))
}
