//! The two lanes of work, and a value for each of them: an array indexed by lane that cannot be indexed wrongly.

use std::fmt;
use std::ops::{Index, IndexMut};

/// How urgent a piece of work is. Hot work is due more often, and comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The more urgent work.
    Hot,
    /// Everything else.
    Cold,
}

impl Lane {
    /// Both lanes, hot first.
    pub const ALL: [Self; 2] = [Self::Hot, Self::Cold];

    /// The word for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }

    /// The lane with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == word)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLane<T> {
    /// Of the hot lane.
    pub hot: T,
    /// Of the cold lane.
    pub cold: T,
}

impl<T> PerLane<T> {
    /// The value that `make` gives for each lane, hot first.
    pub fn from_fn(mut make: impl FnMut(Lane) -> T) -> Self {
        Self { hot: make(Lane::Hot), cold: make(Lane::Cold) }
    }

    /// What `change` makes of each value, hot first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerLane<U> {
        PerLane { hot: change(self.hot), cold: change(self.cold) }
    }

    /// Both values, hot first.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        [&self.hot, &self.cold].into_iter()
    }

    /// Both values, hot first, to change.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        [&mut self.hot, &mut self.cold].into_iter()
    }
}

impl<T> Index<Lane> for PerLane<T> {
    type Output = T;

    fn index(&self, lane: Lane) -> &T {
        match lane {
            Lane::Hot => &self.hot,
            Lane::Cold => &self.cold,
        }
    }
}

impl<T> IndexMut<Lane> for PerLane<T> {
    fn index_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Hot => &mut self.hot,
            Lane::Cold => &mut self.cold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_is_found_by_its_word_alone() {
        for (lane, word) in [(Lane::Hot, "hot"), (Lane::Cold, "cold")] {
            assert_eq!((lane.as_str(), Lane::parse(word)), (word, Some(lane)));
            assert_eq!(format!("{lane:>5}"), format!("{word:>5}"));
        }
        for word in ["", "Hot", "warm", "hot "] {
            assert_eq!(Lane::parse(word), None, "{word}");
        }
    }

    #[test]
    fn a_value_is_found_and_changed_by_its_lane() {
        let mut words = PerLane::from_fn(Lane::as_str);
        for lane in Lane::ALL {
            assert_eq!(words[lane], lane.as_str());
        }
        assert!(words.values().eq(["hot", "cold"].iter()));
        words[Lane::Cold] = "frozen";
        assert_eq!(words.map(str::len), PerLane { hot: 3, cold: 6 });
        words.values_mut().for_each(|word| *word = "");
        assert_eq!(words, PerLane::default());
    }
}
