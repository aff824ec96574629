//! The endpoints of self-healing: recoveries, parts, and an operator's order to restart one.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ttm_kernel::Lane;
use ttm_recovery::{RECOVERIES_SHOWN, RestartRefused};

use crate::app::App;
use crate::dto::{PartsDto, RecoveriesDto, RecoveryDto, RestartDto};
use crate::parameters::Parameters;
use crate::problem::{Problem, recovery_id, unknown_recovery};

/// What is lately.
const LATELY: Duration = Duration::from_hours(1);

pub(crate) async fn page(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let limit = Parameters::of(&uri, &["limit"])?.limit_up_to(RECOVERIES_SHOWN)?;
    let control = &app.controls()?.recovery;
    let (recoveries, problem) = (control.recoveries(limit), control.problem());
    Ok(app.render(|| Json(RecoveriesDto::new(recoveries, problem))).await)
}

pub(crate) async fn one(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<RecoveryDto>, Problem> {
    let Path(id) = path.map_err(|_| Problem::bad_request("the id is not valid UTF-8"))?;
    let wanted = recovery_id(&id).map_err(Problem::bad_request)?;
    let known = app.controls()?.recovery.recoveries(RECOVERIES_SHOWN);
    let found = known.into_iter().find(|recovery| recovery.id == wanted);
    found.map(|recovery| Json(recovery.into())).ok_or_else(|| Problem::not_found(unknown_recovery(&id)))
}

pub(crate) async fn parts(State(app): State<App>, uri: Uri) -> Result<Json<PartsDto>, Problem> {
    Parameters::of(&uri, &[])?;
    let control = &app.controls()?.recovery;
    let wall = app.state.runtime.wall();
    let lately = control.lately(wall.checked_sub(LATELY).unwrap_or(wall));
    Ok(Json(PartsDto::new(control.parts(), control.budgets(), lately)))
}

/// Restarts the part with this name.
pub(crate) async fn restart(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let Path(part) = path.map_err(|_| Problem::bad_request("the name of the part is not valid UTF-8"))?;
    ordered(&app, part).await
}

/// Restarts the part that is the group of a lane.
pub(crate) async fn restart_group(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let Path(group) = path.map_err(|_| Problem::bad_request("the name of the group is not valid UTF-8"))?;
    let Some(lane) = Lane::parse(&group) else {
        let known = Lane::ALL.map(Lane::as_str);
        return Err(Problem::unknown("group", &group, known, "the groups are hot and cold"));
    };
    ordered(&app, format!("{}-group", lane.as_str())).await
}

/// 202: the order was taken, and the recovery that it began can be followed.
async fn ordered(app: &App, part: String) -> Result<Response, Problem> {
    let control = &app.controls()?.recovery;
    match control.restart(&part).await {
        Ok(id) => {
            let follow = HeaderValue::try_from(format!("/api/v1/recoveries/{id}"));
            let mut response =
                (StatusCode::ACCEPTED, Json(RestartDto { part, recovery: id.to_string() })).into_response();
            response.headers_mut().extend(follow.ok().map(|path| (header::LOCATION, path)));
            Ok(response)
        }
        Err(RestartRefused::Unknown { part, known }) => {
            let names: Vec<String> = control.parts().into_iter().map(|part| part.name).collect();
            let list = format!("the parts are {known}");
            Err(Problem::unknown("part", &part, names.iter().map(String::as_str), &list))
        }
        Err(refused @ (RestartRefused::UnderWay(_) | RestartRefused::NotRunning(_))) => {
            Err(Problem::new(StatusCode::CONFLICT, refused.to_string()))
        }
    }
}
