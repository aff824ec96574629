//! The swarm: two hundred days, each with its own faults, each run twice.

use ttm_sim::Batch;

/// Debug builds run a sample of the swarm.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 200 };

#[test]
#[expect(clippy::disallowed_methods, reason = "only the swarm measures how long it takes")]
fn two_hundred_days_of_faults_break_no_promise_and_reach_every_fault_and_state() {
    let started = std::time::Instant::now();
    let batch = Batch::run(0..SEEDS, 2);
    let hours = batch.days.len() as f64 * 2.0 * 24.0;
    println!("{hours} simulated hours, {:.0} a second; {batch}", hours / started.elapsed().as_secs_f64());
    if let Some((seed, failure)) = batch.broken().next() {
        let broken = batch.broken().count();
        panic!("{broken} of {SEEDS} seeds broke a promise; the first, seed {seed}:\n{failure}");
    }
    if !cfg!(debug_assertions) {
        assert_eq!(batch.never_reached(), Vec::<String>::new());
    }
}
