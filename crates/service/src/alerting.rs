//! What of alerts outlives the part that works on them: the desk, the channels with their guards, and what was told from memory.

mod channel;
mod journal;
mod seat;

pub(crate) use channel::Channel;
pub(crate) use seat::{Alerting, CONFIRM, Order, Reply, Seat};
