//! Assesses the external lists of tokens. One that cannot be read makes it degraded: its last tokens are still scored.

use super::finding::Findings;
use crate::{Facts, SourcesModel, Status};

pub(super) fn assess(facts: &Facts) -> (SourcesModel, Findings) {
    let mut findings = Findings::default();
    for source in &facts.sources {
        let Some(problem) = &source.problem else { continue };
        // A list can be wrong in many lines; the log has all of them.
        let first = problem.lines().next().unwrap_or_default();
        let sentence =
            format!("the tokens of source {} are those of its last good list: {first}", source.origin);
        findings.add(Status::Degraded, sentence);
    }
    (SourcesModel { status: findings.worst(), lists: facts.sources.clone() }, findings)
}
