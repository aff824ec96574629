//! One table of limits for health and alerts: what a rule calls too much is too much for health as well.

use ttm_alert::{Condition, Limit, RuleSet, RuleSpec, Side};
use ttm_health::{Levels, ProgressThresholds, Thresholds};

/// The thresholds of health under these rules. A rule that is off leaves health with the limits that it has by default.
pub(crate) fn under(rules: &RuleSet, progress: ProgressThresholds) -> Thresholds {
    let default = Thresholds::default();
    let rule = |name| rules.find(name).map(|id| rules.rule(id));
    let levels = |name, default: Levels| rule(name).and_then(of_rule).unwrap_or(default);
    Thresholds {
        memory: levels("memory", default.memory),
        // A processor may be busy for moments, so health waits for as long as the rule. The other figures are judged at once.
        cpu: Levels {
            hold: rule("cpu").map_or(default.cpu.hold, |rule| rule.hold),
            ..levels("cpu", default.cpu)
        },
        disk: levels("disk", default.disk),
        descriptors: levels("descriptors", default.descriptors),
        api_slow: levels("api_slow", default.api_slow),
        api_errors: levels("api_errors", default.api_errors),
        progress,
    }
}

/// The levels of a rule that has two of them. Every default rule here has, and no config takes one away.
fn of_rule(rule: &RuleSpec) -> Option<Levels> {
    let Condition::Threshold { side: Side::Above, limit, worse: Some(worse) } = rule.condition else {
        return None;
    };
    let pair = |Limit { enter, exit }| [enter, exit];
    Some(Levels::new(pair(limit), pair(worse.limit)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ttm_alert::defaults;
    use ttm_health::Kind;
    use ttm_kernel::Severity;

    use super::*;

    /// The thresholds under the default rules, with one that is changed or left out.
    fn with(name: &str, change: impl Fn(RuleSpec) -> Option<RuleSpec>) -> Thresholds {
        let changed = |rule: RuleSpec| if rule.name == name { change(rule) } else { Some(rule) };
        let mut rules: Vec<RuleSpec> = defaults::rules().into_iter().filter_map(changed).collect();
        for at in 0..rules.len() {
            let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
            rules[at].inhibited_by.retain(|cause| names.contains(cause));
        }
        let rules = RuleSet::try_new(rules, defaults::catalogue(Duration::ZERO, Duration::ZERO));
        under(&rules.expect("valid"), ProgressThresholds::default())
    }

    #[test]
    fn the_default_rules_and_the_defaults_of_health_are_one_table() {
        assert_eq!(with("none", Some), Thresholds::default());
    }

    #[test]
    fn what_rules_and_findings_are_both_about_has_one_name() {
        let kinds = [
            Kind::RestartBudgetSpent,
            Kind::ProcessingStopped,
            Kind::StoreCorrupt,
            Kind::SamplesLost,
            Kind::CredentialsRefused,
            Kind::StoreDown,
            Kind::SourceFailing,
            Kind::Memory,
            Kind::Cpu,
            Kind::Disk,
            Kind::Descriptors,
            Kind::BreakerOpen,
            Kind::ApiErrors,
            Kind::ApiSlow,
            Kind::DataStale,
        ];
        for kind in kinds.map(Kind::as_str) {
            assert!(defaults::RULES.iter().any(|rule| rule.name == kind), "{kind}");
        }
    }

    #[test]
    fn a_rule_that_is_overridden_is_followed_and_one_that_is_off_is_not_missed() {
        let default = Thresholds::default();
        let condition = Condition::above_twice([95.0, 94.0], [98.0, 97.0], Severity::Critical);
        let levels = Levels::new([95.0, 94.0], [98.0, 97.0]);
        let full = |rule| Some(RuleSpec { condition, hold: Duration::from_mins(7), ..rule });
        assert_eq!(with("disk", full), Thresholds { disk: levels, ..default });
        let cpu = Levels { hold: Duration::from_mins(7), ..levels };
        assert_eq!(with("cpu", full), Thresholds { cpu, ..default });
        for rule in defaults::RULES {
            assert_eq!(with(rule.name, |_| None), default, "without {}", rule.name);
        }
    }
}
