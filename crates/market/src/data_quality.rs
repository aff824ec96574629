//! Counts of problems with the data.

use crate::Skipped;

/// Counts since the book was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataQuality {
    /// Scores that were computed.
    pub scored: u64,
    /// Numbers of pools that were negative or not finite, and counted as 0.
    pub unusable_numbers: u64,
    /// Observations that found no pool of a token, neither in a batch nor singly.
    pub missing: u64,
    /// Batches that held nothing of a token, which says nothing about it.
    pub empty_primaries: u64,
    /// Observations of tokens that were removed or archived meanwhile.
    pub unwanted: u64,
    /// Batches of many mints that came back without a single pair.
    pub suspicious_batches: u64,
    /// Pairs that the adapter left out, by reason.
    pub skipped: Skipped,
}
