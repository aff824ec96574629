//! The endpoints of the breakers: their list, and an operator's orders.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use ttm_breaker::{Order, OrderRefused};

use crate::app::App;
use crate::dto::{BreakersDto, OrderedDto};
use crate::parameters::Parameters;
use crate::problem::{Problem, unknown_breaker};

pub(crate) async fn list(State(app): State<App>, uri: Uri) -> Result<Json<BreakersDto>, Problem> {
    Parameters::of(&uri, &[])?;
    Ok(Json(app.controls()?.breakers.breakers().into()))
}

/// Carries out an order; the breaker as it is then. In the path its name is percent-encoded, so that it may contain a `/`. 202: the
/// order is in force, and not stored yet. 409: the service stops.
pub(crate) async fn order(
    order: Order,
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let Path(name) = path.map_err(|_| Problem::bad_request("the name of the breaker is not valid UTF-8"))?;
    let ordered = app.controls()?.breakers.order(&name, order).await;
    let ordered = ordered.map_err(|refused| match refused {
        OrderRefused::Unknown { name, known } => Problem::not_found(unknown_breaker(&name, &known)),
        OrderRefused::NotRunning(_) => Problem::new(StatusCode::CONFLICT, refused.to_string()),
    })?;
    let status = if ordered.stored { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(OrderedDto::from(ordered))).into_response())
}
