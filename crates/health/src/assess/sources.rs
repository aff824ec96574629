//! Assesses the external lists of tokens. One that cannot be read makes it degraded: its last tokens are still scored.

use crate::{Facts, Findings, SourcesModel, found};

pub(super) fn assess(facts: &Facts) -> SourcesModel {
    let mut findings = Findings::default();
    for source in &facts.sources {
        if let Some(problem) = &source.problem {
            findings.add(found::source_failing(source, problem));
        }
    }
    SourcesModel { status: findings.worst(), lists: facts.sources.clone(), findings }
}
