//! Watches the store for tokens that were added or removed from outside, as `ttm tokens` does. It changes nothing.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ttm_kernel::{Epoch, Incarnation, Runtime, StoreError, StoreErrorKind};
use ttm_market::{Token, TokenStore};

use crate::bounded::bounded;
use crate::edits::Edit;
use crate::life::Life;
use crate::resident::Resident;
use crate::settings::STORE;
use crate::stores::StoreUse;

/// How soon an edit is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Tokens of one page.
const PAGE: usize = 5_000;

/// Every token of the store.
pub(crate) async fn load(
    store: &dyn TokenStore,
    runtime: &dyn Runtime,
    page_is_there: impl Fn(),
) -> Result<Vec<Token>, StoreError> {
    let mut tokens = Vec::new();
    loop {
        let after = tokens.last().map(|token: &Token| token.mint);
        let page = bounded("loading tokens", runtime, store.load(after, PAGE)).await?;
        page_is_there();
        let last = page.len() < PAGE;
        tokens.extend(page);
        if last {
            return Ok(tokens);
        }
    }
}

/// Counts the edits of the set.
pub(crate) async fn revision(
    store: &dyn TokenStore,
    epoch: Epoch,
    runtime: &dyn Runtime,
) -> Result<u64, StoreError> {
    bounded("looking for edits", runtime, store.revision(epoch)).await
}

/// Posts the whole set whenever it was edited. The start has just looked; one that replaces another looks at once, and so shows that it
/// gets on.
pub(crate) async fn watch(resident: &Resident, life: &Life) {
    let Resident { ports, board, edits, epoch, revision: known, .. } = resident;
    let (runtime, vital) = (&*life.runtime, &life.vital);
    let mut has_just_looked = life.author.incarnation == Incarnation::FIRST;
    loop {
        if std::mem::replace(&mut has_just_looked, true) {
            runtime.sleep_until(runtime.now() + LOOK_EVERY).await;
        }
        let looked = async {
            board.stores.may_ask(StoreUse::TokenReads, runtime.now(), runtime.wall())?;
            look(&*ports.tokens, life, *epoch, known.load(Ordering::Relaxed)).await
        };
        match looked.await {
            Ok(edit) => {
                vital.got_on();
                board.stores.answered(StoreUse::TokenReads, runtime.now());
                if let Some(edit) = edit {
                    let revision = edit.revision;
                    edits.post(edit);
                    // After the post: one that is replaced in between posts the same edit again.
                    known.store(revision, Ordering::Relaxed);
                }
            }
            Err(error) => {
                board.stores.failed(StoreUse::TokenReads, &error, runtime.now(), runtime.wall());
                vital.waits_for(STORE);
                if error.kind() == StoreErrorKind::Corrupt {
                    vital.leaves_alone(STORE);
                    // The store is left alone until an operator has looked; scoring goes on.
                    return std::future::pending().await;
                }
            }
        }
    }
}

async fn look(
    store: &dyn TokenStore,
    life: &Life,
    epoch: Epoch,
    known: u64,
) -> Result<Option<Edit>, StoreError> {
    let runtime = &*life.runtime;
    let edits = revision(store, epoch, runtime).await?;
    match edits.cmp(&known) {
        Equal => return Ok(None),
        Greater => {}
        // The number only grows. A copy from earlier in the life of this process knows its epoch as well.
        Less => {
            return Err(StoreError::replaced(format_args!(
                "the set of tokens was edited {known} times, and the store knows of {edits}"
            )));
        }
    }
    // The revision is read first: an edit between the two calls is seen again at the next look.
    // A set of many pages takes longer than a look may: each of them shows that it gets on.
    let tokens = load(store, runtime, || life.vital.got_on()).await?;
    // What was loaded is an edit only when the store is still the one that granted the epoch: one whose tables were
    // dropped and recreated meanwhile is empty, and no token was removed from it.
    if revision(store, epoch, runtime).await? < edits {
        return Err(StoreError::replaced("the number of edits went back"));
    }
    Ok(Some(Edit { revision: edits, tokens: Arc::new(tokens) }))
}

#[cfg(test)]
mod tests;
