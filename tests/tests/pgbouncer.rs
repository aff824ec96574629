//! Everything works through PgBouncer, in each mode and with ignored startup parameters, as on the server itself.

use std::sync::Arc;

use rustix::process::Signal;
use ttm_alert::AlertStore;
use ttm_breaker::BreakerStore;
use ttm_e2e::{Database, PgBouncer, Program, market, ttm};
use ttm_kernel::{LeaseError, StoreLease};
use ttm_market::{TokenSource, TokenStore};
use ttm_perf::{EventStore, MetricStore};
use ttm_postgres_metrics::PostgresMetricStore;
use ttm_postgres_state::{PostgresLease, PostgresTokenStore};
use ttm_postgres_tokens::PostgresTokenSource;
use ttm_recovery::RecoveryLedger;

/// A common setting for libpq clients; this program does not need it.
const IGNORES: &str = "ignore_startup_parameters = extra_float_digits,options";

async fn every_store_obeys_every_law(mode: &str, settings: &str) {
    let database = Database::create();
    let pooler = PgBouncer::start(&database, mode, settings);
    let url = database.url_at(&pooler.host());
    let tokens = async || PostgresTokenStore::open(&url).await.expect("the store opens");
    let metrics = async || PostgresMetricStore::open(&url).await.expect("the store opens");

    let first = tokens().await;
    let claim = async || first.claim().await.expect("claim works");
    let breakers = async || Box::new(tokens().await.breakers()) as Box<dyn BreakerStore>;
    Box::pin(ttm_breaker::testing::conformance::check(breakers, &claim)).await;
    let ledger = async || Box::new(tokens().await.recoveries()) as Box<dyn RecoveryLedger>;
    Box::pin(ttm_recovery::testing::conformance::check(ledger, &claim)).await;
    let alerts = async || Box::new(tokens().await.alerts()) as Box<dyn AlertStore>;
    Box::pin(ttm_alert::testing::conformance::check(alerts, claim)).await;
    let store = async || Box::new(metrics().await) as Box<dyn MetricStore>;
    Box::pin(ttm_perf::testing::conformance::check(store)).await;
    let store = async || Box::new(metrics().await.events()) as Box<dyn EventStore>;
    Box::pin(ttm_perf::testing::event_conformance::check(store)).await;

    let lease = || PostgresLease::new(&url).expect("a valid URL");
    let (one, other) = (Arc::new(lease()), lease());
    one.acquire().await.expect("it is free");
    one.renew().await.expect("it is held");
    let held = other.acquire().await;
    assert!(matches!(held, Err(LeaseError::Held { .. })), "{held:?}");
    tokens().await.with_lease(one.clone()).claim().await.expect("the holder claims");
    one.release().await.expect("it is released");
    other.acquire().await.expect("it is free");

    let fresh = Database::create();
    let url = fresh.url_at(&pooler.host());
    let tokens = async || PostgresTokenStore::open(&url).await.expect("the store opens");
    let store = async || Box::new(tokens().await) as Box<dyn TokenStore>;
    Box::pin(ttm_market::testing::conformance::token_store::check(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_every_store_obeys_every_law() {
    every_store_obeys_every_law("session", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_that_ignores_parameters_every_store_obeys_every_law() {
    every_store_obeys_every_law("session", IGNORES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_transaction_mode_every_store_obeys_every_law() {
    every_store_obeys_every_law("transaction", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_transaction_mode_that_ignores_parameters_every_store_obeys_every_law() {
    every_store_obeys_every_law("transaction", &format!("{IGNORES}\ndefault_pool_size = 2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_view_that_writes_is_refused_in_each_mode() {
    let database = Database::create();
    for statement in [
        "CREATE TABLE log (line text)",
        "CREATE FUNCTION note() RETURNS text LANGUAGE sql AS \
         $f$ INSERT INTO log VALUES ('x') RETURNING line $f$",
        "CREATE VIEW tokens AS SELECT note() AS mint_address, NULL::text AS status",
    ] {
        database.ask(statement);
    }
    for mode in ["session", "transaction"] {
        let pooler = PgBouncer::start(&database, mode, IGNORES);
        let url = database.url_at(&pooler.host());
        let source = PostgresTokenSource::new(&url).expect("a valid URL");
        let refused = source.list().await.expect_err("read-only").to_string();
        assert!(refused.contains("(SQLSTATE 25006)"), "{refused}");
    }
    assert_eq!(database.ask("SELECT count(*) FROM log"), "0");
}

#[test]
fn the_program_scores_through_a_pooler_in_transaction_mode() {
    const TOKENS: usize = 5;
    let database = Database::create();
    let pooler = PgBouncer::start(&database, "transaction", "");
    let store = database.url_at(&pooler.host());
    let folder = tempfile::tempdir().expect("a folder");
    let market = market(TOKENS);
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    std::fs::write(folder.path().join("mints.txt"), mints.join("\n")).expect("written");
    let import = ["tokens", "import", "mints.txt"];
    let imported = Program::start(ttm(folder.path()).args(import).env("TTM_STORE__URL", &store)).end();
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let mut program = Program::start(ttm(folder.path()).arg("run").envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_STORE__URL", &store),
    ]));
    program.wait_for("a run with scores", |entry| {
        entry["message"] == "run ended" && entry["processed"].as_u64() > Some(0)
    });
    program.signal(Signal::TERM);
    let outcome = program.end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let scored = database.ask("SELECT count(*) FROM token WHERE scored_at IS NOT NULL");
    assert_eq!(scored, TOKENS.to_string());
}
