//! Health: facts about the service go in, status words and the contract's models come out.
//!
//! [`assess`] is the whole of it: [`Facts`] (what the service measured) and [`Thresholds`] (what is too much) give a
//! [`Report`]. Missing data is `unknown`, never healthy; the worst part is the whole, except that an unknown optional
//! part makes it degraded. The [`ResourceSource`] port measures the process; the [`HealthView`] port hands the last
//! report to whoever answers questions.
//!
//! It knows nothing of HTTP, of tasks, or of the clock.

mod assess;
mod facts;
mod level;
mod model;
mod port;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod thresholds;

pub use assess::assess;
pub use facts::{
    ApiFacts, BreakerState, DataFacts, Facts, GroupFacts, LaneFacts, LanePlan, Phase, PlanFacts,
    ResourceSample, SilenceFacts, SourceFacts, StoreCall, StoreFacts, StoreUseFacts, UnreadableFacts,
    Waiting,
};
pub use level::{LastLevel, Level, Reached};
pub use model::{
    ApisModel, FreshnessModel, GroupModel, LaneModel, Report, ResourcesModel, SchedulerModel, SourcesModel,
    StoreModel, StoreUseModel,
};
pub use port::{HealthView, ResourceError, ResourceSource};
pub use status::Status;
pub use thresholds::{Levels, ThresholdSettings, Thresholds};
