//! Replays the plan that a failure of the simulator printed:
//! `cargo run --release -p ttm-sim --example replay -- '7 86400 31 at 2h for 20m api-503'`.

use std::process::ExitCode;

use ttm_sim::Plan;

fn main() -> ExitCode {
    let line = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let plan: Plan = match line.parse() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
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
