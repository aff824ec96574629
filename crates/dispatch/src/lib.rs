//! Dispatch: what the next request asks for, out of everything that waits for one.
//!
//! The budget grants turns, one request each. [`Dispatcher::poll`] is called when a turn is granted, and not before, so that a
//! request holds what matters most at that time, and as much of it as fits.
//!
//! - Keys wait in two lines, hot and cold. A tick of a line makes every key in it due once; what is not asked for
//!   before the next tick is deferred, and keeps its place. In a line the greatest **weighted age** comes first: the
//!   time since a key was last seen, times the weight of its [`Value`]. A key whose request failed is in front again
//!   after the next tick. The weights are close enough that the least valuable key is seen at least once while the most
//!   valuable is seen twice.
//! - A key that upstream does not know **backs off**, then it is asked for along with others: while there are batches with
//!   room for it, it costs no turn.
//! - A batch that may have failed because of one of its keys is **split in halves**, apart from all others, so that one bad
//!   key does not keep its neighbours from being seen. Once it is alone, it backs off for longer each time.
//! - **Single** requests ask for one key: one that a batch did not answer, or one whose full list is wanted.
//! - Four [`Priority`]s share the turns. Candidates for activation go first with a tenth of them and last beyond that; then
//!   hot, cold, and keys whose backoff is over, each with a floor. All other full lists get what is left.
//! - A batch is full, or has waited to fill up: a key waits for others at most [`DispatchSettings::coalesce`].
//!
//! Every key is in one place at a time: in a line, backing off, waiting for a request of its own, or in flight. So, full lists
//! apart, no key is asked for twice at once, and none is lost. Taking a key and putting it back is O(1), however many there
//! are; backing off, moving and removing cost a walk through a tree and a scan of what is in flight.
//!
//! It reads no clock, sends nothing, and does not know what a key is.

mod config;
mod counts;
mod dispatcher;
mod left_behind;
mod line;
mod lists;
mod outlook;
mod priority;
mod request;
mod rest;
mod seen;
mod shares;
mod suspects;

pub use config::{DispatchConfig, DispatchSettings};
pub use counts::Counts;
pub use dispatcher::Dispatcher;
pub use lists::Lists;
pub use outlook::{Demand, Outlook, outlook};
pub use priority::{Place, Priority, Value, single_every};
pub use request::{Ask, Asked, Backoff, End, Request, Single, Suspicion};
pub use seen::Seen;
