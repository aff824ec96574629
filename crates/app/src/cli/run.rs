//! `ttm run` and `ttm migrate`: the commands that put the parts together.

use std::process::ExitCode;

use super::failure::Failure;
use super::output::wrapped;
use crate::compose::{self, Managed, Orders, Process};
use crate::config::{Settings, StoreUrl};
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
    if let Some(complaint) = missing(settings) {
        // Nothing is out of date then, and a folder that was misspelt must not come to be.
        wrapped("", &complaint)?;
        return Ok(ExitCode::SUCCESS);
    }
    let threads = start_threads()?;
    threads.block_on(async {
        let migrate = async {
            compose::open_tokens(&settings.store).await?.close().await;
            compose::open_history(&settings.store).await?.0.close().await;
            Ok(())
        };
        unless_ordered(&mut Orders::listen()?, Box::pin(migrate)).await
    })?;
    wrapped("", &format!("{}: the schema is up to date", settings.store))?;
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

/// That there is no database, where it would be a file.
pub(super) fn missing(settings: &Settings) -> Option<String> {
    let Settings { store, service, .. } = settings;
    match store {
        StoreUrl::Sqlite(path) if !path.exists() => {
            let [import, run] = ["tokens import", "run"].map(|command| service.commands.quoted(command));
            Some(format!("{store}: there is no database yet; {import} and {run} make one"))
        }
        StoreUrl::Sqlite(_) | StoreUrl::Postgres(_) => None,
    }
}

pub(super) fn start_threads() -> Result<Threads, Failure> {
    Threads::start().map_err(|error| Failure::Told(format!("threads cannot start: {error}")))
}
