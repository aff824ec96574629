//! The laws of [`TokenView`], checked on whatever the view holds while it does not change.

use std::collections::BTreeSet;

use ttm_kernel::Lane;

use crate::{Mint, TokenCursor, TokenPage, TokenQuery, TokenRow, TokenSort, TokenStatus, TokenView};

/// Checks every law. `all` are the mints that the view holds; it is worth most with tokens of every lane and status.
pub fn check(view: &dyn TokenView, all: &BTreeSet<Mint>) {
    let absent = (0..=u8::MAX).map(|byte| Mint::from_bytes([byte; 32])).find(|mint| !all.contains(mint));
    for sort in [TokenSort::Score, TokenSort::Age, TokenSort::Mint] {
        for lane in [None, Some(Lane::Hot), Some(Lane::Cold)] {
            for status in
                [None, Some(TokenStatus::Monitored), Some(TokenStatus::Active), Some(TokenStatus::Archived)]
            {
                let query = TokenQuery { limit: all.len() + 1, cursor: None, lane, status, sort };
                let whole = view.page(&query);
                one_page_holds_all_in_order(&whole, &query, view, all);
                for limit in [1, 2, 7, all.len().max(1)] {
                    pages_join_to_the_whole(view, &TokenQuery { limit, ..query.clone() }, &whole.tokens);
                }
                a_cursor_is_a_place(view, &query, &whole.tokens, absent);
                a_cursor_of_another_order_ends(view, &query, &whole.tokens);
            }
        }
    }
    for mint in all {
        assert_eq!(view.get(mint).map(|row| row.mint), Some(*mint));
    }
    assert_eq!(absent.and_then(|mint| view.get(&mint)), None);
}

/// Law 1, on a page that is large enough for everything.
fn one_page_holds_all_in_order(
    page: &TokenPage,
    query: &TokenQuery,
    view: &dyn TokenView,
    all: &BTreeSet<Mint>,
) {
    assert_eq!(page.next, None, "nothing follows a page that was not filled: {query:?}");
    let matches = |row: &TokenRow| {
        query.lane.is_none_or(|lane| row.lane == Some(lane))
            && query.status.is_none_or(|status| row.status == status)
    };
    let expected: BTreeSet<Mint> =
        all.iter().filter(|mint| view.get(mint).as_ref().is_some_and(matches)).copied().collect();
    let got: BTreeSet<Mint> = page.tokens.iter().map(|row| row.mint).collect();
    assert_eq!(got, expected, "the tokens that match {query:?}");
    assert_eq!(page.tokens.len(), expected.len(), "none twice");
    let in_order = |a: &TokenRow, b: &TokenRow| is_before(query.sort, a, b);
    assert!(page.tokens.is_sorted_by(in_order), "the order of {query:?}");
}

fn is_before(sort: TokenSort, a: &TokenRow, b: &TokenRow) -> bool {
    match sort {
        TokenSort::Mint => a.mint < b.mint,
        TokenSort::Age => (a.updated_at, a.mint) < (b.updated_at, b.mint),
        TokenSort::Score => match (a.smoothed_score, b.smoothed_score) {
            (Some(high), Some(low)) => {
                low.total_cmp(&high).is_lt() || (high.total_cmp(&low).is_eq() && a.mint < b.mint)
            }
            (None, Some(_)) => false,
            (Some(_), None) => true,
            (None, None) => a.mint < b.mint,
        },
    }
}

/// Laws 1 and 2.
fn pages_join_to_the_whole(view: &dyn TokenView, query: &TokenQuery, whole: &[TokenRow]) {
    let mut query = query.clone();
    let mut joined = Vec::new();
    loop {
        let page = view.page(&query);
        assert!(page.tokens.len() <= query.limit, "{} rows on a page of {}", page.tokens.len(), query.limit);
        joined.extend(page.tokens.into_iter().map(|row| row.mint));
        assert!(joined.len() <= whole.len(), "pages of {query:?} do not end");
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(joined, whole.iter().map(|row| row.mint).collect::<Vec<_>>(), "{query:?}");
}

/// Law 3: with a token that is not there at the place of each that is.
fn a_cursor_is_a_place(view: &dyn TokenView, query: &TokenQuery, whole: &[TokenRow], absent: Option<Mint>) {
    let Some(absent) = absent else { return };
    for row in whole {
        let gone = TokenRow { mint: absent, ..row.clone() };
        let cursor = TokenCursor::of(query.sort, row).beside(absent);
        assert_eq!(cursor.to_string().parse(), Ok(cursor), "a cursor survives being text");
        let page = view.page(&TokenQuery { cursor: Some(cursor), ..query.clone() });
        let rest = whole.iter().filter(|row| is_before(query.sort, &gone, row)).map(|row| row.mint);
        let got: Vec<Mint> = page.tokens.iter().map(|row| row.mint).collect();
        assert_eq!(got, rest.collect::<Vec<_>>(), "what follows {cursor} in {query:?}");
    }
}

/// Law 4.
fn a_cursor_of_another_order_ends(view: &dyn TokenView, query: &TokenQuery, whole: &[TokenRow]) {
    let Some(row) = whole.first() else { return };
    let other = if query.sort == TokenSort::Mint { TokenSort::Score } else { TokenSort::Mint };
    let page = view.page(&TokenQuery { cursor: Some(TokenCursor::of(other, row)), ..query.clone() });
    assert_eq!((page.tokens.len(), page.next), (0, None), "nothing follows a place in another order");
}
