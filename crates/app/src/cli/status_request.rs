//! The request of `ttm status`: the health report of a service, and the one-line error when another program answers.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::client::{Reply, Service};

const STATUSES: [&str; 4] = ["healthy", "degraded", "critical", "unknown"];

/// The health report, and its age when it was sent.
pub(super) struct Answer {
    pub(super) health: Value,
    pub(super) age: Option<Duration>,
    /// What is known of the parts; null if that is not told.
    pub(super) parts: Value,
    /// Whether the request had a token.
    pub(super) with_token: bool,
}

/// Requests the health report.
///
/// # Errors
/// Why there is none, in one line.
pub(super) async fn fetch(service: &Service) -> Result<Answer, String> {
    let reply = service.ask(Method::GET, "/health/detailed").await;
    let Reply { status, body, sent } = reply.map_err(|error| error.to_string())?;
    let ours = serde_json::from_slice::<Value>(&body).ok().filter(is_ours);
    match (ours, status) {
        (Some(health), StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE) => {
            let age = age(&health, sent);
            // A service that starts does not tell, and an older one says less: the report is shown all the same.
            let parts = service.ask_api(Method::GET, "/api/v1/parts").await.unwrap_or_default();
            Ok(Answer { health, age, parts, with_token: service.has_token() })
        }
        (_, StatusCode::UNAUTHORIZED) => Err(service.unauthorized(status)),
        _ => Err(service.of_another(status)),
    }
}

/// Whether this is a health report, if only its status, as without the right token.
fn is_ours(body: &Value) -> bool {
    body["status"].as_str().is_some_and(|status| STATUSES.contains(&status))
}

fn age(health: &Value, sent: Option<Timestamp>) -> Option<Duration> {
    let made = health["at"].as_str()?.parse::<Timestamp>().ok()?;
    sent?.duration_since(made).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_report_is_by_the_clock_of_its_machine() {
        let health = serde_json::json!({"at": "2026-11-23T20:00:00.5Z"});
        let sent = "2026-11-23T20:00:43Z".parse().ok();
        assert_eq!(age(&health, sent), Some(Duration::from_millis(42_500)));
        let early = "2026-11-23T20:00:00Z".parse().ok();
        assert_eq!(age(&health, early), None, "the header has whole seconds");
    }
}
