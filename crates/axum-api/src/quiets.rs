//! The endpoints of silences and maintenance windows.

use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use ttm_alert::defaults::check_labels;
use ttm_alert::{InvalidQuiet, Labels, Matcher, Ordered, Quiet, QuietId, RuleSpec, When, Zone};

use crate::alerts::{ordered, severities, severity};
use crate::app::App;
use crate::body::JsonBody;
use crate::dto::{
    BeginMaintenanceDto, BeginSilenceDto, DAYS, EndedDto, MaintenanceDto, MatchingDto, PairsDto, SilenceDto,
    SilencesDto, StoredDto, WindowOfWeekDto,
};
use crate::parameters::Parameters;
use crate::problem::{Problem, quoted, unknown};
use crate::time_text::{DURATION, duration};

const SILENCE: &str = "silence";
const WINDOW: &str = "maintenance window";

pub(crate) async fn silences(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let (all, now) = all(&app).await?;
    let silences = all.iter().filter_map(|(id, quiet)| SilenceDto::new(*id, quiet, now)).collect();
    Ok(app.render(|| Json(SilencesDto { silences })).await)
}

pub(crate) async fn windows(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let (all, now) = all(&app).await?;
    let maintenance = all.iter().filter_map(|(id, quiet)| WindowOfWeekDto::new(*id, quiet, now)).collect();
    Ok(app.render(|| Json(MaintenanceDto { maintenance })).await)
}

pub(crate) async fn begin_silence(
    State(app): State<App>,
    uri: Uri,
    JsonBody(body): JsonBody<BeginSilenceDto>,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let matcher = matcher(&app, body.matcher)?;
    let now = app.state.runtime.wall();
    let until = match (body.until, body.lasts) {
        (Some(_), Some(_)) => return Err(Problem::bad_request("until and for are both given, expected one")),
        (Some(until), None) => {
            Some(read("until", "a time such as 2026-01-31T12:00:00Z", &until, |text| text.parse().ok())?)
        }
        (None, Some(lasts)) => {
            let end = |text: &str| now.checked_add(SignedDuration::try_from(duration(text)?).ok()?).ok();
            Some(read("for", DURATION, &lasts, end)?)
        }
        (None, None) => None,
    };
    let quiet = Quiet::try_new(matcher, When::Once { from: now, until }, &body.author, &body.reason);
    let quiet = quiet.map_err(|error| invalid(SILENCE, &error))?;
    let (id, stored) = begin(&app, &quiet).await?;
    Ok(ordered(stored, StoredDto { done: SilenceDto::new(id, &quiet, now), stored }))
}

pub(crate) async fn begin_window(
    State(app): State<App>,
    uri: Uri,
    JsonBody(body): JsonBody<BeginMaintenanceDto>,
) -> Result<Response, Problem> {
    const DAY: &str = "a day such as 2026-01-31";
    Parameters::of(&uri, &[])?;
    let matcher = matcher(&app, body.matcher)?;
    let date = |key, text: &str| read(key, DAY, text, |text| text.parse::<Date>().ok());
    let time = |key, text: &str| {
        let read_time = |text: &str| Time::strptime("%H:%M", text).ok();
        read(key, "a time such as 22:00", text, read_time)
    };
    let days = body.days.iter().map(|day| read("days", "mon, tue, wed, thu, fri, sat or sun", day, weekday));
    let when = When::Weekly {
        zone: Zone::parse(&body.zone).map_err(|error| invalid(WINDOW, &error))?,
        days: days.collect::<Result<_, _>>()?,
        from: time("from", &body.from)?,
        to: time("to", &body.to)?,
        first: date("first", &body.first)?,
        last: body.last.as_deref().map(|last| date("last", last)).transpose()?,
    };
    let quiet = Quiet::try_new(matcher, when, &body.author, &body.reason);
    let quiet = quiet.map_err(|error| invalid(WINDOW, &error))?;
    let now = app.state.runtime.wall();
    is_to_come(WINDOW, &quiet, now)?;
    let (id, stored) = begin(&app, &quiet).await?;
    Ok(ordered(stored, StoredDto { done: WindowOfWeekDto::new(id, &quiet, now), stored }))
}

pub(crate) async fn end_silence(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    end(&app, path, SILENCE, "/api/v1/silences").await
}

pub(crate) async fn end_window(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    end(&app, path, WINDOW, "/api/v1/maintenance").await
}

async fn all(app: &App) -> Result<(Vec<(QuietId, Quiet)>, Timestamp), Problem> {
    let all = app.controls()?.alerts.silences().await?;
    Ok((all, app.state.runtime.wall()))
}

async fn begin(app: &App, quiet: &Quiet) -> Result<(QuietId, bool), Problem> {
    let Ordered { done, stored } = app.controls()?.alerts.silence(quiet.clone()).await?;
    Ok((done, stored))
}

/// Ends what has this id, if it is what it is taken for.
async fn end(
    app: &App,
    path: Result<Path<String>, PathRejection>,
    what: &str,
    list: &str,
) -> Result<Response, Problem> {
    let Path(text) = path.map_err(|_| Problem::bad_request("the id is not valid UTF-8"))?;
    let wrong =
        || Problem::bad_request(format!("{} is no id of a {what}; one is a whole number", quoted(&text)));
    let id = QuietId(text.parse().map_err(|_| wrong())?);
    let (all, _) = all(app).await?;
    let is_weekly = |quiet: &Quiet| matches!(quiet.when(), When::Weekly { .. });
    match all.iter().find(|(known, _)| *known == id).map(|(_, quiet)| is_weekly(quiet)) {
        Some(is_window) if is_window == (what == WINDOW) => {}
        Some(true) => {
            return Err(Problem::not_found(format!(
                "{id} is a maintenance window; DELETE /api/v1/maintenance/{id} ends it"
            )));
        }
        Some(false) => {
            return Err(Problem::not_found(format!(
                "{id} is a silence; DELETE /api/v1/silences/{id} ends it"
            )));
        }
        None => {
            return Err(Problem::not_found(format!(
                "there is no {what} {id}, or it is over; {list} lists those that there are"
            )));
        }
    }
    let stored = app.controls()?.alerts.end_silence(id).await?.stored;
    Ok(ordered(stored, StoredDto { done: EndedDto { id: id.0 }, stored }))
}

fn invalid(what: &str, error: &InvalidQuiet) -> Problem {
    Problem::bad_request(format!("the {what} is refused: {error}"))
}

/// One that is over already keeps nothing from being told, whatever its author believes.
fn is_to_come(what: &str, quiet: &Quiet, now: Timestamp) -> Result<(), Problem> {
    if quiet.is_over(now) {
        return Err(Problem::bad_request(format!("the {what} is refused: it is over already")));
    }
    Ok(())
}

fn read<T>(
    key: &str,
    expected: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Problem> {
    parse(text).ok_or_else(|| Problem::bad_request(format!("{key} is {}, expected {expected}", quoted(text))))
}

fn weekday(word: &str) -> Option<Weekday> {
    DAYS.iter().find(|(known, _)| *known == word).map(|(_, day)| *day)
}

/// What is to match. A rule that does not exist, or a label that a rule never has, would match nothing, and nobody would notice.
fn matcher(app: &App, given: MatchingDto) -> Result<Matcher, Problem> {
    let MatchingDto { rule, severity: word, labels, all } = given;
    let labels = labels.filter(|PairsDto(pairs)| !pairs.is_empty());
    let is_named = rule.is_some() || word.is_some() || labels.is_some();
    if is_named == all {
        return Err(Problem::bad_request(if all {
            "match.all is true beside a rule, a severity or labels, expected one or the other"
        } else {
            "match names no rule, severity or label; {\"all\": true} means all alerts"
        }));
    }
    let rules: Vec<RuleSpec> = app.controls()?.alerts.rules();
    let known = rule.as_ref().map(|rule| {
        rules.iter().find(|known| known.name == *rule).ok_or_else(|| {
            let names = rules.iter().map(|known| known.name.as_str());
            let told = unknown("rule", rule, names, "/api/v1/alerts/rules lists those in force");
            Problem::bad_request(format!("match.rule: {told}"))
        })
    });
    let known = known.transpose()?.map(|known| (known.name.as_str(), known.series.as_deref()));
    let severity = word.map(|word| read("match.severity", &severities(), &word, severity)).transpose()?;
    let labels = labels.map(|PairsDto(pairs)| -> Result<Labels, Problem> {
        let wrong = |told: &dyn Display| Problem::bad_request(format!("match.labels: {told}"));
        let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let labels = Labels::try_new(pairs).map_err(|error| wrong(&error))?;
        check_labels(known, &labels).map(|()| labels).map_err(|error| wrong(&error))
    });
    Ok(Matcher { rule, severity, labels: labels.transpose()? })
}
