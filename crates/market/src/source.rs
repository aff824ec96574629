//! The port to an external set of mints: a file, another system's database. It does not know stores, nor how often the list is
//! read.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use ttm_kernel::FailureClass;

use crate::{InvalidMint, Mint};

/// Which kind of source a token came from. Tokens that were added by hand have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(&'static str);

impl Origin {
    /// The origin with this word, such as `file`: 1 to 32 of `a`–`z`, `0`–`9` and `-`.
    ///
    /// # Panics
    /// When it is no such word; made as a constant, it does not compile then.
    pub const fn new(word: &'static str) -> Self {
        let bytes = word.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 32, "an origin has 1 to 32 characters");
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-'),
                "an origin is of a-z, 0-9 and - alone"
            );
            at += 1;
        }
        Self(word)
    }

    /// The word used in tables, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// Entries that are no mint: the first of them, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnusableEntries {
    shown: Vec<UnusableEntry>,
    count: u64,
}

/// One entry that is not a valid mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableEntry {
    /// Its line or row, counted from 1.
    pub number: u64,
    /// What stands there, cut, and without anything that could steer a terminal.
    pub text: Box<str>,
    /// Why it is not a valid mint.
    pub why: InvalidMint,
}

impl fmt::Display for UnusableEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a valid mint: {}", self.text, self.why)
    }
}

impl UnusableEntries {
    /// The entries to show; the rest is counted.
    pub const SHOWN: usize = 20;
    /// Characters of an entry that are shown.
    const TEXT: usize = 60;

    /// Notes one.
    pub fn add(&mut self, number: u64, text: &str, why: InvalidMint) {
        self.count += 1;
        if self.shown.len() < Self::SHOWN {
            let text: String = text.chars().filter(|c| !c.is_control()).take(Self::TEXT).collect();
            self.shown.push(UnusableEntry { number, text: text.into(), why });
        }
    }

    /// The first of them, at most [`SHOWN`](Self::SHOWN).
    pub fn shown(&self) -> &[UnusableEntry] {
        &self.shown
    }

    /// How many there were in all.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The report about a text called `name`: a line for each entry, how many more there are, and the consequence.
    /// Nothing when every entry is a mint.
    pub fn complaint(&self, name: &str, consequence: &str) -> Option<String> {
        let mut told: Vec<String> =
            self.shown.iter().map(|entry| format!("{name}:{}: {entry}", entry.number)).collect();
        let more = self.count - told.len() as u64;
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        let lines = if self.count == 1 { "line" } else { "lines" };
        told.push(format!("{name}: {} bad {lines}; {consequence}", self.count));
        (self.count > 0).then(|| told.join("\n"))
    }
}

/// What a source lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mints, each once.
    pub mints: BTreeSet<Mint>,
    /// Entries that are not valid mints.
    pub unusable: UnusableEntries,
}

impl Listing {
    /// Adds the entry of a line or row: a mint, or something unusable.
    pub fn take(&mut self, number: u64, entry: &str) {
        match entry.parse() {
            Ok(mint) => drop(self.mints.insert(mint)),
            Err(why) => self.unusable.add(number, entry, why),
        }
    }
}

/// The mints of a text, one a line. `#` starts a comment; empty lines are ignored.
pub fn parse_mints(text: &str) -> Listing {
    let mut listing = Listing::default();
    // An editor of another system may have put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if !entry.is_empty() {
            listing.take(number, entry);
        }
    }
    listing
}

/// An external list of tokens.
///
/// Laws:
/// 1. Nothing is changed at the source, whatever happens.
/// 2. A listing is the whole set as it is now: every mint on it, each once, and no other.
/// 3. An error never means "no tokens", and no set that could not be read to its end is a listing.
/// 4. Entries that are not valid mints are reported: counted in the listing if they cannot be fixed from here, or else as
///    [`TokenSourceError::Unusable`]; of many, the first twenty are shown.
/// 5. A source that failed can be read again, and answers once it is fixed.
/// 6. The origin is the same at every call, and no two sources of a service have the same.
/// 7. Dropping the future cancels the call.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Which kind of source this is.
    fn origin(&self) -> Origin;

    /// Reads the list as it is now.
    async fn list(&self) -> Result<Listing, TokenSourceError>;
}

/// Why there is no listing, by what the caller does next. The message names the source, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenSourceError {
    /// Unreachable, busy, being written: keep the tokens that there are, and ask again later.
    #[error("{message}")]
    Transient {
        /// What happened, in one line.
        message: String,
    },
    /// An operator must fix it: keep the tokens that there are, and report it.
    #[error("{message}")]
    Unusable {
        /// What is wrong: one line, or a line for each bad entry up to twenty and one with their count.
        message: String,
    },
}

impl TokenSourceError {
    /// What kind of answer it wants.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Transient { .. } => FailureClass::Transient,
            Self::Unusable { .. } => FailureClass::Persistent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

    #[test]
    fn each_error_is_of_a_class() {
        let message = || "mints.txt".to_owned();
        for (error, class) in [
            (TokenSourceError::Transient { message: message() }, FailureClass::Transient),
            (TokenSourceError::Unusable { message: message() }, FailureClass::Persistent),
        ] {
            assert_eq!(error.class(), class, "{error:?}");
        }
    }

    #[test]
    fn an_origin_is_shown_by_its_word() {
        let origin = Origin::new("postgres-2");
        assert_eq!((origin.as_str(), format!("{origin:>11}").as_str()), ("postgres-2", " postgres-2"));
    }

    #[test]
    fn a_text_gives_its_mints_once_and_passes_over_comments_and_empty_lines() {
        let text = format!("\u{feff}{USDC}\r\n\n# all of it\n  {USDC} # again\n{}\n", Mint::WSOL);
        let listing = parse_mints(&text);
        assert_eq!(listing.mints, BTreeSet::from([Mint::USDC, Mint::WSOL]));
        assert_eq!(listing.unusable.count(), 0);
        assert_eq!(listing.unusable.complaint("mints.txt", "nothing was imported"), None);
    }

    #[test]
    fn bad_lines_are_shown_with_their_number_up_to_twenty_and_counted() {
        let one = parse_mints(&format!("{USDC}\nSo1\x1b\n")).unusable;
        assert_eq!(
            one.complaint("mints.txt", "nothing was imported").as_deref(),
            Some(
                "mints.txt:2: \"So1\" is not a valid mint: 4 characters, expected 32 to 44 of base58\n\
                 mints.txt: 1 bad line; nothing was imported"
            )
        );
        let many = parse_mints(&"So1\n".repeat(23)).unusable;
        assert_eq!((many.shown().len(), many.count()), (20, 23));
        let lines = many.complaint("mints.txt", "none of it is used").expect("there are some");
        let end: Vec<&str> = lines.lines().skip(20).collect();
        assert_eq!(end, ["and 3 more", "mints.txt: 23 bad lines; none of it is used"]);
    }
}
