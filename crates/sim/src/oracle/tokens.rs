//! Checks stored tokens against the ones that were published to readers last. The checks are pure functions of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use ttm_market::{Mint, Token, TokenStatus};

/// Checks that every token is stored as it was published last. If the set is edited meanwhile, some new tokens are
/// not yet published, and some removed ones still are.
///
/// # Errors
/// The first token for which that does not hold.
pub fn is_stored_as_published(
    published: &[Arc<Token>],
    stored: &[Token],
    is_edited: bool,
) -> Result<(), String> {
    let mut unpublished: BTreeMap<Mint, &Token> = stored.iter().map(|token| (token.mint, token)).collect();
    for token in published {
        let is_over = token.status == TokenStatus::Archived || token.unlisted.is_some();
        match unpublished.remove(&token.mint) {
            Some(stored) if *stored == **token => {}
            None if is_edited && is_over => {}
            Some(_) => return Err(format!("the stored {} differs from the one published last", token.mint)),
            None => return Err(format!("{} is published but not stored", token.mint)),
        }
    }
    match unpublished.values().find(|token| !is_edited || token.score.is_some()) {
        Some(token) => Err(format!("{} is stored but not published", token.mint)),
        None => Ok(()),
    }
}

/// How many tokens are marked as unlisted.
pub fn unlisted(published: &[Arc<Token>]) -> usize {
    published.iter().filter(|token| token.unlisted.is_some()).count()
}

/// Checks that no token becomes unlisted while the API lists no token at all, whether or not it was scored before.
///
/// # Errors
/// How many did.
pub fn silence_unlists_no_token(before: usize, now: usize) -> Result<(), String> {
    if now <= before {
        return Ok(());
    }
    Err(format!("{} tokens were marked as unlisted while the API listed none at all", now - before))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ttm_market::Unlisted;

    use super::*;

    #[test]
    fn a_token_that_is_marked_as_unlisted_while_none_is_listed_is_detected() {
        let new = Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH);
        let unlisted_at = Unlisted { misses: 1, ask_again_at: Timestamp::UNIX_EPOCH };
        let never_scored = Token { unlisted: Some(unlisted_at), ..new };
        assert_eq!(unlisted(&[Arc::new(never_scored)]), 1, "a token without a score counts too");
        assert_eq!(silence_unlists_no_token(1, 1), Ok(()));
        assert!(silence_unlists_no_token(0, 1).is_err());
    }

    #[test]
    fn a_difference_is_detected_unless_an_edit_explains_it() {
        let new = Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH);
        let unlisted = Some(Unlisted { misses: 6, ask_again_at: Timestamp::UNIX_EPOCH });
        let over = Token { unlisted, ..new.clone() };
        let published = |token: &Token| [Arc::new(token.clone())];
        let stored = |token: &Token| [token.clone()];
        assert_eq!(is_stored_as_published(&published(&new), &stored(&new), false), Ok(()));
        assert_eq!(is_stored_as_published(&[], &stored(&new), true), Ok(()));
        assert_eq!(is_stored_as_published(&published(&over), &[], true), Ok(()));
        for edited in [false, true] {
            assert!(is_stored_as_published(&published(&new), &stored(&over), edited).is_err());
            assert!(is_stored_as_published(&published(&new), &[], edited).is_err());
        }
        assert!(is_stored_as_published(&[], &stored(&new), false).is_err());
        assert!(is_stored_as_published(&published(&over), &[], false).is_err());
    }
}
