//! Runs days on which nothing fails, and prints those on which anybody was told of anything, or a promise was broken:
//! `cargo run --release -p ttm-sim --example calm -- 0..1000`.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_sim::{FaultSchedule, Plan};

fn main() -> ExitCode {
    let Some(seeds) = std::env::args().nth(1).and_then(|seeds| parse(&seeds)) else {
        eprintln!("error: expected a range of seeds such as 0..1000");
        return ExitCode::FAILURE;
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, told, broken) = (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let plan = Plan::new(seed, Duration::from_hours(24), FaultSchedule::default());
                    let outcome = plan.run();
                    for each in &outcome.told {
                        println!("seed {seed}: {:?} {} on {}", each.at, each.item.key, each.channel.name());
                    }
                    if let Err(failure) = outcome.verdict(&plan) {
                        println!("seed {seed} broke a promise:\n{failure}\n");
                        broken.fetch_add(1, Ordering::Relaxed);
                    }
                    told.fetch_add(outcome.told.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let (days, told, broken) = (seeds.end - seeds.start, told.into_inner(), broken.into_inner());
    println!("{days} calm days: {told} alerts were told, {broken} broke a promise");
    if told == 0 && broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(seeds: &str) -> Option<Range<u64>> {
    let (from, to) = seeds.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?).filter(|seeds| !seeds.is_empty())
}
