//! For the tests of other crates: a faithful fake of the history, its laws as a suite, and strategies. It knows no
//! runtime: the suite is plain futures.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

pub mod conformance;
pub mod event_conformance;
mod fake;
mod fake_events;
pub mod strategy;

pub use crate::event_port::MockEventStore;
pub use crate::port::MockMetricStore;
pub use fake::FakeMetricStore;
pub use fake_events::FakeEventStore;
pub use strategy::{
    any_event, any_event_kind, any_event_query, any_payload, any_range_query, any_subject, sample, sample_of,
    series_key,
};
