//! Ids that cross crates.

use std::fmt;

use crate::Entropy;

/// Ties the log lines of one run or one call together; printed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId(u64);

impl CorrelationId {
    /// A new id.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(entropy.next_u64())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
