//! The history endpoints: the only ones that ask a store, and not for long. They hold no sample.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use ttm_kernel::{StoreError, within};
use ttm_perf::{Aggregate, RangeQuery, SeriesKey};

use crate::dto::{HistoryDto, SeriesDto};
use crate::parameters::Parameters;
use crate::problem::{Problem, quoted};
use crate::router::App;
use crate::time_text::{DURATION, TIME, duration, time};

/// What is shown when no `from` is given.
const DEFAULT_RANGE: Duration = Duration::from_hours(1);
const DEFAULT_STEP: Duration = Duration::from_mins(1);

pub(crate) async fn range(
    State(app): State<App>,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<HistoryDto>, Problem> {
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
    let points = asked(&app, app.stores()?.history.range(&query)).await?;
    Ok(Json(HistoryDto::new(&query, &points)))
}

pub(crate) async fn series(State(app): State<App>, uri: Uri) -> Result<Json<SeriesDto>, Problem> {
    let given = Parameters::of(&uri, &["prefix", "limit"])?;
    let limit = given.limit()?;
    let prefix = given.read("prefix", "the beginning of a series' name", |text| {
        (text.len() <= SeriesKey::MAX_BYTES).then(|| text.to_owned())
    })?;
    let keys = asked(&app, app.stores()?.history.series(prefix.as_deref().unwrap_or(""), limit)).await?;
    Ok(Json(SeriesDto::from(&*keys)))
}

/// Waits for the store, but not for long.
async fn asked<T>(app: &App, question: impl Future<Output = Result<T, StoreError>>) -> Result<T, Problem> {
    let limit = app.config.history_timeout;
    let runtime = &*app.state.runtime;
    match within(runtime, runtime.now() + limit, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ StoreError::Transient { .. })) => Err(Problem::busy(error.to_string())),
        Ok(Err(error)) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Err(_) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!("the metric store gave no answer within {} s", limit.as_secs()),
        )),
    }
}
