//! The transitions of a token: how an observation changes its score, status and lane. They depend on this token alone.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::pool_list::signed;
use super::{Book, Observation};
use crate::pool::{pools_of, pools_of_activation};
use crate::{
    Basis, DataQuality, MarketConfig, MarketEvent, Mint, Pair, PoolSummary, ScoreState, Smoothed, Token,
    TokenStatus, Unlisted, score, summarize,
};

/// If a token was not observed for longer, the gap does not count as time below the minimum: a stalled
/// service, a step of the clock or an unlisted token are no evidence.
const LONGEST_GAP: SignedDuration = SignedDuration::from_mins(15);

impl Book {
    /// Applies an observation made at `now`, and returns what it changed. One of a token that was removed or archived
    /// meanwhile changes nothing.
    ///
    /// - Pools give a score. A primary pool refreshes a full list that still counts, and is the whole basis without one.
    ///   The EWMA continues while the kind of basis stays the same, and restarts when it changes.
    /// - A full list with the right pools activates a monitored token.
    /// - A token is archived after it was seen below the minimum liquidity for the configured time, where "below" is: no
    ///   pool counts, and it is known why. A pool of unknown liquidity, or a primary pool that could never count, are
    ///   missing data; missing data archives nothing and ends no such time either.
    /// - A missing token keeps its score and status, and is asked for again after a wait that doubles.
    pub fn observe(&mut self, mint: Mint, observation: Observation<'_>, now: Timestamp) -> Vec<MarketEvent> {
        let wanted = |token: &&mut Arc<Token>| token.status != TokenStatus::Archived;
        let Some(token) = self.tokens.get_mut(&mint).filter(wanted).map(Arc::make_mut) else {
            self.quality.unwanted += 1;
            return Vec::new();
        };
        let (pools, basis) = match observation {
            Observation::Primary([]) => {
                self.quality.empty_primaries += 1;
                return Vec::new();
            }
            Observation::All([]) | Observation::Missing => {
                self.quality.missing += 1;
                return vec![miss(token, &self.config, now)];
            }
            Observation::All(pools) => {
                self.lists.insert(mint, pools, now);
                (pools, Basis::All { listed_at: now })
            }
            Observation::Primary(pools) => {
                match self.lists.refresh(&mint, pools, now, self.config.list_max_age()) {
                    Some(list) => (list.pools(), Basis::All { listed_at: list.listed_at() }),
                    None => (pools, Basis::Primary),
                }
            }
        };
        let summary = summarize(mint, pools, &self.config);
        let mut step =
            Step { token, pools, config: &self.config, quality: &mut self.quality, now, events: Vec::new() };
        step.take(&summary, basis, matches!(observation, Observation::All(_)));
        let (events, archived) = (step.events, token.status == TokenStatus::Archived);
        if archived {
            self.lists.remove(&mint);
        }
        events
    }
}

/// The API does not know the token.
fn miss(token: &mut Token, config: &MarketConfig, now: Timestamp) -> MarketEvent {
    let misses = token.unlisted.map_or(0, |unlisted| unlisted.misses).saturating_add(1);
    let ask_again_at = later(now, signed(config.unlisted_backoff(misses)));
    token.unlisted = Some(Unlisted { misses, ask_again_at });
    MarketEvent::Unlisted { mint: token.mint, misses, ask_again_at }
}

/// One observation of one token that found pools.
struct Step<'a> {
    token: &'a mut Token,
    /// What was summed up.
    pools: &'a [Pair],
    config: &'a MarketConfig,
    quality: &'a mut DataQuality,
    now: Timestamp,
    events: Vec<MarketEvent>,
}

impl Step<'_> {
    fn take(&mut self, summary: &PoolSummary, basis: Basis, is_full_list: bool) {
        let mint = self.token.mint;
        let lane_before = self.token.lane(self.config.hot_threshold());
        let observed_before = self.token.score.map(|score| score.at);
        if self.token.unlisted.take().is_some() {
            self.events.push(MarketEvent::Relisted { mint });
        }
        if summary.symbol.is_some() && summary.symbol != self.token.symbol {
            self.token.symbol.clone_from(&summary.symbol);
        }
        self.rescore(summary, basis);
        if is_full_list
            && self.token.status == TokenStatus::Monitored
            && let Some(rule) = summary.activation()
        {
            self.token.status = TokenStatus::Active;
            let pools = pools_of_activation(mint, self.pools, rule, self.config);
            self.events.push(MarketEvent::Activated { mint, rule, pools });
        }
        self.track_liquidity(summary, basis, observed_before);
        let lane = self.token.lane(self.config.hot_threshold());
        if let (Some(from), Some(to)) = (lane_before, lane)
            && from != to
        {
            self.events.push(MarketEvent::LaneChanged { mint, from, to });
        }
    }

    fn rescore(&mut self, summary: &PoolSummary, basis: Basis) {
        let age = self.now.duration_since(self.token.first_seen);
        let scored = score(&summary.inputs, age).score;
        let smoothed = match self.token.score {
            Some(before) if before.basis.same_kind(basis) => {
                before.smoothed.next(scored, self.config.ewma_alpha())
            }
            _ => Smoothed::first(scored),
        };
        self.quality.scored += 1;
        // What the pools add up to was cleaned: the score itself meets no number that it cannot use.
        self.quality.unusable_numbers += u64::from(summary.unusable);
        self.token.score =
            Some(ScoreState { raw: scored, smoothed, basis, pools: summary.pools, at: self.now });
    }

    fn track_liquidity(&mut self, summary: &PoolSummary, basis: Basis, observed_before: Option<Timestamp>) {
        let verdict = liquidity(summary, basis);
        let since = match (verdict, self.token.below_since) {
            (Liquidity::Enough, _) => {
                self.token.below_since = None;
                return;
            }
            (Liquidity::Unknown, None) => return,
            (Liquidity::Below, None) => self.now,
            (Liquidity::Unknown | Liquidity::Below, Some(since)) => {
                let gap =
                    observed_before.map_or(SignedDuration::ZERO, |before| self.now.duration_since(before));
                let is_evidence = verdict == Liquidity::Below && gap <= LONGEST_GAP;
                if is_evidence || gap.is_negative() { since } else { later(since, gap).min(self.now) }
            }
        };
        self.token.below_since = Some(since);
        let below_for = self.now.duration_since(since);
        if verdict == Liquidity::Below && below_for >= signed(self.config.archive_after()) {
            self.token.status = TokenStatus::Archived;
            // Cleared, so that a token that is added again gets the whole time again.
            self.token.below_since = None;
            self.events.push(MarketEvent::Archived {
                mint: self.token.mint,
                below_since: since,
                min_liquidity_usd: self.config.min_liquidity_usd(),
                pools: pools_of(self.token.mint, self.pools),
            });
        }
    }
}

/// What the pools say about the token's liquidity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Liquidity {
    Enough,
    Below,
    Unknown,
}

/// Every pool that counts holds the minimum by itself, so a sum below the minimum is that no pool counts.
const fn liquidity(summary: &PoolSummary, basis: Basis) -> Liquidity {
    if summary.pools > 0 {
        Liquidity::Enough
    } else if summary.unknown == 0 && (summary.thin > 0 || matches!(basis, Basis::All { .. })) {
        Liquidity::Below
    } else {
        Liquidity::Unknown
    }
}

/// `by` after `at`, or the end of the calendar.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
