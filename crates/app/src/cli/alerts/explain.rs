//! `ttm alerts explain`: the runbook of a rule, which is in the program.

use ttm_alert::defaults::RULES;

use crate::cli::failure::Failure;
use crate::cli::output::{print, printable};
use crate::runbooks::page;

pub(super) fn execute(rule: &str) -> Result<(), Failure> {
    match page(rule) {
        Some(page) => Ok(print(format_args!("{page}"))?),
        None => Err(Failure::Arguments(unknown(rule))),
    }
}

fn unknown(rule: &str) -> String {
    let names = || RULES.iter().map(|rule| rule.name);
    let near = names().map(|name| (strsim::jaro_winkler(rule, name), name));
    let nearest = near.filter(|(near, _)| *near > 0.8).max_by(|one, other| one.0.total_cmp(&other.0));
    let hint = nearest.map(|(_, name)| format!("; did you mean {name:?}?")).unwrap_or_default();
    let known = names().collect::<Vec<_>>().join(", ");
    format!(
        "there is no runbook of {:?}{hint}; there is one of each rule by default: {known}",
        printable(rule, 100)
    )
}
