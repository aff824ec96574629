//! The endpoint of what happened: pages out of the record of events, the newest first. It keeps no event.
//!
//! The contract has server-sent events on this path, too. A client that asks for them (`Accept: text/event-stream`) is
//! told 406 until there are some; everybody else gets JSON.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use jiff::Timestamp;
use ttm_kernel::{StoreError, within};
use ttm_perf::{EventCursor, EventQuery};

use crate::dto::EventsDto;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::router::App;
use crate::time_text::{TIME, time};

pub(crate) async fn page(
    State(app): State<App>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<EventsDto>, Problem> {
    if wants_a_stream(&headers) {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "there is no stream of events yet; without Accept: text/event-stream this path answers pages of JSON",
        ));
    }
    let given = Parameters::of(&uri, &["from", "to", "kind", "subject", "limit", "cursor"])?;
    let now = app.state.runtime.wall();
    let from = given.read("from", TIME, |text| time(text, now))?.unwrap_or(Timestamp::MIN);
    // Not until now: after a step of the clock, the newest events may lie ahead.
    let to = given.read("to", TIME, |text| time(text, now))?.unwrap_or(Timestamp::MAX);
    let wrong = |error: ttm_perf::InvalidEventQuery| Problem::bad_request(error.to_string());
    let mut query = EventQuery::try_new(from, to, given.limit()?).map_err(wrong)?;
    if let Some(kind) = given.text("kind") {
        query = query.of_kind(kind).map_err(wrong)?;
    }
    if let Some(subject) = given.read("subject", "a mint or the name of a part", |text| text.parse().ok())? {
        query = query.of_subject(subject);
    }
    let cursor = |text: &str| text.parse::<EventCursor>().ok();
    if let Some(cursor) = given.read("cursor", "the next of the page before", cursor)? {
        query = query.after(cursor);
    }
    let limit = app.config.history_timeout;
    let runtime = &*app.state.runtime;
    match within(runtime, runtime.now() + limit, app.stores()?.events.list(&query)).await {
        Ok(Ok(page)) => EventsDto::try_from(page)
            .map(Json)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Ok(Err(error @ StoreError::Transient { .. })) => Err(Problem::busy(error.to_string())),
        Ok(Err(error)) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        Err(_) => Err(Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!("the event store gave no answer within {} s", limit.as_secs()),
        )),
    }
}

fn wants_a_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
    })
}
