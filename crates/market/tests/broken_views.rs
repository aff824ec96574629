//! The suite of a view notices each way in which one could break a law.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use ttm_market::testing::conformance;
use ttm_market::{
    Basis, MarketConfig, Mint, Score, ScoreState, Smoothed, Token, TokenIndex, TokenPage, TokenQuery,
    TokenRow, TokenSort, TokenStatus, TokenView, row,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    IgnoresTheLimit,
    IgnoresTheLane,
    IgnoresTheStatus,
    IgnoresTheOrder,
    EndsAfterOnePage,
    BeginsAnewAfterACursorOfAnotherOrder,
    LosesAToken,
    ShowsAnyToken,
}

struct Broken {
    index: TokenIndex,
    bug: Bug,
}

fn at(second: u8) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + i64::from(second)).expect("in range")
}

impl Broken {
    fn row(&self, token: &Token) -> TokenRow {
        row(token, at(60), self.index.config())
    }
}

impl TokenView for Broken {
    fn page(&self, query: &TokenQuery) -> TokenPage {
        let mut query = query.clone();
        match self.bug {
            Bug::IgnoresTheLimit => query.limit = usize::MAX,
            Bug::IgnoresTheLane => query.lane = None,
            Bug::IgnoresTheStatus => query.status = None,
            Bug::IgnoresTheOrder if query.cursor.is_none() => query.sort = TokenSort::Mint,
            Bug::BeginsAnewAfterACursorOfAnotherOrder => {
                query.cursor = query.cursor.filter(|cursor| cursor.sort() == query.sort);
            }
            _ => {}
        }
        let (tokens, next) = self.index.page(&query);
        let tokens = tokens.iter().map(|token| self.row(token)).collect();
        TokenPage { tokens, next: next.filter(|_| self.bug != Bug::EndsAfterOnePage) }
    }

    fn get(&self, mint: &Mint) -> Option<TokenRow> {
        match self.bug {
            Bug::LosesAToken if *mint == Mint::from_bytes([3; 32]) => None,
            Bug::ShowsAnyToken => Some(self.row(&Token::new(*mint, at(0)))),
            _ => self.index.get(mint).map(|token| self.row(token)),
        }
    }
}

/// Of every lane and status, with a score and without; neither scores nor times are in the order of the mints.
fn token(number: u8) -> Token {
    let statuses = [TokenStatus::Monitored, TokenStatus::Active, TokenStatus::Archived];
    let smoothed = Smoothed { value: f64::from(number * 7 % 12) / 40.0, ..Smoothed::default() };
    let at = at(number * 5 % 12);
    let score = ScoreState { raw: Score::default(), smoothed, basis: Basis::Primary, pools: 1, at };
    Token {
        status: statuses[usize::from(number % 3)],
        score: (number < 10).then_some(score),
        ..Token::new(Mint::from_bytes([number; 32]), at)
    }
}

/// Whether the suite passes a view with this bug.
fn passes(bug: Bug) -> bool {
    let mut index = TokenIndex::new(MarketConfig::default());
    (1..=12).for_each(|number| index.insert(Arc::new(token(number))));
    let all: BTreeSet<Mint> = index.iter().map(|token| token.mint).collect();
    let suite = || conformance::token_view::check(&Broken { index, bug }, &all);
    catch_unwind(AssertUnwindSafe(suite)).is_ok()
}

#[test]
fn the_suite_refuses_every_broken_view() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in [
        Bug::IgnoresTheLimit,
        Bug::IgnoresTheLane,
        Bug::IgnoresTheStatus,
        Bug::IgnoresTheOrder,
        Bug::EndsAfterOnePage,
        Bug::BeginsAnewAfterACursorOfAnotherOrder,
        Bug::LosesAToken,
        Bug::ShowsAnyToken,
    ] {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
}
