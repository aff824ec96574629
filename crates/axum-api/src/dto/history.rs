//! Models of the history.

use serde::Serialize;
use ttm_perf::{Point, RangeQuery, SeriesKey};

/// `/api/v1/metrics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesDto {
    /// Names, ascending.
    pub series: Vec<String>,
    /// The `cursor` of the next page; null at the end.
    pub next: Option<String>,
}

impl SeriesDto {
    /// A page of `limit` names; `keys` holds one more if there is a next page.
    pub(crate) fn page(keys: &[SeriesKey], limit: usize) -> Self {
        let shown = &keys[..limit.min(keys.len())];
        let next = shown.last().filter(|_| keys.len() > limit);
        Self { series: shown.iter().map(ToString::to_string).collect(), next: next.map(ToString::to_string) }
    }
}

/// `/api/v1/metrics/{series}`: the query as it was parsed, and its points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryDto {
    /// The series.
    pub series: String,
    /// Start of the range, inclusive.
    pub from: String,
    /// End of the range, exclusive.
    pub to: String,
    /// Width of a bucket.
    pub step_seconds: u64,
    /// The aggregate of each bucket, as in the query.
    pub agg: &'static str,
    /// Non-empty buckets, ascending.
    pub points: Vec<PointDto>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointDto {
    /// Its start, a multiple of the step since 1970.
    pub at: String,
    /// The aggregate of its samples.
    pub value: f64,
    /// How many samples it holds.
    pub count: u64,
}

impl HistoryDto {
    pub(crate) fn new(query: &RangeQuery, points: &[Point]) -> Self {
        Self {
            series: query.series().to_string(),
            from: query.from().to_string(),
            to: query.to().to_string(),
            step_seconds: query.step().as_secs(),
            agg: query.aggregate().as_str(),
            points: points.iter().map(PointDto::from).collect(),
        }
    }
}

impl From<&Point> for PointDto {
    fn from(point: &Point) -> Self {
        Self { at: point.at.to_string(), value: point.value, count: point.count }
    }
}
