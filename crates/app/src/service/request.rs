//! One request: asks what the dispatcher decided, and sorts what came back by token. It keeps no state of tokens.

use std::collections::BTreeMap;

use ttm_dispatch::{Ask, Priority, Single};
use ttm_guard::{GuardError, Turn};
use ttm_market::{Mint, Pair, PairBatch, SkipReason, Skipped};

use super::caller::CallError;
use super::client::Client;

/// What a request found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Tokens and their pools, in the order in which they were asked.
    pub(super) seen: Vec<(Mint, Seen)>,
    /// Pairs that were left out, by reason.
    pub(super) skipped: Skipped,
    /// Whether a batch of many tokens came back without a single pair, once at least.
    pub(super) suspicious: bool,
}

/// What was seen of one token.
#[derive(Debug)]
pub(super) enum Seen {
    /// Its primary pool.
    Primary(Vec<Pair>),
    /// All its pools.
    All(Vec<Pair>),
    /// The answer does not hold it.
    Missing,
    /// The answer holds it, in a way that nobody can read: it is listed, and not known.
    Unusable,
}

/// Makes the request; nothing when it brought no answer.
pub(super) async fn make(client: &Client, turn: Turn, ask: &Ask<Mint>) -> Option<Found> {
    let mut found = Found::default();
    match ask {
        Ask::Batch(asked) => {
            let mints: Vec<Mint> = asked.iter().map(|asked| asked.key).collect();
            let mut answer = client.primary_pairs(Some(turn), &mints).await;
            let is_expected = mints.len() > 1 && asked.iter().any(|asked| asked.from != Priority::Background);
            if is_expected && matches!(&answer, Ok(batch) if batch.pairs.is_empty()) {
                // Once in a while a batch comes back empty although its tokens are listed: ask once more before asking
                // for each of them. Of those that have rested nobody expects to be listed.
                found.suspicious = true;
                answer = client.primary_pairs(None, &mints).await;
            }
            let batch = answer.inspect_err(tell).ok()?;
            found.skipped.merge(&batch.skipped);
            let mut by_mint = group_by_mint(batch);
            found.seen = mints
                .into_iter()
                .map(|mint| (mint, by_mint.remove(&mint).map_or(Seen::Missing, Seen::Primary)))
                .collect();
        }
        Ask::One(asked, why) => {
            let batch = client.all_pairs(Some(turn), asked.key).await.inspect_err(tell).ok()?;
            found.skipped.merge(&batch.skipped);
            let seen = match *why {
                Single::Unanswered if batch.pairs.is_empty() && is_damaged(&batch.skipped) => Seen::Unusable,
                Single::Unanswered if batch.pairs.is_empty() => Seen::Missing,
                Single::Unanswered | Single::List => Seen::All(batch.pairs),
            };
            found.seen.push((asked.key, seen));
        }
    }
    Some(found)
}

/// Whether pairs were left out that would have been kept if they were whole.
fn is_damaged(skipped: &Skipped) -> bool {
    [SkipReason::BadPrice, SkipReason::BadAddress, SkipReason::Malformed]
        .into_iter()
        .any(|reason| skipped.count(reason) > 0)
}

/// What the guard itself decided was told where it was decided.
fn tell(error: &CallError) {
    if let GuardError::Failed { error, .. } = error {
        tracing::debug!(%error, "a request brought nothing");
    }
}

fn group_by_mint(batch: PairBatch) -> BTreeMap<Mint, Vec<Pair>> {
    let mut by_mint: BTreeMap<Mint, Vec<Pair>> = BTreeMap::new();
    for pair in batch.pairs {
        by_mint.entry(pair.base.mint).or_default().push(pair);
    }
    by_mint
}
