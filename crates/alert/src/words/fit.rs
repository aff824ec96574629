//! As much as a channel takes.

use super::Words;
use super::text::{Detail, Text, abouts};
use crate::{Attempt, Message};

/// From all to nearly nothing. The last is short enough for every channel, whatever its markup does to it.
const DETAILS: [Detail; 8] = [
    Detail::Listed(Message::MOST_ITEMS),
    Detail::Listed(20),
    Detail::Listed(10),
    Detail::Listed(5),
    Detail::Listed(1),
    Detail::Brief,
    Detail::Cut(500),
    Detail::Cut(100),
];

impl Text {
    /// The longest version that fits, laid out: fewer alerts are listed, then none, and at last a part of the title is all.
    pub fn fit<T>(
        attempt: &Attempt,
        words: &dyn Words,
        lay_out: impl Fn(&Self) -> T,
        fits: impl Fn(&T) -> bool,
    ) -> T {
        let [details @ .., shortest] = DETAILS;
        // Asked once, so that all versions say the same.
        let abouts = abouts(attempt, words);
        let version = |detail| lay_out(&Self::with(attempt, &abouts, detail));
        details.into_iter().map(version).find(|version| fits(version)).unwrap_or_else(|| version(shortest))
    }
}
