//! Alerts: a pure machine that knows series, rules and channels by their names, and never what a series measures or how a
//! channel sends.
#![doc = include_str!("../README.md")]

mod alert;
mod control;
pub mod defaults;
mod desk;
mod engine;
mod labels;
#[cfg(feature = "memory")]
pub mod memory;
mod message;
mod now;
mod port;
mod quiet;
mod reading;
mod reason;
mod record;
mod route;
mod rule;
mod rules;
mod series;
#[cfg(feature = "testing")]
pub mod testing;
mod track;
mod view;
pub mod words;

pub use alert::{AlertKey, Ending, Episode, EpisodeId, SavedAlert, Transition, Turn};
pub use control::{AlertControl, ChannelView, OrderRefused, Ordered};
pub use desk::{Changed, Desk, NotFiring, TooManyQuiets};
pub use engine::{Engine, InvalidMeasurement, Stale};
pub use labels::{Identity, InvalidLabels, Labels};
pub use message::{Attempt, Item, Message, News, OutboxRow, Outcome, Receipt, RowKey, Said};
pub use now::Now;
pub use port::{AlertJournal, AlertStore, DEAD_LETTERS_KEPT, Feed, Heartbeat, Notifier, RECEIPTS_KEPT};
pub use quiet::{InvalidQuiet, Quiet, QuietId, When, Zone};
pub use reading::{Measurement, Reading};
pub use reason::repeated;
pub use record::{Ack, AlertRecord, Case, Commit, DeadLetter, Journal, Journalled, Loaded, Told, readable};
pub use route::{ChannelId, Escalation, Matcher, NotifyConfig, NotifySettings, Route};
pub use rule::{Condition, Limit, RuleSpec, Side, Worse};
pub use rules::{Fault, InvalidRule, RuleId, RuleSet};
pub use series::{Catalogue, Collector, Series, SeriesKind, Unit};
pub use track::{Change, Phase, Seen, Timing, Track};
pub use view::{AlertView, Hidden};
