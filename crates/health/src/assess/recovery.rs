//! Assesses the parts by what self-healing is at: one that is being restarted makes the whole degraded, and one about which
//! nothing more is done makes it critical, since a person has to.

use crate::{Facts, Findings, RecoveryModel, found};

pub(super) struct Assessed {
    pub(super) model: RecoveryModel,
    /// Whether something critical is beyond help: the service does not do what it is for, and another process would not either.
    pub(super) is_beyond_help: bool,
}

pub(super) fn assess(facts: &Facts) -> Assessed {
    let mut findings = Findings::default();
    let recovery = &facts.recovery;
    if let Some(why) = &recovery.needs_a_person {
        findings.add(found::process_given_up(why));
    } else if let Some(times) = recovery.process_ended {
        findings.add(found::process_keeps_ending(times));
    }
    if let Some(problem) = &recovery.set_aside {
        findings.add(found::ledger_unusable(problem));
    }
    for part in &recovery.escalated {
        findings.add(found::part_given_up(part, &facts.commands));
    }
    for part in &recovery.restarting {
        findings.add(found::part_restarting(part));
    }
    let is_beyond_help =
        recovery.needs_a_person.is_some() || recovery.escalated.iter().any(|part| part.critical);
    let model = RecoveryModel { status: findings.worst(), findings: findings.worst_first() };
    Assessed { model, is_beyond_help }
}
