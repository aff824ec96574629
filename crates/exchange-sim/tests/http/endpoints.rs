//! The stand-in without faults as a client sees it: paths, shapes and limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::manual_time::ManualTime;
use serde_json::Value;
use ttm_exchange_sim::{Endpoint, Exchange, ExchangeConfig, ExchangeHandle, Latency, Outcome, StartError};
use ttm_market::Mint;

async fn start(config: ExchangeConfig) -> (ExchangeHandle, Arc<ManualTime>) {
    let time = ManualTime::new();
    let exchange = Exchange::start(config.latency(Latency::NONE), time.clone()).await.expect("a free port");
    (exchange, time)
}

fn client() -> reqwest::Client {
    client_named("test/1")
}

fn client_named(user_agent: &str) -> reqwest::Client {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().user_agent(user_agent).tls_certs_only([]).no_proxy().build().expect("a client")
}

async fn get(exchange: &ExchangeHandle, path: &str) -> (u16, String) {
    let url = format!("{}{path}", exchange.base_url());
    let response = client().get(url).send().await.expect("a response");
    (response.status().as_u16(), response.text().await.expect("a body"))
}

async fn get_json(exchange: &ExchangeHandle, path: &str) -> Value {
    let (status, body) = get(exchange, path).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn list(mints: impl IntoIterator<Item = Mint>) -> String {
    mints.into_iter().map(|mint| mint.to_string()).collect::<Vec<_>>().join(",")
}

fn bases(pairs: &Value) -> Vec<String> {
    let pairs = pairs.as_array().expect("a list");
    pairs.iter().map(|pair| pair["baseToken"]["address"].as_str().expect("an address").to_owned()).collect()
}

#[tokio::test]
async fn a_batch_returns_one_primary_pair_for_each_listed_token() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 60)).await;
    let unlisted = exchange.mints().find(|mint| !exchange.market().is_listed(mint)).expect("one in twenty");
    let listed: Vec<Mint> =
        exchange.mints().filter(|mint| exchange.market().is_listed(mint)).take(3).collect();
    let asked = [listed[0], unlisted, listed[1], listed[2]];
    let pairs = get_json(&exchange, &format!("/tokens/v1/solana/{}", list(asked))).await;
    assert_eq!(bases(&pairs), listed.iter().map(Mint::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_silently_truncated() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 60)).await;
    let listed: Vec<Mint> =
        exchange.mints().filter(|mint| exchange.market().is_listed(mint)).take(40).collect();
    let pairs = get_json(&exchange, &format!("/tokens/v1/solana/{}", list(listed))).await;
    assert_eq!(bases(&pairs).len(), 30);
}

#[tokio::test]
async fn all_pools_of_a_token_include_those_where_it_is_the_quote() {
    let (exchange, time) = start(ExchangeConfig::new(7, 400)).await;
    let at = ttm_kernel::Clock::wall(&*time);
    let pools = |mint: &Mint| exchange.market().pools_of(mint, at);
    let mint = exchange
        .mints()
        .find(|mint| pools(mint).len() > 3 && pools(mint).iter().any(|pool| pool.pair.base.mint != *mint))
        .expect("some token is a quote");
    let pairs = get_json(&exchange, &format!("/token-pairs/v1/solana/{mint}")).await;
    assert_eq!(pairs.as_array().map(Vec::len), Some(pools(&mint).len()));
    let quoted = |pair: &&Value| pair["quoteToken"]["address"] == mint.to_string();
    assert!(pairs.as_array().expect("a list").iter().filter(quoted).count() > 0);
}

#[tokio::test]
async fn a_pair_has_the_types_and_keys_of_the_recorded_ones() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 200)).await;
    let mints: Vec<Mint> = exchange.mints().collect();
    let mut without_liquidity = 0;
    for batch in mints.chunks(30) {
        let pairs = get_json(&exchange, &format!("/tokens/v1/solana/{}", list(batch.iter().copied()))).await;
        for pair in pairs.as_array().expect("a list") {
            let keys = ["chainId", "dexId", "url", "pairAddress", "priceNative"];
            assert!(keys.iter().all(|key| pair[key].is_string()), "{pair}");
            assert!(pair["txns"]["m5"]["buys"].is_u64() && pair["txns"]["h24"]["sells"].is_u64(), "{pair}");
            assert!(pair["volume"]["h6"].is_number() && pair["priceChange"].is_object(), "{pair}");
            assert!(pair.as_object().expect("an object").values().all(|value| !value.is_null()), "{pair}");
            assert!(pair.get("priceUsd").is_none_or(Value::is_string), "{pair}");
            assert!(pair.get("pairCreatedAt").is_none_or(Value::is_u64), "{pair}");
            without_liquidity += usize::from(pair.get("liquidity").is_none());
        }
    }
    assert!(without_liquidity > 10);
}

#[tokio::test]
async fn an_unknown_token_is_an_empty_list_or_null_depending_on_the_endpoint() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 60)).await;
    let mint = list(exchange.mints().filter(|mint| exchange.market().is_listed(mint)).take(1));
    assert_eq!(get(&exchange, &format!("/tokens/v1/ethereum/{mint}")).await, (200, "[]".to_owned()));
    assert_eq!(get(&exchange, "/tokens/v1/solana/nonsense").await, (200, "[]".to_owned()));
    assert_eq!(get(&exchange, "/token-pairs/v1/solana/nonsense").await, (200, "[]".to_owned()));
    let unknown = get_json(&exchange, "/latest/dex/tokens/nonsense").await;
    assert!(unknown["pairs"].is_null());
    let known = get_json(&exchange, &format!("/latest/dex/tokens/{mint}")).await;
    assert!(!bases(&known["pairs"]).is_empty());
    assert_eq!(get(&exchange, "/tokens/v2").await.0, 404);
    assert_eq!(exchange.stats().requests.get(&(Endpoint::Unknown, Outcome::Rejected)), Some(&1));
}

#[tokio::test]
async fn three_hundred_requests_a_minute_are_answered_and_not_one_more() {
    let (exchange, time) = start(ExchangeConfig::new(7, 3)).await;
    let client = client();
    let url = format!("{}/tokens/v1/solana/x", exchange.base_url());
    let mut statuses = Vec::new();
    for _ in 0..301 {
        statuses.push(client.get(&url).send().await.expect("a response").status().as_u16());
    }
    assert!(statuses[..300].iter().all(|status| *status == 200));
    assert_eq!(statuses[300], 429);
    time.advance(Duration::from_millis(59_999));
    assert_eq!(get(&exchange, "/tokens/v1/solana/x").await, (429, "error code: 1015".to_owned()));
    assert_eq!(get(&exchange, "/token-profiles/latest/v1").await.0, 200, "another budget");
    time.advance(Duration::from_millis(1));
    assert_eq!(get(&exchange, "/tokens/v1/solana/x").await.0, 200);

    let stats = exchange.shutdown().await;
    assert_eq!(stats.ended(Outcome::OverLimit), 2);
    assert_eq!(stats.busiest_minute, 302);
    assert_eq!(stats.total(), 304);
}

#[tokio::test]
async fn sixty_promotion_requests_a_minute_are_answered_and_not_one_more() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 3)).await;
    for _ in 0..60 {
        assert_eq!(get(&exchange, "/orders/v1/solana/x").await.0, 200);
    }
    assert_eq!(get(&exchange, "/orders/v1/solana/x").await.0, 429);
    assert_eq!(exchange.stats().busiest_promotion_minute, 61);
}

#[tokio::test]
async fn a_client_without_a_user_agent_is_refused() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 3)).await;
    let url = format!("{}/tokens/v1/solana/x", exchange.base_url());
    let response = client_named("").get(url).send().await.expect("a response");
    assert_eq!(response.status().as_u16(), 403);
    assert_eq!(exchange.stats().ended(Outcome::Forbidden), 1);
}

#[tokio::test]
async fn a_response_takes_its_latency() {
    let time = ManualTime::new();
    let latency = Latency { mean: Duration::from_millis(80), spread: Duration::ZERO };
    let config = ExchangeConfig::new(7, 3).latency(latency);
    let exchange = Exchange::start(config, time.clone()).await.expect("a free port");
    let answer = get(&exchange, "/tokens/v1/solana/x");
    let arrival = async {
        while exchange.stats().total() == 0 {
            tokio::task::yield_now().await;
        }
        time.advance(Duration::from_millis(79));
        tokio::task::yield_now().await;
        time.advance(Duration::from_millis(1));
    };
    let (answer, ()) = tokio::join!(answer, arrival);
    assert_eq!(answer.0, 200);
}

#[tokio::test]
async fn a_port_in_use_and_a_public_address_are_refused() {
    let (exchange, time) = start(ExchangeConfig::new(7, 3)).await;
    let address: SocketAddr =
        exchange.base_url().trim_start_matches("http://").parse().expect("an address with a port");
    let taken = Exchange::start(ExchangeConfig::new(7, 3).listen(address), time.clone()).await;
    assert!(matches!(taken, Err(StartError::Listen { .. })));
    let public = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let refused = Exchange::start(ExchangeConfig::new(7, 3).listen(public), time).await;
    assert!(matches!(refused, Err(StartError::NotLoopback { .. })));
}

#[tokio::test]
async fn after_shutdown_connections_are_refused() {
    let (exchange, _time) = start(ExchangeConfig::new(7, 3)).await;
    let url = exchange.base_url();
    exchange.shutdown().await;
    assert!(client().get(url).send().await.expect_err("closed").is_connect());
}
