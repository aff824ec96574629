//! The health endpoints: the latest report as the models of the contract. Each reads one pointer, waits for nothing and
//! never queries a store, so they answer whatever else is stuck.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use ttm_health::Status;

use crate::access::Access;
use crate::app::App;
use crate::dto::{
    ApisDto, DetailedDto, FreshnessDto, OverallDto, OverallStatus, ResourcesDto, SchedulerDto, StatusDto,
};

pub(crate) async fn live(State(app): State<App>) -> Response {
    probe(app.state.health.report().live)
}

pub(crate) async fn ready(State(app): State<App>) -> Response {
    probe(app.state.health.report().ready)
}

pub(crate) async fn startup(State(app): State<App>) -> Response {
    probe(app.state.health.report().started)
}

/// 200 or 503.
fn probe(ok: bool) -> Response {
    let (code, status) = if ok {
        (StatusCode::OK, Status::Healthy)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Status::Critical)
    };
    (code, Json(StatusDto::from(status))).into_response()
}

pub(crate) async fn overall(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    let status = OverallStatus::from(report.status);
    let code = match status {
        OverallStatus::Pass | OverallStatus::Warn => StatusCode::OK,
        OverallStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = match access {
        Access::Full => OverallDto::from(&*report),
        Access::StatusOnly => OverallDto::bare(status),
    };
    let mut response = (code, Json(body)).into_response();
    let json = HeaderValue::from_static("application/health+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

pub(crate) async fn detailed(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    model(access, report.status, || DetailedDto::from(&*report))
}

pub(crate) async fn scheduler(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    model(access, report.scheduler.status, || SchedulerDto::from(&report.scheduler))
}

pub(crate) async fn resources(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    model(access, report.resources.status, || ResourcesDto::from(&report.resources))
}

pub(crate) async fn apis(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    model(access, report.apis.status, || ApisDto::from(&report.apis))
}

pub(crate) async fn data_freshness(State(app): State<App>, Extension(access): Extension<Access>) -> Response {
    let report = app.state.health.report();
    model(access, report.data.status, || FreshnessDto::from(&report.data))
}

/// The model, or its status alone where access is restricted. Always 200: status codes are for probes, and a model is
/// for readers.
fn model<T: Serialize>(access: Access, status: Status, model: impl FnOnce() -> T) -> Response {
    match access {
        Access::Full => Json(model()).into_response(),
        Access::StatusOnly => Json(StatusDto::from(status)).into_response(),
    }
}
