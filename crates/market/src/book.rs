//! The tokens in memory: which to ask for, and what an observation makes of one. It knows nothing of requests, of
//! stores or of how often anything runs; `now` is an argument, and may go back.

mod observe;
mod pool_list;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::view::highest_first;
use crate::{DataQuality, Lane, MarketConfig, Mint, Pair, Skipped, Token, TokenStatus};
use pool_list::PoolList;

/// All tokens, and the full lists of pools that are young enough to score from.
#[derive(Clone, Debug)]
pub struct Book {
    config: MarketConfig,
    tokens: BTreeMap<Mint, Token>,
    lists: BTreeMap<Mint, PoolList>,
    quality: DataQuality,
}

/// What the API said about one token.
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
        Self { config, tokens: BTreeMap::new(), lists: BTreeMap::new(), quality: DataQuality::default() }
    }

    /// The rules of this book.
    pub const fn config(&self) -> &MarketConfig {
        &self.config
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
    pub fn get(&self, mint: &Mint) -> Option<&Token> {
        self.tokens.get(mint)
    }

    /// All tokens in the order of their mints.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// Puts a token in, in place of what was known of it.
    pub fn insert(&mut self, token: Token) {
        self.lists.remove(&token.mint);
        self.tokens.insert(token.mint, token);
    }

    /// Takes a token out.
    pub fn remove(&mut self, mint: &Mint) -> Option<Token> {
        self.lists.remove(mint);
        self.tokens.remove(mint)
    }

    /// Follows an edit of the stored set, given all stored tokens: new ones come in, those that are gone go, archived
    /// ones that were added again are monitored. Returns how many came in or back, and how many went.
    ///
    /// What the book knows of the others stays: it is newer than the store. For the same reason an archived token comes
    /// back only when the stored one has no [`Token::below_since`], which archiving clears: one that has it was stored
    /// before it was archived here.
    pub fn reconcile(&mut self, stored: Vec<Token>) -> (usize, usize) {
        let stored: BTreeMap<Mint, Token> = stored.into_iter().map(|token| (token.mint, token)).collect();
        let before = self.tokens.len();
        self.tokens.retain(|mint, _| stored.contains_key(mint));
        self.lists.retain(|mint, _| stored.contains_key(mint));
        let removed = before - self.tokens.len();
        let mut added = 0;
        for (mint, token) in stored {
            match self.tokens.get_mut(&mint) {
                None => {
                    self.tokens.insert(mint, token);
                    added += 1;
                }
                Some(known) if known.status == TokenStatus::Archived && was_added_again(&token) => {
                    known.status = TokenStatus::Monitored;
                    added += 1;
                }
                Some(_) => {}
            }
        }
        (added, removed)
    }

    /// Counts pairs that the adapter left out.
    pub fn count_skipped(&mut self, skipped: &Skipped) {
        self.quality.skipped.merge(skipped);
    }

    /// Counts a batch of many mints that came back without a single pair.
    pub fn count_suspicious_batch(&mut self) {
        self.quality.suspicious_batches += 1;
    }

    /// The tokens of a lane to ask for, the most urgent first: by smoothed score from high to low, tokens without one
    /// last; then the longest unobserved; then by mint. Unlisted tokens are left out until they may be asked for again.
    pub fn due(&self, lane: Lane, now: Timestamp) -> Vec<Mint> {
        let mut due: Vec<&Token> = self
            .tokens
            .values()
            .filter(|token| {
                token.lane(self.config.hot_threshold()) == Some(lane) && self.may_be_asked(token, now)
            })
            .collect();
        due.sort_unstable_by(|a, b| urgency(a, b));
        due.into_iter().map(|token| token.mint).collect()
    }

    /// The tokens, at most `limit`, whose full list of pools is most worth a request: first those that may activate,
    /// then hot ones, then the rest; in each group the one with the oldest list first, and in a tie as in
    /// [`Book::due`]. Lists that are younger than half the age at which they stop counting are good enough.
    pub fn list_candidates(&self, limit: usize, now: Timestamp) -> Vec<Mint> {
        let half_life = self.config.list_max_age() / 2;
        let mut candidates: Vec<(ListPurpose, Option<Timestamp>, &Token)> = self
            .tokens
            .values()
            .filter(|token| self.may_be_asked(token, now))
            .filter_map(|token| {
                let list = self.lists.get(&token.mint);
                let young = list.is_some_and(|list| list.counts(now, half_life));
                let purpose = self.list_purpose(token)?;
                (!young).then(|| (purpose, list.map(PoolList::listed_at), token))
            })
            .collect();
        candidates.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then_with(|| urgency(a.2, b.2)));
        candidates.into_iter().take(limit).map(|(_, _, token)| token.mint).collect()
    }

    /// Whether the API may know it by now. A time further ahead than any back-off was written before the clock was set
    /// back, and binds nobody.
    fn may_be_asked(&self, token: &Token, now: Timestamp) -> bool {
        token.unlisted.is_none_or(|unlisted| {
            let wait = unlisted.ask_again_at.duration_since(now);
            !wait.is_positive() || wait > signed(self.config.unlisted_max_backoff())
        })
    }

    /// What a full list of its pools would be good for; nothing when it is archived.
    fn list_purpose(&self, token: &Token) -> Option<ListPurpose> {
        let has_liquidity = token.score.is_some_and(|score| score.pools > 0);
        match token.lane(self.config.hot_threshold())? {
            _ if token.status == TokenStatus::Monitored && has_liquidity => Some(ListPurpose::Activation),
            Lane::Hot => Some(ListPurpose::Score),
            Lane::Cold => Some(ListPurpose::Completeness),
        }
    }
}

/// What a full list of pools is asked for, the most useful first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ListPurpose {
    /// The token has liquidity; with another pool it activates.
    Activation,
    /// The token is hot; the list makes its score better.
    Score,
    /// The primary pool may not be all there is.
    Completeness,
}

fn urgency(a: &Token, b: &Token) -> Ordering {
    highest_first(a.smoothed_score(), b.smoothed_score())
        .then_with(|| a.score.map(|score| score.at).cmp(&b.score.map(|score| score.at)))
        .then_with(|| a.mint.cmp(&b.mint))
}

/// Whether this is how a store leaves an archived token that was added again.
fn was_added_again(stored: &Token) -> bool {
    stored.status == TokenStatus::Monitored && stored.below_since.is_none()
}

/// The duration with a sign; the longest one where it does not fit, which no time in the calendar reaches.
fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
