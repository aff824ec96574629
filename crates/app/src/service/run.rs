//! One run of a group: asks for its batches, asks once more for what is missing, and sends what it found to the work
//! plane. It keeps no state of tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use ttm_guard::GuardError;
use ttm_kernel::CorrelationId;
use ttm_market::{Mint, Pair, PairBatch, Skipped};
use ttm_schedule::Group;

use super::client::{CallError, Client};
use super::shutdown::Shutdown;

/// What a run is asked to do.
pub(super) struct Run {
    pub(super) id: CorrelationId,
    pub(super) group: Group,
    pub(super) number: u64,
    /// Batches of mints, the most important first.
    pub(super) batches: Vec<Vec<Mint>>,
    /// Mints whose full list of pools is refreshed after the batches.
    pub(super) lists: Vec<Mint>,
    /// Batches in flight at once.
    pub(super) concurrency: usize,
}

/// What a part of a run found.
pub(super) struct Found {
    pub(super) group: Group,
    pub(super) number: u64,
    pub(super) observed: Vec<(Mint, Seen)>,
    pub(super) skipped: Skipped,
    /// Batches of many mints that came back without a single pair.
    pub(super) suspicious: u64,
    /// Tokens that were asked for in vain.
    pub(super) failed: u64,
    /// Tokens that were not asked for, because the process stops.
    pub(super) deferred: u64,
}

/// What was seen of one token.
pub(super) enum Seen {
    /// Its primary pool.
    Primary(Vec<Pair>),
    /// All its pools.
    All(Vec<Pair>),
    /// The API does not know it.
    Missing,
}

impl Run {
    /// Does the run. The receiver hears of every batch as soon as it is there.
    pub(super) async fn execute(self, client: Arc<Client>, shutdown: Shutdown, results: mpsc::Sender<Found>) {
        let (id, group, number) = (self.id, self.group, self.number);
        let part = || Found {
            group,
            number,
            observed: Vec::new(),
            skipped: Skipped::default(),
            suspicious: 0,
            failed: 0,
            deferred: 0,
        };
        let batches = self.batches.into_iter().map(|batch| {
            let (client, shutdown) = (&client, &shutdown);
            async move {
                let mut found = part();
                if shutdown.deadline().is_some() {
                    found.deferred = batch.len() as u64;
                } else {
                    found.ask_batch(client, id, &batch).await;
                }
                found
            }
        });
        let mut parts = stream::iter(batches).buffer_unordered(self.concurrency.max(1));
        while let Some(found) = parts.next().await {
            if results.send(found).await.is_err() {
                return;
            }
        }
        for mint in self.lists {
            if shutdown.deadline().is_some() {
                return;
            }
            let mut found = part();
            // A list that does not come is no failure of the token: its primary pool was just refreshed.
            if let Ok(batch) = client.all_pairs(id, mint).await {
                found.skipped.merge(&batch.skipped);
                if !batch.pairs.is_empty() {
                    found.observed.push((mint, Seen::All(batch.pairs)));
                }
            }
            if results.send(found).await.is_err() {
                return;
            }
        }
    }
}

impl Found {
    async fn ask_batch(&mut self, client: &Client, run: CorrelationId, mints: &[Mint]) {
        let mut answer = client.primary_pairs(run, mints).await;
        if matches!(&answer, Ok(batch) if batch.pairs.is_empty()) && mints.len() > 1 {
            // Once in a while a batch comes back empty although its tokens are listed: ask once more before asking
            // for each of them.
            tracing::debug!(%run, tokens = mints.len(), "an empty batch; asking once more");
            self.suspicious += 1;
            answer = client.primary_pairs(run, mints).await;
        }
        let Ok(batch) = answer else {
            self.failed += mints.len() as u64;
            return;
        };
        self.skipped.merge(&batch.skipped);
        let mut by_mint = group_by_mint(batch);
        let mut missing = Vec::new();
        for mint in mints {
            match by_mint.remove(mint) {
                Some(pairs) => self.observed.push((*mint, Seen::Primary(pairs))),
                None => missing.push(*mint),
            }
        }
        for mint in missing {
            match client.all_pairs(run, mint).await {
                Ok(batch) => {
                    self.skipped.merge(&batch.skipped);
                    let seen = if batch.pairs.is_empty() { Seen::Missing } else { Seen::All(batch.pairs) };
                    self.observed.push((mint, seen));
                }
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn give_up(&mut self, error: &CallError) {
        self.failed += 1;
        if !matches!(error, GuardError::Rejected { .. }) {
            tracing::debug!(%error, "a missing token could not be asked for singly");
        }
    }
}

fn group_by_mint(batch: PairBatch) -> BTreeMap<Mint, Vec<Pair>> {
    let mut by_mint = BTreeMap::<Mint, Vec<Pair>>::new();
    for pair in batch.pairs {
        by_mint.entry(pair.base.mint).or_default().push(pair);
    }
    by_mint
}
