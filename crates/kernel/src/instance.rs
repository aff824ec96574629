//! The name of an instance: which of several processes something was measured of.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A name that every label takes: 1 to [`Instance::MAX_BYTES`] ASCII letters, digits, and `.`, `_`, `-`, `:`, `/`. It stays the
/// same over restarts, since it is part of the identity of what is measured.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(Arc<str>);

/// The text is no name of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Instance::EXPECTED)]
pub struct InvalidInstance;

impl Instance {
    /// The longest name, as long as that of a Linux host may be.
    pub const MAX_BYTES: usize = 64;
    /// What a name is, for messages.
    pub const EXPECTED: &'static str = "1 to 64 ASCII letters, digits and any of . _ - : /";

    /// The name of this host, without the characters that no label takes, cut at [`Instance::MAX_BYTES`]. Of a host without a name
    /// it is the default.
    pub fn of_host(host: &str) -> Self {
        let name: String = host.chars().filter(|c| is_allowed(*c)).take(Self::MAX_BYTES).collect();
        name.parse().unwrap_or_default()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/')
}

impl FromStr for Instance {
    type Err = InvalidInstance;

    fn from_str(text: &str) -> Result<Self, InvalidInstance> {
        let is_name = (1..=Self::MAX_BYTES).contains(&text.len()) && text.chars().all(is_allowed);
        is_name.then(|| Self(text.into())).ok_or(InvalidInstance)
    }
}

impl Default for Instance {
    /// Of a process that has no reason to have another name: `ttm`.
    fn default() -> Self {
        Self("ttm".into())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_label_takes() {
        let longest = "a".repeat(64);
        for good in ["a", "fra1.example.org", "10.0.0.1:8080", "pod/ttm-0_B", &longest] {
            assert_eq!(good.parse::<Instance>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "fra 1", "für", "a,b", "a=b", "a{b}", "a\"b", "a\n", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Instance>(), Err(InvalidInstance), "{bad:?}");
        }
    }

    #[test]
    fn a_host_gives_its_name_without_what_no_label_takes() {
        let of = |host: &str| Instance::of_host(host).to_string();
        assert_eq!(of("fra1.example.org\n"), "fra1.example.org");
        assert_eq!(of("büro, 2. stock"), "bro2.stock");
        assert_eq!(of(&"x".repeat(100)), "x".repeat(64));
        for nameless in ["", " \n", "ü"] {
            assert_eq!(of(nameless), "ttm");
        }
    }
}
