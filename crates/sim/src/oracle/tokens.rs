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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ttm_market::Unlisted;

    use super::*;

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
