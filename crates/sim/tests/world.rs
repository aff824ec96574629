//! The simulated world misbehaves as its schedule says, and reports when a promise to it was broken.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::{Clock, FencingToken, Moment, Runtime};
use ttm_market::synthetic::SyntheticMarket;
use ttm_market::{Mint, PairSource, PairSourceError, TokenStore};
use ttm_perf::{MetricStore, Sample};
use ttm_sim::oracle::{BreakerRules, Budgets, Verdicts};
use ttm_sim::world::{SampleLedger, SimExchange, SimMetricStore, World};
use ttm_sim::{Executor, FaultSchedule, Promises, SimRuntime};
use ttm_testkit::Recorder;

const MARKET: SyntheticMarket = SyntheticMarket::new(7, 30);
const PROMISED: Promises = Promises {
    requests_per_minute: 20,
    attempts: 1_000,
    breaker: BreakerRules {
        failure_threshold: 10,
        recovery_timeout: Duration::from_mins(1),
        half_open_max_calls: 3,
        success_threshold: 3,
        probe_lease: Duration::from_mins(1),
    },
    recovery: Budgets::SPECIFIED,
    stop_within: Duration::from_secs(30),
};

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn executor(seed: u64) -> Executor {
    Executor::new(seed, Timestamp::from_second(1_800_000_000).expect("in range"))
}

fn faults(line: &str) -> Arc<FaultSchedule> {
    Arc::new(line.parse().expect("a schedule"))
}

fn exchange(runtime: &SimRuntime, line: &str) -> (Arc<SimExchange>, Arc<Verdicts>) {
    let verdicts = Arc::new(Verdicts::new(runtime.clone()));
    (Arc::new(SimExchange::new(MARKET, PROMISED, runtime, &faults(line), &verdicts)), verdicts)
}

/// Requests all mints at these seconds; returns one word for each answer, with the second in which it came.
fn ask(line: &str, seconds: &[u64]) -> Vec<(u64, &'static str)> {
    let mut executor = executor(1);
    let (exchange, verdicts) = exchange(executor.runtime(), line);
    let answers = Arc::new(Recorder::default());
    for second in seconds {
        let (runtime, exchange, answers) = (executor.runtime().clone(), exchange.clone(), answers.clone());
        let start = runtime.sleep_until(at(*second));
        drop(executor.runtime().spawn(
            "asks",
            Box::pin(async move {
                start.await;
                let mints: Vec<Mint> = MARKET.mints().collect();
                let word = match exchange.primary_pairs(&mints).await {
                    Ok(batch) if batch.pairs.is_empty() => "none",
                    Ok(batch) if batch.pairs.len() < 24 => "some",
                    Ok(_) => "all",
                    Err(PairSourceError::Transient { .. }) => "transient",
                    Err(PairSourceError::Malformed { .. }) => "malformed",
                    Err(PairSourceError::RateLimited { retry_after: None, .. }) => "limited",
                    Err(PairSourceError::RateLimited { retry_after: Some(_), .. }) => "limited with a time",
                    Err(PairSourceError::Forbidden { .. } | PairSourceError::Rejected { .. }) => "refused",
                };
                answers.record((runtime.now().since_origin().as_secs(), word));
            }),
        ));
    }
    executor.run_until(at(1_000));
    assert_eq!(verdicts.all(), (0, Vec::new()));
    answers.take()
}

#[test]
fn only_an_answer_makes_the_process_panic_that_decodes_it() {
    let line = "at 5s for 20s answers-panic; at 10s for 5s api-503";
    assert_eq!(ask(line, &[1, 6, 11, 16, 26]), [(1, "all"), (11, "transient"), (26, "all")]);
}

fn batch(from: i64, count: i64) -> Vec<Sample> {
    let key: ttm_perf::SeriesKey = "a".parse().expect("a key");
    let sample = |second| {
        let at = Timestamp::from_second(second).expect("in range");
        Sample::try_new(key.clone(), at, 1.0).expect("finite")
    };
    (from..from + count).map(sample).collect()
}

#[test]
fn two_values_with_one_identity_are_counted_and_the_first_is_kept() {
    let mut executor = executor(1);
    let store = SimMetricStore::new(executor.runtime(), &faults(""));
    let (writer, key) = (store.clone(), batch(0, 1)[0].series().clone());
    let other = Sample::try_new(key, batch(0, 1)[0].at(), 2.0).expect("finite");
    drop(executor.runtime().spawn(
        "writes",
        Box::pin(async move {
            writer.append(&batch(0, 1)).await.expect("it works");
            writer.append(&[other]).await.expect("it works");
        }),
    ));
    executor.run_until(at(10));
    assert_eq!((store.ledger(0).stored, store.ledger(0).collided), (1, 1));
}

/// Writes a batch of five and runs until `end`; returns the store's counts and the answer.
fn write(seed: u64, line: &str, end: Moment, kill: bool) -> (SampleLedger, Option<bool>) {
    let mut executor = executor(seed);
    let store = SimMetricStore::new(executor.runtime(), &faults(line));
    let answer = Arc::new(Recorder::default());
    let (writer, received) = (store.clone(), answer.clone());
    drop(executor.runtime().spawn(
        "writes",
        Box::pin(async move {
            received.record(writer.append(&batch(0, 5)).await.is_ok());
        }),
    ));
    executor.run_until(end);
    if kill {
        executor.kill();
    }
    (store.ledger(0), answer.take().first().copied())
}

#[test]
fn every_fault_of_the_api_reaches_the_caller_as_its_own_error() {
    assert_eq!(ask("", &[0]), [(0, "all")]);
    assert_eq!(ask("at 0s for 1m api-503", &[0, 70]), [(0, "transient"), (70, "all")]);
    assert_eq!(ask("at 0s for 1m api-hang", &[0]), []);
    assert_eq!(ask("at 0s for 1m api-truncated", &[0]), [(0, "malformed")]);
    assert_eq!(ask("at 0s for 1m api-nulls", &[0]), [(0, "none")]);
    assert_eq!(ask("at 0s for 1m api-half", &[0]), [(0, "some")]);
    assert_eq!(ask("at 0s for 1m api-429=7s", &[0]), [(0, "limited with a time")]);
    let drip = ask("at 0s for 1m api-drip", &[0]);
    assert!(matches!(drip[..], [(30..=121, "transient")]), "{drip:?}");
}

#[test]
fn a_request_over_the_limit_is_rejected_and_is_a_broken_promise() {
    let mut executor = executor(1);
    let (exchange, verdicts) = exchange(executor.runtime(), "");
    for mint in MARKET.mints().take(21) {
        let exchange = exchange.clone();
        drop(executor.runtime().spawn("asks", Box::pin(async move { drop(exchange.all_pairs(mint).await) })));
    }
    executor.run_until(at(1));
    assert_eq!((exchange.counts().succeeded, exchange.counts().busiest_minute), (20, 21));
    let (count, promises) = verdicts.all();
    assert!(count == 1 && promises[0].contains("21 requests in one minute, 20 are allowed"), "{promises:?}");
}

/// The broken promises after a call by a process that may have loaded an open breaker, `age` after it was saved.
fn call_after_a_restart(loads: bool, age: Duration) -> Vec<String> {
    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    let verdicts = Arc::new(Verdicts::new(runtime.clone()));
    let world = World::new(7, 30, PROMISED, &runtime, &faults(""), &verdicts);
    let saved = Saved { state: State::Open, open_for: Duration::from_mins(1), failed_recoveries: 0 };
    let breaker =
        StoredBreaker { name: "api".to_owned(), saved, at: runtime.wall() - age, since: None, rate: None };
    let asks = async move {
        let under = FencingToken::first(world.tokens.claim().await.expect("claim works"));
        world.breakers.save(under, &[breaker]).await.expect("save works");
        if loads {
            assert_eq!(world.breakers.load().await.expect("load answers").len(), 1);
        }
        drop(world.exchange.all_pairs(Mint::USDC).await);
    };
    drop(executor.runtime().spawn("asks", Box::pin(asks)));
    executor.run_until(at(1));
    verdicts.all().1
}

#[test]
fn a_call_despite_a_loaded_open_breaker_is_a_broken_promise() {
    let broken = call_after_a_restart(true, Duration::from_secs(50));
    assert!(broken.len() == 1 && broken[0].contains("a call while the breaker is open until"), "{broken:?}");
    assert_eq!(call_after_a_restart(true, Duration::from_mins(1)), [""; 0], "its period is over");
    assert_eq!(call_after_a_restart(false, Duration::ZERO), [""; 0], "it could not know");
}

#[test]
fn a_write_is_acknowledged_only_when_it_is_durable() {
    let (ledger, answer) = write(1, "", at(1), false);
    assert_eq!((ledger.stored, ledger.acknowledged, ledger.in_flight, answer), (5, 5, 0, Some(true)));
    for (line, stored) in [("store-gone", 0), ("store-full", 0), ("store-lost-acks", 5)] {
        let (ledger, answer) = write(1, &format!("at 0s for 1m {line}"), at(1), false);
        assert_eq!((ledger.stored, ledger.acknowledged, answer), (stored, 0, Some(false)), "{line}");
    }
}

#[test]
fn a_store_that_hangs_answers_when_the_fault_is_over() {
    let (ledger, answer) = write(1, "at 0s for 1m store-hang", at(59), false);
    assert_eq!((ledger.stored, ledger.in_flight, answer), (0, 5, None));
    let (ledger, answer) = write(1, "at 0s for 1m store-hang", at(61), false);
    assert_eq!((ledger.stored, ledger.in_flight, answer), (5, 0, Some(true)));
}

#[test]
fn a_write_whose_writer_is_killed_is_stored_entirely_or_not_at_all() {
    let outcomes: Vec<u64> = (0..20)
        .map(|seed| {
            let (ledger, answer) = write(seed, "at 0s for 1m store-hang", at(1), true);
            assert_eq!((ledger.acknowledged, ledger.in_flight, answer), (0, 0, None));
            ledger.stored
        })
        .collect();
    assert!(outcomes.contains(&0) && outcomes.contains(&5), "{outcomes:?}");
    assert!(outcomes.iter().all(|stored| [0, 5].contains(stored)), "{outcomes:?}");
}
