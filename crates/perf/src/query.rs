//! Bounded queries for the history.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::SeriesKey;

/// How the samples of a bucket become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// Number of samples.
    Count,
    /// Median.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
}

impl Aggregate {
    /// Every aggregate.
    pub const ALL: [Self; 8] =
        [Self::Avg, Self::Min, Self::Max, Self::Sum, Self::Count, Self::P50, Self::P95, Self::P99];

    /// The word used in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// The aggregate with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|agg| agg.as_str() == word)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One bucket's number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the bucket.
    pub at: Timestamp,
    /// The aggregate of its samples.
    pub value: f64,
    /// How many samples it holds.
    pub count: u64,
}

/// A question to the history: `series` from `from` (inside) to `to` (outside) in buckets of `step`.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeQuery {
    series: SeriesKey,
    from: Timestamp,
    to: Timestamp,
    step: Duration,
    aggregate: Aggregate,
}

/// Why a query is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// Its end is before its start.
    #[error("from ({from}) must be before to ({to})")]
    Order {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// The step is below a second or not whole seconds.
    #[error("step is {step:?}, expected whole seconds, at least 1s")]
    Step {
        /// The step.
        step: Duration,
    },
    /// Too many buckets for one answer.
    #[error("{buckets} points, expected at most {max}; use a longer step or a shorter range", max = RangeQuery::MAX_POINTS)]
    TooManyPoints {
        /// How many there would be.
        buckets: u64,
    },
}

impl RangeQuery {
    /// The longest answer.
    pub const MAX_POINTS: u64 = 10_000;

    /// A question.
    pub fn try_new(
        series: SeriesKey,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
        aggregate: Aggregate,
    ) -> Result<Self, InvalidQuery> {
        if from >= to {
            return Err(InvalidQuery::Order { from, to });
        }
        if step.as_secs() == 0 || step.subsec_nanos() != 0 {
            return Err(InvalidQuery::Step { step });
        }
        let span = to.as_second().saturating_sub(from.as_second()).unsigned_abs();
        let buckets = span / step.as_secs() + 1;
        if buckets > Self::MAX_POINTS {
            return Err(InvalidQuery::TooManyPoints { buckets });
        }
        Ok(Self { series, from, to, step, aggregate })
    }

    /// Which series.
    pub fn series(&self) -> &SeriesKey {
        &self.series
    }

    /// First time inside.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// First time outside.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// Width of a bucket: whole seconds.
    pub fn step(&self) -> Duration {
        self.step
    }

    /// How a bucket becomes a number.
    pub fn aggregate(&self) -> Aggregate {
        self.aggregate
    }
}
