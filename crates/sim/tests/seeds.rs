//! The swarm: two hundred days, each with faults of its own, each run twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_sim::{Outcome, Plan, Swarm};
use ttm_testkit::SeededEntropy;

const DAY: Duration = Duration::from_hours(24);
/// In debug a sample of the swarm has to do.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 200 };

fn plan(seed: u64) -> Plan {
    Plan::new(seed, DAY, Swarm::default().draw(&SeededEntropy::stream(seed, "schedule")))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the swarm is the only one that wants to know how long it takes"
)]
fn no_promise_is_broken_in_two_hundred_days_of_faults() {
    let started = std::time::Instant::now();
    let next = AtomicU64::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let plan = plan(seed);
                    let outcome = plan.run_twice();
                    let failure = outcome.verdict(&plan).err();
                    outcomes.lock().expect("no thread panics with it").push((seed, outcome, failure));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("all threads are done");
    outcomes.sort_by_key(|(seed, ..)| *seed);
    let hours = outcomes.len() as f64 * 2.0 * 24.0;
    let mean: f64 = outcomes.iter().map(|(_, outcome, _)| outcome.availability.share()).sum::<f64>()
        / outcomes.len() as f64;
    println!(
        "{hours} simulated hours, {:.0} a second; available {:.2} % of the time on average",
        hours / started.elapsed().as_secs_f64(),
        100.0 * mean
    );
    println!("{}", worst(&outcomes));
    let failures: Vec<_> =
        outcomes.iter().filter_map(|(seed, _, failure)| Some((seed, failure.as_ref()?))).collect();
    if let Some((seed, failure)) = failures.first() {
        panic!("{} of {SEEDS} seeds broke a promise; the first, seed {seed}:\n{failure}", failures.len());
    }
}

fn worst<T>(outcomes: &[(u64, Outcome, T)]) -> String {
    let by_share = |a: &&(u64, Outcome, T), b: &&(u64, Outcome, T)| {
        a.1.availability.share().total_cmp(&b.1.availability.share())
    };
    let worst = outcomes.iter().min_by(by_share);
    worst.map_or_else(String::new, |(seed, outcome, _)| format!("the worst, seed {seed}: {outcome}"))
}
