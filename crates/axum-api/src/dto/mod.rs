//! What goes over the wire, field by field: the contract. The only place that knows serde; it holds no rule.
//!
//! Units, where a name does not carry its own: times in text are RFC 3339; `*_processing_time` are seconds;
//! `*_response_time` are milliseconds; `error_rate` and `cache_hit_rate` are shares from 0 to 1. `null` is "not known",
//! which is never zero.

mod events;
mod health;
mod history;
mod plan;
mod problem;
mod sources;
mod tokens;

pub use events::{EventDto, EventsDto};
pub use health::{
    ApisDto, CheckDto, ChecksDto, DetailedDto, FreshnessDto, LaneDto, OverallDto, OverallStatus,
    ResourcesDto, SchedulerDto, StatusDto, StoreDto,
};
pub use history::{HistoryDto, PointDto, SeriesDto};
pub use plan::{LanePlanDto, PlanDto};
pub use problem::ProblemDto;
pub use sources::{SourceDto, SourcesDto};
pub use tokens::{ComponentsDto, TokenDto, TokensDto};
