//! The history endpoints: they query the metric store, with a timeout. Who asks for a series of a process without saying which one
//! gets that of this process, and what was recorded before the names said it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use ttm_perf::{Aggregate, Point, RangeQuery, SeriesKey};

use crate::app::App;
use crate::dto::{HistoryDto, SeriesDto};
use crate::parameters::{CURSOR, Parameters};
use crate::problem::{Problem, quoted};
use crate::time_text::{DURATION, TIME, duration, time};

/// The range when no `from` is given.
const DEFAULT_RANGE: Duration = Duration::from_hours(1);
const DEFAULT_STEP: Duration = Duration::from_mins(1);
const METRICS: &str = "metric store";

pub(crate) async fn range(
    State(app): State<App>,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|_| Problem::bad_request("the name of the series is not valid UTF-8"))?;
    let series: SeriesKey = name
        .parse()
        .map_err(|error| Problem::bad_request(format!("{} is not a valid series: {error}", quoted(&name))))?;
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
    let query = |series| {
        let query = RangeQuery::try_new(series, from, to, step, aggregate);
        query.map_err(|error| Problem::bad_request(error.to_string()))
    };
    let history = &app.stores()?.history;
    let own = (app.state.own_series)(&series);
    let asked = query(series)?;
    let mut points = app.query(METRICS, history.range(&asked)).await?;
    let meant = match own {
        Some(own) => {
            let own = query(own)?;
            points = joined(points, app.query(METRICS, history.range(&own)).await?);
            own
        }
        None => asked.clone(),
    };
    if points.is_empty() && !is_known(&app, meant.series()).await? {
        check_series(&app, asked.series()).await?;
    }
    Ok(app.render(|| Json(HistoryDto::new(&meant, &points))).await)
}

pub(crate) async fn series(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let given = Parameters::of(&uri, &["prefix", "limit", "cursor"])?;
    let limit = given.limit()?;
    let prefix = given.read("prefix", "the start of a series name", |text| {
        (text.len() <= SeriesKey::MAX_BYTES).then(|| text.to_owned())
    })?;
    let cursor: Option<SeriesKey> = given.read("cursor", CURSOR, |text| text.parse().ok())?;
    let prefix = prefix.as_deref().unwrap_or("");
    let keys = app.query(METRICS, app.stores()?.history.series(prefix, cursor.clone(), limit + 1)).await?;
    Ok(app.render(|| Json(SeriesDto::page(&keys, limit))).await)
}

/// What was recorded before the names had the instance, and what was recorded since. A bucket with both is the newer one's, since
/// no aggregate can be made of two.
fn joined(older: Vec<Point>, newer: Vec<Point>) -> Vec<Point> {
    let by_time: BTreeMap<_, _> = older.into_iter().chain(newer).map(|point| (point.at, point)).collect();
    by_time.into_values().collect()
}

async fn is_known(app: &App, series: &SeriesKey) -> Result<bool, Problem> {
    let first = app.query(METRICS, app.stores()?.history.series(series.as_str(), None, 1)).await?;
    Ok(first.first() == Some(series))
}

/// 404 for an unknown series, with the name that may be meant. A known series without points in a range is empty.
async fn check_series(app: &App, series: &SeriesKey) -> Result<(), Problem> {
    /// Enough for every series of a group but the scores of the tokens, whose names contain a mint and are not typed by hand.
    const LOOKED_AT: usize = 500;
    let history = &app.stores()?.history;
    let name = series.as_str();
    if is_known(app, series).await? {
        return Ok(());
    }
    let group = name.split_inclusive('.').next().unwrap_or_default();
    let mut keys = app.query(METRICS, history.series(group, None, LOOKED_AT)).await?;
    if keys.is_empty() {
        keys = app.query(METRICS, history.series("", None, LOOKED_AT)).await?;
    }
    let shortest: Vec<SeriesKey> = keys.into_iter().map(|key| shortest(app, key)).collect();
    Err(Problem::unknown(
        "series",
        name,
        shortest.iter().map(SeriesKey::as_str),
        "/api/v1/metrics lists the known ones",
    ))
}

/// The key as somebody may write it who asks for the series of this process.
fn shortest(app: &App, key: SeriesKey) -> SeriesKey {
    let shorter = key.labels().map(|(label, _)| key.without_label(label));
    let own = shorter.into_iter().find(|shorter| (app.state.own_series)(shorter).as_ref() == Some(&key));
    own.unwrap_or(key)
}
