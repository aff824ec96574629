//! The runs of the groups: begun by their ticks, ended by the next tick or by having nothing left to do, and told with what
//! became of their tokens. It asks nothing.

use ttm_health::Phase;
use ttm_kernel::{CorrelationId, Moment};
use ttm_schedule::{Effect, Group, RunOutcome};

use super::{Underway, Work, group_of, keys_of, line_of, series, slot};

impl Work {
    /// A tick ends the run before it: what that one did not get to stays in its place, for this one.
    pub(super) fn start_runs(&mut self, now: Moment) {
        for group in Group::ALL {
            // At the moment of the tick, however late it is noticed, or the tick itself would have been missed.
            if let Some(due) = self.scheduler.status(group).next_due.filter(|due| *due <= now) {
                self.end_run(group, due);
            }
        }
        while let Some(Effect::StartRun { group, run, missed }) = self.scheduler.poll(now) {
            let id = CorrelationId::draw(&*self.ids);
            if missed > 0 {
                tracing::warn!(run = %id, group = group.as_str(), missed, "runs were due while nobody looked");
            }
            self.dispatcher.tick(line_of(group), now);
            self.state.runs[slot(group)] = Some(Underway { number: run, id, started: now });
            self.board.post_group(group, self.scheduler.status(group));
        }
        self.end_idle_runs();
    }

    /// Ends the runs that have nothing left to do.
    pub(super) fn end_idle_runs(&mut self) {
        if self.state.stop.is_some() {
            return;
        }
        let counts = self.dispatcher.counts();
        for group in Group::ALL {
            let line = line_of(group) as usize;
            if counts.waiting[line] == 0 && counts.unanswered[line] == 0 && self.state.asked[line] == 0 {
                self.end_run(group, self.runtime.now());
            }
        }
    }

    /// While the API is away the runs under way are held up, which is neither progress nor their fault.
    pub(super) fn note_outage(&mut self, now: Moment) {
        if !self.client.is_away() {
            return;
        }
        for group in Group::ALL {
            let Some(run) = &self.state.runs[slot(group)] else { continue };
            let known = self.scheduler.status(group).withheld_since.is_some();
            if !known && self.scheduler.handle_withheld(group, run.number, now) {
                self.board.post_group(group, self.scheduler.status(group));
            }
        }
    }

    pub(super) fn end_run(&mut self, group: Group, now: Moment) {
        let Some(run) = self.state.runs[slot(group)].take() else { return };
        let counts = self.dispatcher.counts();
        let line = line_of(group) as usize;
        let mut outcome = std::mem::take(&mut self.state.done[slot(group)]);
        let left = counts.waiting[line] + counts.unanswered[line];
        outcome.deferred = left as u64 + self.state.asked[slot(group)];
        if self.client.is_away() || self.client.rate().paused_until.is_some() {
            outcome.withheld = outcome.deferred;
        }
        let (stale, skipped) = self.served_on(group, now);
        outcome.stale += stale;
        outcome.skipped += skipped;
        outcome.cached = counts.fresh[line] - self.state.fresh[slot(group)];
        self.state.fresh[slot(group)] = counts.fresh[line];
        self.scheduler.handle_finished(group, run.number, outcome, now);

        let took = now - run.started;
        self.samples.put(series::of_run(group, took, &outcome, self.runtime.wall()));
        let name = group.as_str();
        metrics::counter!("ttm_runs_total", "group" => name).increment(1);
        metrics::histogram!("ttm_run_seconds", "group" => name).record(took.as_secs_f64());
        let RunOutcome { attempted, processed, failed, stale, skipped, cached, deferred, withheld } = outcome;
        for (how, tokens) in
            [("fresh", processed), ("cached", cached), ("stale", stale), ("skipped", skipped)]
        {
            metrics::counter!("ttm_tokens_served_total", "group" => name, "how" => how).increment(tokens);
        }
        self.post_quality();
        self.post_plan(now);
        if self.board.phase() == Phase::Starting && outcome.is_telling() {
            self.board.enter(Phase::Running);
        }
        self.board.post_group(group, self.scheduler.status(group));
        // Last, so that whoever reads the line finds the run's results.
        tracing::info!(
            run = %run.id, group = name, took_ms = took.as_millis(), attempted, processed, failed, cached, deferred,
            withheld, "run ended"
        );
    }

    /// How many of the tokens that a run did not get to are served on, marked with their age, and how many are not.
    pub(super) fn served_on(&self, group: Group, now: Moment) -> (u64, u64) {
        let longest = self.book.config().serve_stale_for();
        let asked = self.state.requests.iter().flat_map(|requested| keys_of(&requested.request.ask));
        let asked = asked.filter(|asked| group_of(asked) == group).map(|asked| asked.seen);
        self.dispatcher.deferred(line_of(group)).chain(asked).fold((0, 0), |(stale, skipped), seen| {
            let of_use = seen.is_some_and(|seen| seen.age(now) <= longest);
            if of_use { (stale + 1, skipped) } else { (stale, skipped + 1) }
        })
    }
}
