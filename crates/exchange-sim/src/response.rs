//! Responses by status, content type and body, and the texts of the real API and its proxy.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::body::Body;

pub(crate) const RATE_LIMIT_TEXT: &str = "error code: 1015";
pub(crate) const BUSY_PAGE: &str =
    "<!DOCTYPE html><html><head><title>Error</title></head><body>Try again later.</body></html>";

pub(crate) fn as_json(body: Body) -> Response<Body> {
    answer(StatusCode::OK, "application/json; charset=utf-8", body)
}

pub(crate) fn text(status: StatusCode, content_type: &'static str, text: &'static str) -> Response<Body> {
    answer(status, content_type, Body::whole(text))
}

pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
