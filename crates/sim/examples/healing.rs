//! Compares what readers get with self-healing and without, under the rates of `ttm_sim::RATES`, and counts the restarts under
//! faults from outside alone: `cargo run --release -p ttm-sim --example healing -- 0..1000`.

use std::ops::Range;
use std::process::ExitCode;

use ttm_sim::{Plan, Pooled, RATES};

/// Days without faults inside: so many of the seeds.
const OUTSIDE: u64 = 200;

fn main() -> ExitCode {
    let Some(seeds) = std::env::args().nth(1).and_then(|seeds| parse(&seeds)) else {
        eprintln!("error: expected a range of seeds such as 0..1000");
        return ExitCode::FAILURE;
    };
    println!("{:32} {:>8} {:>16}", "fault", "a day", "lasts");
    for rate in RATES {
        let [least, most] = rate.lasts_s;
        println!("{:32} {:>8} {:>16}", rate.kind.to_string(), rate.a_day, format!("{least} to {most} s"));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let with = Pooled::run(seeds.clone(), threads, |seed| Plan::of_rates(seed, true), progress("with"));
    let outside = seeds.start..seeds.end.min(seeds.start + OUTSIDE);
    let outside = Pooled::run(outside, threads, |seed| Plan::of_rates(seed, false), progress("from outside"));
    let plan = |seed| Plan::of_rates(seed, true).without_healing();
    let without = Pooled::run(seeds, threads, plan, progress("without"));
    println!("\n{:32} {:>12} {:>12}", "", "with", "without");
    let percent = |pooled: &Pooled| format!("{:.4} %", 100.0 * pooled.share());
    println!("{:32} {:>12} {:>12}", "available", percent(&with), percent(&without));
    let worst = |pooled: &Pooled| {
        let (seed, share) = pooled.worst.unwrap_or_default();
        format!("{:.2} % ({seed})", 100.0 * share)
    };
    println!("{:32} {:>12} {:>12}", "the worst day (its seed)", worst(&with), worst(&without));
    println!("{:32} {:>12} {:>12}", "slots frozen or killed, apart", with.apart, without.apart);
    println!("{:32} {:>12} {:>12}", "restarts", with.restarts, without.restarts);
    println!("{:32} {:>12}", "restarts under outside faults", outside.restarts);
    for (seed, broken) in with.broken.iter().chain(&outside.broken) {
        println!("seed {seed} broke a promise: {broken}");
    }
    if with.broken.is_empty() && outside.broken.is_empty() && outside.restarts == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says on standard error how far a batch got, every fifty days.
fn progress(batch: &str) -> impl Fn(&Pooled) + Sync {
    move |pooled| {
        if pooled.days.is_multiple_of(50) {
            let share = 100.0 * pooled.share();
            eprintln!(
                "{batch}: {} days, {share:.4} % available, {} promises broken",
                pooled.days,
                pooled.broken.len()
            );
        }
    }
}

fn parse(seeds: &str) -> Option<Range<u64>> {
    let (from, to) = seeds.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?).filter(|seeds| !seeds.is_empty())
}
