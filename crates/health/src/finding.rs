//! Findings: what is wrong, as data and as a sentence, and how they add up to one status.

use std::time::Duration;

use crate::{Limit, Status};

/// One thing that is wrong, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// What it is about, such as a group, a lane, a part, a breaker, a source or a use of a store; `None` if it is about the process or
    /// there is only one.
    pub subject: Option<String>,
    /// What it makes of the part that it was found in, or of the whole.
    pub status: Status,
    /// The figure that it is about; `None` if there is none, or it is not measured.
    pub value: Option<f64>,
    /// The limit that the figure has reached.
    pub limit: Option<Limit>,
    /// What both are measured in.
    pub unit: Option<Unit>,
    /// All of it in words, for an operator.
    pub sentence: String,
}

impl Finding {
    /// Without a subject and a figure.
    pub(crate) const fn new(kind: Kind, status: Status, sentence: String) -> Self {
        Self { kind, subject: None, status, value: None, limit: None, unit: None, sentence }
    }

    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    pub(crate) fn seconds(self, value: Duration) -> Self {
        self.measured(value.as_secs_f64(), Unit::Seconds)
    }

    pub(crate) fn percent(self, value: f64) -> Self {
        self.measured(value, Unit::Percent)
    }

    pub(crate) fn count(self, value: u64, unit: Unit) -> Self {
        self.measured(value as f64, unit)
    }

    pub(crate) fn beyond(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    fn measured(self, value: f64, unit: Unit) -> Self {
        Self { value: Some(value), unit: Some(unit), ..self }
    }
}

/// What figures of findings are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Tokens.
    Tokens,
    /// Requests.
    Requests,
    /// Rows of a table.
    Rows,
}

impl Unit {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Seconds => "seconds",
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::Rows => "rows",
        }
    }
}

/// The kinds of findings. Where a rule of the alerts is about the same thing, its name is the word of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nobody makes reports any more.
    NoReport,
    /// The process ends without being told to.
    Ending,
    /// The start waits for something.
    StartWaits,

    /// Nothing more is done about a part, or about the process, because all was.
    RestartBudgetSpent,
    /// A part is being restarted, or is about to be.
    PartRestarting,
    /// The record of earlier restarts cannot be used, so that every budget counts as spent.
    LedgerUnusable,

    /// A group may do nothing, because the lease on the store has run out.
    LeaseLapsed,
    /// A group's work is withheld because of the API.
    GroupWithheld,
    /// A group has not made progress since a start that goes on.
    NotBegun,
    /// A group makes no progress.
    ProcessingStopped,
    /// A group's runs end, and refresh none of their tokens.
    NothingRefreshed,
    /// Requests of a group panicked.
    RequestsPanicked,

    /// A use of a store is given up.
    StoreCorrupt,
    /// What could not be stored in time is being lost.
    SamplesLost,
    /// A store refuses this service's credentials.
    CredentialsRefused,
    /// The lease on the store cannot be renewed before an operator has acted.
    LeaseUnguarded,
    /// A use of a store fails.
    StoreDown,
    /// Some rows of a store could not be read, and are without effect.
    RowsUnreadable,
    /// No store has been used yet.
    StoreUnused,

    /// An external list of tokens cannot be read.
    SourceFailing,

    /// Memory in use.
    Memory,
    /// CPU in use.
    Cpu,
    /// Disk in use.
    Disk,
    /// Open descriptors.
    Descriptors,

    /// A breaker withholds calls.
    BreakerOpen,
    /// An operator has disabled a breaker.
    BreakerDisabled,
    /// Every call to the API fails.
    ApiDown,
    /// Too many calls to the API fail.
    ApiErrors,
    /// The API takes too long.
    ApiSlow,
    /// The API was not called lately.
    ApiUnused,
    /// The API answers, and lists none of the tokens.
    ApiSilent,
    /// What the API says of some tokens cannot be read.
    ApiUnreadable,

    /// There are no tokens.
    NoTokens,
    /// The API knows none of the tokens.
    AllUnlisted,
    /// Tokens are older than their lane allows.
    DataStale,
    /// Tokens were never observed, and should have been.
    NeverObserved,
    /// Tokens are not loaded yet.
    NotLoaded,
}

impl Kind {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoReport => "no_report",
            Self::Ending => "ending",
            Self::StartWaits => "start_waits",
            Self::RestartBudgetSpent => "restart_budget_spent",
            Self::PartRestarting => "part_restarting",
            Self::LedgerUnusable => "ledger_unusable",
            Self::LeaseLapsed => "lease_lapsed",
            Self::GroupWithheld => "group_withheld",
            Self::NotBegun => "not_begun",
            Self::ProcessingStopped => "processing_stopped",
            Self::NothingRefreshed => "nothing_refreshed",
            Self::RequestsPanicked => "requests_panicked",
            Self::StoreCorrupt => "store_corrupt",
            Self::SamplesLost => "samples_lost",
            Self::CredentialsRefused => "credentials_refused",
            Self::LeaseUnguarded => "lease_unguarded",
            Self::StoreDown => "store_down",
            Self::RowsUnreadable => "rows_unreadable",
            Self::StoreUnused => "store_unused",
            Self::SourceFailing => "source_failing",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
            Self::Descriptors => "descriptors",
            Self::BreakerOpen => "breaker_open",
            Self::BreakerDisabled => "breaker_disabled",
            Self::ApiDown => "api_down",
            Self::ApiErrors => "api_errors",
            Self::ApiSlow => "api_slow",
            Self::ApiUnused => "api_unused",
            Self::ApiSilent => "api_silent",
            Self::ApiUnreadable => "api_unreadable",
            Self::NoTokens => "no_tokens",
            Self::AllUnlisted => "all_unlisted",
            Self::DataStale => "data_stale",
            Self::NeverObserved => "never_observed",
            Self::NotLoaded => "not_loaded",
        }
    }
}

/// Everything that is wrong with a part or with the whole, or unknown; in a report the worst comes first. What has no findings is healthy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// The worst status among them.
    pub fn worst(&self) -> Status {
        self.0.iter().map(|finding| finding.status).max().unwrap_or(Status::Healthy)
    }

    /// Their sentences.
    pub fn sentences(&self) -> Vec<&str> {
        self.0.iter().map(|finding| finding.sentence.as_str()).collect()
    }

    /// Adds a finding.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds the findings of another part.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The same, none of it worse than degraded.
    pub(crate) fn into_warnings(mut self) -> Self {
        for finding in &mut self.0 {
            finding.status = finding.status.min(Status::Degraded);
        }
        self
    }

    /// The same for an optional part: unknown makes the whole degraded.
    pub(crate) fn into_optional(mut self) -> Self {
        for finding in self.0.iter_mut().filter(|finding| finding.status == Status::Unknown) {
            finding.status = Status::Degraded;
        }
        self
    }

    /// The same, the worst first; among equals, in the order in which they were found.
    pub(crate) fn worst_first(mut self) -> Self {
        self.0.sort_by_key(|finding| std::cmp::Reverse(finding.status));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_come_worst_first_and_otherwise_in_order() {
        let mut findings = Findings::default();
        for (status, sentence) in [
            (Status::Degraded, "a"),
            (Status::Critical, "b"),
            (Status::Degraded, "c"),
            (Status::Unknown, "d"),
        ] {
            findings.add(Finding::new(Kind::Disk, status, sentence.to_owned()));
        }
        assert_eq!(findings.worst(), Status::Critical);
        assert_eq!(findings.worst_first().sentences(), ["b", "d", "a", "c"]);
    }
}
