//! Performance: the metric series that the service produces, the windows that are kept of its calls and runs, and the
//! ports to the history.
//!
//! A [`Sample`] is one value of a [`SeriesKey`] at a time. The [`MetricStore`] port keeps samples and answers
//! [`RangeQuery`]s; [`Fold`] is the one arithmetic by which every store turns samples into [`Point`]s. [`CallWindow`]
//! counts calls, errors and latencies over sliding minutes, with percentiles from merged histograms, and
//! [`Control`] derives from them how long an attempt may take and how many requests may be in flight.
//!
//! An [`Event`] is something that happened, with its reason; the [`EventStore`] port keeps events and lists them by page.
//!
//! It does not know databases, the meaning of series, or the clock: time is an argument.

mod call_window;
mod control;
mod event;
mod event_port;
mod event_query;
mod fold;
mod port;
mod query;
mod series;
#[cfg(feature = "testing")]
pub mod testing;

pub use call_window::{CallSummary, CallWindow};
pub use control::{Control, ControlChange, ControlConfig, ControlReason, ControlSettings, Controlled};
pub use event::{Event, EventId, EventKind, InvalidName, InvalidPayload, Payload, Subject};
pub use event_port::EventStore;
pub use event_query::{EventCursor, EventPage, EventQuery, InvalidCursor, InvalidEventQuery};
pub use fold::Fold;
pub use port::{Appended, MetricStore};
pub use query::{Aggregate, InvalidQuery, Point, RangeQuery};
pub use series::{InvalidSample, InvalidSeries, Sample, SeriesKey};
