//! The HTTP surface: health, metrics, tokens, history and events.
//!
//! [`router`] answers from what others publish: the last health report ([`HealthView`](ttm_health::HealthView)), the
//! tokens as last posted ([`TokenView`](ttm_market::TokenView)) and the metrics in memory. Only history and events
//! ask a store, bounded in time and in length; health never does. Nothing here blocks or computes for long, because it runs on the
//! plane that watches the rest. [`Bound`] is the listener.
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
//!
//! Whoever asks without the token, where one is configured or the listener is not loopback, sees `{"status"}` of health and nothing else. Every
//! error is a problem document (RFC 9457). It judges nothing and keeps nothing.

mod access;
mod app;
mod config;
pub mod dto;
mod events;
mod fences;
mod headers;
mod health;
mod history;
mod host;
mod parameters;
mod problem;
mod router;
mod server;
mod time_text;
mod tokens;

pub use app::{ApiState, Stores};
pub use config::ApiConfig;
pub use router::router;
pub use server::{BindError, Bound, Notice, ServeError};
