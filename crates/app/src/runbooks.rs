//! The runbooks: a page for each rule that is on by default, as `docs/runbooks` has them.

/// The pages, by rule.
macro_rules! pages {
    ($($rule:literal),* $(,)?) => {
        [$(($rule, include_str!(concat!("../../../docs/runbooks/", $rule, ".md")))),*]
    };
}

const PAGES: [(&str, &str); 24] = pages![
    "group_not_running",
    "group_errors",
    "processing_stopped",
    "memory",
    "cpu",
    "disk",
    "descriptors",
    "api_slow",
    "api_errors",
    "rate_limited",
    "forbidden_storm",
    "breaker_open",
    "restart_budget_spent",
    "restart_withheld",
    "data_stale",
    "store_down",
    "store_corrupt",
    "credentials_refused",
    "samples_lost",
    "source_failing",
    "clock_stepped",
    "dead_man",
    "channel_failing",
    "collector_stale",
];

/// What to do about a rule: Markdown that fits a terminal of 80 columns. `None` if there is no such rule by default.
pub(crate) fn page(rule: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == rule).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests;
