//! The service over its ports: the production composition, whichever adapters are behind them. Nothing in here knows whether
//! time is real, or what is behind a port.
//!
//! A [`Supervisor`] owns the life of a service. What lasts as long as the process is the resident state; what works on it is a
//! part, a row of [`PARTS`], which can be dropped and started again.
//!
//! One tick, end to end: the [`schedule`](ttm_schedule) says that a group is due, and every token of its line may be asked
//! for → the guard gives a turn → the [`dispatcher`](ttm_dispatch) says what is asked on it → the answer goes back to the
//! work plane, which scores it and puts its tokens back in line → the new states and samples go to the outboxes → the
//! writers store them. Beside it the supervision plane reads the board and makes the report.

mod alerting;
mod alerts;
mod answers;
mod board;
mod bounded;
mod breakers;
mod by_hand;
mod caller;
mod client;
mod databases;
mod drain;
mod edits;
mod ended;
mod events;
mod evidence;
#[cfg(test)]
mod fakes;
#[cfg(feature = "test-faults")]
mod faults;
mod first_report;
mod flights;
mod gist;
mod groups;
mod io;
mod lease;
mod ledger;
mod life;
mod local_file;
pub mod machine;
mod monitor;
mod opening;
mod operator;
mod outbox;
mod parts;
mod pause;
mod ports;
mod profiles;
mod refusals;
mod resident;
mod roster;
pub mod series;
mod settings;
mod sinks;
mod sources;
mod start;
mod stop;
mod stores;
mod supervisor;
mod tally;
mod thresholds;
mod trouble;
mod vigil;
mod vital;
mod work;

pub use alerting::metric_name;
pub use alerts::{AcknowledgeLink, Briefing, Links};
pub use board::Board;
pub use databases::Databases;
pub use ended::{Ended, Exit, Failure, StartError, Stopped};
pub use events::KINDS as EVENT_KINDS;
pub use io::run_on;
pub use outbox::OutboxCounts;
pub use parts::{OnStop, PARTS, Part, Progress, Stage};
pub use ports::{Controls, Plane, Planes, Ports, Surface};
pub use resident::Figures;
pub use settings::{AlertSettings, ServiceSettings};
pub use start::{Again, Open, Starting};
pub use stop::{Stop, StopOrder};
pub use stores::{Damage, StoreUse};
pub use supervisor::Supervisor;
pub use trouble::ApiTrouble;
pub use vigil::Vigil;
pub use vital::Vital;
