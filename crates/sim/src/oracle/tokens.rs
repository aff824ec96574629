//! Holds what readers saw last against what is stored. It knows no store and no process: it is shown what each has.

use std::collections::BTreeMap;
use std::sync::Arc;

use ttm_market::{Mint, Token, TokenStatus};

/// Every token is stored as readers saw it last. Where the set is edited meanwhile, readers have not seen some that are
/// new, and still see some that were let go.
///
/// # Errors
/// The first token that is not.
pub fn is_stored_as_seen(seen: &[Arc<Token>], stored: &[Token], is_edited: bool) -> Result<(), String> {
    let mut unseen: BTreeMap<Mint, &Token> = stored.iter().map(|token| (token.mint, token)).collect();
    for token in seen {
        let is_over = token.status == TokenStatus::Archived || token.unlisted.is_some();
        match unseen.remove(&token.mint) {
            Some(stored) if *stored == **token => {}
            None if is_edited && is_over => {}
            Some(_) => return Err(format!("{} is stored otherwise than readers saw it last", token.mint)),
            None => return Err(format!("{} is not stored, and readers saw it", token.mint)),
        }
    }
    match unseen.values().find(|token| !is_edited || token.score.is_some()) {
        Some(token) => Err(format!("{} is stored, and readers do not see it", token.mint)),
        None => Ok(()),
    }
}

/// How many tokens are taken for unlisted.
pub fn unlisted(seen: &[Arc<Token>]) -> usize {
    seen.iter().filter(|token| token.unlisted.is_some()).count()
}

/// While an API has nothing to say of any token, none becomes unlisted for that: neither one that was scored
/// before nor one that nobody has seen yet.
///
/// # Errors
/// How many did.
pub fn silence_unlists_nobody(before: usize, now: usize) -> Result<(), String> {
    if now <= before {
        return Ok(());
    }
    Err(format!("{} tokens were taken for unlisted while the API said nothing of any token", now - before))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ttm_market::Unlisted;

    use super::*;

    #[test]
    fn a_token_that_is_taken_for_unlisted_in_a_silence_is_seen() {
        let new = Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH);
        let unlisted_at = Unlisted { misses: 1, ask_again_at: Timestamp::UNIX_EPOCH };
        let never_scored = Token { unlisted: Some(unlisted_at), ..new };
        assert_eq!(unlisted(&[Arc::new(never_scored)]), 1, "it may well be listed");
        assert_eq!(silence_unlists_nobody(1, 1), Ok(()));
        assert!(silence_unlists_nobody(0, 1).is_err());
    }

    #[test]
    fn a_difference_is_seen_unless_an_edit_explains_it() {
        let new = Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH);
        let unlisted = Some(Unlisted { misses: 6, ask_again_at: Timestamp::UNIX_EPOCH });
        let over = Token { unlisted, ..new.clone() };
        let seen = |token: &Token| [Arc::new(token.clone())];
        let stored = |token: &Token| [token.clone()];
        assert_eq!(is_stored_as_seen(&seen(&new), &stored(&new), false), Ok(()));
        assert_eq!(is_stored_as_seen(&[], &stored(&new), true), Ok(()));
        assert_eq!(is_stored_as_seen(&seen(&over), &[], true), Ok(()));
        for edited in [false, true] {
            assert!(is_stored_as_seen(&seen(&new), &stored(&over), edited).is_err());
            assert!(is_stored_as_seen(&seen(&new), &[], edited).is_err());
        }
        assert!(is_stored_as_seen(&[], &stored(&new), false).is_err());
        assert!(is_stored_as_seen(&seen(&over), &[], false).is_err());
    }
}
