//! The tokens in memory. An observation moves a token by pure rules, so that the same history always gives the same book; `now`
//! is an argument, and may go back.

mod observe;
mod pool_list;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Lane;

use crate::{DataQuality, MarketConfig, MarketEvent, Mint, Pair, Skipped, Token, TokenStatus};
use pool_list::PoolLists;

/// What an edit of the stored set changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// Tokens that came in, or came back from the archive.
    pub added: Vec<Mint>,
    /// Tokens that are gone, as they were last.
    pub removed: Vec<Arc<Token>>,
}

/// All tokens, and the full lists of pools that are young enough to score from.
#[derive(Clone, Debug)]
pub struct Book {
    config: MarketConfig,
    /// Shared with readers, and copied when it changes while one looks.
    tokens: BTreeMap<Mint, Arc<Token>>,
    lists: PoolLists,
    quality: DataQuality,
}

/// What the API returned for one token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation<'a> {
    /// Its primary pool, out of a batch. An empty slice says nothing about the token.
    Primary(&'a [Pair]),
    /// The full list of its pools. An empty slice is the same as [`Observation::Missing`].
    All(&'a [Pair]),
    /// It is neither in a batch nor found singly.
    Missing,
}

impl Book {
    /// An empty book.
    pub fn new(config: MarketConfig) -> Self {
        let lists = PoolLists::new(config.list_capacity_bytes());
        Self { config, tokens: BTreeMap::new(), lists, quality: DataQuality::default() }
    }

    /// The rules of this book.
    pub const fn config(&self) -> &MarketConfig {
        &self.config
    }

    /// Replaces the rules, and returns the tokens that change their lane by them, in the order of their mints.
    ///
    /// Kept is what was observed: scores and their averages, statuses, since when a token is below the minimum, and the full
    /// lists that still fit. The new rules apply to every later decision:
    /// - Nothing is scored, activated or archived by the change itself, because that takes an observation. The next one of each
    ///   token judges it by the new rules, over the whole time that it is below the minimum.
    /// - The hot threshold applies to all tokens at once, because a lane is not observed but computed.
    /// - A full list that is older than lists may be is dropped with the next observation.
    /// - A token that the API does not know keeps its backoff, unless that is longer than any may be by the new rules: then it ends
    ///   at once.
    pub fn reconfigure(&mut self, config: MarketConfig) -> Vec<MarketEvent> {
        let (before, after) = (self.config.hot_threshold(), config.hot_threshold());
        self.lists.set_capacity(config.list_capacity_bytes());
        self.config = config;
        let changed = |token: &Arc<Token>| {
            let (from, to) = (token.lane(before)?, token.lane(after)?);
            (from != to).then_some(MarketEvent::LaneChanged { mint: token.mint, from, to })
        };
        self.tokens.values().filter_map(changed).collect()
    }

    /// What was wrong with the data so far.
    pub const fn quality(&self) -> &DataQuality {
        &self.quality
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// One token.
    pub fn get(&self, mint: &Mint) -> Option<&Arc<Token>> {
        self.tokens.get(mint)
    }

    /// All tokens in the order of their mints.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// Roughly how many bytes the full lists take.
    pub const fn list_bytes(&self) -> usize {
        self.lists.bytes()
    }

    /// Inserts a token, or replaces it.
    pub fn insert(&mut self, token: impl Into<Arc<Token>>) {
        let token = token.into();
        self.lists.remove(&token.mint);
        self.tokens.insert(token.mint, token);
    }

    /// Removes a token.
    pub fn remove(&mut self, mint: &Mint) -> Option<Arc<Token>> {
        self.lists.remove(mint);
        self.tokens.remove(mint)
    }

    /// Follows an edit of the stored set, given all stored tokens: new ones come in, those that are gone go, archived
    /// ones that were added again are monitored.
    ///
    /// What the book knows of the others stays: it is newer than the store. For the same reason an archived token comes
    /// back only when the stored one has no [`Token::below_since`], which archiving clears: one that has it was stored
    /// before it was archived here.
    pub fn reconcile(&mut self, stored: Vec<Token>) -> Edit {
        let stored: BTreeMap<Mint, Token> = stored.into_iter().map(|token| (token.mint, token)).collect();
        let gone = |mint: &&Mint| !stored.contains_key(mint);
        let removed: Vec<Mint> = self.tokens.keys().filter(gone).copied().collect();
        let removed = removed.iter().filter_map(|mint| self.remove(mint)).collect();
        let mut added = Vec::new();
        for (mint, token) in stored {
            match self.tokens.get_mut(&mint) {
                None => {
                    self.insert(token);
                    added.push(mint);
                }
                Some(known) if known.status == TokenStatus::Archived && was_added_again(&token) => {
                    Arc::make_mut(known).status = TokenStatus::Monitored;
                    added.push(mint);
                }
                Some(_) => {}
            }
        }
        Edit { added, removed }
    }

    /// Counts pairs that the adapter left out.
    pub fn count_skipped(&mut self, skipped: &Skipped) {
        self.quality.skipped.merge(skipped);
    }

    /// Counts a batch of many mints that came back without a single pair.
    pub fn count_suspicious_batch(&mut self) {
        self.quality.suspicious_batches += 1;
    }

    /// How much longer a token that the API does not know backs off; `None` if it may be asked for now. An end further ahead than
    /// the longest backoff was stored before the clock was set back, and is ignored.
    pub fn rests_for(&self, token: &Token, now: Timestamp) -> Option<Duration> {
        let wait = token.unlisted?.ask_again_at.duration_since(now);
        Duration::try_from(wait)
            .ok()
            .filter(|wait| !wait.is_zero() && *wait <= self.config.unlisted_max_backoff())
    }

    /// Notes that a full list of a token's pools came back with none that can be used, which says nothing about the token:
    /// its primary pool is known. Another list is not wanted sooner than after a good one.
    pub fn note_empty_list(&mut self, mint: Mint, now: Timestamp) {
        if self.tokens.contains_key(&mint) {
            self.lists.insert(mint, &[], now);
        }
    }

    /// What a full list of a token's pools would be useful for now; `None` if the token is archived or backing off, or if the last
    /// list is younger than half of the age at which one stops counting.
    pub fn wants_list(&self, mint: &Mint, now: Timestamp) -> Option<ListPurpose> {
        let token = self.tokens.get(mint).filter(|token| self.rests_for(token, now).is_none())?;
        if self.lists.is_young(mint, now, self.config.list_max_age() / 2) {
            return None;
        }
        let has_liquidity = token.score.is_some_and(|score| score.pools > 0);
        Some(match token.lane(self.config.hot_threshold())? {
            _ if token.status == TokenStatus::Monitored && has_liquidity => ListPurpose::Activation,
            Lane::Hot => ListPurpose::Score,
            Lane::Cold => ListPurpose::Completeness,
        })
    }
}

/// What a full list of pools is asked for, the most useful first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListPurpose {
    /// The token has liquidity; with another pool it activates.
    Activation,
    /// The token is hot; the list makes its score better.
    Score,
    /// The primary pool may not be all there is.
    Completeness,
}

/// Whether this is how a store leaves an archived token that was added again.
fn was_added_again(stored: &Token) -> bool {
    stored.status == TokenStatus::Monitored && stored.below_since.is_none()
}
