//! Retry: when to try a failed call again, when to give up, and how many retries are too many.
//!
//! A [`RetryPolicy`] says how long to wait between attempts; a [`Retry`] follows one call through its attempts and
//! answers each failure with a [`Decision`]. Waiting is left to the caller: the answer is a moment. A failure is described by
//! its [`Class`] and by how long the upstream asks to wait; [`Class::of_http_status`] and [`parse_retry_after`]
//! read both from an HTTP answer.
//!
//! A policy bounds the retries of one call. A [`RetryBudget`], one per target, bounds those of all calls: each first try
//! pays in a tenth of a token, each retry costs one, and a small reserve refills with time. So a target in
//! trouble sees a tenth more load than usual, not three times as much.
//!
//! Laws, each of them a property test. Of one call:
//! 1. it never answers with a moment at or after the deadline, nor gives an attempt longer than that;
//! 2. a wait is never shorter than what the upstream asked for, up to the cap on that, and but for its own jitter at most a
//!    tenth longer;
//! 3. a wait that the upstream did not ask for lies within its jitter's bounds, and never exceeds `max_delay`;
//! 4. a call makes at most `max_attempts` attempts, and a permanent failure is never tried again;
//! 5. nothing overflows, whatever the attempt's number, the durations or the moment.
//!
//! Of a budget:
//!
//! 6. deposits are never lost below the cap, and the balance never stands above it, under any race;
//! 7. the reserve gives at most its burst and `reserve_per_second` for each second of any interval; a clock that goes back
//!    or jumps to the end of time gives nothing more;
//! 8. a withdrawal dropped unspent goes back to where it came from, and what is full stays full;
//! 9. so, of the withdrawals made in any interval, those spent are at most the deposits made in it, what the reserve gives in
//!    it, and what was there before: the balance, at most the cap, and tokens that others held and dropped.
//!
//! It knows nothing of clocks, breakers or HTTP clients, and never waits: no lock, no sleep.
#![doc = include_str!("../README.md")]

mod attempts;
mod budget;
mod class;
mod policy;
mod reserve;
mod retry_after;
#[cfg(feature = "testing")]
pub mod testing;

pub use attempts::{Decision, GiveUpReason, Retry};
pub use budget::{BudgetConfig, BudgetSettings, RetryBudget, Source, Withdrawal};
pub use class::Class;
pub use policy::{Jitter, RetryPolicy, RetrySettings};
pub use retry_after::parse_retry_after;
