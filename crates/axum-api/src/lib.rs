//! The HTTP API: health, metrics, tokens, history and events, breakers and self-healing.
//!
//! [`router`] serves published snapshots: the latest health report ([`HealthView`](ttm_health::HealthView)), the tokens
//! ([`TokenView`](ttm_market::TokenView)) and the metrics in memory. Only history and events query a store, bounded in time
//! and in length; health never does. Nothing here blocks or computes for long, because it runs on the supervision plane,
//! which must keep watching the service. [`Bound`] is the listener.
//!
//! | path | answer |
//! |---|---|
//! | `/health/live`, `/health/ready`, `/health/startup` | 200 or 503 with `{"status"}` |
//! | `/health` | `application/health+json`; 200 for pass and warn, 503 for fail |
//! | `/health/detailed`, `/scheduler`, `/resources`, `/apis`, `/data-freshness` | 200 with the models of [`dto`] |
//! | `/metrics` | Prometheus text |
//! | `/api/v1/tokens`, `/api/v1/tokens/{mint}` | tokens |
//! | `/api/v1/metrics`, `/api/v1/metrics/{series}` | names of series; the history of one |
//! | `/api/v1/events` | what happened, the newest first |
//! | `/api/v1/breakers` | the breakers; POST `/{name}/force-open`, `/disable` and `/reset` overrule one |
//! | `/api/v1/recoveries`, `/api/v1/recoveries/{id}` | what self-healing did, the newest first |
//! | `/api/v1/parts` | the parts of the service; POST `/{part}/restart` restarts one |
//! | POST `/api/v1/scheduler/{group}/restart` | restarts the part `hot-group` or `cold-group`: 202 |
//!
//! A name in a path is percent-encoded: a `/` as `%2F`. A POST is an order: it carries no body, and needs the
//! token on every listener, so that no web page of a browser on this machine can give one. Without a configured token it is 403.
//!
//! Where a token is configured or the listener is not loopback, a request without the token gets `{"status"}` of health and
//! nothing else. Every error is a problem document (RFC 9457). The crate assesses nothing and stores nothing.

mod access;
mod app;
mod breakers;
mod config;
pub mod dto;
mod events;
mod headers;
mod health;
mod history;
mod host;
mod limits;
mod parameters;
mod problem;
mod recoveries;
mod router;
mod server;
mod time_text;
mod tokens;

pub use app::{ApiState, Controls, Stores};
pub use config::ApiConfig;
pub use problem::{recovery_id, unknown_breaker, unknown_recovery};
pub use router::router;
pub use server::{BindError, Bound, Notice, ServeError};
