//! The HTTP API: health, metrics, tokens, history and events, breakers, self-healing and alerts.
//!
//! [`router`] serves published snapshots: the latest health report ([`HealthView`](ttm_health::HealthView)), the tokens
//! ([`TokenView`](ttm_market::TokenView)) and the metrics in memory. Only history, events and the past of alerts query a store, bounded in time
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
//! | `/api/v1/alerts`, `/api/v1/alerts/{id}` | what is wrong, by rule and labels; one with its past and its receipts |
//! | `/api/v1/alerts/channels`, `/dead-letters`, `/rules` | the channels, the messages that were refused, the rules in force |
//! | POST `/api/v1/alerts/{id}/ack`, `/tell-again` | somebody has seen it; a channel is told of it once more |
//! | `/api/v1/silences`, `/api/v1/maintenance` | when nobody is told; POST begins one, DELETE `/{id}` ends it |
//! | `/alerts/ack` | the page of a link from [`AckLinks`], whose button acknowledges an alert |
//!
//! A name in a path is percent-encoded: a `/` as `%2F`. A POST or DELETE is an order: it needs the token on every listener, so
//! that no web page of a browser on this machine can give one. Without a configured token it is 403. An order carries no body,
//! unless it is about alerts: then it is JSON of which every field is known, and its answer says `stored`, with 202 while the
//! store does not have it. The one POST without the token is the button of a signed link.
//!
//! Where a token is configured or the listener is not loopback, a request without the token gets `{"status"}` of health and
//! nothing else. Every error is a problem document (RFC 9457). The crate assesses nothing and stores nothing.

mod access;
mod ack_links;
mod ack_page;
mod alerts;
mod app;
mod body;
mod breakers;
mod config;
pub mod dto;
mod events;
mod headers;
mod health;
mod history;
mod host;
mod limits;
mod object;
mod parameters;
mod problem;
mod quiets;
mod recoveries;
mod router;
mod server;
mod time_text;
mod timing;
mod tokens;

pub use ack_links::AckLinks;
pub use app::{ApiState, Controls, OwnSeries, Served, Stores};
pub use config::ApiConfig;
pub use problem::{recovery_id, unknown_breaker, unknown_recovery};
pub use router::router;
pub use server::{BindError, Bound, Notice, ServeError};
