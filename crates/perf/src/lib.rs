//! Performance: the metric series that the service produces, the windows that are kept of its calls and runs, and the
//! port to the history.
//!
//! A [`Sample`] is one value of a [`SeriesKey`] at a time. The [`MetricStore`] port keeps samples and answers
//! [`RangeQuery`]s; [`Fold`] is the one arithmetic by which every store turns samples into [`Point`]s. [`CallWindow`]
//! counts calls, errors and latencies over sliding minutes, with percentiles from merged histograms, and
//! [`Control`] makes of them how long an attempt may take and how many may be under way.
//!
//! It knows nothing of databases, of what the series mean, or of the clock: time is an argument.

mod call_window;
mod control;
mod fold;
mod port;
mod query;
mod series;
#[cfg(feature = "testing")]
pub mod testing;

pub use call_window::{CallSummary, CallWindow};
pub use control::{Control, ControlChange, ControlConfig, ControlReason, ControlSettings, Controlled};
pub use fold::Fold;
pub use port::{Appended, MetricStore, MetricStoreError};
pub use query::{Aggregate, InvalidQuery, Point, RangeQuery};
pub use series::{InvalidSample, InvalidSeries, Sample, SeriesKey};
