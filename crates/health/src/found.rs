//! What can be wrong, each with its kind, its figures, and the sentence that says them with their units to an operator. No
//! sentence of health is made elsewhere.

use std::fmt::Write as _;
use std::time::Duration;

use crate::{
    Commands, Finding, Kind, LaneFacts, Limit, PanicFacts, PartFacts, SourceFacts,
    Status::{self, Critical, Degraded, Unknown},
    StoreUseFacts, Unit,
};
use words::spoken;

mod api;
mod words;

pub(crate) use api::{Api, Cleared, percent};

/// Nobody makes reports any more.
pub(crate) fn no_report(age: Duration) -> Finding {
    let seconds = age.as_secs();
    let sentence = format!("there has been no report for {seconds} s: the part monitor does not get on");
    Finding::new(Kind::NoReport, Critical, sentence).seconds(age)
}

/// The process ends without being told to.
pub(crate) fn ending(cause: &str) -> Finding {
    Finding::new(Kind::Ending, Critical, format!("stopping because {cause}"))
}

/// The start waits for something that comes back by itself, or once an operator has repaired it.
pub(crate) fn start_waits(what: &str, needs_a_person: bool) -> Finding {
    let (status, sentence) = if needs_a_person {
        (Critical, format!("the start waits until an operator has repaired {what}"))
    } else {
        (Unknown, format!("the start waits for {what}"))
    };
    Finding::new(Kind::StartWaits, status, sentence)
}

/// The process should be replaced, and was too often.
pub(crate) fn process_given_up(why: &str) -> Finding {
    let sentence = format!(
        "the process should be replaced, and was three times within an hour: {why}; a person is needed"
    );
    // The rule has parts, and calls it one.
    Finding::new(Kind::RestartBudgetSpent, Critical, sentence).about("process")
}

/// The process ends again and again, and something outside starts it each time.
pub(crate) fn process_keeps_ending(times: u32) -> Finding {
    let sentence = format!(
        "the process has ended {times} times within an hour without an order: it is killed, it crashes, or it ends itself to be \
         started anew; a person is needed"
    );
    Finding::new(Kind::RestartBudgetSpent, Degraded, sentence).about("process")
}

/// Nothing more is done about a part.
pub(crate) fn part_given_up(PartFacts { name, problem, .. }: &PartFacts, commands: &Commands) -> Finding {
    let restart = commands.quoted(&format!("restart {name}"));
    let sentence = format!(
        "the part {name} is given up for now, since no restart that may be tried helps: {problem}; once it is mended, {restart}"
    );
    Finding::new(Kind::RestartBudgetSpent, Critical, sentence).about(name)
}

/// A part is being restarted, or is about to be.
pub(crate) fn part_restarting(PartFacts { name, problem, .. }: &PartFacts) -> Finding {
    let sentence = format!("the part {name} does not get on: {problem}");
    Finding::new(Kind::PartRestarting, Degraded, sentence).about(name)
}

/// The record of earlier restarts cannot be used.
pub(crate) fn ledger_unusable(problem: &str) -> Finding {
    Finding::new(Kind::LedgerUnusable, Degraded, problem.to_owned())
}

/// A group may do nothing, because the lease on the store has run out.
pub(crate) fn lease_lapsed(group: &str, lapsed: Duration) -> Finding {
    let lasts = spoken(lapsed);
    let sentence = format!(
        "the {group} group has been blocked for {lasts}: this process could not renew its lease on the store"
    );
    Finding::new(Kind::LeaseLapsed, Degraded, sentence).about(group).seconds(lapsed)
}

/// Why a group's work is withheld.
pub(crate) enum Withheld<'a> {
    /// An operator holds this breaker open.
    HeldOpen(&'static str, &'a Commands),
    /// The API wants a pause, of which this is left.
    RateLimited(Duration),
    /// The API is away.
    Unavailable,
}

/// A group's work is withheld because of the API.
pub(crate) fn group_withheld(group: &str, withheld: Duration, why: &Withheld<'_>) -> Finding {
    let why = match why {
        Withheld::HeldOpen(breaker, commands) => commands.held_open(breaker),
        Withheld::RateLimited(left) => format!("the API is rate limiting for another {}", spoken(*left)),
        Withheld::Unavailable => "the API is unavailable".to_owned(),
    };
    let sentence = format!("the {group} group has been blocked for {}: {why}", spoken(withheld));
    Finding::new(Kind::GroupWithheld, Degraded, sentence).about(group).seconds(withheld)
}

/// A group has not made progress since a start that goes on.
pub(crate) fn not_begun(group: &str) -> Finding {
    let sentence = format!("the {group} group has not made progress yet");
    Finding::new(Kind::NotBegun, Unknown, sentence).about(group)
}

/// A group without progress.
#[derive(Clone, Copy)]
pub(crate) struct Quiet<'a> {
    /// Its name.
    pub(crate) group: &'a str,
    /// For how long it has made none.
    pub(crate) lasts: Duration,
    /// Whether that is since the start.
    pub(crate) since_start: bool,
}

impl Quiet<'_> {
    fn found(self, kind: Kind, status: Status, limit: Duration, how: &str) -> Finding {
        let since = if self.since_start { "since the start, for" } else { "for" };
        let (group, lasts) = (self.group, spoken(self.lasts));
        let sentence = format!("the {group} group has made no progress {since} {lasts}{how}");
        let limit = limit.as_secs_f64();
        let limit = Limit { enter: limit, exit: limit };
        Finding::new(kind, status, sentence).about(group).seconds(self.lasts).beyond(limit)
    }
}

/// A group makes no progress, for longer than this.
pub(crate) fn processing_stopped(quiet: Quiet<'_>, status: Status, limit: Duration) -> Finding {
    quiet.found(Kind::ProcessingStopped, status, limit, "")
}

/// A group makes no progress, for longer than this, because of something outside.
pub(crate) fn nothing_refreshed(quiet: Quiet<'_>, limit: Duration) -> Finding {
    quiet.found(Kind::NothingRefreshed, Degraded, limit, ": its runs end, and refresh none of their tokens")
}

/// Requests of a group panicked.
pub(crate) fn requests_panicked(group: &str, panics: &PanicFacts) -> Finding {
    let PanicFacts { requests, lasts, since_last, message } = panics;
    let (within, last) = (spoken(lasts.saturating_sub(*since_last)), spoken(*since_last));
    let sentence = format!(
        "requests of the {group} group panicked: {requests} within {within}, the last {last} ago: {message}; this is a \
         defect, please report it"
    );
    Finding::new(Kind::RequestsPanicked, Degraded, sentence).about(group).count(*requests, Unit::Requests)
}

/// A use of a store is given up.
pub(crate) fn store_corrupt(each: &StoreUseFacts) -> Finding {
    let how = "given up until an operator has repaired the store and restarted this process";
    store(Kind::StoreCorrupt, Critical, each, how)
}

/// What could not be stored in time is being lost.
pub(crate) fn samples_lost(each: &StoreUseFacts) -> Finding {
    let how = "data is being lost: more waits than fits, or the store refuses it";
    store(Kind::SamplesLost, Critical, each, how)
}

/// A store refuses this service's credentials.
pub(crate) fn credentials_refused(each: &StoreUseFacts) -> Finding {
    let mend = "give its user the right password, or the right to log in, again";
    let how = format!("the credentials are refused{}; {mend}", since(each));
    store(Kind::CredentialsRefused, Critical, each, &how)
}

/// The lease on the store cannot be renewed before an operator has acted.
pub(crate) fn lease_unguarded(each: &StoreUseFacts) -> Finding {
    let how = format!("cannot be renewed{} before an operator has repaired it", since(each));
    store(Kind::LeaseUnguarded, Critical, each, &how)
}

/// A use of a store fails.
pub(crate) fn store_down(each: &StoreUseFacts) -> Finding {
    store(Kind::StoreDown, Degraded, each, &format!("failing{}", since(each)))
}

/// Some rows could not be read at the start, and what they say has no effect.
pub(crate) fn rows_unreadable(name: &str, rows: u64, first: &str) -> Finding {
    let (them, mend) = if rows == 1 {
        ("1 row could not be read, and has no effect".to_owned(), "mend or delete it")
    } else {
        (format!("{rows} rows could not be read, and have no effect"), "mend or delete them")
    };
    let sentence = format!("{name}: {them}: {first}; {mend}, and restart this process");
    Finding::new(Kind::RowsUnreadable, Degraded, sentence).about(name).count(rows, Unit::Rows)
}

/// No store has been used yet.
pub(crate) fn store_unused() -> Finding {
    Finding::new(Kind::StoreUnused, Unknown, "the store has not been used yet".to_owned())
}

fn since(each: &StoreUseFacts) -> String {
    each.down_for.map_or_else(String::new, |down| format!(" for {}", spoken(down)))
}

fn store(kind: Kind, status: Status, each: &StoreUseFacts, how: &str) -> Finding {
    let place = each.database.as_ref().map_or_else(String::new, |database| format!(" in {database}"));
    let mut sentence = format!("{}{place}: {how}", each.name);
    if let Some(error) = &each.last_error {
        // Writing to text does not fail.
        let _ = write!(sentence, ": {error}");
    }
    let found = Finding::new(kind, status, sentence).about(&each.name);
    each.down_for.into_iter().fold(found, Finding::seconds)
}

/// An external list of tokens cannot be read.
pub(crate) fn source_failing(SourceFacts { origin, .. }: &SourceFacts, problem: &str) -> Finding {
    // A list can be wrong in many lines; the log has all of them.
    let first = problem.lines().next().unwrap_or_default();
    let sentence = format!("the tokens of source {origin} are those of its last good list: {first}");
    Finding::new(Kind::SourceFailing, Degraded, sentence).about(origin)
}

/// A resource that is used up.
#[derive(Clone, Copy)]
pub(crate) struct Resource {
    kind: Kind,
    name: &'static str,
    /// What its figure is a share of.
    whole: &'static str,
}

/// Memory.
pub(crate) const MEMORY: Resource =
    Resource { kind: Kind::Memory, name: "memory in use", whole: "its limit" };
/// The processors.
pub(crate) const CPU: Resource =
    Resource { kind: Kind::Cpu, name: "CPU in use", whole: "what this process may use" };
/// The disk of the data.
pub(crate) const DISK: Resource =
    Resource { kind: Kind::Disk, name: "disk in use", whole: "the data path's file system" };
/// Open descriptors.
pub(crate) const DESCRIPTORS: Resource =
    Resource { kind: Kind::Descriptors, name: "open file descriptors", whole: "their limit" };

impl Resource {
    /// So much of it is in use.
    pub(crate) fn in_use(self, percent: f64, status: Status, limit: Limit) -> Finding {
        let (Self { kind, name, whole }, Limit { enter, exit }) = (self, limit);
        let sentence = format!("{name}: {percent:.1} % of {whole}; limit {enter} %, clears below {exit} %");
        Finding::new(kind, status, sentence).percent(percent).beyond(limit)
    }

    /// It is not measured.
    pub(crate) fn not_measured(self) -> Finding {
        Finding::new(self.kind, Unknown, format!("{}: not measured", self.name))
    }
}

/// An operator holds a breaker open that is not the one of the API that scoring depends on.
pub(crate) fn breaker_held_open(name: &str, commands: &Commands) -> Finding {
    let sentence = format!("{name}: {}", commands.held_open(name));
    Finding::new(Kind::BreakerOpen, Degraded, sentence).about(name)
}

/// An operator has disabled a breaker.
pub(crate) fn breaker_disabled(name: &str, commands: &Commands) -> Finding {
    let ends = commands.ends(name);
    let sentence = format!("{name}: an operator has disabled the circuit breaker; {ends}");
    Finding::new(Kind::BreakerDisabled, Degraded, sentence).about(name)
}

/// There are no tokens.
pub(crate) fn no_tokens(commands: &Commands) -> Finding {
    let sentence = format!("there are no tokens to score; {} brings some", commands.quoted("tokens import"));
    Finding::new(Kind::NoTokens, Degraded, sentence)
}

/// The API knows none of the tokens.
pub(crate) fn all_unlisted(unlisted: u64) -> Finding {
    let sentence = format!("the API knows none of the {unlisted} tokens");
    Finding::new(Kind::AllUnlisted, Degraded, sentence).count(unlisted, Unit::Tokens)
}

/// Tokens are older than their lane allows.
pub(crate) fn data_stale(lane: &str, LaneFacts { stale, tokens, ages, .. }: &LaneFacts) -> Finding {
    let oldest = ages.map_or_else(String::new, |ages| format!(", the oldest {}", spoken(ages.max)));
    let sentence = format!("{stale} of {tokens} {lane} tokens are older than they may be{oldest}");
    Finding::new(Kind::DataStale, Degraded, sentence).about(lane).count(*stale, Unit::Tokens)
}

/// Tokens were never observed, and should have been.
pub(crate) fn never_observed(lane: &str, LaneFacts { overdue, tokens, .. }: &LaneFacts) -> Finding {
    let sentence =
        format!("{overdue} of {tokens} {lane} tokens were never observed, and should have been by now");
    Finding::new(Kind::NeverObserved, Degraded, sentence).about(lane).count(*overdue, Unit::Tokens)
}

/// The tokens of a lane are not loaded yet.
pub(crate) fn not_loaded(lane: &str) -> Finding {
    Finding::new(Kind::NotLoaded, Unknown, format!("the {lane} tokens are not loaded yet")).about(lane)
}
