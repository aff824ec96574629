//! The history endpoints: the only ones that ask a store, and not for long. They hold no sample.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use ttm_perf::{Aggregate, RangeQuery, SeriesKey};

use crate::app::App;
use crate::dto::{HistoryDto, SeriesDto};
use crate::parameters::Parameters;
use crate::problem::{Problem, quoted};
use crate::time_text::{DURATION, TIME, duration, time};

/// What is shown when no `from` is given.
const DEFAULT_RANGE: Duration = Duration::from_hours(1);
const DEFAULT_STEP: Duration = Duration::from_mins(1);
const METRICS: &str = "metric store";

pub(crate) async fn range(
    State(app): State<App>,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|_| Problem::bad_request("the series is not text in UTF-8"))?;
    let series: SeriesKey = name
        .parse()
        .map_err(|error| Problem::bad_request(format!("{} is no series: {error}", quoted(&name))))?;
    let given = Parameters::of(&uri, &["from", "to", "step", "agg"])?;
    let now = app.state.runtime.wall();
    let to = given.read("to", TIME, |text| time(text, now))?.unwrap_or(now);
    let from = match given.read("from", TIME, |text| time(text, now))? {
        Some(from) => from,
        None => to.checked_sub(DEFAULT_RANGE).unwrap_or(jiff::Timestamp::MIN),
    };
    let step = given.read("step", DURATION, duration)?.unwrap_or(DEFAULT_STEP);
    let words = || Aggregate::ALL.map(Aggregate::as_str).join(", ");
    let aggregate = match given.text("agg") {
        None => Aggregate::Avg,
        Some(_) => given.read("agg", &words(), Aggregate::parse)?.unwrap_or(Aggregate::Avg),
    };
    let query = RangeQuery::try_new(series, from, to, step, aggregate)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    let points = app.asked(METRICS, app.stores()?.history.range(&query)).await?;
    if points.is_empty() {
        known(&app, query.series()).await?;
    }
    Ok(app.made(|| Json(HistoryDto::new(&query, &points))).await)
}

pub(crate) async fn series(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let given = Parameters::of(&uri, &["prefix", "limit", "cursor"])?;
    let limit = given.limit()?;
    let prefix = given.read("prefix", "the beginning of a series' name", |text| {
        (text.len() <= SeriesKey::MAX_BYTES).then(|| text.to_owned())
    })?;
    let cursor: Option<SeriesKey> =
        given.read("cursor", "the next of the page before", |text| text.parse().ok())?;
    let prefix = prefix.as_deref().unwrap_or("");
    let keys = app.asked(METRICS, app.stores()?.history.series(prefix, cursor.clone(), limit + 1)).await?;
    Ok(app.made(|| Json(SeriesDto::page(&keys, limit))).await)
}

/// Tells a series that has no points in a range from one that is not there at all, with the name that may be meant.
async fn known(app: &App, series: &SeriesKey) -> Result<(), Problem> {
    /// Enough for every series of a group; those of the tokens' scores are more than anybody misspells.
    const LOOKED_AT: usize = 500;
    let history = &app.stores()?.history;
    let name = series.as_str();
    if app.asked(METRICS, history.series(name, None, 1)).await?.first() == Some(series) {
        return Ok(());
    }
    let group = name.split_inclusive('.').next().unwrap_or_default();
    let mut keys = app.asked(METRICS, history.series(group, None, LOOKED_AT)).await?;
    if keys.is_empty() {
        keys = app.asked(METRICS, history.series("", None, LOOKED_AT)).await?;
    }
    Err(Problem::unknown(
        "series",
        name,
        keys.iter().map(SeriesKey::as_str),
        "/api/v1/metrics lists those that there are",
    ))
}
