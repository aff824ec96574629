//! Figures that several domains report in the same shape.

use std::ops::Add;
use std::time::Duration;

/// How busy the connections of one or more pools are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// In use now.
    pub in_use: u32,
    /// The limit of the pools.
    pub max: u32,
}

impl Add for Connections {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { in_use: self.in_use + other.in_use, max: self.max + other.max }
    }
}

/// Four points of a distribution of durations, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// The median.
    pub p50: Duration,
    /// The 95th percentile.
    pub p95: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}
