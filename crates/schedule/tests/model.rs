//! The scheduler against a plain model that walks every tick one by one, and the laws that follow from it.

use std::time::Duration;

use proptest::prelude::*;
use ttm_kernel::{Lane, Moment, PerLane};
use ttm_schedule::{Effect, RunOutcome, ScheduleConfig, ScheduleSettings, Scheduler};

fn at_ms(ms: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(ms))
}

#[derive(Clone, Debug)]
enum Step {
    Wait { ms: u64 },
    Poll,
    Progress { lane: Lane, amount: u64 },
    Withhold { lane: Lane, behind: u64 },
    Finish { lane: Lane, behind: u64, outcome: RunOutcome },
    Abort { lane: Lane, behind: u64 },
    Reconfigure { hot_ms: u64, cold_ms: u64 },
    Shutdown,
}

/// Few values, so that one of the two often stays.
fn intervals() -> impl Strategy<Value = (u64, u64)> {
    let ms = || prop_oneof![Just(100_u64), Just(700), Just(1_000), 100_u64..3_000];
    (ms(), ms())
}

fn config(hot_ms: u64, cold_ms: u64) -> ScheduleConfig {
    let settings = ScheduleSettings {
        hot_interval: Duration::from_millis(hot_ms),
        cold_interval: Duration::from_millis(cold_ms),
    };
    ScheduleConfig::try_new(settings).expect("within bounds")
}

fn any_step() -> impl Strategy<Value = Step> {
    let lane = || prop_oneof![Just(Lane::Hot), Just(Lane::Cold)];
    // How many runs ago the reporting run was; 0 is the last one.
    let behind = || prop_oneof![9 => Just(0_u64), 1 => 1_u64..3];
    let counts = prop::array::uniform6(0_u64..3);
    let outcome = counts.prop_map(|[attempted, processed, failed, deferred, withheld, cached]| RunOutcome {
        attempted,
        processed,
        failed,
        deferred: deferred + withheld,
        withheld,
        cached,
        ..RunOutcome::default()
    });
    prop_oneof![
        30 => Just(Step::Poll),
        20 => prop_oneof![Just(0), Just(100), Just(1_000), 0_u64..5_000].prop_map(|ms| Step::Wait { ms }),
        5 => (lane(), 0_u64..3).prop_map(|(lane, amount)| Step::Progress { lane, amount }),
        5 => (lane(), behind()).prop_map(|(lane, behind)| Step::Withhold { lane, behind }),
        15 => (lane(), behind(), outcome).prop_map(|(lane, behind, outcome)| Step::Finish { lane, behind, outcome }),
        3 => (lane(), behind()).prop_map(|(lane, behind)| Step::Abort { lane, behind }),
        3 => intervals().prop_map(|(hot_ms, cold_ms)| Step::Reconfigure { hot_ms, cold_ms }),
        1 => Just(Step::Shutdown),
    ]
}

/// One lane of the model.
#[derive(Debug, Default)]
struct Plain {
    interval_ms: u64,
    next_tick_ms: u64,
    runs: u64,
    current: Option<u64>,
    missed: u64,
    missed_since_start: u64,
    aborted: u64,
    started_ms: Option<u64>,
    finished: Option<(u64, u64)>,
    progress_ms: Option<u64>,
    withheld_ms: Option<u64>,
    outcome: Option<RunOutcome>,
}

impl Plain {
    fn miss(&mut self) {
        self.missed += 1;
        self.missed_since_start += 1;
        self.next_tick_ms += self.interval_ms;
    }

    fn poll(&mut self, now: u64) -> Option<(u64, u64)> {
        let mut start = None;
        while self.next_tick_ms <= now {
            // The last of the ticks that have come can start a run; those before it have passed.
            let last = self.next_tick_ms + self.interval_ms > now;
            if self.current.is_some() || !last {
                self.miss();
                continue;
            }
            self.next_tick_ms += self.interval_ms;
            self.runs += 1;
            self.current = Some(self.runs);
            self.started_ms = Some(now);
            start = Some((self.runs, std::mem::take(&mut self.missed_since_start)));
        }
        start
    }

    fn reconfigure(&mut self, interval_ms: u64, now: u64) {
        if interval_ms == self.interval_ms {
            return;
        }
        while self.next_tick_ms + self.interval_ms <= now {
            self.miss();
        }
        let last = self.next_tick_ms.checked_sub(self.interval_ms);
        if let Some(last) = last.filter(|_| self.next_tick_ms > now) {
            self.next_tick_ms = now.max(last + interval_ms);
        }
        self.interval_ms = interval_ms;
    }

    fn end(&mut self, run: u64, now: u64, stopping: bool) -> bool {
        if self.current != Some(run) {
            return false;
        }
        while !stopping && self.next_tick_ms < now {
            self.miss();
        }
        self.current = None;
        self.finished = self.started_ms.map(|started| (now, now - started));
        true
    }
}

fn check(scheduler: &Scheduler, lane: Lane, plain: &Plain, stopping: bool) {
    let status = scheduler.status(lane);
    assert_eq!(status.running, plain.current.is_some());
    assert_eq!(
        (status.runs, status.missed_runs, status.aborted_runs),
        (plain.runs, plain.missed, plain.aborted)
    );
    assert_eq!(status.last_started, plain.started_ms.map(at_ms));
    assert_eq!(status.last_finished, plain.finished.map(|(at, _)| at_ms(at)));
    assert_eq!(status.last_duration, plain.finished.map(|(_, took)| Duration::from_millis(took)));
    assert_eq!(status.last_progress, plain.progress_ms.map(at_ms));
    assert_eq!(status.withheld_since, plain.withheld_ms.map(at_ms));
    assert_eq!(status.last_outcome, plain.outcome);
    assert_eq!(status.next_due, (!stopping).then_some(at_ms(plain.next_tick_ms)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_scheduler_does_what_its_model_does(
        (hot_ms, cold_ms) in intervals(),
        start_ms in 0_u64..10_000,
        steps in prop::collection::vec(any_step(), 1..150),
    ) {
        let mut now = start_ms;
        let mut scheduler = Scheduler::new(&config(hot_ms, cold_ms), at_ms(now));
        let grid = |interval_ms| Plain { interval_ms, next_tick_ms: start_ms, ..Plain::default() };
        let mut model = PerLane { hot: grid(hot_ms), cold: grid(cold_ms) };
        let mut stopping = false;

        for step in steps {
            match step {
                Step::Wait { ms } => now += ms,
                Step::Shutdown => {
                    scheduler.handle_shutdown();
                    stopping = true;
                }
                Step::Reconfigure { hot_ms, cold_ms } => {
                    if !stopping {
                        model.hot.reconfigure(hot_ms, now);
                        model.cold.reconfigure(cold_ms, now);
                    }
                    scheduler.reconfigure(&config(hot_ms, cold_ms), at_ms(now));
                }
                Step::Poll => {
                    for (lane, plain) in Lane::ALL.into_iter().zip(model.values_mut()) {
                        if let Some((run, missed)) = (!stopping).then(|| plain.poll(now)).flatten() {
                            let effect = scheduler.poll(at_ms(now));
                            prop_assert_eq!(effect, Some(Effect::StartRun { lane, run, missed }));
                        }
                    }
                    prop_assert_eq!(scheduler.poll(at_ms(now)), None);
                    prop_assert!(scheduler.poll_timeout().is_none_or(|at| at > at_ms(now)));
                }
                Step::Progress { lane, amount } => {
                    let plain = &mut model[lane];
                    if amount > 0 {
                        (plain.progress_ms, plain.withheld_ms) = (Some(now), None);
                    }
                    scheduler.handle_progress(lane, amount, at_ms(now));
                }
                Step::Withhold { lane, behind } => {
                    let plain = &mut model[lane];
                    let run = plain.runs.saturating_sub(behind);
                    let current = plain.current == Some(run);
                    if current && plain.withheld_ms.is_none() {
                        plain.withheld_ms = Some(now);
                    }
                    prop_assert_eq!(scheduler.handle_withheld(lane, run, at_ms(now)), current);
                }
                Step::Finish { lane, behind, outcome } => {
                    let plain = &mut model[lane];
                    let run = plain.runs.saturating_sub(behind);
                    let ended = plain.end(run, now, stopping);
                    if ended {
                        plain.outcome = Some(outcome);
                        if outcome.failed + outcome.deferred == 0 {
                            plain.progress_ms = Some(now);
                        }
                        let away = outcome.processed == 0 && outcome.withheld > 0;
                        plain.withheld_ms = away.then(|| plain.withheld_ms.unwrap_or(now));
                    }
                    prop_assert_eq!(scheduler.handle_finished(lane, run, outcome, at_ms(now)), ended);
                }
                Step::Abort { lane, behind } => {
                    let plain = &mut model[lane];
                    let run = plain.runs.saturating_sub(behind);
                    let ended = plain.end(run, now, stopping);
                    plain.aborted += u64::from(ended);
                    prop_assert_eq!(scheduler.handle_aborted(lane, run, at_ms(now)), ended);
                }
            }
            for (lane, plain) in Lane::ALL.into_iter().zip(model.values()) {
                check(&scheduler, lane, plain, stopping);
            }
        }
    }

    #[test]
    fn started_and_missed_runs_are_together_all_the_ticks_there_were(
        took_ms in prop::collection::vec(0_u64..60_000, 1..50),
    ) {
        let mut scheduler = Scheduler::new(&ScheduleConfig::default(), Moment::ZERO);
        let mut now = Moment::ZERO;
        for took in took_ms {
            while let Some(Effect::StartRun { lane, run, .. }) = scheduler.poll(now) {
                // Runs start on the grid: nothing drifts, however long they take.
                let interval = ScheduleConfig::default().interval(lane);
                prop_assert_eq!(u128::from(now.as_nanos()) % interval.as_nanos(), 0);
                if lane == Lane::Cold {
                    scheduler.handle_finished(lane, run, RunOutcome::default(), now);
                }
            }
            let finished = now + Duration::from_millis(took);
            // Come back whenever the scheduler asks for it, and when the hot run ends.
            while let Some(at) = scheduler.poll_timeout().filter(|at| *at < finished) {
                while let Some(Effect::StartRun { lane, run, .. }) = scheduler.poll(at) {
                    scheduler.handle_finished(lane, run, RunOutcome::default(), at);
                }
            }
            let run = scheduler.status(Lane::Hot).runs;
            scheduler.handle_finished(Lane::Hot, run, RunOutcome::default(), finished);
            now = scheduler.poll_timeout().expect("not stopping");
            for lane in Lane::ALL {
                let status = scheduler.status(lane);
                let due = status.next_due.expect("not stopping").since_origin();
                let ticks = due.as_nanos() / ScheduleConfig::default().interval(lane).as_nanos();
                prop_assert_eq!(u128::from(status.runs + status.missed_runs), ticks);
            }
        }
    }
}
