//! Checks a health report against the truth about the world at the moment of the report: a problem must be reported,
//! and nothing else, wherever the truth is certain. It uses the report's model alone, and none of the code that
//! assesses it.

mod flapping;
mod parts;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_health::{Phase, Report, Status};
use ttm_market::Token;

pub use flapping::Flapping;

/// A group without progress must be reported within the first duration, and be critical after the second; the cold
/// group has more time, because it runs less often.
const HOT_QUIET: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
const COLD_QUIET: [Duration; 2] = [Duration::from_secs(135), Duration::from_secs(270)];
/// A process whose work stalls for this long is no longer live.
const STALL: Duration = Duration::from_mins(10);
/// An API that is down for this long makes hot tokens stale, and must be reported.
const API_REPORTED: Duration = Duration::from_mins(1);
/// A hot group that can do nothing must be reported after this: its last run ended before.
const ILL_REPORTED: Duration = Duration::from_secs(90);
/// So many processes may not end within an hour without being told of.
pub(crate) const MOST_ENDS: usize = 3;
/// What changed just before a report may not be in it yet.
const SETTLED: Duration = Duration::from_millis(10);
/// The longest start while everything is available.
const MAX_START: Duration = Duration::from_mins(2);

/// What is true at the moment of a report.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The wall clock; `None` if it was stepped since.
    pub wall: Option<Timestamp>,
    /// How long ago the process was ordered to stop, or lost a part; `None` if neither happened.
    pub stopping_for: Option<Duration>,
    /// For how long it was able to start, with everything available and no plane suspended.
    pub could_start_for: Duration,
    /// For how long the work plane has been suspended; `None` while it runs.
    pub work_held_for: Option<Duration>,
    /// For how long the work plane has run.
    pub work_runs_for: Duration,
    /// Whether no task of the service has been ill for so long that nothing shows it any more.
    pub is_well: bool,
    /// For how long the hot group has not been able to do anything; `None` if it can.
    pub hot_ill_for: Option<Duration>,
    /// The requests of the process that panicked so lately that they must be reported.
    pub panicked: usize,
    /// How long ago its last request panicked; `None` if none did.
    pub last_panic: Option<Duration>,
    /// For how long its lease on the store has run out, without anything wrong with the store; `None` while it stands.
    pub lease_lapsed_for: Option<Duration>,
    /// For how long no plane has been suspended.
    pub runs_for: Duration,
    /// For how long the API has returned nothing usable while the process could notice; `None` while it returns
    /// something.
    pub api_down_for: Option<Duration>,
    /// For how long every call to it has failed.
    pub api_fails_for: Option<Duration>,
    /// For how long none of its answers has contained a pair.
    pub api_silent_for: Option<Duration>,
    /// For how long none of its pairs could be read.
    pub api_unreadable_for: Option<Duration>,
    /// The last responses for pools.
    pub pools: ResponseTruth,
    /// The last responses for profiles; `None` if the service does not follow them.
    pub profiles: Option<ResponseTruth>,
    /// Whether the resources can be measured, and for how long that has been the case.
    pub resources: (bool, Duration),
    /// The uses of the store so far.
    pub uses: Vec<UseTruth>,
    /// The tokens as they are published now, and the smoothed score at which one becomes hot.
    pub tokens: (Vec<Arc<Token>>, f64),
    /// How many processes have ended without an order within the time that counts, at most.
    pub ended: usize,
    /// Whether nothing except short restarts has happened for as long as the service may take to recover.
    pub is_calm: bool,
}

/// The last responses that a process received from an API, and how long ago.
#[derive(Clone, Debug, Default)]
pub struct ResponseTruth {
    /// The last error; without text if the process gave the call up.
    pub error: Option<(Duration, Option<String>)>,
    /// The last answer.
    pub answer: Option<Duration>,
    /// The first answer of the current unbroken run.
    pub answering_for: Option<Duration>,
}

/// The state of one use of the store.
#[derive(Clone, Debug)]
pub struct UseTruth {
    /// Its name in the report.
    pub name: &'static str,
    /// For how long it has failed; `None` while it is answered.
    pub failing_for: Option<Duration>,
    /// The last error; `None` if the process gave the call up.
    pub error: Option<String>,
    /// For how long its state has been the same.
    pub unchanged_for: Duration,
    /// The damage that another use met, which ends this one too; empty if its caller gave the call up.
    pub damage: Option<String>,
    /// Whether its writer met damage and gave up.
    pub gave_up: bool,
    /// Whether entries were dropped within the last minute; `None` if that is uncertain.
    pub is_losing: Option<bool>,
}

/// Everything in the report that contradicts the truth.
pub fn judge(truth: &Truth, report: &Report) -> Vec<String> {
    let mut check = Check { report, violations: Vec::new() };
    check.life(truth);
    check.groups(truth);
    check.panics(truth);
    check.lease(truth);
    check.store(truth);
    check.api(truth);
    check.resources(truth);
    check.data(truth);
    check.sources(truth);
    check.whole(truth);
    check.violations
}

struct Check<'a> {
    report: &'a Report,
    violations: Vec<String>,
}

impl Check<'_> {
    fn ensure(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            let Report { status, phase, live, ready, .. } = self.report;
            let reasons = self.report.reasons().join("; ");
            self.violations.push(format!(
                "health: {} ({status}, {phase:?}, live {live}, ready {ready}: {reasons})",
                violation()
            ));
        }
    }

    /// The status is not healthy, and one of the reasons contains the words.
    fn ensure_reported(&mut self, status: Status, words: &str) {
        let is_reported = self.report.reasons().iter().any(|reason| reason.contains(words));
        self.ensure(status != Status::Healthy && is_reported, || {
            format!("no reason mentions {words:?}, which is {status}")
        });
    }

    fn is_running(&self) -> bool {
        self.report.phase == Phase::Running
    }

    /// The probes of the service manager and of the load balancer.
    fn life(&mut self, truth: &Truth) {
        let Report { phase, live, ready, started, .. } = *self.report;
        let is_stopping = truth.stopping_for.is_some();
        self.ensure(phase != Phase::Stopping || is_stopping, || "stopping without an order".to_owned());
        self.ensure(
            phase == Phase::Stopping || truth.stopping_for.is_none_or(|since| since < SETTLED),
            || "not reported as stopping".to_owned(),
        );
        self.ensure(phase != Phase::Starting || truth.could_start_for < MAX_START, || {
            format!(
                "still starting, although nothing has prevented the start for {:?}",
                truth.could_start_for
            )
        });
        self.ensure(started == (phase != Phase::Starting), || format!("started is {started}"));

        let held = truth.work_held_for.unwrap_or_default();
        self.ensure(!live || !self.is_running() || held < STALL, || {
            format!("live, although the work plane has been suspended for {held:?}")
        });
        // The group's last progress may be an interval and a call before the suspension.
        let may_be_dead = held + HOT_QUIET[0] >= STALL || truth.work_runs_for < HOT_QUIET[0];
        self.ensure(live || !truth.is_well || self.is_running() && may_be_dead, || {
            format!("not live, although the work plane has been suspended for {:?}", truth.work_held_for)
        });

        let losing = truth.uses.iter().map(|each| each.is_losing.map(|losing| losing || each.gave_up));
        let losing: Option<Vec<bool>> = losing.collect();
        let must_not_be_ready = truth.uses.iter().any(|each| each.gave_up || each.is_losing == Some(true));
        self.ensure(!ready || self.is_running() && (!must_not_be_ready || !truth.is_well), || {
            "ready, although it is not running or entries are being lost".to_owned()
        });
        let may_be_unready = !truth.is_well || losing.is_none_or(|each| each.contains(&true));
        self.ensure(ready || !self.is_running() || may_be_unready, || {
            "not ready, although nothing is being lost".to_owned()
        });
    }

    fn ends_by_itself(&self) -> bool {
        self.report.phase == Phase::Stopping
            && self.report.reasons().first().is_some_and(|reason| reason.starts_with("stopping because"))
    }

    /// The whole has the worst status of its parts; an optional part whose status is unknown counts as degraded.
    fn whole(&mut self, truth: &Truth) {
        let report = self.report;
        let optional = |status| if status == Status::Unknown { Status::Degraded } else { status };
        let parts = [
            report.scheduler.status,
            report.store.status,
            report.sources.status,
            report.recovery.status,
            optional(report.resources.status),
            optional(report.apis.status),
            optional(report.data.status),
        ];
        let worst = parts.into_iter().max().unwrap_or(Status::Unknown);
        // A process that ends by itself no longer works, whatever its parts report.
        let worst = if self.ends_by_itself() { Status::Critical } else { worst };
        self.ensure(report.status == worst, || format!("but the worst of its parts is {worst}"));
        self.ensure(report.phase != Phase::Starting || report.status != Status::Healthy, || {
            "healthy before the start is over".to_owned()
        });
        let is_well = report.status == Status::Healthy;
        let ill_for = truth.hot_ill_for.filter(|_| self.is_running());
        self.ensure(!is_well || ill_for.is_none_or(|ill| ill < ILL_REPORTED), || {
            format!("healthy, although the hot group could do nothing for {ill_for:?}")
        });
        let sees_the_api = truth.api_down_for.filter(|_| truth.is_well);
        self.ensure(!is_well || sees_the_api.is_none_or(|down| down < API_REPORTED), || {
            format!("healthy, although the API has been down for {:?}", truth.api_down_for)
        });
        let gave_up = truth.uses.iter().any(|each| each.gave_up);
        let keeps_ending = truth.ended >= MOST_ENDS;
        self.ensure(!truth.is_calm || !self.is_running() || is_well || gave_up || keeps_ending, || {
            "not healthy, although all faults were over long ago".to_owned()
        });
        let says_so =
            report.reasons().iter().any(|reason| reason.contains("within an hour without an order"));
        self.ensure(!says_so || keeps_ending, || {
            format!("{} processes ended without an order, which are not too many", truth.ended)
        });
        self.ensure(truth.wall.is_none_or(|wall| wall == report.at), || {
            format!("stamped {}, but made at {:?}", report.at, truth.wall)
        });
    }
}
