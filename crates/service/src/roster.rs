//! Watches the store for tokens that were added or removed from outside, as `ttm tokens` does. It changes nothing.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use ttm_kernel::{Epoch, Runtime, StoreError, StoreErrorKind, within};
use ttm_market::{Token, TokenStore};

use super::board::Board;
use super::shutdown::Shutdown;
use super::stores::StoreUse;
use super::writer::STORE_DEADLINE;

/// How soon an edit is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Tokens of one page.
const PAGE: usize = 5_000;

/// Every token of the store.
pub(super) async fn load(store: &dyn TokenStore, runtime: &dyn Runtime) -> Result<Vec<Token>, StoreError> {
    let mut tokens = Vec::new();
    loop {
        let after = tokens.last().map(|token: &Token| token.mint);
        let page = bounded("loading tokens", runtime, store.load(after, PAGE)).await?;
        let last = page.len() < PAGE;
        tokens.extend(page);
        if last {
            return Ok(tokens);
        }
    }
}

/// The number that tells whether the set was edited.
pub(super) async fn revision(
    store: &dyn TokenStore,
    epoch: Epoch,
    runtime: &dyn Runtime,
) -> Result<u64, StoreError> {
    bounded("looking for edits", runtime, store.revision(epoch)).await
}

/// A call to the store that ends at its deadline.
pub(super) async fn bounded<T>(
    doing: &'static str,
    runtime: &dyn Runtime,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    bounded_by(STORE_DEADLINE, doing, runtime, call).await
}

/// A call to the store that may take this long.
pub(super) async fn bounded_by<T>(
    patience: Duration,
    doing: &'static str,
    runtime: &dyn Runtime,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = within(runtime, runtime.now() + patience, call).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", patience.as_secs());
        Err(StoreError::transient(message))
    });
    answer.map_err(|error| error.while_doing(doing))
}

/// Sends the whole set whenever it was edited, until the stop is ordered.
pub(super) async fn watch(
    store: Arc<dyn TokenStore>,
    runtime: Arc<dyn Runtime>,
    board: Arc<Board>,
    (epoch, mut known): (Epoch, u64),
    sets: mpsc::Sender<Vec<Token>>,
    mut shutdown: Shutdown,
) {
    loop {
        tokio::select! {
            biased;
            _ = shutdown.ordered() => return,
            () = runtime.sleep_until(runtime.now() + LOOK_EVERY) => {}
        }
        let looked = async {
            board.stores.may_ask(StoreUse::TokenReads, runtime.now(), runtime.wall())?;
            look(&*store, &*runtime, epoch, known).await
        };
        let looked = tokio::select! {
            biased;
            _ = shutdown.ordered() => return,
            looked = looked => looked,
        };
        match looked {
            Ok(None) => board.stores.answered(StoreUse::TokenReads, runtime.now()),
            Ok(Some((revision, tokens))) => {
                board.stores.answered(StoreUse::TokenReads, runtime.now());
                known = revision;
                if sets.send(tokens).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                board.stores.failed(StoreUse::TokenReads, &error, runtime.now(), runtime.wall());
                if error.kind() == StoreErrorKind::Corrupt {
                    // Nobody touches it before a person has looked; scoring goes on.
                    shutdown.ordered().await;
                    return;
                }
            }
        }
    }
}

async fn look(
    store: &dyn TokenStore,
    runtime: &dyn Runtime,
    epoch: Epoch,
    known: u64,
) -> Result<Option<(u64, Vec<Token>)>, StoreError> {
    let edits = revision(store, epoch, runtime).await?;
    match edits.cmp(&known) {
        Ordering::Equal => return Ok(None),
        Ordering::Greater => {}
        // The number only grows. A copy from earlier in the life of this process knows its epoch as well.
        Ordering::Less => {
            return Err(StoreError::replaced(format_args!(
                "the set of tokens was edited {known} times, and the store knows of {edits}"
            )));
        }
    }
    // The revision is read first: an edit between the two calls is seen again at the next look.
    let tokens = load(store, runtime).await?;
    // What was loaded is an edit only when the store is still the one that granted the epoch: one whose tables were
    // dropped and made anew meanwhile is empty, and nobody removed anything.
    if revision(store, epoch, runtime).await? < edits {
        return Err(StoreError::replaced("the number of edits went back"));
    }
    Ok(Some((edits, tokens)))
}

#[cfg(test)]
mod tests;
