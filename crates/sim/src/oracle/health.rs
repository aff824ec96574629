//! Holds a health report against what is true of the world at the moment of the report, in both directions wherever the truth
//! is certain. It knows the report's model and nothing of how it is made.

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

/// A group that makes no progress is seen within this, and is critical after the second; the cold group has more time,
/// because it runs seldom.
const HOT_QUIET: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
const COLD_QUIET: [Duration; 2] = [Duration::from_secs(135), Duration::from_secs(270)];
/// A process whose work stands still for this long is no longer live.
const STALL: Duration = Duration::from_mins(10);
/// An API that is down for this long leaves hot tokens older than they may be, and is seen.
const API_SEEN: Duration = Duration::from_mins(1);
/// What was told just before a report may not be in it yet.
const SETTLED: Duration = Duration::from_millis(10);
/// A start of which nothing is away is over within this.
const A_START: Duration = Duration::from_mins(2);

/// What is true at the moment of a report.
#[derive(Clone, Debug)]
pub struct Truth {
    /// What the wall shows; none when it was stepped since.
    pub wall: Option<Timestamp>,
    /// How long ago the process was told to stop, or lost a part; none while it was not.
    pub stopping_for: Option<Duration>,
    /// For how long it was able to start: nothing was away, and nothing was held.
    pub could_start_for: Duration,
    /// For how long the plane that does the work has been held; none while it runs.
    pub work_held_for: Option<Duration>,
    /// For how long that plane has run.
    pub work_runs_for: Duration,
    /// For how long no plane has been held.
    pub runs_for: Duration,
    /// For how long nothing usable has come out of the API while the process could notice; none while something does.
    pub api_down_for: Option<Duration>,
    /// For how long that has been so because every call fails.
    pub api_fails_for: Option<Duration>,
    /// For how long every answer of it has held no pair of any token.
    pub api_silent_for: Option<Duration>,
    /// For how long no pair of it could be read.
    pub api_unreadable_for: Option<Duration>,
    /// What the process heard from the API of pools.
    pub pools: HeardTruth,
    /// What it heard from the API of profiles; none when it does not follow them.
    pub profiles: Option<HeardTruth>,
    /// Whether the resources can be measured, and for how long that has been so.
    pub resources: (bool, Duration),
    /// The uses that were made of the store.
    pub uses: Vec<UseTruth>,
    /// The tokens as readers see them now, and the smoothed score from which one is hot.
    pub tokens: (Vec<Arc<Token>>, f64),
    /// Whether nothing but short restarts has happened for as long as the service may take to get well.
    pub is_calm: bool,
}

/// What a process heard from an API, and how long ago.
#[derive(Clone, Debug, Default)]
pub struct HeardTruth {
    /// The last error; without words when the process gave the call up.
    pub error: Option<(Duration, Option<String>)>,
    /// The last answer.
    pub answer: Option<Duration>,
    /// The first of a row of answers that goes on.
    pub answering_for: Option<Duration>,
}

/// How one use of the store went last.
#[derive(Clone, Debug)]
pub struct UseTruth {
    /// What for, in the report's words.
    pub name: &'static str,
    /// For how long it has failed; none while it is answered.
    pub failing_for: Option<Duration>,
    /// What it was told last; none when the process gave the call up.
    pub error: Option<String>,
    /// Since when it was told just that.
    pub told_for: Duration,
    /// What another use was told of damage, which ends this one too; empty when nobody waited to hear it.
    pub damage: Option<String>,
    /// Whether its writer was told that the content is damaged.
    pub gave_up: bool,
    /// Whether something of it was given up within the last minute; none when that cannot be told.
    pub is_losing: Option<bool>,
}

/// Everything that the report says otherwise than it is.
pub fn judge(truth: &Truth, report: &Report) -> Vec<String> {
    let mut lies = Lies { report, found: Vec::new() };
    lies.life(truth);
    lies.groups(truth);
    lies.store(truth);
    lies.api(truth);
    lies.resources(truth);
    lies.data(truth);
    lies.sources(truth);
    lies.whole(truth);
    lies.found
}

struct Lies<'a> {
    report: &'a Report,
    found: Vec<String>,
}

impl Lies<'_> {
    fn want(&mut self, kept: bool, lie: impl FnOnce() -> String) {
        if !kept {
            let Report { status, phase, live, ready, .. } = self.report;
            let reasons = self.report.reasons.join("; ");
            self.found.push(format!(
                "health: {} ({status}, {phase:?}, live {live}, ready {ready}: {reasons})",
                lie()
            ));
        }
    }

    /// Something is to be looked at, and a sentence says what.
    fn want_said(&mut self, status: Status, words: &str) {
        let is_said = self.report.reasons.iter().any(|reason| reason.contains(words));
        self.want(status != Status::Healthy && is_said, || {
            format!("no word of {words:?}, which is {status}")
        });
    }

    fn is_running(&self) -> bool {
        self.report.phase == Phase::Running
    }

    /// The probes of the service manager and of whoever routes.
    fn life(&mut self, truth: &Truth) {
        let Report { phase, live, ready, started, .. } = *self.report;
        let is_stopping = truth.stopping_for.is_some();
        self.want(phase != Phase::Stopping || is_stopping, || "stopping, and nobody told it to".to_owned());
        self.want(phase == Phase::Stopping || truth.stopping_for.is_none_or(|since| since < SETTLED), || {
            "nothing says that the process stops".to_owned()
        });
        self.want(phase != Phase::Starting || truth.could_start_for < A_START, || {
            format!("still starting, and nothing has kept it from that for {:?}", truth.could_start_for)
        });
        self.want(started == (phase != Phase::Starting), || format!("started is {started}"));

        let held = truth.work_held_for.unwrap_or_default();
        self.want(!live || !self.is_running() || held < STALL, || {
            format!("live, and the work has been held for {held:?}")
        });
        // The group's last progress may be an interval and a call before the hold.
        let may_be_dead = held + HOT_QUIET[0] >= STALL || truth.work_runs_for < HOT_QUIET[0];
        self.want(live || self.is_running() && may_be_dead, || {
            format!("not live, and the work is held for {:?}", truth.work_held_for)
        });

        let losing = truth.uses.iter().map(|each| each.is_losing.map(|losing| losing || each.gave_up));
        let losing: Option<Vec<bool>> = losing.collect();
        let must_not_be_ready = truth.uses.iter().any(|each| each.gave_up || each.is_losing == Some(true));
        self.want(!ready || self.is_running() && !must_not_be_ready, || "ready".to_owned());
        self.want(ready || !self.is_running() || losing.is_none_or(|each| each.contains(&true)), || {
            "not ready, and nothing is being lost".to_owned()
        });
    }

    fn ends_by_itself(&self) -> bool {
        self.report.phase == Phase::Stopping
            && self.report.reasons.first().is_some_and(|reason| reason.starts_with("stopping because"))
    }

    /// The whole is the worst of its parts; what is not known of a part that is optional makes it degraded.
    fn whole(&mut self, truth: &Truth) {
        let report = self.report;
        let optional = |status| if status == Status::Unknown { Status::Degraded } else { status };
        let parts = [
            report.scheduler.status,
            report.store.status,
            report.sources.status,
            optional(report.resources.status),
            optional(report.apis.status),
            optional(report.data.status),
        ];
        let worst = parts.into_iter().max().unwrap_or(Status::Unknown);
        // A process that ends by itself does its work no more, whatever its parts say.
        let worst = if self.ends_by_itself() { Status::Critical } else { worst };
        self.want(report.status == worst, || format!("the worst of its parts is {worst}"));
        self.want(report.phase != Phase::Starting || report.status != Status::Healthy, || {
            "healthy before the start is over".to_owned()
        });
        let is_well = report.status == Status::Healthy;
        self.want(!is_well || truth.api_down_for.is_none_or(|down| down < API_SEEN), || {
            format!("healthy, and the API has been down for {:?}", truth.api_down_for)
        });
        let is_ill_of_itself = truth.uses.iter().any(|each| each.gave_up);
        self.want(!truth.is_calm || !self.is_running() || is_well || is_ill_of_itself, || {
            "not healthy, and everything healed long ago".to_owned()
        });
        self.want(truth.wall.is_none_or(|wall| wall == report.at), || {
            format!("made at {}, which was {:?}", report.at, truth.wall)
        });
    }
}
