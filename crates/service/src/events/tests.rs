//! The content of each event: its kind, subject, severity and every field of its payload, on which readers and alerts
//! depend.

use ttm_breaker::{Counts, TransitionReason};
use ttm_kernel::Clock as _;
use ttm_market::{ActivationRule, PoolSeen};
use ttm_perf::ControlReason;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;

/// A log, and the wall clock's time at its start.
fn log() -> (EventLog, Timestamp) {
    let runtime = ManualRuntime::new(1);
    let clock: Arc<dyn Runtime> = Arc::new(runtime.clone());
    let log = EventLog::new(&clock);
    log.started(Epoch::new(7), 3);
    (log, runtime.wall())
}

/// The events since the start, each as kind, subject, severity and payload.
fn logged(log: &EventLog) -> Vec<(String, String, Severity, Value)> {
    let events = fakes::take(&log.outbox);
    let parts = |event: &Event| {
        assert!(KINDS.contains(&event.kind().as_str()), "{} is in the table", event.kind());
        let payload = serde_json::from_str(event.payload().as_str()).expect("JSON");
        (event.kind().as_str().to_owned(), event.subject().as_str().to_owned(), event.severity(), payload)
    };
    events.iter().skip(1).map(parts).collect()
}

fn event(kind: &str, subject: &str, severity: Severity, payload: Value) -> (String, String, Severity, Value) {
    (kind.to_owned(), subject.to_owned(), severity, payload)
}

#[test]
fn a_transition_of_the_breaker_is_logged_with_its_counts_and_the_time_of_its_next_probe() {
    let (log, wall) = log();
    let counts = Counts { failures: 5, consecutive_failures: 5, ..Counts::default() };
    let opened = Transition {
        at: ttm_kernel::Moment::ZERO,
        from: State::Closed,
        to: State::Open,
        reason: TransitionReason::ConsecutiveFailures,
        counts,
        generation: 1,
        retry_at: Some(ttm_kernel::Moment::from_origin(Duration::from_mins(1))),
        suppressed: None,
    };
    log.breaker("dexscreener", &opened, Some("status 403, an HTML page"));
    log.breaker(
        "dexscreener",
        &Transition { from: State::Open, to: State::HalfOpen, retry_at: None, ..opened },
        None,
    );
    let [opened, probing] = logged(&log).try_into().expect("two events");
    let expected = json!({
        "from": "closed",
        "to": "open",
        "reason": "consecutive_failures",
        "retry_at": (wall + Duration::from_mins(1)).to_string(),
        "cause": "status 403, an HTML page",
        "counts": {
            "successes": 0, "failures": 5, "consecutive_failures": 5, "slow": 0, "ignored": 0, "rate_limited": 0,
        },
    });
    assert_eq!(opened, event("breaker.changed", "dexscreener", Severity::Warning, expected));
    assert_eq!(
        (probing.2, &probing.3["to"], &probing.3["retry_at"]),
        (Severity::Info, &json!("half_open"), &Value::Null)
    );
}

#[test]
fn a_change_by_the_adaptive_control_is_logged_with_its_reason() {
    let (log, _) = log();
    let change = ControlChange {
        what: Controlled::AttemptTimeout,
        from: 5_000,
        to: 1_200,
        reason: ControlReason::Percentile,
    };
    log.control(&change);
    log.control(&ControlChange {
        what: Controlled::InFlight,
        from: 32,
        to: 16,
        reason: ControlReason::Errors,
    });
    assert_eq!(
        logged(&log),
        [
            event(
                "control.attempt_timeout",
                "dexscreener",
                Severity::Info,
                json!({"from": 5_000, "to": 1_200, "reason": "the 99th percentile moved"})
            ),
            event(
                "control.in_flight",
                "dexscreener",
                Severity::Info,
                json!({"from": 32, "to": 16, "reason": "too many attempts failed"})
            ),
        ]
    );
}

#[test]
fn the_failure_and_recovery_of_a_source_are_logged_and_a_long_problem_is_truncated() {
    let (log, _) = log();
    log.source(Origin::new("file"), Some(&"é".repeat(3_000)));
    log.source(Origin::new("file"), None);
    assert_eq!(
        logged(&log),
        [
            event("source.failed", "file", Severity::Error, json!({"problem": "é".repeat(LONGEST_PROBLEM)})),
            event("source.recovered", "file", Severity::Info, json!({})),
        ]
    );
}

#[test]
fn changes_of_tokens_are_logged_with_rule_and_pools_and_repeated_misses_are_not() {
    let (log, wall) = log();
    let pools = PoolsSeen {
        count: 9,
        listed: vec![PoolSeen {
            address: "a".repeat(200).into(),
            dex: "raydium".into(),
            liquidity_usd: Some(1.5),
        }],
    };
    let mint = Mint::WSOL;
    log.market(&[
        MarketEvent::Activated { mint, rule: ActivationRule::Two, pools: pools.clone() },
        MarketEvent::Unlisted { mint, misses: 1, ask_again_at: wall },
        MarketEvent::Unlisted { mint, misses: 2, ask_again_at: wall },
        MarketEvent::Relisted { mint },
        MarketEvent::Archived { mint, below_since: wall, min_liquidity_usd: 500.0, pools },
    ]);
    let pools = json!({
        "count": 9,
        "listed": [{"address": "a".repeat(LONGEST_NAME), "dex": "raydium", "liquidity_usd": 1.5}],
    });
    let of = |kind, payload| event(kind, &mint.to_string(), Severity::Info, payload);
    assert_eq!(
        logged(&log),
        [
            of("token.activated", json!({"rule": "two", "pools": pools})),
            of("token.unlisted", json!({"ask_again_at": wall.to_string()})),
            of("token.relisted", json!({})),
            of(
                "token.archived",
                json!({"below_since": wall.to_string(), "min_liquidity_usd": 500.0, "pools": pools})
            ),
        ]
    );
}
