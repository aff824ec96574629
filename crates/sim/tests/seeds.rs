//! The swarm: two hundred days, each with faults of its own, each run twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_app::service::ServiceSettings;
use ttm_sim::{Outcome, Plan, SLOT, Swarm};
use ttm_testkit::SeededEntropy;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// In debug a sample of the swarm has to do.
const SEEDS: u64 = if cfg!(debug_assertions) { 4 } else { 200 };
const TOKENS: usize = 40;

fn settings() -> ServiceSettings {
    let defaults = ttm_app::config::load(None, std::iter::empty()).expect("the defaults are valid").service;
    // The oracles look at the report once in a slot; making it every second would be half of the work of a day.
    ServiceSettings { report_interval: SLOT, ..defaults }
}

fn plan(seed: u64) -> Plan {
    let faults = Swarm::default().draw(&SeededEntropy::stream(seed, "schedule"));
    Plan { seed, lasts: DAY, tokens: TOKENS, faults, settings: settings() }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the swarm is the only one that wants to know how long it takes")]
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
    let mean: f64 = outcomes.iter().map(|(_, outcome, _)| outcome.availability.share()).sum::<f64>() / outcomes.len() as f64;
    println!(
        "{hours} simulated hours, {:.0} a second; available {:.2} % of the time on average",
        hours / started.elapsed().as_secs_f64(),
        100.0 * mean
    );
    println!("{}", worst(&outcomes));
    let failures: Vec<_> = outcomes.iter().filter_map(|(seed, _, failure)| Some((seed, failure.as_ref()?))).collect();
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

/// Runs what the variable `TTM_SIM` says, as a failure printed it: seed, seconds, tokens, schedule.
#[test]
#[expect(clippy::disallowed_methods, reason = "a replay is asked for from outside")]
fn replay() {
    let Ok(line) = std::env::var("TTM_SIM") else { return };
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().expect("seed, seconds, tokens, schedule");
    let plan = Plan {
        seed: word().parse().expect("a seed"),
        lasts: Duration::from_secs(word().parse().expect("seconds")),
        tokens: word().parse().expect("a number of tokens"),
        faults: word().parse().expect("a schedule"),
        settings: settings(),
    };
    let outcome = plan.run_twice();
    println!("{outcome}");
    if let Err(failure) = outcome.verdict(&plan) {
        panic!("{failure}");
    }
}
