//! The endpoint of events: pages from the event store, the newest first.
//!
//! The contract has server-sent events on this path, too. Until they are implemented, a request for them
//! (`Accept: text/event-stream`) is answered with 406, and any other with JSON.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use jiff::Timestamp;
use ttm_perf::{EventCursor, EventQuery};

use crate::app::App;
use crate::dto::EventsDto;
use crate::parameters::{CURSOR, Parameters};
use crate::problem::Problem;
use crate::time_text::{TIME, time};

const EVENTS: &str = "event store";

pub(crate) async fn page(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Result<Response, Problem> {
    if wants_a_stream(&headers) {
        return Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "server-sent events are not available yet; without Accept: text/event-stream this path returns pages of JSON",
        ));
    }
    let given = Parameters::of(&uri, &["from", "to", "kind", "subject", "limit", "cursor"])?;
    let now = app.state.runtime.wall();
    let from = given.read("from", TIME, |text| time(text, now))?.unwrap_or(Timestamp::MIN);
    // Not `now`: after the clock was set back, the newest events may be in the future.
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
    if let Some(cursor) = given.read("cursor", CURSOR, cursor)? {
        query = query.after(cursor);
    }
    let page = app.query(EVENTS, app.stores()?.events.list(&query)).await?;
    if page.events.is_empty() {
        check_kind(&app, query.kind()).await?;
    }
    let wrong = |error: serde_json::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    Ok(app.render(|| EventsDto::try_from(page).map(Json).map_err(wrong)).await)
}

/// 404 for an unknown kind, with the one that may be meant. A known kind of which nothing happened is an empty page.
async fn check_kind(app: &App, kind: &str) -> Result<(), Problem> {
    let kinds = app.state.event_kinds;
    if kinds.iter().any(|known| known.starts_with(kind)) {
        return Ok(());
    }
    // Another version of the service may have stored it.
    let any = EventQuery::try_new(Timestamp::MIN, Timestamp::MAX, 1).and_then(|any| any.of_kind(kind));
    let any = any.map_err(|error| Problem::bad_request(error.to_string()))?;
    if !app.query(EVENTS, app.stores()?.events.list(&any)).await?.events.is_empty() {
        return Ok(());
    }
    let known = format!("the kinds are {}", kinds.join(", "));
    Err(Problem::unknown("kind of event", kind, kinds.iter().copied(), &known))
}

fn wants_a_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
    })
}
