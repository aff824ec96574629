//! Runs other days of the swarm than the tests, and prints those that break a promise, and the faults and states that
//! none of them reached:
//! `cargo run --release -p ttm-sim --example swarm -- 200..2200`.

use std::ops::Range;
use std::process::ExitCode;

use ttm_sim::Batch;

/// The number of seeds between two lines of output.
const CHUNK: u64 = 20;

fn main() -> ExitCode {
    let Some(seeds) = std::env::args().nth(1).and_then(|seeds| parse(&seeds)) else {
        eprintln!("error: expected a range of seeds such as 200..2200");
        return ExitCode::FAILURE;
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut days = Vec::new();
    let (first, end) = (seeds.start, seeds.end);
    for from in seeds.step_by(20) {
        let to = from.saturating_add(CHUNK).min(end);
        let batch = Batch::run(from..to, threads);
        for (seed, failure) in batch.broken() {
            println!("seed {seed} broke a promise:\n{failure}\n");
        }
        println!("{from}..{to}: {} broke a promise; {batch}", batch.broken().count());
        days.extend(batch.days);
    }
    let all = Batch { days };
    let (broken, missing) = (all.broken().count(), all.never_reached());
    println!("{first}..{end}: {broken} broke a promise; never reached: {missing:?}");
    if broken == 0 && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(seeds: &str) -> Option<Range<u64>> {
    let (from, to) = seeds.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?).filter(|seeds| !seeds.is_empty())
}
