//! Self-healing, a part of `/health/detailed`.

use serde::Serialize;
use ttm_health::RecoveryModel;

use super::finding::{FindingDto, findings, sentences};

/// What it is at; `/api/v1/recoveries` and `/api/v1/parts` say more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfHealingDto {
    /// `degraded` while a part is being restarted, `critical` once nothing more is done about one.
    pub status: &'static str,
    /// One sentence for each part that is not running as it should.
    pub alerts: Vec<String>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

impl From<&RecoveryModel> for SelfHealingDto {
    fn from(model: &RecoveryModel) -> Self {
        Self {
            status: model.status.as_str(),
            alerts: sentences(&model.findings),
            findings: findings(&model.findings),
        }
    }
}
