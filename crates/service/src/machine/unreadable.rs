//! Tokens that cannot be read: the API lists them with pairs that cannot be parsed, or every request for such a token alone fails while
//! others are answered. Nothing else explains why they become stale.

use std::collections::BTreeMap;
use std::time::Duration;

use ttm_health::UnreadableFacts;
use ttm_kernel::Moment;
use ttm_market::Mint;

use super::Notice;

/// A token is reported once it could not be read for this long: before it is too old, and not after a single bad answer.
const REPORTED_AFTER: Duration = Duration::from_secs(30);

/// What could not be read the last time.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    tokens: BTreeMap<Mint, Since>,
    /// How many of them are reported.
    reported: u64,
}

#[derive(Debug)]
struct Since {
    first: Moment,
    is_reported: bool,
    why: Box<str>,
}

impl Unreadable {
    /// A token cannot be read, for this reason.
    pub(super) fn handle_unreadable(&mut self, mint: Mint, why: &str, now: Moment) -> Option<Notice> {
        let since = self.tokens.entry(mint);
        let since = since.or_insert_with(|| Since { first: now, is_reported: false, why: Box::default() });
        since.why = why.into();
        if now - since.first >= REPORTED_AFTER && !std::mem::replace(&mut since.is_reported, true) {
            self.reported += 1;
            return (self.reported == 1).then(|| Notice::UnreadableBegan { mint, why: why.into() });
        }
        None
    }

    /// A token was read, or is no longer asked for.
    pub(super) fn forget(&mut self, mint: &Mint) -> Option<Notice> {
        if self.tokens.remove(mint).is_some_and(|since| since.is_reported) {
            self.reported -= 1;
            return (self.reported == 0).then_some(Notice::UnreadableEnded);
        }
        None
    }

    /// The facts for the health report.
    pub(super) fn facts(&self) -> Option<UnreadableFacts> {
        let (mint, Since { why, .. }) = self.tokens.iter().find(|(_, since)| since.is_reported)?;
        Some(UnreadableFacts { tokens: self.reported, example: format!("{mint}: {why}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_is_reported_once_it_could_not_be_read_for_half_a_minute() {
        let mut unreadable = Unreadable::default();
        unreadable.handle_unreadable(Mint::WSOL, "priceUsd \"abc\"", at(0));
        unreadable.handle_unreadable(Mint::WSOL, "priceUsd \"abc\"", at(29));
        unreadable.handle_unreadable(Mint::USDC, "priceUsd -1", at(29));
        assert_eq!(unreadable.facts(), None);
        for second in [30, 40] {
            unreadable.handle_unreadable(Mint::WSOL, "priceUsd \"NaN\"", at(second));
        }
        let example = format!("{}: priceUsd \"NaN\"", Mint::WSOL);
        assert_eq!(unreadable.facts(), Some(UnreadableFacts { tokens: 1, example }), "as it was last");
        unreadable.handle_unreadable(Mint::USDC, "priceUsd -1", at(59));
        assert_eq!(unreadable.facts().map(|facts| facts.tokens), Some(2));
        for mint in [Mint::WSOL, Mint::USDC, Mint::USDC] {
            unreadable.forget(&mint);
        }
        assert_eq!(unreadable.facts(), None);
        unreadable.handle_unreadable(Mint::USDC, "priceUsd -1", at(60));
        assert_eq!(unreadable.facts(), None, "it was read in between");
    }
}
