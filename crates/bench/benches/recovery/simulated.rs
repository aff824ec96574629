//! Simulated days under the rates of `ttm_sim::RATES`: what readers get with self-healing and without, and whether anything is
//! restarted for faults outside. The days are those of `TTM_BENCH_DAYS`, a hundred without it.

use std::error::Error;
use std::thread;

use ttm_bench::{Bound, Figure, Figures, Scenario, Shown};
use ttm_sim::{Plan, Pooled};

pub(crate) const DAYS: Scenario = Scenario { name: "simulated days", play: days };

fn days(shown: Shown<'_>) -> Figures {
    let days = number()?;
    let threads = thread::available_parallelism()?.get();
    let run = |what: &str, days: u64, plan: &(dyn Fn(u64) -> Plan + Sync)| {
        shown(&format!("{days} days {what}"));
        Pooled::run(0..days, threads, plan, |_| ())
    };
    let with = run("with self-healing", days, &|seed| Plan::of_rates(seed, true));
    let without = run("without", days, &|seed| Plan::of_rates(seed, true).without_healing());
    let outside = run("of faults outside alone", days.min(200), &|seed| Plan::of_rates(seed, false));
    let percent = |share: f64| 100.0 * share;
    let worst = |pooled: &Pooled| percent(pooled.worst.map_or(1.0, |(_, share)| share));
    let apart = percent(with.apart as f64 / (with.slots + with.apart).max(1) as f64);
    Ok(vec![
        Figure::new("available", percent(with.share()), "%").bound(Bound::AtLeast(99.9)),
        Figure::new("available without self-healing", percent(without.share()), "%"),
        Figure::new("the worst day", worst(&with), "%"),
        Figure::new("the worst day without self-healing", worst(&without), "%"),
        Figure::new("frozen or killed from outside, left out", apart, "%"),
        Figure::new("broken promises", with.broken.len() as f64, "").bound(Bound::AtMost(0.0)),
        Figure::new("restarts", with.restarts as f64, ""),
        Figure::new("restarts for faults outside alone", outside.restarts as f64, "")
            .bound(Bound::AtMost(0.0)),
    ])
}

#[expect(clippy::disallowed_methods, reason = "a bench has no other settings")]
fn number() -> Result<u64, Box<dyn Error>> {
    Ok(std::env::var("TTM_BENCH_DAYS").map_or(Ok(100), |days| days.parse())?)
}
