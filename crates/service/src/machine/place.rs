//! Where a token waits for its next request: its status, score and backoff as a place of the dispatcher. A pure function, so that a
//! machine that replaces another places tokens alike.

use std::time::Duration;

use jiff::Timestamp;
use ttm_dispatch::{Place, Value};
use ttm_kernel::Lane;
use ttm_market::{Book, MarketConfig, Token};

/// Where a token waits for the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// In a line.
    InLine(Place),
    /// Backing off, for so long.
    BackingOff(Duration),
}

/// Where a token of the book waits; `None` if it is archived. One that the API does not know counts as
/// backing off even if its time has come: it is then asked for along with others, and does not cost a turn of its own.
pub(super) fn wait_of(token: &Token, book: &Book, now: Timestamp) -> Option<Wait> {
    let place = place_of(token, book.config())?;
    let rest = || book.rests_for(token, now).unwrap_or(Duration::ZERO);
    Some(token.unlisted.map_or(Wait::InLine(place), |_| Wait::BackingOff(rest())))
}

/// The line in which a token waits, and its value there; `None` if it is archived.
///
/// The steps are shares of the hot threshold: a cold token is worth more the nearer it is to being hot, and a hot one the
/// further it is above.
pub(super) fn place_of(token: &Token, config: &MarketConfig) -> Option<Place> {
    let score = token.smoothed_score().unwrap_or(f64::NEG_INFINITY) / config.hot_threshold();
    let lane = token.lane(config.hot_threshold())?;
    let steps = match lane {
        Lane::Hot => [5.0, 2.5, 1.5],
        Lane::Cold => [0.8, 0.5, 0.25],
    };
    let value = steps.into_iter().position(|step| score >= step).map_or(Value::Lowest, |at| Value::ALL[at]);
    Some(Place { lane, value })
}

#[cfg(test)]
mod tests {
    use ttm_market::{Basis, Mint, Score, ScoreState, Smoothed, TokenStatus, Unlisted};

    use super::*;

    fn place(status: TokenStatus, score: Option<f64>) -> Option<(Lane, Value)> {
        let at = Timestamp::UNIX_EPOCH;
        let score = score.map(|value| {
            let raw = Score { value, ..Score::default() };
            ScoreState { raw, smoothed: Smoothed::first(raw), basis: Basis::Primary, pools: 1, at }
        });
        let token = Token { status, score, ..Token::new(Mint::WSOL, at) };
        place_of(&token, &MarketConfig::default()).map(|place| (place.lane, place.value))
    }

    #[test]
    fn a_token_is_worth_more_the_higher_its_score_is_for_its_lane() {
        use TokenStatus::{Active, Archived, Monitored};
        assert_eq!(place(Monitored, None), Some((Lane::Cold, Value::Lowest)));
        assert_eq!(place(Monitored, Some(0.06)), Some((Lane::Cold, Value::High)));
        assert_eq!(place(Monitored, Some(0.09)), Some((Lane::Cold, Value::Highest)));
        assert_eq!(place(Monitored, Some(0.11)), Some((Lane::Hot, Value::Lowest)));
        assert_eq!(place(Monitored, Some(0.6)), Some((Lane::Hot, Value::Highest)));
        assert_eq!(place(Active, None), Some((Lane::Hot, Value::Lowest)));
        assert_eq!(place(Archived, Some(3.0)), None);
    }

    #[test]
    fn an_unlisted_token_counts_as_backing_off_even_when_its_time_has_come() {
        let at = |seconds| Timestamp::from_second(seconds).expect("in range");
        let book = Book::new(MarketConfig::default());
        let listed = Token::new(Mint::WSOL, at(0));
        let unlisted = Some(Unlisted { misses: 3, ask_again_at: at(240) });
        let unlisted = Token { unlisted, ..listed.clone() };
        let in_line = Wait::InLine(Place { lane: Lane::Cold, value: Value::Lowest });
        assert_eq!(wait_of(&listed, &book, at(60)), Some(in_line));
        assert_eq!(wait_of(&unlisted, &book, at(60)), Some(Wait::BackingOff(Duration::from_mins(3))));
        for late in [240, 100_000] {
            assert_eq!(wait_of(&unlisted, &book, at(late)), Some(Wait::BackingOff(Duration::ZERO)));
        }
        assert_eq!(wait_of(&Token { status: TokenStatus::Archived, ..unlisted }, &book, at(60)), None);
    }
}
