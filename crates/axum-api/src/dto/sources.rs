//! Models of the external token lists, a part of `/health/detailed`.

use serde::Serialize;
use ttm_health::{SourceFacts, SourcesModel};

use super::finding::{FindingDto, findings};

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourcesDto {
    /// `degraded` if one of them cannot be read; its last good content stays in use.
    pub status: &'static str,
    /// Each of them.
    pub lists: Vec<SourceDto>,
    /// Each problem as data, the worst first.
    pub findings: Vec<FindingDto>,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceDto {
    /// `file`, `postgres` or `profiles`.
    pub origin: String,
    /// Tokens in it at the last successful read.
    pub tokens: Option<u64>,
    /// Why it cannot be read; null if it can.
    pub problem: Option<String>,
}

impl From<&SourcesModel> for SourcesDto {
    fn from(model: &SourcesModel) -> Self {
        let list = |SourceFacts { origin, tokens, problem }: &SourceFacts| SourceDto {
            origin: origin.clone(),
            tokens: *tokens,
            problem: problem.clone(),
        };
        Self {
            status: model.status.as_str(),
            lists: model.lists.iter().map(list).collect(),
            findings: findings(&model.findings),
        }
    }
}
