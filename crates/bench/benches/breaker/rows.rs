//! The rows: which subjects are compared, and the targets.

use ttm_bench::{Row, Subject};

use crate::subjects::peers::SlowCalls;
use crate::subjects::{Operation, Phase, fails_each_tenth, floor, ours, peers, policies, works};

/// All rows, in the order of the table. Each is built just before it is measured, so that rows do not disturb each other.
pub(crate) fn all() -> Vec<fn() -> Row> {
    vec![
        || closed(1).target(0.25, "recloser").target(0.5, "shared word"),
        || closed(2).target(0.15, "failsafe").target(0.3, "shared word"),
        || polling(1),
        || polling(2),
        || asynchronous().target(0.5, "recloser"),
        || tenth_fails(1).target(0.5, "recloser"),
        || tenth_fails(2).target(0.5, "recloser"),
        || open().target(0.2, "failsafe"),
        || time_window().target(1.1, "100 records"),
        || slow_calls().target(0.2, "tower-resilience").target(1.3, "two clock reads"),
        || retry().target(1.2, "tokio-retry"),
        || budget("budget/deposit", 1, ours::depositing()).target(0.4, "tower"),
        || budget("budget/deposit", 2, ours::depositing()).target(0.2, "tower"),
        || budget("budget/deposit below cap", 1, ours::depositing_below_the_cap()),
        || budget("budget/deposit below cap", 2, ours::depositing_below_the_cap()),
        limiter,
        || Row::new("bare call", 1, None).floor(floor::bare(works)),
    ]
}

/// The breakers of other crates around the same call, in the same phase.
fn breakers(phase: Phase, operation: impl Operation) -> [Subject; 5] {
    [
        peers::recloser(phase, operation),
        peers::failsafe(phase, operation),
        peers::tower_resilience(phase, SlowCalls::Ignored, operation),
        peers::circuitbreaker_rs(phase, operation),
        peers::seatbelt(phase, operation),
    ]
}

fn closed(threads: usize) -> Row {
    Row::new("closed/success", threads, ours::consecutive(works))
        .floor(floor::shared_word(works))
        .peers(breakers(Phase::Closed, works))
}

/// The peers report transitions by callbacks or not at all, so they do not poll.
fn polling(threads: usize) -> Row {
    Row::new("closed/success/transitions polled", threads, ours::polling(works))
        .floor(floor::shared_word(works))
}

fn tenth_fails(threads: usize) -> Row {
    Row::new("closed/10 % failures", threads, ours::windowed(fails_each_tenth))
        .floor(floor::shared_word(fails_each_tenth))
        .peers(breakers(Phase::Closed, fails_each_tenth))
}

fn open() -> Row {
    Row::new("open/rejected", 1, ours::rejecting())
        .floor(floor::shared_word(works))
        .peers(breakers(Phase::Open, works))
}

/// Without circuitbreaker-rs, whose asynchronous call requires all of tokio.
fn asynchronous() -> Row {
    let peers = [
        peers::recloser_async(works),
        peers::failsafe_async(works),
        peers::tower_resilience(Phase::Closed, SlowCalls::Ignored, works),
        peers::seatbelt(Phase::Closed, works),
    ];
    Row::new("closed/success/async", 1, ours::guarded(works))
        .floor(floor::shared_word(works))
        .peers(peers)
        .without_allocations()
}

fn time_window() -> Row {
    Row::new("time window/10k records", 1, ours::timed_window("ours", 10_000))
        .peers([ours::timed_window("100 records", 100)])
}

fn slow_calls() -> Row {
    Row::new("closed/slow-call timing", 1, ours::timing(works))
        .floor(floor::two_clock_reads(works))
        .peers([peers::tower_resilience(Phase::Closed, SlowCalls::Noticed, works)])
}

fn retry() -> Row {
    Row::new("retry/success at once", 1, ours::retrying(works))
        .peers([policies::tokio_retry(works), policies::backon(works)])
}

fn budget(name: &'static str, threads: usize, ours: Subject) -> Row {
    Row::new(name, threads, ours).peers([policies::tps_budget()])
}

fn limiter() -> Row {
    Row::new("limiter/turn", 1, ours::turn()).peers([policies::governor()])
}
