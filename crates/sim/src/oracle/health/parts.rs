//! The checks of the parts of a report: groups, store, API, resources, data, sources.

use std::sync::Arc;
use std::time::Duration;

use ttm_health::{GroupModel, LaneModel, Phase, Status};
use ttm_kernel::Lane;
use ttm_market::Token;

use super::{API_REPORTED, COLD_QUIET, Check, HOT_QUIET, ResponseTruth, SETTLED, Truth, UseTruth};

/// A failure that ends with the next attempt need not change a status.
const GRACE: Duration = Duration::from_secs(5);
/// A lease that has run out is noticed within a second, and reported once it was not renewed within three more.
const LEASE_REPORTED: Duration = Duration::from_secs(6);
/// An intermittent failure lasts until there was none for this long.
const QUIET: Duration = Duration::from_secs(10);
/// The longest call, with all its attempts and their waits for a permit.
const MAX_CALL: Duration = Duration::from_secs(30);
/// Resources are measured once a minute, which takes a few seconds at most.
const MEASURED: Duration = Duration::from_secs(65);
/// The age at which a token of the hot lane, and of the cold one, becomes stale.
const FRESH: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(3)];
/// An API that answers without pairs is recognised within this: a cold token is requested twice, and answers are
/// late.
const RECOGNISED: Duration = Duration::from_mins(2);
/// So many requests that panicked are told.
const FEW_PANICS: usize = 3;
/// Panics are not told of any more after this.
const PANICS_FORGOTTEN: Duration = Duration::from_secs(690);
/// How the error of a call without an answer begins.
const NO_ANSWER: &str = "no answer within ";

impl Truth {
    /// The tokens of a lane that the API lists, as they are now.
    fn of_lane(&self, lane: Lane) -> impl Iterator<Item = &Token> {
        let (tokens, hot_threshold) = &self.tokens;
        let is_of_lane =
            move |token: &&Arc<Token>| token.lane(*hot_threshold) == Some(lane) && token.unlisted.is_none();
        tokens.iter().filter(is_of_lane).map(|token| &**token)
    }
}

impl Truth {
    /// Whether there is a token to request.
    fn has_tokens(&self) -> bool {
        [Lane::Hot, Lane::Cold].into_iter().any(|lane| self.of_lane(lane).next().is_some())
    }
}

impl Check<'_> {
    /// A group is late if its plane does not run, and never because of a fault outside.
    pub(super) fn groups(&mut self, truth: &Truth) {
        let scheduler = &self.report.scheduler;
        let (hot, cold) = (scheduler.hot, scheduler.cold);
        let groups =
            [("the hot group", hot, HOT_QUIET, Lane::Hot), ("the cold group", cold, COLD_QUIET, Lane::Cold)];
        for (name, group, quiet, lane) in groups {
            if self.is_running() && truth.is_well {
                self.group(name, &group, quiet, lane, truth);
            }
        }
        let status = self.report.scheduler.status;
        let worst = hot.status.max(cold.status);
        self.ensure(status == worst, || {
            format!("the scheduler is {status}, but the worst of its groups is {worst}")
        });
    }

    /// Requests that panic are told as long as they do, and not for ever.
    pub(super) fn panics(&mut self, truth: &Truth) {
        let is_able = self.is_running() && truth.hot_ill_for.is_none() && truth.work_held_for.is_none();
        // One alone may have been lost with the work that made it.
        if is_able && truth.panicked >= FEW_PANICS {
            self.ensure_reported(self.report.scheduler.status, "panic");
        }
        if truth.last_panic.is_none_or(|ago| ago > PANICS_FORGOTTEN) {
            let is_told =
                self.report.scheduler.findings.sentences().iter().any(|alert| alert.contains("panic"));
            self.ensure(!is_told, || {
                "it tells of requests that panic, but no request has panicked lately".to_owned()
            });
        }
    }

    /// Groups that may ask for nothing say so, and why.
    pub(super) fn lease(&mut self, truth: &Truth) {
        let runs = self.is_running() && truth.runs_for >= LEASE_REPORTED && truth.stopping_for.is_none();
        if runs && truth.lease_lapsed_for.is_some_and(|lapsed| lapsed >= LEASE_REPORTED) {
            let scheduler = &self.report.scheduler;
            let (hot, cold) = (scheduler.hot.status, scheduler.cold.status);
            self.ensure_reported(hot, "the hot group has been blocked");
            self.ensure_reported(cold, "the cold group has been blocked");
            self.ensure_reported(hot, "could not renew its lease");
        }
    }

    fn group(
        &mut self,
        name: &str,
        group: &GroupModel,
        [degraded_by, critical_by]: [Duration; 2],
        lane: Lane,
        truth: &Truth,
    ) {
        let status = group.status;
        if let Some(held) = truth.work_held_for {
            if held >= degraded_by {
                self.ensure_reported(status, name);
            }
            self.ensure(held < critical_by || status == Status::Critical, || {
                format!("{name} is {status}, although its plane has been suspended for {held:?}")
            });
            return;
        }
        self.ensure(status != Status::Critical || truth.work_runs_for < degraded_by, || {
            format!("{name} is critical, although its plane has run for {:?}", truth.work_runs_for)
        });
        if truth.api_fails_for.is_some_and(|down| down >= degraded_by) {
            // A group without tokens has nothing to request, and makes progress all the same.
            if truth.of_lane(lane).next().is_some() {
                self.ensure_reported(status, name);
            }
            self.ensure(status <= Status::Degraded, || {
                format!("{name} is {status}, although only the API is down")
            });
        }
    }

    /// Each use of the store is reported as its own calls went, independent of the others.
    pub(super) fn store(&mut self, truth: &Truth) {
        // One whose caller is ill does not learn how its calls went.
        for each in truth.uses.iter().filter(|each| each.unchanged_for >= SETTLED && truth.is_well) {
            self.store_use(each);
        }
        let worst = self.report.store.uses.iter().map(|each| each.status).max();
        let status = self.report.store.status;
        self.ensure(worst.is_none_or(|worst| worst == status), || {
            format!("the store is {status}, but the worst of its uses is {worst:?}")
        });
    }

    fn store_use(&mut self, truth: &UseTruth) {
        let name = truth.name;
        let start = self.report.phase == Phase::Starting;
        let shown = self.report.store.uses.iter().find(|each| each.name == name);
        let Some(shown) = shown.cloned() else {
            // Calls of a start belong to no use yet; the report says what it waits for.
            let has_failed = truth.failing_for.is_some_and(|failing| failing >= GRACE);
            if let (true, Some(error)) = (start && has_failed, &truth.error) {
                self.ensure_reported(self.report.status, error);
            }
            return self.ensure(start || truth.failing_for.is_none(), || format!("{name} is missing"));
        };
        let (status, error) = (shown.status, shown.last_error.as_deref());
        if truth.failing_for.is_some() {
            let is_reported = error.is_some_and(|shown| match &truth.error {
                // Reported instead once it has ended this use.
                _ if truth.damage.as_ref().is_some_and(|damage| shown.contains(damage)) => true,
                Some(error) => shown == error,
                None => shown.starts_with(NO_ANSWER),
            });
            self.ensure(is_reported, || {
                format!("{name} last failed with {:?}, but reports {error:?}", truth.error)
            });
        } else {
            // A use that met no damage itself reports the use that did.
            self.ensure(error.is_none() || truth.is_losing.is_none(), || {
                format!("{name} is answered, but reports {error:?}")
            });
        }
        if truth.failing_for.is_some_and(|failing| failing >= GRACE) {
            self.ensure_reported(status, name);
        }
        let is_critical = truth.is_losing.map(|losing| losing || truth.gave_up);
        let is_shown = status == Status::Critical;
        self.ensure(is_critical.is_none_or(|is| is == is_shown), || {
            format!("{name} is {status}; gave up: {}, losing: {:?}", truth.gave_up, truth.is_losing)
        });
        let may_fail = truth.failing_for.is_some() || is_critical != Some(false);
        self.ensure(may_fail || status == Status::Healthy, || {
            format!("{name} is {status}, although it is answered")
        });
    }

    /// The API is degraded while it is down, with its last error, and never critical.
    pub(super) fn api(&mut self, truth: &Truth) {
        if !truth.is_well {
            return;
        }
        let status = self.report.apis.status;
        if truth.api_fails_for.is_some_and(|down| down >= API_REPORTED) && self.is_running() {
            self.ensure_reported(status, "DexScreener");
        }
        // Readers are told why tokens become stale although every call is answered.
        let is_requested = self.is_running() && truth.has_tokens();
        let is_answering = truth.pools.answering_for.is_some_and(|since| since >= RECOGNISED);
        for (lasts, words) in
            [(truth.api_silent_for, "listed none of"), (truth.api_unreadable_for, "cannot be read, e.g. ")]
        {
            if is_requested && is_answering && lasts.is_some_and(|lasts| lasts >= RECOGNISED) {
                self.ensure_reported(status, words);
                let is_alerted =
                    self.report.apis.findings.sentences().iter().any(|alert| alert.contains(words));
                self.ensure(is_alerted, || format!("no alert of the API mentions {words:?}"));
            }
        }
        self.ensure(status != Status::Critical, || "the API is critical".to_owned());
        let error = self.report.apis.last_error.clone();
        let is_settled = |ago: Option<Duration>| ago.is_none_or(|ago| ago >= SETTLED);
        let ResponseTruth { error: failure, answer, .. } = &truth.pools;
        if truth.stopping_for.is_some()
            || !is_settled(*answer)
            || !is_settled(failure.as_ref().map(|(ago, _)| *ago))
        {
            return;
        }
        match (failure, answer) {
            (Some((failed, message)), answer) if answer.is_none_or(|answered| answered > *failed) => {
                let is_reported = error.as_ref().is_some_and(|shown| match message {
                    Some(message) => shown == message,
                    None => shown.starts_with(NO_ANSWER),
                });
                self.ensure(is_reported, || {
                    format!("the API last failed with {message:?}, but reports {error:?}")
                });
            }
            (Some((failed, _)), Some(answered)) if *failed < *answered + QUIET + SETTLED => {}
            (Some(_) | None, _) => {
                self.ensure(error.is_none(), || format!("the API answers, but reports {error:?}"));
            }
        }
    }

    /// Resources that cannot be measured are unknown; measured ones are healthy in this world.
    pub(super) fn resources(&mut self, truth: &Truth) {
        let (measurable, since) = truth.resources;
        if !self.is_running() || !truth.is_well || since.min(truth.runs_for) < MEASURED {
            return;
        }
        let status = self.report.resources.status;
        let right = if measurable { Status::Healthy } else { Status::Unknown };
        self.ensure(status == right, || {
            format!("the resources are {status}, but have been {right} for {since:?}")
        });
    }

    /// Stale tokens are reported as stale. Tokens observed since the report are left out: they may have been stale or
    /// not.
    pub(super) fn data(&mut self, truth: &Truth) {
        let Some(wall) = truth.wall else { return };
        let data = &self.report.data;
        for (lane, model, fresh) in [(Lane::Hot, data.hot, FRESH[0]), (Lane::Cold, data.cold, FRESH[1])] {
            let observed = truth.of_lane(lane).filter_map(|token| token.score);
            let ages = observed.filter_map(|score| Duration::try_from(wall.duration_since(score.at)).ok());
            let stale = ages.filter(|age| *age > fresh + SETTLED).count() as u64;
            let LaneModel { status, stale: shown, .. } = model;
            self.ensure(shown >= stale, || {
                format!("{stale} {lane:?} tokens are stale, but {shown} are reported")
            });
            if stale > 0 {
                self.ensure_reported(status, lane.as_str());
            }
        }
    }

    /// A source that fails is reported, and so is its recovery.
    pub(super) fn sources(&mut self, truth: &Truth) {
        let Some(ResponseTruth { error, answer, .. }) = &truth.profiles else { return };
        if !self.is_running() || !truth.is_well || truth.runs_for < MAX_CALL {
            return;
        }
        let status = self.report.sources.status;
        let failed = error.as_ref().map(|(ago, _)| *ago);
        // A poll is a call of several attempts, and its result is stored before it is reported.
        let for_long = |ago: Option<Duration>, since: Duration| ago.is_none_or(|ago| ago >= since + MAX_CALL);
        match (failed, *answer) {
            (Some(failed), answered) if for_long(answered, failed.max(MAX_CALL)) => {
                self.ensure_reported(status, "source");
            }
            (failed, Some(answered)) if for_long(failed, answered) && answered >= SETTLED => {
                let stores = truth.uses.iter().all(|each| each.failing_for.is_none());
                self.ensure(!stores || status == Status::Healthy, || {
                    format!("the sources are {status}, although they can be read")
                });
            }
            _ => {}
        }
    }
}
