//! An API that answers, but lists nothing: batches of tokens that are not known to be unlisted come back without a single pair.
//! That is more likely a fault of the API than many tokens unlisted at once, so a token that is missing meanwhile is in doubt,
//! whether or not it was ever scored.
//!
//! A doubt ends when the token is seen; or when the API has listed others since the doubt began and the token is missing again;
//! or after an hour, because the tokens that are left may all be unlisted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ttm_health::SilenceFacts;
use ttm_kernel::Moment;
use ttm_market::Mint;

use super::Notice;

/// How long a token may be in doubt while no other is listed either.
const LONGEST: Duration = Duration::from_hours(1);
/// A silence is reported once it has lasted this long: before tokens are too old, and not after one empty batch.
const REPORTED_AFTER: Duration = Duration::from_secs(30);

/// Whether the API lists anything, and the tokens that are in doubt because it does not.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Whether nothing was listed since a batch came back empty.
    is_silent: bool,
    /// When an answer last held a pair of any token.
    last_listed: Option<Moment>,
    /// Since when each token is in doubt.
    doubted: BTreeMap<Mint, Moment>,
    /// When the first answer without a pair came, if none has held one since.
    began: Option<Moment>,
    /// The tokens that were asked for since then.
    asked: BTreeSet<Mint>,
    is_reported: bool,
}

impl Silence {
    /// An answer held pairs of these tokens, of which there is at least one.
    pub(super) fn handle_pairs<'a>(
        &mut self,
        of: impl Iterator<Item = &'a Mint>,
        now: Moment,
    ) -> Option<Notice> {
        (self.is_silent, self.last_listed, self.began) = (false, Some(now), None);
        self.asked.clear();
        of.for_each(|mint| self.forget(mint));
        std::mem::take(&mut self.is_reported).then_some(Notice::SilenceEnded)
    }

    /// An answer held no pair of these tokens, which upstream should know. It means nothing if there are none.
    pub(super) fn handle_no_pairs(&mut self, of: &[Mint], is_batch: bool, now: Moment) -> Option<Notice> {
        if of.is_empty() {
            return None;
        }
        self.is_silent |= is_batch;
        let began = *self.began.get_or_insert(now);
        self.asked.extend(of);
        let is_news = now - began >= REPORTED_AFTER && !std::mem::replace(&mut self.is_reported, true);
        is_news.then_some(Notice::SilenceBegan { tokens: self.asked.len() })
    }

    /// How many tokens were asked for since the silence began, and how long ago that was; `None` until it is reported.
    pub(super) fn facts(&self, now: Moment) -> Option<SilenceFacts> {
        let began = self.began.filter(|_| self.is_reported)?;
        Some(SilenceFacts { tokens: self.asked.len() as u64, lasts: now - began })
    }

    /// Whether nothing was listed since a batch came back empty.
    pub(super) const fn is_on(&self) -> bool {
        self.is_silent
    }

    /// Whether a token is missing, and not in doubt, of which an answer about it alone holds no pair.
    pub(super) fn is_missing(&mut self, mint: &Mint, now: Moment) -> bool {
        if self.is_silent {
            let since = *self.doubted.entry(*mint).or_insert(now);
            let others_are_listed = self.last_listed.is_some_and(|at| at > since);
            if !others_are_listed && now - since < LONGEST {
                return false;
            }
        }
        self.forget(mint);
        true
    }

    /// A token was seen, or is no longer asked for: it is not in doubt.
    pub(super) fn forget(&mut self, mint: &Mint) {
        self.doubted.remove(mint);
    }

    /// A token was removed, or is unlisted now.
    pub(super) fn remove(&mut self, mint: &Mint) {
        self.forget(mint);
        self.asked.remove(mint);
        if self.asked.is_empty() {
            // No token is left that the API should know.
            (self.began, self.is_reported) = (None, false);
        }
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

    fn empty_batch(silence: &mut Silence, second: u64) {
        silence.handle_no_pairs(&[TOKEN], true, at(second));
    }

    #[test]
    fn a_silence_is_reported_after_half_a_minute_with_the_number_of_tokens_asked_for() {
        let mut silence = Silence::default();
        let facts =
            |silence: &Silence, second| silence.facts(at(second)).map(|facts| (facts.tokens, facts.lasts));
        empty_batch(&mut silence, 10);
        silence.handle_no_pairs(&[OTHER, TOKEN], false, at(39));
        assert_eq!(facts(&silence, 99), None, "nothing was asked for since");
        empty_batch(&mut silence, 40);
        assert_eq!(facts(&silence, 45), Some((2, Duration::from_secs(35))));
        silence.remove(&OTHER);
        assert_eq!(facts(&silence, 45), Some((1, Duration::from_secs(35))));
        silence.remove(&TOKEN);
        assert_eq!(facts(&silence, 45), None, "no token is left to be asked for");
        empty_batch(&mut silence, 45);
        empty_batch(&mut silence, 75);
        assert_eq!(facts(&silence, 75), Some((1, Duration::from_secs(30))));
        silence.handle_pairs([OTHER].iter(), at(80));
        assert_eq!(facts(&silence, 80), None);
        empty_batch(&mut silence, 90);
        assert_eq!(facts(&silence, 90), None, "that is another silence");
    }

    #[test]
    fn a_single_answer_that_is_empty_begins_no_silence_of_batches() {
        let mut silence = Silence::default();
        silence.handle_no_pairs(&[TOKEN], false, at(0));
        assert!(silence.is_missing(&TOKEN, at(0)));
    }

    #[test]
    fn a_token_that_is_missing_while_others_are_there_is_missing() {
        let mut silence = Silence::default();
        assert!(silence.is_missing(&TOKEN, at(0)), "there is no reason for a doubt");
        empty_batch(&mut silence, 0);
        silence.handle_pairs([OTHER].iter(), at(1));
        assert!(silence.is_missing(&TOKEN, at(2)));
    }

    #[test]
    fn no_token_is_missing_while_the_api_lists_nothing_for_up_to_an_hour() {
        let mut silence = Silence::default();
        silence.handle_pairs([OTHER, TOKEN].iter(), at(5));
        empty_batch(&mut silence, 0);
        for second in [10, 20, 3_609] {
            assert!(!silence.is_missing(&TOKEN, at(second)), "{second}");
        }
        assert!(silence.is_missing(&TOKEN, at(3_610)), "those that are left may all be unlisted");
        assert!(!silence.is_missing(&TOKEN, at(3_620)), "the next doubt has its own hour");
    }

    #[test]
    fn a_token_alone_in_its_batches_is_missing_once_others_were_seen_since() {
        let mut silence = Silence::default();
        empty_batch(&mut silence, 0);
        assert!(!silence.is_missing(&TOKEN, at(10)));
        silence.handle_pairs([OTHER].iter(), at(15));
        empty_batch(&mut silence, 0);
        assert!(silence.is_missing(&TOKEN, at(20)));
    }

    #[test]
    fn a_token_that_was_seen_between_two_silences_is_in_doubt_again() {
        let mut silence = Silence::default();
        empty_batch(&mut silence, 0);
        assert!(!silence.is_missing(&TOKEN, at(10)));
        silence.handle_pairs([OTHER, TOKEN].iter(), at(15));
        empty_batch(&mut silence, 0);
        assert!(!silence.is_missing(&TOKEN, at(20)));
    }
}
