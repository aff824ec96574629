//! The models of the responses, and of the bodies of orders, field by field: the contract. The only place that uses serde; it holds no rules.
//!
//! Units, unless the name says: timestamps are RFC 3339; `*_processing_time` are seconds;
//! `*_response_time` are milliseconds; `error_rate` and `cache_hit_rate` are shares from 0 to 1. `null` means unknown,
//! never zero.

mod alerts;
mod breakers;
mod events;
mod finding;
mod health;
mod history;
mod plan;
mod problem;
mod quiets;
mod recoveries;
mod recovery;
mod sources;
mod tokens;

pub use alerts::{
    AcknowledgeDto, AcknowledgeFormDto, AcknowledgedDto, AlertDetailDto, AlertDto, AlertOrderedDto,
    AlertsDto, ChannelDto, ChannelsDto, DeadLetterDto, DeadLettersDto, FailingDto, HiddenDto, MentionDto,
    ReceiptDto, RuleDto, RulesDto, TellAgainDto, ToldAgainDto, ToldDto, WorseDto,
};
pub(crate) use alerts::{STATES, state};
pub use breakers::{BreakerDto, BreakersDto, CountsDto, OrderedDto, WindowDto};
pub use events::{EventDto, EventsDto};
pub use finding::{FindingDto, LimitDto};
pub use health::{
    ApisDto, CheckDto, ChecksDto, DetailedDto, FreshnessDto, LaneDto, OverallDto, OverallStatus,
    ResourcesDto, SchedulerDto, StatusDto, StoreDto,
};
pub use history::{HistoryDto, PointDto, SeriesDto};
pub use plan::{LanePlanDto, PlanDto};
pub use problem::ProblemDto;
pub(crate) use quiets::DAYS;
pub use quiets::{
    BeginMaintenanceDto, BeginSilenceDto, EndedDto, MaintenanceDto, MatchDto, MatchingDto, PairsDto,
    SilenceDto, SilencesDto, StoredDto, WindowOfWeekDto,
};
pub use recoveries::{
    BudgetDto, BudgetsDto, LatelyDto, PartDto, PartsDto, RecoveriesDto, RecoveryDto, RestartDto, StepDto,
};
pub use recovery::SelfHealingDto;
pub use sources::{SourceDto, SourcesDto};
pub use tokens::{ComponentsDto, TokenDto, TokensDto};
