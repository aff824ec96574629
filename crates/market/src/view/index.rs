//! All tokens in every order that pages have, maintained as they change: a page costs what it returns, and the ages of all tokens
//! are known without a scan.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Lane, PerLane, Quantiles};

use super::ages::Ages;
use super::cursor::Key;
use super::{TokenCursor, order};
use crate::{
    Basis, Components, MarketConfig, Mint, Score, ScoreState, Smoothed, Token, TokenQuery, TokenSort,
    TokenStatus,
};

/// The tokens by mint, by score and by age, each order apart for each class of tokens that a query may ask for.
#[derive(Clone, Debug)]
pub struct TokenIndex {
    config: MarketConfig,
    tokens: BTreeMap<Mint, Arc<Token>>,
    /// By order, by class.
    ordered: [[BTreeSet<Entry>; Class::ALL.len()]; SORTS.len()],
    lanes: PerLane<LaneIndex>,
    unlisted: u64,
}

const SORTS: [TokenSort; 3] = [TokenSort::Score, TokenSort::Age, TokenSort::Mint];

/// What a lane and a status together can be: every query asks for some of these, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Active,
    HotMonitored,
    ColdMonitored,
    Archived,
}

impl Class {
    const ALL: [Self; 4] = [Self::Active, Self::HotMonitored, Self::ColdMonitored, Self::Archived];

    fn of(token: &Token, config: &MarketConfig) -> Self {
        match (token.status, token.lane(config.hot_threshold())) {
            (TokenStatus::Active, _) => Self::Active,
            (TokenStatus::Archived, _) => Self::Archived,
            (TokenStatus::Monitored, Some(Lane::Hot)) => Self::HotMonitored,
            (TokenStatus::Monitored, _) => Self::ColdMonitored,
        }
    }

    const fn lane(self) -> Option<Lane> {
        match self {
            Self::Active | Self::HotMonitored => Some(Lane::Hot),
            Self::ColdMonitored => Some(Lane::Cold),
            Self::Archived => None,
        }
    }

    const fn status(self) -> TokenStatus {
        match self {
            Self::Active => TokenStatus::Active,
            Self::HotMonitored | Self::ColdMonitored => TokenStatus::Monitored,
            Self::Archived => TokenStatus::Archived,
        }
    }

    fn matches(self, query: &TokenQuery) -> bool {
        query.lane.is_none_or(|lane| self.lane() == Some(lane))
            && query.status.is_none_or(|status| self.status() == status)
    }
}

/// A token in one of the orders.
#[derive(Clone, Debug)]
struct Entry {
    sort: TokenSort,
    token: Arc<Token>,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(test)]
        tests::count_comparison();
        order(self.sort, &self.token, &other.token)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// The times of a lane's listed tokens.
#[derive(Clone, Debug, Default)]
struct LaneIndex {
    /// When those that have a score were observed.
    observed: Ages,
    /// When the others were added.
    never_observed: Ages,
}

/// How old the listed tokens of a lane are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneAges {
    /// How many there are.
    pub tokens: u64,
    /// Those of them that have no score yet.
    pub never_observed: u64,
    /// Those of them without one that have been there for longer than their lane allows.
    pub overdue: u64,
    /// Those with a score that are older than their lane allows.
    pub stale: u64,
    /// Those of them that are too old to be of any use.
    pub expired: u64,
    /// The ages of those that have a score; `None` if there is none.
    pub ages: Option<Quantiles>,
}

impl TokenIndex {
    /// An empty one; the lanes are those of this config.
    pub fn new(config: MarketConfig) -> Self {
        Self {
            config,
            tokens: BTreeMap::new(),
            ordered: Default::default(),
            lanes: PerLane::default(),
            unlisted: 0,
        }
    }

    /// Replaces the rules. Every token stays; a scan finds those that another hot threshold puts into the other lane.
    pub fn reconfigure(&mut self, config: MarketConfig) {
        let is_elsewhere = |token: &&Arc<Token>| Class::of(token, &self.config) != Class::of(token, &config);
        let moved: Vec<Arc<Token>> = self.tokens.values().filter(is_elsewhere).cloned().collect();
        for token in &moved {
            self.remove(&token.mint);
        }
        self.config = config;
        for token in moved {
            self.insert(token);
        }
    }

    /// The rules that rows are made by.
    pub const fn config(&self) -> &MarketConfig {
        &self.config
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

    /// How many tokens the API does not know.
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// How many tokens are archived.
    pub fn archived(&self) -> u64 {
        self.ordered[0][Class::Archived as usize].len() as u64
    }

    /// Inserts a token, or replaces it.
    pub fn insert(&mut self, token: Arc<Token>) {
        self.remove(&token.mint);
        let class = Class::of(&token, &self.config);
        for (sort, classes) in SORTS.into_iter().zip(&mut self.ordered) {
            classes[class as usize].insert(Entry { sort, token: token.clone() });
        }
        if let Some((times, at)) = self.times_of(&token) {
            times.add(at);
        }
        self.unlisted += u64::from(token.unlisted.is_some());
        self.tokens.insert(token.mint, token);
    }

    /// Removes a token.
    pub fn remove(&mut self, mint: &Mint) -> Option<Arc<Token>> {
        let token = self.tokens.remove(mint)?;
        let class = Class::of(&token, &self.config);
        for (sort, classes) in SORTS.into_iter().zip(&mut self.ordered) {
            classes[class as usize].remove(&Entry { sort, token: token.clone() });
        }
        if let Some((times, at)) = self.times_of(&token) {
            times.remove(at);
        }
        self.unlisted -= u64::from(token.unlisted.is_some());
        Some(token)
    }

    /// Where the age of a token is counted, and since when it counts; nowhere when it is archived or unlisted.
    fn times_of(&mut self, token: &Token) -> Option<(&mut Ages, Timestamp)> {
        let lane = token.lane(self.config.hot_threshold()).filter(|_| token.unlisted.is_none())?;
        let lane = &mut self.lanes[lane];
        Some(match token.score {
            Some(score) => (&mut lane.observed, score.at),
            None => (&mut lane.never_observed, token.first_seen),
        })
    }

    /// The tokens that answer the query, in its order, and the cursor of what follows.
    pub fn page(&self, query: &TokenQuery) -> (Vec<Arc<Token>>, Option<TokenCursor>) {
        if query.cursor.is_some_and(|cursor| cursor.sort() != query.sort) {
            return (Vec::new(), None);
        }
        let after = query.cursor.map(|cursor| Entry { sort: query.sort, token: Arc::new(stand_in(&cursor)) });
        let from = after.as_ref().map_or(Unbounded, Excluded);
        let classes = Class::ALL.into_iter().filter(|class| class.matches(query));
        let mut heads: Vec<_> = classes
            .map(|class| self.ordered[query.sort as usize][class as usize].range((from, Unbounded)))
            .filter_map(|mut rest| Some((rest.next()?, rest)))
            .collect();
        let mut tokens: Vec<Arc<Token>> = Vec::new();
        while let Some((at, _)) = heads.iter().enumerate().min_by_key(|(_, (first, _))| *first) {
            if tokens.len() >= query.limit {
                let next = tokens.last().map(|token| TokenCursor::of_token(query.sort, token));
                return (tokens, next);
            }
            let (first, rest) = &mut heads[at];
            tokens.push(first.token.clone());
            match rest.next() {
                Some(next) => *first = next,
                None => drop(heads.swap_remove(at)),
            }
        }
        (tokens, None)
    }

    /// How old the listed tokens of a lane are at `now`. After a step of the clock into the past, ages are zero.
    pub fn ages(&self, lane: Lane, now: Timestamp) -> LaneAges {
        let LaneIndex { observed, never_observed } = &self.lanes[lane];
        let older_than =
            |ages: &Ages, limit: Duration| now.checked_sub(limit).map_or(0, |at| ages.before(at));
        let allowed = self.config.stale_after(Some(lane));
        let all = observed.len();
        let age = |percent: u64| {
            let rank = (all * percent).div_ceil(100).max(1);
            let at = observed.with_later(rank - 1)?;
            Some(Duration::try_from(now.duration_since(at)).unwrap_or(Duration::ZERO))
        };
        let ages = [age(50), age(95), age(99), age(100)];
        LaneAges {
            tokens: all + never_observed.len(),
            never_observed: never_observed.len(),
            overdue: older_than(never_observed, allowed),
            stale: older_than(observed, allowed),
            expired: older_than(observed, self.config.serve_stale_for()),
            ages: if let [Some(p50), Some(p95), Some(p99), Some(max)] = ages {
                Some(Quantiles { p50, p95, p99, max })
            } else {
                None
            },
        }
    }
}

/// A token that stands where the cursor does; an order looks at nothing else of it.
fn stand_in(cursor: &TokenCursor) -> Token {
    let state = |value: f64, at: Timestamp| {
        let components = Components { tx_accel: 0.0, vol_momentum: 0.0, freshness: 0.0, orderflow: 0.0 };
        let (raw, smoothed) = (Score { components, value }, Smoothed { components, value });
        ScoreState { raw, smoothed, basis: Basis::Primary, pools: 0, at }
    };
    let score = match cursor.key {
        Key::Score(value) => value.map(|value| state(value, Timestamp::UNIX_EPOCH)),
        Key::Age(at) => at.map(|at| state(0.0, at)),
        Key::Mint => None,
    };
    Token { score, ..Token::new(cursor.mint, Timestamp::UNIX_EPOCH) }
}

#[cfg(test)]
mod tests;
