//! Events: records of what happened that outlive the process.

mod payload;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_kernel::{Entropy, Severity};
use uuid::{Builder, Uuid};

pub use payload::{InvalidPayload, Payload};

/// Tells one event from every other: a UUID of version 7, so that ids are in the order of the events' milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// A new id for what happened `at`. It is drawn once, when the event happens, so that an event that is sent again is the
    /// same one.
    pub fn draw(at: Timestamp, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&entropy.next_u64().to_be_bytes());
        random[8..].copy_from_slice(&entropy.next_u64().to_be_bytes()[..2]);
        // Before 1970 only on a clock that was never set.
        let millis = at.as_millisecond().try_into().unwrap_or(0);
        Self(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id of these bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Its bits, for a store.
    pub const fn bits(self) -> u128 {
        self.0.as_u128()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no kind or no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty or too long.
    #[error("{got} bytes, expected 1 to {max}")]
    Length {
        /// Its bytes.
        got: usize,
        /// The most it may have.
        max: usize,
    },
    /// A character that it may not have.
    #[error("{0:?} is not allowed in it")]
    Character(char),
}

/// What happened: lower-case words joined by dots, as in `token.activated`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind(Arc<str>);

/// What it happened to: a mint, the name of a breaker. Printable ASCII without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<str>);

impl EventKind {
    /// The longest kind, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Subject {
    /// The longest subject, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The subject as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a kind may have this character.
pub(crate) const fn is_of_kinds(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_')
}

fn checked(text: &str, max: usize, allowed: impl Fn(char) -> bool) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() || text.len() > max {
        return Err(InvalidName::Length { got: text.len(), max });
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(character) => Err(InvalidName::Character(character)),
        None => Ok(text.into()),
    }
}

impl FromStr for EventKind {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let kind = checked(text, Self::MAX_BYTES, is_of_kinds)?;
        if kind.split('.').any(str::is_empty) {
            return Err(InvalidName::Character('.'));
        }
        Ok(Self(kind))
    }
}

impl FromStr for Subject {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        checked(text, Self::MAX_BYTES, |c| c.is_ascii_graphic()).map(Self)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    id: EventId,
    at: Timestamp,
    kind: EventKind,
    subject: Subject,
    severity: Severity,
    payload: Payload,
}

impl Event {
    /// An event; its time is cut to the microsecond, which is what stores keep.
    pub fn new(
        id: EventId,
        at: Timestamp,
        kind: EventKind,
        subject: Subject,
        severity: Severity,
        payload: Payload,
    ) -> Self {
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        Self { id, at, kind, subject, severity, payload }
    }

    /// Its id.
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened.
    pub const fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// To what.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How loudly it should be said.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The reason and the figures.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_dotted_words_and_subjects_have_no_spaces() {
        for good in ["a", "token.activated", "breaker.half_open.2"] {
            assert_eq!(good.parse::<EventKind>().map(|kind| kind.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", ".", "a.", ".a", "a..b", "A", "a b", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<EventKind>().is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "a\n", "ü", &"a".repeat(129)] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
    }

    /// Gives all ones.
    struct Ones;

    impl Entropy for Ones {
        fn next_u64(&self) -> u64 {
            u64::MAX
        }
    }

    #[test]
    fn ids_are_in_the_order_of_their_milliseconds() {
        let at = |millis| Timestamp::from_millisecond(millis).expect("in range");
        let drawn = |millis| EventId::draw(at(millis), &Ones);
        assert!(drawn(1_800_000_000_000) < drawn(1_800_000_000_001));
        assert_eq!(drawn(1_800_000_000_000).to_string(), "01a3185c-5000-7fff-bfff-ffffffffffff");
        assert_eq!(drawn(-1), drawn(0), "a clock that was never set");
    }

    #[test]
    fn an_id_prints_as_a_uuid() {
        let id = EventId::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }
}
