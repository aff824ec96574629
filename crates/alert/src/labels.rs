//! Labels, and the identity that they give an alert.

use std::fmt;
use std::sync::Arc;

/// What tells one alert of a rule from another: sorted pairs of key and value, as in `group=hot,part=writer`. Bounded, so that
/// no measurement can grow the memory of its reader.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<str>);

/// Why there are no such labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// More pairs than [`Labels::MOST`].
    #[error("{0} labels, and the most are {most}", most = Labels::MOST)]
    TooMany(usize),
    /// A key that is empty, too long, or not of lower-case letters, digits and underscores.
    #[error("the label {key:?}, expected 1 to {most} lower-case letters, digits and underscores", most = Labels::MAX_KEY)]
    Key {
        /// The key, cut at its bound.
        key: String,
    },
    /// A value that is empty or too long.
    #[error("a value of {got} bytes for the label {key}, expected 1 to {most}", most = Labels::MAX_VALUE)]
    Length {
        /// The label.
        key: String,
        /// The bytes of the value.
        got: usize,
    },
    /// A value with a character that is not printable ASCII, or a comma or an equals sign.
    #[error(
        "{character:?} in the value of the label {key}: neither commas nor equals signs, and printable ASCII alone"
    )]
    Character {
        /// The label.
        key: String,
        /// The first such character.
        character: char,
    },
    /// The same key twice.
    #[error("the label {0} twice")]
    Twice(String),
    /// A pair without an equals sign.
    #[error("{0:?} is not of the form key=value")]
    Pair(String),
}

impl Labels {
    /// The most pairs.
    pub const MOST: usize = 8;
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 32;
    /// The longest value, in bytes.
    pub const MAX_VALUE: usize = 128;

    /// No labels.
    pub fn none() -> Self {
        Self(Arc::from(""))
    }

    /// These labels, in any order.
    ///
    /// # Errors
    /// What is wrong with the first of them that breaks a bound.
    pub fn try_new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, InvalidLabels> {
        let mut sorted: Vec<(&str, &str)> = pairs.into_iter().collect();
        if sorted.len() > Self::MOST {
            return Err(InvalidLabels::TooMany(sorted.len()));
        }
        sorted.sort_unstable();
        for (key, value) in &sorted {
            check(key, value)?;
        }
        if let Some(twice) = sorted.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(InvalidLabels::Twice(twice[0].0.to_owned()));
        }
        let text: Vec<String> = sorted.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        Ok(Self(text.join(",").into()))
    }

    /// The labels that are written like this.
    ///
    /// # Errors
    /// Those of [`try_new`](Self::try_new), and a pair without an equals sign.
    pub fn parse(text: &str) -> Result<Self, InvalidLabels> {
        if text.is_empty() {
            return Ok(Self::none());
        }
        let pairs = text.split(',').map(|pair| {
            pair.split_once('=')
                .ok_or_else(|| InvalidLabels::Pair(pair.chars().take(Self::MAX_KEY).collect()))
        });
        Self::try_new(pairs.collect::<Result<Vec<_>, _>>()?)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// All pairs, ordered by their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(',').filter_map(|pair| pair.split_once('='))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels with just these keys, which are sorted; `None` if one of them is not there.
    pub(crate) fn only(&self, keys: &[&str]) -> Option<Self> {
        if self.iter().map(|(key, _)| key).eq(keys.iter().copied()) {
            return Some(self.clone());
        }
        let pairs = keys.iter().map(|key| Some(format!("{key}={}", self.get(key)?)));
        Some(Self(pairs.collect::<Option<Vec<_>>>()?.join(",").into()))
    }

    /// Whether every key that both have has one value: what the one says may be the cause of what the other says.
    pub fn agree(&self, other: &Self) -> bool {
        self.iter().all(|(key, value)| other.get(key).is_none_or(|theirs| theirs == value))
    }
}

fn check(key: &str, value: &str) -> Result<(), InvalidLabels> {
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if key.is_empty() || key.len() > Labels::MAX_KEY || !key.bytes().all(named) {
        return Err(InvalidLabels::Key { key: key.chars().take(Labels::MAX_KEY).collect() });
    }
    let key = key.to_owned();
    if value.is_empty() || value.len() > Labels::MAX_VALUE {
        return Err(InvalidLabels::Length { key, got: value.len() });
    }
    let valued = |c: char| (c.is_ascii_graphic() || c == ' ') && c != ',' && c != '=';
    match value.chars().find(|c| !valued(*c)) {
        Some(character) => Err(InvalidLabels::Character { key, character }),
        None => Ok(()),
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// Tells one alert from every other, in this process and the next: a hash of its rule and its labels, and of nothing that
/// changes while it fires. Printed as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u128);

impl Identity {
    /// The identity of a rule's alert with these labels.
    pub fn of(rule: &str, labels: &Labels) -> Self {
        // FNV-1a. A rule's name has no line feed, so no two pairs are one text.
        const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        let text = rule.bytes().chain([b'\n']).chain(labels.as_str().bytes());
        Self(text.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME)))
    }

    /// The identity that is printed like this; `None` if none is.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printed = text.len() == 32 && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|_| is_printed).map(Self)
    }

    /// Its bits, for a store.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_found_and_read_back() {
        let labels = Labels::try_new([("part", "token writer"), ("group", "hot")]).expect("valid");
        assert_eq!(labels.as_str(), "group=hot,part=token writer");
        assert_eq!(Labels::parse(labels.as_str()), Ok(labels.clone()));
        assert_eq!((labels.get("group"), labels.get("lane")), (Some("hot"), None));
        assert_eq!(Labels::parse(""), Ok(Labels::none()));
        assert_eq!(Labels::none().iter().count(), 0);
    }

    #[test]
    fn a_label_of_10_kb_is_refused() {
        let long = "x".repeat(10_240);
        let error = Labels::try_new([("group", &*long)]).expect_err("too long");
        assert_eq!(error.to_string(), "a value of 10240 bytes for the label group, expected 1 to 128");
        let error = Labels::try_new([(&*long, "hot")]).expect_err("too long");
        assert!(error.to_string().len() < 200, "{error}");
        assert!(Labels::parse(&long).expect_err("no pair").to_string().len() < 100);
    }

    #[test]
    fn what_no_label_may_have_is_named() {
        let refused = |pairs: &[(&str, &str)]| Labels::try_new(pairs.iter().copied()).expect_err("refused");
        assert_eq!(refused(&[("a", "b"), ("a", "c")]), InvalidLabels::Twice("a".to_owned()));
        assert_eq!(refused(&[("a", "1"); 9]), InvalidLabels::TooMany(9));
        assert_eq!(refused(&[("A", "b")]), InvalidLabels::Key { key: "A".to_owned() });
        for character in [',', '=', '\n', 'ü'] {
            let value = format!("x{character}");
            assert_eq!(
                refused(&[("a", &value)]),
                InvalidLabels::Character { key: "a".to_owned(), character }
            );
        }
        assert_eq!(refused(&[("a", "")]), InvalidLabels::Length { key: "a".to_owned(), got: 0 });
    }

    #[test]
    fn labels_agree_where_they_share_keys() {
        let labels = |text| Labels::parse(text).expect("valid");
        for (one, other, expected) in
            [("", "a=1", true), ("a=1", "b=2", true), ("a=1,b=2", "b=2,c=3", true), ("a=1,b=2", "b=3", false)]
        {
            assert_eq!(labels(one).agree(&labels(other)), expected, "{one} {other}");
            assert_eq!(labels(other).agree(&labels(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn an_identity_is_that_of_rule_and_labels_in_every_process() {
        let hot = Labels::parse("group=hot").expect("valid");
        // A change of this figure would make every alert another one after an upgrade.
        assert_eq!(Identity::of("group_stalled", &hot).to_string(), IDENTITY);
        assert_eq!(Identity::parse(IDENTITY), Some(Identity::of("group_stalled", &hot)));
        assert_eq!(Identity::parse(&IDENTITY.to_uppercase()), None);
        assert_ne!(Identity::of("group_stalled", &hot), Identity::of("group_stalled", &Labels::none()));
        assert_ne!(Identity::of("cpu", &Labels::none()), Identity::of("memory", &Labels::none()));
    }

    const IDENTITY: &str = "67602a9e482c5ca5cfc1d354820f3b93";
}
