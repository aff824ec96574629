//! The four classes of failures. A port's error says which one it is, and what answers failures knows the class alone.

use std::fmt;

/// What kind of answer a failure wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// It passes by itself: a timeout, a reset connection, a 429. Retry with backoff.
    Transient,
    /// The other side is away, refuses or answers nonsense. Leave it alone for a while, and probe.
    Persistent,
    /// It is the program's own: stuck, panicked, leaking. Restart the component.
    System,
    /// Going on does harm: a damaged database, refused credentials. Stop touching it, and call a person.
    Critical,
}

impl FailureClass {
    /// All of them, the mildest first.
    pub const ALL: [Self; 4] = [Self::Transient, Self::Persistent, Self::System, Self::Critical];

    /// The word for logs, stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Persistent => "persistent",
            Self::System => "system",
            Self::Critical => "critical",
        }
    }

    /// The class with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_found_by_its_word_alone() {
        for class in FailureClass::ALL {
            assert_eq!(FailureClass::parse(class.as_str()), Some(class));
        }
        assert_eq!(FailureClass::parse("Transient"), None);
    }
}
