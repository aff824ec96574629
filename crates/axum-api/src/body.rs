//! The JSON body of an order: an object, of a bounded size, and with no field that is not known.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::limits::MAX_BODY_BYTES;
use crate::object::object;
use crate::problem::Problem;

/// A body that was read.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this order has a body of JSON; send the header Content-Type: application/json",
            ));
        }
        let body = Bytes::from_request(request, state).await.map_err(|refused| match refused.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is too large, expected at most {MAX_BODY_BYTES} bytes"),
            ),
            _ => Problem::bad_request("the body did not arrive"),
        })?;
        let mut json = serde_json::Deserializer::from_slice(&body);
        let whole = object(&mut json).and_then(|read| json.end().map(|()| Self(read)));
        whole.map_err(|error| {
            // It repeats names from the body.
            let told: String = error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
            Problem::bad_request(format!("the body is not as expected: {told}"))
        })
    }
}
