//! Drives the real program from outside: starts it, reads its log, sends it HTTP requests, kills it. Tests wait for log
//! lines or answers, never for a length of time.

#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod database;
mod disk;
mod exchange;
mod faults;
mod http;
mod pgbouncer;
mod port;
mod postgres;
mod program;
mod proxy;
mod terminal;

pub use database::{Database, Held};
pub use disk::{fill, in_a_namespace};
pub use exchange::{Market, market, market_that_hangs, market_that_is_down};
pub use faults::Faults;
pub use http::{Answer, get, post, send};
pub use pgbouncer::PgBouncer;
pub use port::Port;
pub use postgres::Postgres;
pub use program::{Outcome, Program, binary, ttm, ttm_faulty, waited_to_run};
pub use proxy::Proxy;
pub use terminal::on_a_terminal;
