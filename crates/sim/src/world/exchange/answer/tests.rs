//! What a caller receives under each fault that spoils answers, without a service.

use std::sync::Arc;

use parking_lot::Mutex;
use ttm_kernel::Moment;
use ttm_market::synthetic::SyntheticMarket;

use super::*;
use crate::oracle::{BreakerRules, Budgets, Verdicts};
use crate::{Executor, FaultSchedule, Promises};

const MARKET: SyntheticMarket = SyntheticMarket::new(7, 200);
const PROMISED: Promises = Promises {
    requests_per_minute: 1_000,
    attempts: 1_000,
    breaker: BreakerRules {
        failure_threshold: 1_000,
        recovery_timeout: Duration::from_mins(1),
        half_open_max_calls: 3,
        success_threshold: 3,
        probe_lease: Duration::from_mins(1),
    },
    recovery: Budgets::SPECIFIED,
    stop_within: Duration::from_secs(30),
};

/// The answers to the same question, repeated `times` times while the fault lasts.
fn ask(kind: &str, mints: &[Mint], times: usize) -> Vec<Result<PairBatch, PairSourceError>> {
    let mut executor = Executor::new(1, Timestamp::from_second(1_800_000_000).expect("in range"));
    let runtime = executor.runtime().clone();
    let verdicts = Arc::new(Verdicts::new(runtime.clone()));
    let faults = Arc::new(format!("at 0s for 1h {kind}").parse::<FaultSchedule>().expect(kind));
    let exchange = SimExchange::new(MARKET, PROMISED, &runtime, &faults, &verdicts);
    let (mints, answers) = (mints.to_vec(), Arc::new(Mutex::new(Vec::new())));
    let received = answers.clone();
    drop(runtime.spawn(
        "asks",
        Box::pin(async move {
            for _ in 0..times {
                let answer = exchange.primary_pairs(&mints).await;
                received.lock().push(answer);
            }
        }),
    ));
    executor.run_until(Moment::from_origin(Duration::from_mins(50)));
    std::mem::take(&mut *answers.lock())
}

fn once(kind: &str, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
    ask(kind, mints, 1).remove(0)
}

fn listed(count: usize) -> Vec<Mint> {
    MARKET.mints().filter(|mint| MARKET.is_listed(mint)).take(count).collect()
}

#[test]
fn an_error_tells_the_caller_what_to_do_next() {
    let mints = listed(30);
    for kind in ["api-500", "api-520", "api-wrong-type", "api-flaky-nulls=100%"] {
        assert!(matches!(once(kind, &mints), Err(PairSourceError::Transient { .. })), "{kind}");
    }
    assert!(matches!(once("api-403", &mints), Err(PairSourceError::Forbidden { .. })));
    assert!(matches!(once("api-too-large", &mints), Err(PairSourceError::Malformed { .. })));
}

#[test]
fn an_intermittent_fault_hits_its_share_of_the_requests() {
    let nulls = ask("api-flaky-nulls=30%", &listed(30), 200);
    let failed = nulls.iter().filter(|answer| answer.is_err()).count();
    assert!((40..80).contains(&failed), "{failed}");
    let batches = ask("api-empty-batch=30%", &listed(30), 200);
    let empty = batches.iter().flatten().filter(|batch| batch.pairs.is_empty()).count();
    assert!((40..80).contains(&empty), "{empty}");
    let singles = ask("api-empty-batch=100%", &listed(1), 20);
    assert!(singles.iter().flatten().all(|batch| batch.pairs.len() == 1));
}

#[test]
fn delisted_tokens_are_always_the_same_and_bad_pairs_are_counted() {
    let mints = listed(30);
    let bases = |answer: &Result<PairBatch, PairSourceError>| -> Vec<Mint> {
        answer.iter().flat_map(|batch| &batch.pairs).map(|pair| pair.base.mint).collect()
    };
    let left: Vec<Vec<Mint>> = ask("api-delisted=40%", &mints, 3).iter().map(bases).collect();
    assert!((8..28).contains(&left[0].len()), "{}", left[0].len());
    assert!(left.iter().all(|each| *each == left[0]));
    let bad = once("api-bad-pairs=50%", &mints).expect("an answer");
    assert!(bad.skipped.total() > 5);
    assert_eq!(bad.pairs.len() as u64 + bad.skipped.total(), 30);
}

#[test]
fn stale_extra_and_sparse_answers_keep_the_laws_of_the_port() {
    let mints = listed(30);
    let now = once("api-stale=0s", &mints).expect("an answer");
    assert_ne!(once("api-stale=10m", &mints).expect("an answer"), now);
    let extra = once("api-extra-pairs", &mints).expect("an answer");
    assert!(extra.pairs.len() > 30 && extra.skipped.count(SkipReason::QuoteSide) > 0);
    assert!(extra.pairs.iter().all(|pair| mints.contains(&pair.base.mint)));
    let sparse = once("api-sparse", &mints).expect("an answer");
    assert_eq!(sparse.pairs.len(), 30);
    assert!(sparse.pairs.iter().all(|pair| pair.price_usd.is_none() && pair.liquidity_usd.is_none()));
}
