//! The index against a list that is sorted and filtered for every question, and what a page costs.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::MarketSettings;

thread_local! {
    static COMPARISONS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn count_comparison() {
    COMPARISONS.with(|count| count.set(count.get() + 1));
}

fn scored(number: u32, at: Timestamp) -> Arc<Token> {
    let mut mint = [0; 32];
    mint[..4].copy_from_slice(&number.to_be_bytes());
    let value = f64::from(number.wrapping_mul(2_654_435_761) % 1000) / 1000.0;
    let place = TokenCursor { key: Key::Score(Some(value)), mint: Mint::from_bytes(mint) };
    let mut token = stand_in(&place);
    token.status =
        [TokenStatus::Monitored, TokenStatus::Monitored, TokenStatus::Active, TokenStatus::Archived]
            [number as usize % 4];
    if let Some(score) = &mut token.score {
        score.at = at;
    }
    Arc::new(token)
}

#[test]
fn a_page_costs_what_it_returns_however_many_tokens_there_are() {
    let second = |second| Timestamp::from_second(second).expect("in range");
    let mut index = TokenIndex::new(MarketConfig::default());
    for number in 0..20_000 {
        index.insert(scored(number, second(i64::from(number / 30))));
    }
    for sort in SORTS {
        for lane in [None, Some(Lane::Hot), Some(Lane::Cold)] {
            for status in [None, Some(TokenStatus::Active), Some(TokenStatus::Archived)] {
                let middle = TokenCursor::of_token(sort, &scored(10_000, second(333)));
                for cursor in [None, Some(middle)] {
                    COMPARISONS.with(|count| count.set(0));
                    let query = TokenQuery { limit: 10, cursor, lane, status, sort };
                    index.page(&query);
                    let cost = COMPARISONS.with(Cell::get);
                    // A way down four trees, and four looks a row.
                    assert!(cost < 1000, "{cost} comparisons for {query:?}");
                }
            }
        }
    }
}

/// A change of the set.
#[derive(Clone, Debug)]
enum Edit {
    Insert(Box<Token>),
    Remove(Mint),
    Reconfigure(MarketConfig),
}

fn edit() -> impl Strategy<Value = Edit> {
    // Few mints, so that edits meet.
    let mint = || (0..12_u8).prop_map(|byte| Mint::from_bytes([byte; 32]));
    prop_oneof![
        4 => mint().prop_flat_map(crate::testing::token_of).prop_map(|token| Edit::Insert(Box::new(token))),
        1 => mint().prop_map(Edit::Remove),
        1 => config().prop_map(Edit::Reconfigure),
    ]
}

fn config() -> impl Strategy<Value = MarketConfig> {
    let stale_after = (1_u64..4_000).prop_map(Duration::from_secs);
    (0.0..1.0, stale_after.clone(), stale_after).prop_map(|(hot_threshold, hot_stale_after, longer)| {
        let cold_stale_after = hot_stale_after + longer;
        let settings =
            MarketSettings { hot_threshold, hot_stale_after, cold_stale_after, ..MarketSettings::default() };
        MarketConfig::try_new(settings).expect("valid settings")
    })
}

fn near(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

proptest! {
    #[test]
    fn pages_and_ages_agree_with_a_list_that_is_sorted_for_every_question(
        edits in prop::collection::vec(edit(), 0..40),
        observed in prop::collection::vec(0..4000_i64, 12),
        limit in 0..6_usize,
        cursor in (any::<prop::sample::Index>(), any::<bool>()),
    ) {
        let mut config = MarketConfig::default();
        let mut index = TokenIndex::new(config.clone());
        let mut model: BTreeMap<Mint, Token> = BTreeMap::new();
        for edit in edits {
            match edit {
                Edit::Insert(mut token) => {
                    // Times around now, so that some are stale and some are not.
                    let at = near(observed[usize::from(token.mint.as_bytes()[0])]);
                    token.first_seen = at;
                    if let Some(score) = &mut token.score {
                        score.at = at;
                    }
                    model.insert(token.mint, (*token).clone());
                    index.insert(Arc::new(*token));
                }
                Edit::Reconfigure(new) => {
                    config = new.clone();
                    index.reconfigure(new);
                }
                Edit::Remove(mint) => {
                    let known = model.remove(&mint);
                    prop_assert_eq!(index.remove(&mint).map(|token| (*token).clone()), known);
                }
            }
        }
        let now = near(3500);
        for sort in SORTS {
            for lane in [None, Some(Lane::Hot), Some(Lane::Cold)] {
                for status in [None, Some(TokenStatus::Monitored), Some(TokenStatus::Active), Some(TokenStatus::Archived)] {
                    let place = cursor.1.then(|| model.values().nth(cursor.0.index(model.len().max(1)))).flatten();
                    let cursor = place.map(|token| TokenCursor::of_token(sort, token));
                    let query = TokenQuery { limit, cursor, lane, status, sort };
                    let (tokens, next) = index.page(&query);
                    let tokens: Vec<Token> = tokens.iter().map(|token| (**token).clone()).collect();
                    prop_assert_eq!((tokens, next), sorted_and_filtered(&model, &query, &config));
                }
            }
        }
        for lane in Lane::ALL {
            prop_assert_eq!(index.ages(lane, now), ages_of_each(&model, lane, now, &config));
        }
        let archived = model.values().filter(|token| token.status == TokenStatus::Archived).count();
        let unlisted = model.values().filter(|token| token.unlisted.is_some()).count();
        prop_assert_eq!((index.archived(), index.unlisted()), (archived as u64, unlisted as u64));
        prop_assert_eq!((index.len(), index.is_empty()), (model.len(), model.is_empty()));
    }
}

fn sorted_and_filtered(
    model: &BTreeMap<Mint, Token>,
    query: &TokenQuery,
    config: &MarketConfig,
) -> (Vec<Token>, Option<TokenCursor>) {
    let mut tokens: Vec<&Token> = model
        .values()
        .filter(|token| query.lane.is_none_or(|lane| token.lane(config.hot_threshold()) == Some(lane)))
        .filter(|token| query.status.is_none_or(|status| token.status == status))
        .filter(|token| {
            query.cursor.is_none_or(|cursor| order(query.sort, token, &stand_in(&cursor)).is_gt())
        })
        .collect();
    tokens.sort_by(|a, b| order(query.sort, a, b));
    let shown: Vec<Token> = tokens.iter().take(query.limit).map(|token| (*token).clone()).collect();
    let next = shown.last().filter(|_| tokens.len() > query.limit);
    let next = next.map(|token| TokenCursor::of_token(query.sort, token));
    (shown, next)
}

fn ages_of_each(
    model: &BTreeMap<Mint, Token>,
    lane: Lane,
    now: Timestamp,
    config: &MarketConfig,
) -> LaneAges {
    let mut facts = LaneAges::default();
    let mut ages = Vec::new();
    for token in model.values() {
        if token.lane(config.hot_threshold()) != Some(lane) || token.unlisted.is_some() {
            continue;
        }
        let since = token.score.map_or(token.first_seen, |score| score.at);
        let age = Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO);
        facts.tokens += 1;
        let old = u64::from(age > config.stale_after(Some(lane)));
        if token.score.is_some() {
            facts.stale += old;
            facts.expired += u64::from(age > config.serve_stale_for());
            ages.push(age);
        } else {
            facts.never_observed += 1;
            facts.overdue += old;
        }
    }
    ages.sort_unstable();
    let rank = |percent: usize| ages.get((ages.len() * percent).div_ceil(100).max(1) - 1).copied();
    facts.ages =
        rank(50).and_then(|p50| Some(Quantiles { p50, p95: rank(95)?, p99: rank(99)?, max: rank(100)? }));
    facts
}
