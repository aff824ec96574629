//! One request: asks what the dispatcher decided, and sorts what came back by token. It keeps no state of tokens.

use std::collections::BTreeMap;

use ttm_dispatch::{Ask, Priority, Request, Single};
use ttm_guard::{GuardError, Turn};
use ttm_market::{Mint, Pair, PairSourceError, SkipReason, Skipped};

use crate::caller::CallError;
use crate::client::Client;
use crate::machine::{Answer, Failed, Found, Seen};

/// Makes the request.
pub(super) async fn make(client: &Client, turn: Turn, request: &Request<Mint>) -> Answer {
    match ask(client, turn, request).await {
        Ok(found) => Answer::Found(found),
        Err(error) => Answer::Failed(failed(client, &error)),
    }
}

async fn ask(client: &Client, turn: Turn, request: &Request<Mint>) -> Result<Found, CallError> {
    let mut found = Found::default();
    match &request.ask {
        Ask::Batch(asked) => {
            let mints: Vec<Mint> = asked.iter().map(|asked| asked.key).collect();
            let suspicion = request.suspicion;
            let mut answer = client.primary_pairs(Some(turn), &mints, suspicion).await;
            let is_expected = mints.len() > 1 && asked.iter().any(|asked| asked.from != Priority::Background);
            if is_expected && matches!(&answer, Ok(batch) if batch.pairs.is_empty()) {
                // Once in a while a batch comes back empty although its tokens are listed: ask once more before asking
                // for each of them. Tokens that have rested are not expected to be listed.
                found.suspicious = true;
                answer = client.primary_pairs(None, &mints, suspicion).await;
            }
            let batch = answer?;
            found.skipped.merge(&batch.skipped);
            let mut unreadable = batch.unreadable;
            let mut by_mint = group_by_mint(batch.pairs);
            let mut seen = |mint| match (by_mint.remove(&mint), unreadable.remove(&mint)) {
                (Some(pairs), _) => Seen::Primary(pairs),
                (None, Some(why)) => Seen::Unusable(why),
                (None, None) => Seen::Missing,
            };
            found.seen = mints.into_iter().map(|mint| (mint, seen(mint))).collect();
        }
        Ask::One(asked, why) => {
            let answer = client.all_pairs(Some(turn), asked.key).await;
            let mut batch = answer?;
            found.skipped.merge(&batch.skipped);
            let seen = match *why {
                Single::Unanswered if batch.pairs.is_empty() && is_damaged(&batch.skipped) => {
                    Seen::Unusable(batch.unreadable.remove(&asked.key).unwrap_or_else(|| "its pairs".into()))
                }
                Single::Unanswered if batch.pairs.is_empty() => Seen::Missing,
                Single::Unanswered | Single::List => Seen::All(batch.pairs),
            };
            found.seen.push((asked.key, seen));
        }
    }
    Ok(found)
}

/// Whether pairs were left out that would have been kept if they were whole.
fn is_damaged(skipped: &Skipped) -> bool {
    [SkipReason::BadPrice, SkipReason::BadAddress, SkipReason::Malformed]
        .into_iter()
        .any(|reason| skipped.count(reason) > 0)
}

/// What the guard itself decided has nothing to do with what was asked.
fn failed(client: &Client, error: &CallError) -> Failed {
    let GuardError::Failed { error, .. } = error else {
        return Failed { may_be_the_tokens: false, message: error.to_string() };
    };
    let may_be_the_tokens = match error {
        PairSourceError::Rejected { .. } => true,
        PairSourceError::Malformed { .. } | PairSourceError::Transient { .. } => !client.is_away(),
        PairSourceError::Forbidden { .. } | PairSourceError::RateLimited { .. } => false,
    };
    Failed { may_be_the_tokens, message: error.to_string() }
}

fn group_by_mint(pairs: Vec<Pair>) -> BTreeMap<Mint, Vec<Pair>> {
    let mut by_mint: BTreeMap<Mint, Vec<Pair>> = BTreeMap::new();
    for pair in pairs {
        by_mint.entry(pair.base.mint).or_default().push(pair);
    }
    by_mint
}
