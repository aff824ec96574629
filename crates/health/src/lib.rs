//! Health: facts about the service go in, status words and the contract's models come out.
//!
//! [`assess`] is one total function: [`Facts`] (what the service measured) and [`Thresholds`] give a [`Report`]. Missing data is
//! `unknown`, never healthy; the whole is as bad as its worst part, except that an unknown optional part makes it degraded.
//! Everything that is not healthy is a [`Finding`]: a kind, what it is about, its figure with the limit that it has reached, and the sentence that
//! says so. The [`ResourceSource`] port measures the process; the [`HealthView`] port gives readers the last report.
//!
//! It does not know HTTP, tasks or the clock.

mod assess;
mod commands;
mod facts;
mod finding;
mod found;
mod level;
mod model;
mod port;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod thresholds;

pub use assess::{assess, stands_still};
pub use commands::Commands;
pub use facts::{
    ApiFacts, BreakerState, DataFacts, Facts, GroupFacts, LaneFacts, LanePlan, OverruledBreaker, PanicFacts,
    PartFacts, Phase, PlanFacts, RecoveryFacts, ResourceSample, SilenceFacts, SourceFacts, StoreCall,
    StoreFacts, StoreUseFacts, UnreadableFacts, Waiting,
};
pub use finding::{Finding, Findings, Kind, Unit};
pub use level::{LastLevel, Level, Reached};
pub use model::{
    ApisModel, FreshnessModel, GroupModel, LaneModel, RecoveryModel, Report, ResourcesModel, SchedulerModel,
    SourcesModel, StoreModel, StoreUseModel,
};
pub use port::{HealthView, ResourceError, ResourceSource};
pub use status::Status;
pub use thresholds::{Levels, Limit, ProgressThresholds, Thresholds};
