//! What the model expects of runs and progress.

use ttm_kernel::Lane;

use super::{At, InFlight, Model, RunOutcome, TestCaseError, keys_of, lane_of, prop_assert, prop_assert_eq};

impl Model {
    /// A tick: whatever waits in the line is due.
    pub(super) fn run_started(&mut self, lane: Lane) {
        for at in self.at.values_mut() {
            if let At::Line { lane: of, due } = at
                && *of == lane
            {
                *due = true;
            }
        }
        // Those in flight are due again if this machine is lost.
        for at in self.requests.values_mut().flat_map(|request| request.taken_from.values_mut()) {
            if let At::Line { due, .. } = at {
                *due = true;
            }
        }
    }

    /// How many tokens of a lane are due and not answered, and how many more may be.
    fn due(&self, lane: Lane) -> (u64, u64) {
        let count = |is: fn(&At, Lane) -> bool| self.at.values().filter(|at| is(at, lane)).count() as u64;
        let waiting = count(|at, lane| *at == At::Line { lane, due: true } || *at == At::Alone(lane));
        let in_flight = self.requests.values().flat_map(|InFlight { request, late, .. }| {
            keys_of(&request.ask).into_iter().filter(|asked| !late.contains(&asked.key))
        });
        let in_flight = in_flight.filter(|asked| lane_of(asked) == lane).count() as u64;
        (waiting + in_flight, count(|at, _| *at == At::Suspected) + self.left[lane])
    }

    pub(super) fn run_ended(&mut self, lane: Lane, outcome: &RunOutcome) -> Result<(), TestCaseError> {
        let (done, unsure) = (std::mem::take(&mut self.done[lane]), std::mem::take(&mut self.unsure[lane]));
        prop_assert_eq!(outcome.attempted, outcome.processed + outcome.failed, "{:?}", outcome);
        prop_assert_eq!(outcome.processed, done.processed, "{:?}", outcome);
        let may_have_failed = done.failed..=done.failed + unsure;
        prop_assert!(may_have_failed.contains(&outcome.failed), "{outcome:?}: failed {may_have_failed:?}");
        prop_assert!(outcome.broken <= outcome.failed, "{:?}", outcome);
        self.failed_here[lane].clear();
        let (due, more) = self.due(lane);
        prop_assert!((due..=due + more).contains(&outcome.deferred), "{outcome:?}: {due} are due");
        prop_assert_eq!(outcome.cached, 0);
        prop_assert_eq!(outcome.stale + outcome.skipped, outcome.failed + outcome.deferred, "{:?}", outcome);
        let is_held = self.upstream.is_away || self.upstream.paused_until.is_some();
        prop_assert_eq!(outcome.withheld, if is_held { outcome.deferred } else { 0 });
        if outcome.failed == 0 && outcome.deferred == 0 {
            self.progress[lane] = self.machine.status(lane).last_finished;
        }
        Ok(())
    }

    /// A run goes on while there is something to do, and progress is what it says.
    pub(super) fn check_runs(&self) -> Result<(), TestCaseError> {
        for lane in Lane::ALL {
            let status = self.machine.status(lane);
            let (due, more) = self.due(lane);
            prop_assert!(!status.running || self.is_stopping || due + more > 0, "{lane} runs on and on");
            prop_assert_eq!(status.last_progress, self.progress[lane], "progress of {}", lane);
            let rests = self.machine.has_nothing_due(lane) && !self.is_broken[lane];
            prop_assert_eq!(self.machine.is_at_rest(lane), rests, "{} has been broken", lane);
            let is_withheld = status.withheld_since.is_some();
            prop_assert!(!self.upstream.is_away || self.is_stopping || !status.running || is_withheld);
        }
        Ok(())
    }
}
