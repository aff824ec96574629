//! The endpoints of alerts: what is wrong, who knows of it, the channels and the rules, and an operator's orders.

use std::collections::BTreeMap;
use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use ttm_alert::defaults::unit;
use ttm_alert::{
    AlertKey, AlertView, ChannelId, DEAD_LETTERS_KEPT, DeadLetter, Hidden, Identity, Labels, OrderRefused,
    Ordered, Quiet, RECEIPTS_KEPT, RuleSpec, Unit,
};
use ttm_kernel::Severity;
use ttm_perf::EventQuery;

use crate::app::App;
use crate::body::JsonBody;
use crate::dto::{
    AcknowledgeDto, AlertDetailDto, AlertDto, AlertOrderedDto, AlertsDto, ChannelsDto, DeadLetterDto,
    DeadLettersDto, EventDto, HiddenDto, ReceiptDto, RuleDto, RulesDto, STATES, TellAgainDto, ToldAgainDto,
    state,
};
use crate::parameters::{CURSOR, Parameters};
use crate::problem::{Problem, quoted};

/// The desk shows so many at once, and then does something else.
const AT_ONCE: usize = 100;
/// A page with a filter looks at so many.
const LOOKED_AT: usize = 2_000;
/// How much of the past of one alert is shown.
const PAST: usize = 100;
const STORE: &str = "store of alerts";

pub(crate) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let given = Parameters::of(&uri, &["limit", "cursor", "state", "severity"])?;
    let limit = given.limit()?;
    let mut after = given.read("cursor", CURSOR, cursor)?;
    let in_state =
        given.read("state", &STATES.join(", "), |text| STATES.into_iter().find(|it| *it == text))?;
    let severity = given.read("severity", &severities(), severity)?;
    let control = &app.controls()?.alerts;
    let (mut found, mut looked_at, mut is_end) = (Vec::new(), 0, false);
    while !is_end && found.len() < limit && looked_at < LOOKED_AT {
        let page = control.alerts(after.clone(), AT_ONCE).await?;
        is_end = page.len() < AT_ONCE;
        looked_at += page.len();
        for view in page {
            if found.len() == limit {
                is_end = false;
                break;
            }
            after = Some(view.record.key.clone());
            let state = state(&view);
            let is_meant = STATES.contains(&state)
                && in_state.is_none_or(|only| only == state)
                && severity.is_none_or(|only| only == view.severity);
            if is_meant {
                found.push(view);
            }
        }
    }
    let next = after.filter(|_| !is_end).map(|key| written(&key));
    let context = Context::of(&app, &found).await?;
    let all = || AlertsDto { alerts: found.into_iter().map(|view| context.alert(view)).collect(), next };
    Ok(app.render(|| Json(all())).await)
}

pub(crate) async fn one(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let id = id(path)?;
    let view = find(&app, id).await?;
    let key = view.record.key.clone();
    let since = view.record.cases.last().map_or(Timestamp::MAX, |case| case.episode.started);
    let control = &app.controls()?.alerts;
    let (receipts, letters, timeline) = tokio::join!(
        app.query(STORE, control.receipts(RECEIPTS_KEPT)),
        app.query(STORE, control.dead_letters(DEAD_LETTERS_KEPT)),
        timeline(&app, id),
    );
    let receipts = receipts.map(|receipts| {
        // A message has the alerts of one rule.
        let newest = receipts.iter().rev().filter(|it| it.key.alert.rule == key.rule && it.at >= since);
        newest.take(PAST).map(ReceiptDto::from).collect()
    });
    let dead_letters = letters.map(|letters| {
        let is_about = |letter: &&DeadLetter| letter.row.covers.iter().any(|(of, ..)| *of == key);
        letters.iter().rev().filter(is_about).take(PAST).map(DeadLetterDto::from).collect()
    });
    let mut problems = Vec::new();
    let receipts = known(receipts, "receipts", &mut problems);
    let dead_letters = known(dead_letters, "dead letters", &mut problems);
    let timeline = known(timeline, "timeline", &mut problems);
    let context = Context::of(&app, std::slice::from_ref(&view)).await?;
    let alert = context.alert(view);
    let detail = AlertDetailDto { alert, receipts, dead_letters, timeline, problems };
    Ok(app.render(|| Json(detail)).await)
}

/// What could be read; why it could not goes to the problems.
fn known<T>(read: Result<T, Problem>, what: &str, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|error| problems.push(format!("{what}: {error}"))).ok()
}

async fn timeline(app: &App, id: Identity) -> Result<Vec<EventDto>, Problem> {
    let wrong = |error: &dyn Display| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let subject = id.to_string().parse().map_err(|error| wrong(&error))?;
    let query = EventQuery::try_new(Timestamp::MIN, Timestamp::MAX, PAST).map_err(|error| wrong(&error))?;
    let query = query.of_subject(subject);
    let page = app.query("event store", app.stores()?.events.list(&query)).await?;
    page.events.iter().map(EventDto::try_from).collect::<Result<_, _>>().map_err(|error| wrong(&error))
}

pub(crate) async fn acknowledge(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    JsonBody(AcknowledgeDto { by }): JsonBody<AcknowledgeDto>,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let id = id(path)?;
    let by = name(&by).map_err(Problem::bad_request)?;
    let Ordered { done, stored } =
        app.controls()?.alerts.acknowledge(id, None, by).await.map_err(|error| refused_one(error, id))?;
    let context = Context::of(&app, std::slice::from_ref(&done)).await?;
    Ok(ordered(stored, AlertOrderedDto { alert: context.alert(done), stored }))
}

pub(crate) async fn tell_again(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    JsonBody(TellAgainDto { channel }): JsonBody<TellAgainDto>,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let id = id(path)?;
    let control = &app.controls()?.alerts;
    let channels = control.channels().await?;
    let names = || channels.iter().map(|channel| channel.id.as_str());
    if !names().any(|known| known == channel) {
        let list = format!("the channels are {}", names().collect::<Vec<_>>().join(", "));
        return Err(Problem::unknown("channel", &channel, names(), &list));
    }
    let told = control.tell_again(id, &ChannelId::new(&channel)).await;
    let stored = told.map_err(|error| refused_one(error, id))?.stored;
    Ok(ordered(stored, ToldAgainDto { id: id.to_string(), channel, stored }))
}

pub(crate) async fn channels(State(app): State<App>, uri: Uri) -> Result<Json<ChannelsDto>, Problem> {
    Parameters::of(&uri, &[])?;
    Ok(Json(app.controls()?.alerts.channels().await?.into()))
}

pub(crate) async fn dead_letters(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let limit = Parameters::of(&uri, &["limit"])?.limit_up_to(DEAD_LETTERS_KEPT)?;
    let letters = app.query(STORE, app.controls()?.alerts.dead_letters(limit)).await?;
    let all = || DeadLettersDto { dead_letters: letters.iter().rev().map(DeadLetterDto::from).collect() };
    Ok(app.render(|| Json(all())).await)
}

pub(crate) async fn rules(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let rules = app.controls()?.alerts.rules();
    let dto = |rule: RuleSpec| {
        let unit = unit(&rule);
        RuleDto::new(rule, unit)
    };
    Ok(app.render(|| Json(RulesDto { rules: rules.into_iter().map(dto).collect() })).await)
}

/// What alerts are shown with.
struct Context {
    units: BTreeMap<String, Unit>,
    /// The silences and windows, if any of the alerts is hidden by one.
    quiets: BTreeMap<u64, Quiet>,
}

impl Context {
    async fn of(app: &App, views: &[AlertView]) -> Result<Self, Problem> {
        let control = &app.controls()?.alerts;
        let rules = control.rules();
        let units = rules.iter().filter_map(|rule| Some((rule.name.clone(), unit(rule)?))).collect();
        let quiets = if views.iter().any(|view| matches!(view.hidden, Some(Hidden::Quiet(_)))) {
            let quiets = control.silences().await?;
            quiets.into_iter().map(|(id, quiet)| (id.0, quiet)).collect()
        } else {
            BTreeMap::new()
        };
        Ok(Self { units, quiets })
    }

    fn alert(&self, view: AlertView) -> AlertDto {
        let unit = self.units.get(&*view.record.key.rule).copied();
        let hidden = view.hidden.as_ref();
        let hidden = hidden.map(|hidden| HiddenDto::new(hidden, |id| self.quiets.get(&id)));
        AlertDto::new(view, unit, hidden)
    }
}

/// The alert with this id.
pub(crate) async fn find(app: &App, id: Identity) -> Result<AlertView, Problem> {
    app.controls()?.alerts.alert(id).await.map_err(|error| refused_one(error, id))
}

/// The name of a person, if it is one.
pub(crate) fn name(by: &str) -> Result<&str, String> {
    if Quiet::is_text(by) {
        return Ok(by.trim());
    }
    let most = Quiet::MAX_TEXT;
    Err(format!(
        "by is {}, expected who has seen it, in 1 to {most} bytes without control or invisible characters",
        quoted(by)
    ))
}

/// 202: the order is in force, and not stored yet.
pub(crate) fn ordered(stored: bool, done: impl Serialize) -> Response {
    let status = if stored { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(done)).into_response()
}

impl From<OrderRefused> for Problem {
    fn from(error: OrderRefused) -> Self {
        let told = error.to_string();
        match error {
            OrderRefused::Unknown { .. } => Self::not_found(told),
            OrderRefused::Impossible(_) => Self::new(StatusCode::CONFLICT, told),
            OrderRefused::NotNow(_) => Self::unavailable(told),
            OrderRefused::Store(of) if of.may_pass() => Self::unavailable(told),
            OrderRefused::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, told),
        }
    }
}

/// The same of an order about one alert.
fn refused_one(error: OrderRefused, id: Identity) -> Problem {
    match error {
        OrderRefused::Unknown { .. } => Problem::not_found(format!(
            "nothing is kept of an alert with the id {id}; /api/v1/alerts lists those of which something is, and \
             /api/v1/events?subject={id} says what became of it"
        )),
        other => other.into(),
    }
}

fn id(path: Result<Path<String>, PathRejection>) -> Result<Identity, Problem> {
    let Path(text) = path.map_err(|_| Problem::bad_request("the id is not valid UTF-8"))?;
    Identity::parse(&text).ok_or_else(|| {
        Problem::bad_request(format!(
            "{} is no id of an alert; one has 32 hexadecimal digits in lower case",
            quoted(&text)
        ))
    })
}

/// A severity in upper or lower case.
pub(crate) fn severity(word: &str) -> Option<Severity> {
    Severity::parse(&word.to_ascii_uppercase())
}

pub(crate) fn severities() -> String {
    Severity::ALL.map(Severity::as_str).join(", ")
}

/// A key as a cursor: without a character that a shell or a URL would take for something else.
fn written(key: &AlertKey) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\n{}", key.rule, key.labels))
}

fn cursor(text: &str) -> Option<AlertKey> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (rule, labels) = text.split_once('\n').filter(|(rule, _)| rule.len() <= RuleSpec::MAX_NAME)?;
    Some(AlertKey::new(rule, Labels::parse(labels).ok()?))
}
