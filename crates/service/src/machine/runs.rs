//! The runs of the lanes: started by the schedule, ended by the next tick or by having nothing left to do, and accounted
//! for token by token.

use std::collections::BTreeSet;
use std::time::Duration;

use ttm_dispatch::Asked;
use ttm_kernel::{Incarnation, Lane, Moment};
use ttm_market::Mint;
use ttm_schedule::{Effect as Due, RunOutcome};

use super::facts::Origin;
use super::{Effect, Machine, Now};

/// The accounts of one lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    /// The run in progress.
    run: Option<Run>,
    /// What was done since the last run ended.
    pub(super) done: RunOutcome,
    /// Tokens in flight.
    pub(super) in_flight: u64,
    /// Tokens that were still fresh when they were due, as counted when the last run ended.
    fresh: u64,
    /// The incarnation whose answers count.
    pub(super) incarnation: Incarnation,
    /// Tokens whose requests have failed in this process since the last run ended, and that were not answered since. Those that fail
    /// while others are answered are not among them: that says something of them alone.
    pub(super) failed_here: BTreeSet<Mint>,
    /// Whether such a request has failed since it last got on. A restart proves nothing yet, so it outlives one.
    pub(super) is_broken: bool,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    number: u64,
    started: Moment,
}

impl Accounts {
    /// Empty accounts.
    pub(super) fn of(incarnation: Incarnation, is_broken: bool) -> Self {
        Self { incarnation, is_broken, ..Self::default() }
    }
}

impl Machine {
    /// Starts the runs that are due. A tick ends the run before it: what that run did not get to keeps its place, and belongs
    /// to the next one.
    pub(super) fn start_runs(&mut self, now: Now) {
        for lane in Lane::ALL {
            // At the time of the tick, however late it is noticed: otherwise the tick itself would count as missed.
            if let Some(due) = self.scheduler.status(lane).next_due.filter(|due| *due <= now.moment) {
                self.end_run(lane, due);
            }
        }
        while let Some(Due::StartRun { lane, run, missed }) = self.scheduler.poll(now.moment) {
            self.effects.push_back(Effect::RunStarted { lane, run, missed });
            self.dispatcher.tick(lane, now.moment);
            self.lanes[lane].run = Some(Run { number: run, started: now.moment });
            self.show_status(lane);
        }
        self.end_idle_runs(now);
    }

    /// Ends the runs that have nothing left to do.
    pub(super) fn end_idle_runs(&mut self, now: Now) {
        if self.stop.is_some() {
            return;
        }
        for lane in Lane::ALL {
            if self.has_nothing_due(lane) {
                self.end_run(lane, now.moment);
            }
        }
    }

    /// While upstream is unavailable, runs in progress are withheld: they make no progress, and are not stuck.
    pub(super) fn note_outage(&mut self, now: Now) {
        if !self.upstream.is_away {
            return;
        }
        for lane in Lane::ALL {
            let Some(run) = self.lanes[lane].run else { continue };
            let known = self.scheduler.status(lane).withheld_since.is_some();
            if !known && self.scheduler.handle_withheld(lane, run.number, now.moment) {
                self.show_status(lane);
            }
        }
    }

    /// Ends the run in progress, if there is one. What is due and was not answered is deferred.
    pub(super) fn end_run(&mut self, lane: Lane, now: Moment) {
        let Some(run) = self.lanes[lane].run.take() else { return };
        let counts = self.dispatcher.counts();
        let (stale, skipped) = self.served_on(lane, now);
        let accounts = &mut self.lanes[lane];
        let mut outcome = std::mem::take(&mut accounts.done);
        accounts.failed_here.clear();
        outcome.deferred = (counts.waiting[lane] + counts.unanswered[lane]) as u64 + accounts.in_flight;
        if self.upstream.is_away || self.upstream.paused_until.is_some() {
            outcome.withheld = outcome.deferred;
        }
        outcome.stale += stale;
        outcome.skipped += skipped;
        outcome.cached = counts.fresh[lane] - accounts.fresh;
        accounts.fresh = counts.fresh[lane];
        self.scheduler.handle_finished(lane, run.number, outcome, now);
        self.show_plan(now);
        self.show_status(lane);
        // Last, so that readers who wait for the end of the run find its results.
        self.effects.push_back(Effect::RunEnded { lane, run: run.number, took: now - run.started, outcome });
    }

    /// Of the tokens that a run did not get to: how many have a score that can still be served as stale, and how many do not.
    fn served_on(&self, lane: Lane, now: Moment) -> (u64, u64) {
        let longest = self.book.config().serve_stale_for();
        let in_flight = self.in_flight().filter(|asked| lane_of(asked) == lane).map(|asked| asked.seen);
        self.dispatcher.deferred(lane).chain(in_flight).fold((0, 0), |(stale, skipped), seen| {
            let of_use = seen.is_some_and(|seen| seen.age(now) <= longest);
            if of_use { (stale + 1, skipped) } else { (stale, skipped + 1) }
        })
    }

    /// `tokens` of a lane were processed. The lane gets on if at least half of what its run has come to so far was: a few answers
    /// among many requests that fail here show nothing.
    pub(super) fn progress(&mut self, lane: Lane, tokens: u64, now: Now) {
        if tokens > 0 {
            let accounts = &mut self.lanes[lane];
            accounts.done.attempted += tokens;
            accounts.done.processed += tokens;
            if accounts.done.processed >= accounts.failed_here.len() as u64 {
                accounts.is_broken = false;
                self.scheduler.handle_progress(lane, tokens, now.moment);
            }
            self.show_status(lane);
        }
    }

    /// A request for this token failed, here or upstream: its last score is still served while it is not too old.
    pub(super) fn count_failed(&mut self, asked: &Asked<Mint>, origin: Origin, now: Now) {
        let Some(token) = self.book.get(&asked.key) else { return };
        let known = token.score.map(|score| now.wall.duration_since(score.at));
        let longest = self.book.config().serve_stale_for();
        let of_use = known.is_some_and(|age| Duration::try_from(age).unwrap_or(Duration::ZERO) <= longest);
        let done = &mut self.lanes[lane_of(asked)].done;
        done.attempted += 1;
        done.failed += 1;
        done.broken += u64::from(origin == Origin::Here);
        *(if of_use { &mut done.stale } else { &mut done.skipped }) += 1;
    }

    pub(super) fn show_status(&mut self, lane: Lane) {
        self.effects.push_back(Effect::Status(lane, self.scheduler.status(lane)));
    }
}

/// The lane in whose run a token is asked for. One whose backoff is over counts as cold.
pub(super) fn lane_of(asked: &Asked<Mint>) -> Lane {
    asked.from.lane()
}
