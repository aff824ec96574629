//! The scheduler against a plain model that walks every tick one by one, and the laws that follow from it.

use std::time::Duration;

use proptest::prelude::*;
use ttm_kernel::Moment;
use ttm_schedule::{Effect, Group, RunOutcome, ScheduleConfig, ScheduleSettings, Scheduler};

fn at_ms(ms: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(ms))
}

#[derive(Clone, Debug)]
enum Step {
    Wait { ms: u64 },
    Poll,
    Progress { group: Group, amount: u64 },
    Withhold { group: Group, behind: u64 },
    Finish { group: Group, behind: u64, outcome: RunOutcome },
    Abort { group: Group, behind: u64 },
    Shutdown,
}

fn any_step() -> impl Strategy<Value = Step> {
    let group = || prop_oneof![Just(Group::Hot), Just(Group::Cold)];
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
        5 => (group(), 0_u64..3).prop_map(|(group, amount)| Step::Progress { group, amount }),
        5 => (group(), behind()).prop_map(|(group, behind)| Step::Withhold { group, behind }),
        15 => (group(), behind(), outcome).prop_map(|(group, behind, outcome)| Step::Finish { group, behind, outcome }),
        3 => (group(), behind()).prop_map(|(group, behind)| Step::Abort { group, behind }),
        1 => Just(Step::Shutdown),
    ]
}

/// One group of the model.
#[derive(Debug, Default)]
struct Plain {
    interval_ms: u64,
    next_tick_ms: u64,
    runs: u64,
    under_way: Option<u64>,
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
            if self.under_way.is_some() || !last {
                self.miss();
                continue;
            }
            self.next_tick_ms += self.interval_ms;
            self.runs += 1;
            self.under_way = Some(self.runs);
            self.started_ms = Some(now);
            start = Some((self.runs, std::mem::take(&mut self.missed_since_start)));
        }
        start
    }

    fn end(&mut self, run: u64, now: u64, stopping: bool) -> bool {
        if self.under_way != Some(run) {
            return false;
        }
        while !stopping && self.next_tick_ms < now {
            self.miss();
        }
        self.under_way = None;
        self.finished = self.started_ms.map(|started| (now, now - started));
        true
    }
}

fn check(scheduler: &Scheduler, group: Group, plain: &Plain, stopping: bool) {
    let status = scheduler.status(group);
    assert_eq!(status.running, plain.under_way.is_some());
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
        hot_ms in 100_u64..3_000,
        cold_ms in 100_u64..3_000,
        start_ms in 0_u64..10_000,
        steps in prop::collection::vec(any_step(), 1..150),
    ) {
        let settings = ScheduleSettings {
            hot_interval: Duration::from_millis(hot_ms),
            cold_interval: Duration::from_millis(cold_ms),
        };
        let config = ScheduleConfig::try_new(settings).expect("within bounds");
        let mut now = start_ms;
        let mut scheduler = Scheduler::new(&config, at_ms(now));
        let line = |interval_ms| Plain { interval_ms, next_tick_ms: start_ms, ..Plain::default() };
        let mut model = [line(hot_ms), line(cold_ms)];
        let mut stopping = false;

        for step in steps {
            match step {
                Step::Wait { ms } => now += ms,
                Step::Shutdown => {
                    scheduler.handle_shutdown();
                    stopping = true;
                }
                Step::Poll => {
                    for (group, plain) in Group::ALL.into_iter().zip(&mut model) {
                        if let Some((run, missed)) = (!stopping).then(|| plain.poll(now)).flatten() {
                            let effect = scheduler.poll(at_ms(now));
                            prop_assert_eq!(effect, Some(Effect::StartRun { group, run, missed }));
                        }
                    }
                    prop_assert_eq!(scheduler.poll(at_ms(now)), None);
                    prop_assert!(scheduler.poll_timeout().is_none_or(|at| at > at_ms(now)));
                }
                Step::Progress { group, amount } => {
                    let plain = &mut model[group as usize];
                    if amount > 0 {
                        (plain.progress_ms, plain.withheld_ms) = (Some(now), None);
                    }
                    scheduler.handle_progress(group, amount, at_ms(now));
                }
                Step::Withhold { group, behind } => {
                    let plain = &mut model[group as usize];
                    let run = plain.runs.saturating_sub(behind);
                    let current = plain.under_way == Some(run);
                    if current && plain.withheld_ms.is_none() {
                        plain.withheld_ms = Some(now);
                    }
                    prop_assert_eq!(scheduler.handle_withheld(group, run, at_ms(now)), current);
                }
                Step::Finish { group, behind, outcome } => {
                    let plain = &mut model[group as usize];
                    let run = plain.runs.saturating_sub(behind);
                    let ended = plain.end(run, now, stopping);
                    if ended {
                        plain.outcome = Some(outcome);
                        let begun = outcome.attempted + outcome.processed;
                        if begun + outcome.deferred + outcome.cached == 0 {
                            plain.progress_ms = Some(now);
                        }
                        let away = outcome.processed == 0 && outcome.withheld > 0;
                        plain.withheld_ms = away.then(|| plain.withheld_ms.unwrap_or(now));
                    }
                    prop_assert_eq!(scheduler.handle_finished(group, run, outcome, at_ms(now)), ended);
                }
                Step::Abort { group, behind } => {
                    let plain = &mut model[group as usize];
                    let run = plain.runs.saturating_sub(behind);
                    let ended = plain.end(run, now, stopping);
                    plain.aborted += u64::from(ended);
                    prop_assert_eq!(scheduler.handle_aborted(group, run, at_ms(now)), ended);
                }
            }
            for (group, plain) in Group::ALL.into_iter().zip(&model) {
                check(&scheduler, group, plain, stopping);
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
            while let Some(Effect::StartRun { group, run, .. }) = scheduler.poll(now) {
                // Runs start on the grid: nothing drifts, however long they take.
                let interval = ScheduleConfig::default().interval(group);
                prop_assert_eq!(u128::from(now.as_nanos()) % interval.as_nanos(), 0);
                if group == Group::Cold {
                    scheduler.handle_finished(group, run, RunOutcome::default(), now);
                }
            }
            let finished = now + Duration::from_millis(took);
            // Come back whenever the scheduler asks for it, and when the hot run ends.
            while let Some(at) = scheduler.poll_timeout().filter(|at| *at < finished) {
                while let Some(Effect::StartRun { group, run, .. }) = scheduler.poll(at) {
                    scheduler.handle_finished(group, run, RunOutcome::default(), at);
                }
            }
            let run = scheduler.status(Group::Hot).runs;
            scheduler.handle_finished(Group::Hot, run, RunOutcome::default(), finished);
            now = scheduler.poll_timeout().expect("not stopping");
            for group in Group::ALL {
                let status = scheduler.status(group);
                let due = status.next_due.expect("not stopping").since_origin();
                let ticks = due.as_nanos() / ScheduleConfig::default().interval(group).as_nanos();
                prop_assert_eq!(u128::from(status.runs + status.missed_runs), ticks);
            }
        }
    }
}
