//! Circuit breaker: admits, rejects and probes one outside dependency.
//!
//! A caller asks [`Breaker::admit`] for a [`Permit`], makes its call and reports how it ended. **Closed** admits; enough
//! consecutive failures, or too large a share of failed or slow calls, make it **Open**, which rejects and says when to try
//! again; then **HalfOpen** admits exactly as many probes as the config allows, closes when enough of them succeed and opens
//! again, for longer, when too many fail. An operator can hold the breaker **ForcedOpen** or **Disabled**, and always wins
//! over a call's report: every transition begins a new *generation*, and a report from an earlier one is
//! [`Verdict::Stale`].
//!
//! A permit that is dropped gives its place back; one that is leaked is written off after its lease. So a breaker is
//! never stuck.
//!
//! Inside, one pure state machine (`state`, with `rules`, `window` and `probes`) decides everything, behind a lock. What it
//! published last (`gate`) answers most calls without the lock, and each thread counts its successes on a cache line of its
//! own (`shards`, `slot`), which the machine adds up before it decides.
//!
//! It reads no clock of its own (`now` is an argument, and decisions never go back in time), calls no listener (transitions
//! wait in a bounded journal for [`Breaker::poll_transition`]), and knows nothing of HTTP, retries or rate limits. Its settings
//! can change while calls are in flight: [`Breaker::reconfigure`].
#![doc = include_str!("../README.md")]

mod breaker;
mod config;
mod control;
mod event;
mod fact;
mod gate;
mod journal;
mod port;
mod probes;
mod registry;
mod rules;
mod shards;
mod share;
mod slot;
mod state;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod window;

pub use breaker::{Breaker, Permit};
pub use config::{BreakerConfig, BreakerSettings, CountAs, RateSettings, SlowCallSettings, Window};
pub use control::{BreakerControl, BreakerView, Order, OrderRefused, Ordered};
pub use event::{
    Counts, Outcome, RejectReason, Rejected, Saved, Snapshot, State, SuppressedBy, Transition,
    TransitionReason, Verdict, WindowCounts,
};
pub use port::{BreakerStore, StoredBreaker, StoredRate};
pub use registry::{Evicted, Registry, RegistryConfig, RegistryFull, RegistrySettings};
