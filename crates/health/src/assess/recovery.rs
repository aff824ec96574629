//! Assesses the parts by what self-healing is at: one that is being restarted makes the whole degraded, and one about which
//! nothing more is done makes it critical, since a person has to.

use super::finding::Findings;
use crate::{Facts, RecoveryModel, Status};

pub(super) struct Assessed {
    pub(super) model: RecoveryModel,
    pub(super) findings: Findings,
    /// Whether something critical is beyond help: the service does not do what it is for, and another process would not either.
    pub(super) is_beyond_help: bool,
}

pub(super) fn assess(facts: &Facts) -> Assessed {
    let mut findings = Findings::default();
    let recovery = &facts.recovery;
    if let Some(why) = &recovery.needs_a_person {
        let sentence = format!(
            "the process should be replaced, and was three times within an hour: {why}; a person is needed"
        );
        findings.add(Status::Critical, sentence);
    }
    if let Some(problem) = &recovery.set_aside {
        findings.add(Status::Degraded, problem.clone());
    }
    for part in &recovery.escalated {
        let name = &part.name;
        let sentence = format!(
            "the part {name} is given up for now, since no restart that may be tried helps: {}; once it is mended, {}",
            part.problem,
            facts.commands.quoted(&format!("restart {name}"))
        );
        findings.add(Status::Critical, sentence);
    }
    for part in &recovery.restarting {
        findings.add(Status::Degraded, format!("the part {} does not get on: {}", part.name, part.problem));
    }
    let is_beyond_help =
        recovery.needs_a_person.is_some() || recovery.escalated.iter().any(|part| part.critical);
    let model = RecoveryModel { status: findings.worst(), alerts: findings.clone().sentences() };
    Assessed { model, findings, is_beyond_help }
}
