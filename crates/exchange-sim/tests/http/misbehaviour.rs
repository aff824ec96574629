//! The faults that return bad data, as a client sees them.

use std::sync::Arc;
use std::time::Duration;

use crate::manual_time::ManualTime;
use reqwest::Response;
use serde_json::Value;
use ttm_exchange_sim::{Exchange, ExchangeConfig, ExchangeHandle, Fault, Latency};
use ttm_market::Mint;

/// An exchange with this fault for its first ten minutes.
async fn start(kind: &str) -> (ExchangeHandle, Arc<ManualTime>) {
    let time = ManualTime::new();
    let fault: Fault = format!("at 0s for 10m: {kind}").parse().expect(kind);
    let config = ExchangeConfig::new(7, 400).latency(Latency::NONE).faults(vec![fault]);
    (Exchange::start(config, time.clone()).await.expect("a free port"), time)
}

async fn get(exchange: &ExchangeHandle, path: &str) -> Response {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().user_agent("test/1").tls_certs_only([]).no_proxy();
    let url = format!("{}{path}", exchange.base_url());
    client.build().expect("a client").get(url).send().await.expect("an answer")
}

fn listed(exchange: &ExchangeHandle, count: usize) -> Vec<Mint> {
    exchange.mints().filter(|mint| exchange.market().is_listed(mint)).take(count).collect()
}

/// The path of a batch.
fn batch(mints: &[Mint]) -> String {
    let list = mints.iter().map(Mint::to_string).collect::<Vec<_>>().join(",");
    format!("/tokens/v1/solana/{list}")
}

async fn json(exchange: &ExchangeHandle, path: &str) -> Value {
    let body = get(exchange, path).await.text().await.expect("a body");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn bases(body: &Value) -> Vec<&str> {
    let pairs = body.as_array().expect("a list");
    pairs.iter().map(|pair| pair["baseToken"]["address"].as_str().expect("an address")).collect()
}

#[tokio::test]
async fn server_errors_and_the_challenge_are_html_pages() {
    for (kind, status) in [("500", 500), ("502", 502), ("520", 520), ("403", 403)] {
        let (exchange, _time) = start(kind).await;
        let response = get(&exchange, "/tokens/v1/solana/x").await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(response.headers().contains_key("cf-mitigated"), status == 403);
        assert!(response.text().await.expect("a body").starts_with("<!DOCTYPE html>"));
    }
}

#[tokio::test]
async fn the_short_429_is_sixteen_bytes_of_text() {
    for (kind, header) in [("429-text", None), ("429-text retry-after 30s", Some("30"))] {
        let (exchange, _time) = start(kind).await;
        let response = get(&exchange, "/tokens/v1/solana/x").await;
        assert_eq!(response.status().as_u16(), 429);
        let sent = response.headers().get("retry-after").map(|value| value.to_str().expect("text"));
        assert_eq!(sent, header);
        assert_eq!(response.text().await.expect("a body"), "error code: 1015");
    }
}

#[tokio::test]
async fn a_fault_with_a_share_affects_that_share_of_the_requests() {
    for (kind, body) in [("flaky-nulls 30%", "null}"), ("empty-batch 30%", "[]")] {
        let (exchange, _time) = start(kind).await;
        let path = batch(&listed(&exchange, 2));
        let mut wrong = 0;
        for _ in 0..200 {
            wrong += u32::from(get(&exchange, &path).await.text().await.expect("a body").ends_with(body));
        }
        assert!((40..80).contains(&wrong), "{kind}: {wrong} of 200");
    }
}

#[tokio::test]
async fn requests_for_single_tokens_work_while_batches_are_empty() {
    let (exchange, _time) = start("empty-batch 100%").await;
    assert_eq!(json(&exchange, &batch(&listed(&exchange, 3))).await, Value::Array(Vec::new()));
    assert_eq!(bases(&json(&exchange, &batch(&listed(&exchange, 1))).await).len(), 1);
}

#[tokio::test]
async fn delisted_tokens_are_missing_from_all_responses_and_come_back() {
    let (exchange, time) = start("delisted 40%").await;
    let mints = listed(&exchange, 30);
    let left = json(&exchange, &batch(&mints)).await;
    assert_eq!(json(&exchange, &batch(&mints)).await, left, "always the same ones");
    assert!((8..28).contains(&bases(&left).len()), "{} of 30", bases(&left).len());
    let gone = mints.iter().find(|mint| !bases(&left).contains(&&*mint.to_string())).expect("some are gone");
    assert_eq!(json(&exchange, &format!("/token-pairs/v1/solana/{gone}")).await, Value::Array(Vec::new()));
    time.advance(Duration::from_mins(10));
    assert_eq!(bases(&json(&exchange, &batch(&mints)).await).len(), 30);
}

#[tokio::test]
async fn a_stale_response_is_that_of_an_earlier_time() {
    let (exchange, time) = start("stale 30s").await;
    let path = batch(&listed(&exchange, 30));
    let stale = json(&exchange, &path).await;
    let then = ttm_kernel::Clock::wall(&*time) - Duration::from_secs(30);
    let price = |mint: &Mint| exchange.market().primary_of(mint, then).expect("listed").price_native;
    let expected: Vec<String> = listed(&exchange, 30).iter().map(|mint| price(mint).to_string()).collect();
    let told: Vec<&str> =
        stale.as_array().expect("a list").iter().filter_map(|pair| pair["priceNative"].as_str()).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_batch_with_extra_pairs_does_not_start_with_the_primary_one() {
    let (exchange, _time) = start("extra-pairs").await;
    let mints = listed(&exchange, 30);
    let body = json(&exchange, &batch(&mints)).await;
    let pairs = body.as_array().expect("a list");
    assert!(pairs.len() > 31);
    assert_eq!(pairs[0]["chainId"], "ethereum");
    let asked: Vec<String> = mints.iter().map(Mint::to_string).collect();
    let is_quote = |pair: &&Value| asked.iter().any(|mint| pair["quoteToken"]["address"] == **mint);
    assert!(pairs.iter().filter(is_quote).count() > 0);
}

#[tokio::test]
async fn bad_pairs_are_mixed_with_good_ones() {
    let (exchange, _time) = start("bad-pairs 50%").await;
    let body = json(&exchange, &batch(&listed(&exchange, 30))).await;
    let pairs = body.as_array().expect("a list");
    let bad_prices = pairs.iter().filter(|pair| pair["priceUsd"] == "NaN").count();
    let bad_addresses = bases(&body).iter().filter(|address| **address == "0OIl").count();
    assert_eq!(pairs.len(), 30);
    assert!(bad_prices > 0 && bad_addresses > 0 && bad_prices + bad_addresses < 28);
}

#[tokio::test]
async fn odd_keys_are_nulls_and_unknown_keys_beside_the_correct_ones() {
    let (exchange, _time) = start("odd-keys").await;
    let mints = listed(&exchange, 30);
    let body = json(&exchange, &batch(&mints)).await;
    assert_eq!(bases(&body), mints.iter().map(Mint::to_string).collect::<Vec<_>>());
    let pairs = body.as_array().expect("a list");
    assert!(pairs.iter().all(|pair| pair["moonshot"].is_object() && pair.get("info") == Some(&Value::Null)));
    assert!(pairs.iter().any(|pair| pair.get("liquidity") == Some(&Value::Null)));
}

#[tokio::test]
async fn bodies_that_a_client_cannot_use_arrive_complete() {
    let (exchange, _time) = start("malformed").await;
    let path = batch(&listed(&exchange, 4));
    let body = get(&exchange, &path).await.text().await.expect("a whole body");
    assert!(serde_json::from_str::<Value>(&body).is_err());

    let (exchange, _time) = start("wrong-type").await;
    assert_eq!(get(&exchange, &path).await.headers()["content-type"], "text/html");
    assert_eq!(bases(&json(&exchange, &path).await).len(), 4);

    let (exchange, _time) = start("too-large").await;
    let body = get(&exchange, &path).await.text().await.expect("a whole body");
    assert!(body.len() > 8 * 1_024 * 1_024);
    assert!(serde_json::from_str::<Value>(&body).is_ok());
}

#[tokio::test]
async fn the_latest_profiles_are_of_listed_tokens_and_change_every_minute() {
    let time = ManualTime::new();
    let config = ExchangeConfig::new(7, 400).latency(Latency::NONE);
    let exchange = Exchange::start(config, time.clone()).await.expect("a free port");
    let path = "/token-profiles/latest/v1";
    let addresses = |body: &Value| -> Vec<String> {
        let profiles = body.as_array().expect("a bare list");
        profiles.iter().map(|profile| profile["tokenAddress"].as_str().expect("text").to_owned()).collect()
    };
    let body = json(&exchange, path).await;
    for profile in body.as_array().expect("a list") {
        assert!(["url", "chainId", "icon", "openGraph"].iter().all(|key| profile[key].is_string()));
        assert!(profile.get("description").is_none_or(Value::is_string));
        assert!(profile.get("links").is_none_or(Value::is_array));
        let mint: Mint = profile["tokenAddress"].as_str().expect("text").parse().expect("a mint");
        assert!(exchange.market().is_listed(&mint));
    }
    let before = addresses(&body);
    assert!((20..=30).contains(&before.len()));
    time.advance(Duration::from_mins(5));
    let after = addresses(&json(&exchange, path).await);
    assert_ne!(after, before);
    assert!(after.iter().filter(|address| before.contains(address)).count() >= 15);
}
