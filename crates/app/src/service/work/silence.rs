//! An API that answers and says nothing: batches without a single pair, of which some tokens were scored before. That is more
//! likely an API that is not itself than many tokens unlisted at once, so a token that is missing meanwhile is in doubt.
//!
//! A doubt ends when the token is seen; or when the API has said something of others since it began, and still nothing of
//! this one; or after an hour, since those who are left may all be unlisted. It knows nothing of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_kernel::Moment;
use ttm_market::Mint;

/// So long a token is in doubt of which, as of all others, nothing is said.
const LONGEST: Duration = Duration::from_hours(1);

/// Whether the API says something, and who is in doubt because it does not.
#[derive(Debug, Default)]
pub(in crate::service) struct Silence {
    is_silent: bool,
    /// When it last had a pair of any token.
    spoke: Option<Moment>,
    /// Since when each token is in doubt.
    doubted: BTreeMap<Mint, Moment>,
}

impl Silence {
    /// An answer held pairs of these tokens, and of at least one.
    pub(in crate::service) fn handle_pairs<'a>(&mut self, of: impl Iterator<Item = &'a Mint>, now: Moment) {
        (self.is_silent, self.spoke) = (false, Some(now));
        of.for_each(|mint| self.forget(mint));
    }

    /// A batch held no pair, of tokens that were scored before.
    pub(in crate::service) const fn handle_empty_batch(&mut self) {
        self.is_silent = true;
    }

    /// Whether nothing has been said since a batch came back empty.
    pub(in crate::service) const fn is_on(&self) -> bool {
        self.is_silent
    }

    /// Whether a token that was scored before is missing, that an answer about it alone does not hold.
    pub(in crate::service) fn is_missing(&mut self, mint: &Mint, now: Moment) -> bool {
        if self.is_silent {
            let since = *self.doubted.entry(*mint).or_insert(now);
            let others_are_listed = self.spoke.is_some_and(|spoke| spoke > since);
            if !others_are_listed && now - since < LONGEST {
                return false;
            }
        }
        self.forget(mint);
        true
    }

    /// It was seen, or is not asked for any more.
    pub(in crate::service) fn forget(&mut self, mint: &Mint) {
        self.doubted.remove(mint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    const OTHER: Mint = Mint::USDC;
    const TOKEN: Mint = Mint::WSOL;

    #[test]
    fn a_token_that_is_missing_while_others_are_there_is_missing() {
        let mut silence = Silence::default();
        assert!(silence.is_missing(&TOKEN, at(0)), "nothing speaks against it");
        silence.handle_empty_batch();
        silence.handle_pairs([OTHER].iter(), at(1));
        assert!(silence.is_missing(&TOKEN, at(2)));
    }

    #[test]
    fn nobody_is_missing_while_the_api_says_nothing_for_up_to_an_hour() {
        let mut silence = Silence::default();
        silence.handle_pairs([OTHER, TOKEN].iter(), at(5));
        silence.handle_empty_batch();
        for second in [10, 20, 3_609] {
            assert!(!silence.is_missing(&TOKEN, at(second)), "{second}");
        }
        assert!(silence.is_missing(&TOKEN, at(3_610)), "those who are left may all be unlisted");
        assert!(!silence.is_missing(&TOKEN, at(3_620)), "the next doubt has its own hour");
    }

    #[test]
    fn one_that_is_alone_in_its_batches_is_missing_once_others_were_seen_since() {
        let mut silence = Silence::default();
        silence.handle_empty_batch();
        assert!(!silence.is_missing(&TOKEN, at(10)));
        silence.handle_pairs([OTHER].iter(), at(15));
        silence.handle_empty_batch();
        assert!(silence.is_missing(&TOKEN, at(20)));
    }

    #[test]
    fn one_that_is_seen_between_two_silences_is_doubted_anew() {
        let mut silence = Silence::default();
        silence.handle_empty_batch();
        assert!(!silence.is_missing(&TOKEN, at(10)));
        silence.handle_pairs([OTHER, TOKEN].iter(), at(15));
        silence.handle_empty_batch();
        assert!(!silence.is_missing(&TOKEN, at(20)));
    }
}
