//! What is held against the parts of a report: groups, store, API, resources, data, sources.

use std::sync::Arc;
use std::time::Duration;

use ttm_health::{GroupModel, LaneModel, Phase, Status};
use ttm_kernel::Lane;
use ttm_market::Token;

use super::{API_SEEN, COLD_QUIET, HOT_QUIET, HeardTruth, Lies, SETTLED, Truth, UseTruth};

/// A failure that is over after the next attempt is worth no status.
const GRACE: Duration = Duration::from_secs(5);
/// What fails now and then fails on until it has been well for this long.
const QUIET: Duration = Duration::from_secs(10);
/// What a call may take, with all its attempts and their turns.
const A_CALL: Duration = Duration::from_secs(30);
/// Resources are measured once a minute, within a few seconds.
const MEASURED: Duration = Duration::from_secs(65);
/// Older than this and a token of the hot lane, or of the cold one, is stale.
const FRESH: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(3)];
/// An API that answers and says nothing is understood within this: a cold token is asked twice, and answers come late.
const UNDERSTOOD: Duration = Duration::from_mins(2);
/// How an error begins that was no answer at all.
const NO_ANSWER: &str = "no answer within ";

impl Truth {
    /// The tokens of a lane that the API knows, as they are now.
    fn of_lane(&self, lane: Lane) -> impl Iterator<Item = &Token> {
        let (tokens, hot_threshold) = &self.tokens;
        let is_of_lane =
            move |token: &&Arc<Token>| token.lane(*hot_threshold) == Some(lane) && token.unlisted.is_none();
        tokens.iter().filter(is_of_lane).map(|token| &**token)
    }
}

impl Truth {
    /// Whether there is a token that is asked for.
    fn has_tokens(&self) -> bool {
        [Lane::Hot, Lane::Cold].into_iter().any(|lane| self.of_lane(lane).next().is_some())
    }
}

impl Lies<'_> {
    /// A group is late when its plane does not run, and never for what happens outside.
    pub(super) fn groups(&mut self, truth: &Truth) {
        let scheduler = &self.report.scheduler;
        let (hot, cold) = (scheduler.hot, scheduler.cold);
        let groups =
            [("the hot group", hot, HOT_QUIET, Lane::Hot), ("the cold group", cold, COLD_QUIET, Lane::Cold)];
        for (name, group, quiet, lane) in groups {
            if self.is_running() {
                self.group(name, &group, quiet, lane, truth);
            }
        }
        let status = self.report.scheduler.status;
        let worst = hot.status.max(cold.status);
        self.want(status == worst, || format!("the scheduler is {status}, the worst of its groups {worst}"));
    }

    fn group(
        &mut self,
        name: &str,
        group: &GroupModel,
        [seen, critical]: [Duration; 2],
        lane: Lane,
        truth: &Truth,
    ) {
        let status = group.status;
        if let Some(held) = truth.work_held_for {
            if held >= seen {
                self.want_said(status, name);
            }
            self.want(held < critical || status == Status::Critical, || {
                format!("{name} is {status}, and its plane has been held for {held:?}")
            });
            return;
        }
        self.want(status != Status::Critical || truth.work_runs_for < seen, || {
            format!("{name} is critical, and its plane has run for {:?}", truth.work_runs_for)
        });
        if truth.api_fails_for.is_some_and(|down| down >= seen) {
            // A group without a token has nothing to ask for, and is done with that.
            if truth.of_lane(lane).next().is_some() {
                self.want_said(status, name);
            }
            self.want(status <= Status::Degraded, || format!("{name} is {status}, and only the API is away"));
        }
    }

    /// Each use of the store is as it was told, whatever the others were told.
    pub(super) fn store(&mut self, truth: &Truth) {
        for each in truth.uses.iter().filter(|each| each.told_for >= SETTLED) {
            self.store_use(each);
        }
        let worst = self.report.store.uses.iter().map(|each| each.status).max();
        let status = self.report.store.status;
        self.want(worst.is_none_or(|worst| worst == status), || {
            format!("the store is {status}, the worst of its uses {worst:?}")
        });
    }

    fn store_use(&mut self, truth: &UseTruth) {
        let name = truth.name;
        let start = self.report.phase == Phase::Starting;
        let shown = self.report.store.uses.iter().find(|each| each.name == name);
        let Some(shown) = shown.cloned() else {
            // What a start asks has no use yet; that it waits is said.
            let has_failed = truth.failing_for.is_some_and(|failing| failing >= GRACE);
            if let (true, Some(error)) = (start && has_failed, &truth.error) {
                self.want_said(self.report.status, error);
            }
            return self.want(start || truth.failing_for.is_none(), || format!("nothing of {name}"));
        };
        let (status, error) = (shown.status, shown.last_error.as_deref());
        if truth.failing_for.is_some() {
            let is_told = error.is_some_and(|shown| match &truth.error {
                // Shown instead, once this use was ended by it.
                _ if truth.damage.as_ref().is_some_and(|damage| shown.contains(damage)) => true,
                Some(told) => shown == told,
                None => shown.starts_with(NO_ANSWER),
            });
            self.want(is_told, || format!("{name} was told {:?}, shown is {error:?}", truth.error));
        } else {
            // One that met no damage itself shows which one did.
            self.want(error.is_none() || truth.is_losing.is_none(), || {
                format!("{name} is answered, shown is {error:?}")
            });
        }
        if truth.failing_for.is_some_and(|failing| failing >= GRACE) {
            self.want_said(status, name);
        }
        let is_critical = truth.is_losing.map(|losing| losing || truth.gave_up);
        let is_shown = status == Status::Critical;
        self.want(is_critical.is_none_or(|is| is == is_shown), || {
            format!("{name} is {status}; gave up: {}, losing: {:?}", truth.gave_up, truth.is_losing)
        });
        let may_fail = truth.failing_for.is_some() || is_critical != Some(false);
        self.want(may_fail || status == Status::Healthy, || {
            format!("{name} is {status}, and it is answered")
        });
    }

    /// The API is a warning while it is away, with what it says; never more.
    pub(super) fn api(&mut self, truth: &Truth) {
        let status = self.report.apis.status;
        if truth.api_fails_for.is_some_and(|down| down >= API_SEEN) && self.is_running() {
            self.want_said(status, "DexScreener");
        }
        // Who looks learns why tokens grow old, though every call is answered.
        let is_asked = self.is_running() && truth.has_tokens();
        let is_answering = truth.pools.answering_for.is_some_and(|since| since >= UNDERSTOOD);
        for (lasts, words) in
            [(truth.api_silent_for, "listed none of"), (truth.api_unreadable_for, "cannot be read, e.g. ")]
        {
            if is_asked && is_answering && lasts.is_some_and(|lasts| lasts >= UNDERSTOOD) {
                self.want_said(status, words);
                let is_alerted = self.report.apis.alerts.iter().any(|alert| alert.contains(words));
                self.want(is_alerted, || format!("no word of {words:?} on the API's own page"));
            }
        }
        self.want(status != Status::Critical, || "the API is critical".to_owned());
        let error = self.report.apis.last_error.clone();
        let is_open = |ago: Option<Duration>| ago.is_none_or(|ago| ago >= SETTLED);
        let HeardTruth { error: heard, answer, .. } = &truth.pools;
        if truth.stopping_for.is_some() || !is_open(*answer) || !is_open(heard.as_ref().map(|(ago, _)| *ago))
        {
            return;
        }
        match (heard, answer) {
            (Some((failed, said)), answer) if answer.is_none_or(|answered| answered > *failed) => {
                let is_told = error.as_ref().is_some_and(|shown| match said {
                    Some(said) => shown == said,
                    None => shown.starts_with(NO_ANSWER),
                });
                self.want(is_told, || format!("the API said {said:?} last, shown is {error:?}"));
            }
            (Some((failed, _)), Some(answered)) if *failed < *answered + QUIET + SETTLED => {}
            (Some(_) | None, _) => {
                self.want(error.is_none(), || format!("the API answers, shown is {error:?}"));
            }
        }
    }

    /// Resources that cannot be measured are unknown, and those that can are well in this world.
    pub(super) fn resources(&mut self, truth: &Truth) {
        let (measurable, since) = truth.resources;
        if !self.is_running() || since.min(truth.runs_for) < MEASURED {
            return;
        }
        let status = self.report.resources.status;
        let right = if measurable { Status::Healthy } else { Status::Unknown };
        self.want(status == right, || {
            format!("the resources are {status}, and have been {right} for {since:?}")
        });
    }

    /// Old tokens are said to be old. What was observed since the report is left out: it may have been old or not.
    pub(super) fn data(&mut self, truth: &Truth) {
        let Some(wall) = truth.wall else { return };
        let data = self.report.data;
        for (lane, model, fresh) in [(Lane::Hot, data.hot, FRESH[0]), (Lane::Cold, data.cold, FRESH[1])] {
            let observed = truth.of_lane(lane).filter_map(|token| token.score);
            let ages = observed.filter_map(|score| Duration::try_from(wall.duration_since(score.at)).ok());
            let stale = ages.filter(|age| *age > fresh + SETTLED).count() as u64;
            let LaneModel { status, stale: shown, .. } = model;
            self.want(shown >= stale, || format!("{stale} {lane:?} tokens are stale, shown are {shown}"));
            if stale > 0 {
                self.want_said(status, lane.as_str());
            }
        }
    }

    /// A list that cannot be read is said to be what it was.
    pub(super) fn sources(&mut self, truth: &Truth) {
        let Some(HeardTruth { error, answer, .. }) = &truth.profiles else { return };
        if !self.is_running() || truth.runs_for < A_CALL {
            return;
        }
        let status = self.report.sources.status;
        let failed = error.as_ref().map(|(ago, _)| *ago);
        // A look is a call of several attempts, and what it found is stored before it is told.
        let for_long = |ago: Option<Duration>, since: Duration| ago.is_none_or(|ago| ago >= since + A_CALL);
        match (failed, *answer) {
            (Some(failed), answered) if for_long(answered, failed.max(A_CALL)) => {
                self.want_said(status, "source");
            }
            (failed, Some(answered)) if for_long(failed, answered) && answered >= SETTLED => {
                let stores = truth.uses.iter().all(|each| each.failing_for.is_none());
                self.want(!stores || status == Status::Healthy, || {
                    format!("the sources are {status}, and can be read")
                });
            }
            _ => {}
        }
    }
}
