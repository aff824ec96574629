//! The swarm: two hundred days, each with faults of its own, each run twice.

use ttm_sim::Batch;

/// In debug a sample of the swarm has to do.
const SEEDS: u64 = if cfg!(debug_assertions) { 2 } else { 200 };

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the swarm is the only one that wants to know how long it takes"
)]
fn no_promise_is_broken_in_two_hundred_days_of_faults_and_everything_was_met_in_them() {
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
