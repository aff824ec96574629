//! Dispatch: what the next request asks for, out of everything that waits for one.
//!
//! A budget gives turns, one request each. [`Dispatcher::poll`] is asked when a turn is there, and not before, so that a
//! request holds what matters most at that time, and as much of it as one request can.
//!
//! - Keys wait in two lines, hot and cold. A tick of a line lets everything in it be asked once; what is not reached
//!   before the next tick is deferred, and stays in its place. In a line the greatest **weighted age** comes first: the
//!   time since a key was last seen, times the weight of its [`Value`]. A key that was asked in vain is in front again after
//!   the next tick. The weights are close enough that the least valuable key is
//!   seen at least once while the most valuable is seen twice.
//! - A key that its far side did not know **rests** until a time, then it is asked along with others.
//!   Nobody spends a turn on it while there are batches that it can ride along in.
//! - A batch that failed maybe for one of its keys is asked again **by halves**, apart from all others, so that one bad key
//!   does not keep its neighbours from being seen; alone in the end, it rests for longer each time.
//! - **Single** questions about one key: one that a batch did not answer, and the full lists that somebody wants.
//! - Four [`Priority`]s share the turns. Candidates for activation go first with a tenth of them and last beyond that; then
//!   hot, cold, and keys that have rested, each with a floor. Full lists that nobody waits for get what is left.
//! - A batch is full, or has waited so that it might be: a key waits at most [`DispatchSettings::coalesce`] for company.
//!
//! Every key is in one place at a time: in a line, resting, waiting for a question apart, or under way. So, full lists apart,
//! the same key is never asked twice at once, and none is ever lost. To take a key and to put it back is O(1), however many
//! there are; to rest, to be moved or to be removed costs the way through a tree and a look at what is under way.
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
