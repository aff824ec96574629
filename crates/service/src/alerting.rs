//! What of alerts outlives the part that works on them: the desk, the channels with their guards, and what was told from memory.

mod channel;
mod failing;
mod gauges;
mod journal;
mod seat;

pub(crate) use failing::{Failing, no_answer};
pub use gauges::metric_name;
pub(crate) use seat::{Alerting, CONFIRM, Order, Reply, Seat};
