//! Replays the plan that a failure of the simulator printed:
//! `cargo run --release -p ttm-sim --example replay -- '7 86400 31 at 2h for 20m api-503'`. Also a day of the swarm, by its seed alone,
//! and a day of the comparison in `healing`, as `rates SEED`.

use std::process::ExitCode;

use ttm_sim::Plan;

fn main() -> ExitCode {
    let line = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let seed = line.strip_prefix("rates ").unwrap_or(&line).parse();
    let plan: Plan = match (seed, line.parse()) {
        (Ok(seed), _) if line.starts_with("rates ") => Plan::of_rates(seed, true),
        (Ok(seed), _) => Plan::of_swarm(seed),
        (_, Ok(plan)) => plan,
        (_, Err(error)) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{plan}");
    let outcome = plan.run_twice();
    for line in &outcome.recoveries {
        println!("{line}");
    }
    println!("{outcome}");
    match outcome.verdict(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
