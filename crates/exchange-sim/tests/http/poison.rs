//! Poisoned mints as a client sees them.

use crate::manual_time::ManualTime;
use reqwest::Response;
use ttm_exchange_sim::{Exchange, ExchangeConfig, ExchangeHandle, Latency, Outcome, Poison};
use ttm_market::Mint;
use ttm_market::synthetic::SyntheticMarket;

const SEED: u64 = 7;
const TOKENS: usize = 400;

/// The first listed mints of the market that [`start`] serves.
fn listed(count: usize) -> Vec<Mint> {
    let market = SyntheticMarket::new(SEED, TOKENS);
    market.mints().filter(|mint| market.is_listed(mint)).take(count).collect()
}

async fn start(poisoned: &[(Mint, Poison)]) -> ExchangeHandle {
    let config = ExchangeConfig::new(SEED, TOKENS).latency(Latency::NONE);
    let config = poisoned.iter().fold(config, |config, (mint, poison)| config.poison([*mint], *poison));
    Exchange::start(config, ManualTime::new()).await.expect("a free port")
}

async fn get(exchange: &ExchangeHandle, path: &str, mints: &[Mint]) -> Response {
    let _already_chosen = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().user_agent("test/1").tls_certs_only([]).no_proxy();
    let list = mints.iter().map(Mint::to_string).collect::<Vec<_>>().join(",");
    let url = format!("{}/{path}/{list}", exchange.base_url());
    client.build().expect("a client").get(url).send().await.expect("an answer")
}

#[tokio::test]
async fn a_poisoned_mint_fails_every_request_that_contains_it_and_no_other() {
    let mints = listed(5);
    for status in [400, 404, 500] {
        let exchange = start(&[(mints[2], Poison::Status(status))]).await;
        let tokens = "tokens/v1/solana";
        assert_eq!(get(&exchange, tokens, &mints).await.status().as_u16(), status);
        assert_eq!(get(&exchange, tokens, &mints[2..3]).await.status().as_u16(), status);
        assert_eq!(get(&exchange, "token-pairs/v1/solana", &mints[2..3]).await.status().as_u16(), status);
        for clean in [&mints[..2], &mints[3..]] {
            let response = get(&exchange, tokens, clean).await;
            assert_eq!(response.status().as_u16(), 200);
            let pairs: Vec<serde_json::Value> =
                serde_json::from_slice(&response.bytes().await.expect("a body")).expect("a list");
            assert_eq!(pairs.len(), clean.len());
        }
        assert_eq!(get(&exchange, "token-profiles/latest/v1", &[]).await.status().as_u16(), 200);
        assert_eq!(exchange.stats().ended(Outcome::Faulted), 3);
        assert_eq!(exchange.stats().ended(Outcome::Answered), 3);
    }
}

#[tokio::test]
async fn an_undecodable_response_claims_to_be_json_and_is_not_even_text() {
    let mints = listed(3);
    let exchange = start(&[(mints[0], Poison::Undecodable)]).await;
    let response = get(&exchange, "tokens/v1/solana", &mints).await;
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.headers()["content-type"].to_str().expect("text").starts_with("application/json"));
    let body = response.bytes().await.expect("a body");
    assert!(str::from_utf8(&body).is_err());
    assert!(serde_json::from_str::<serde_json::Value>(&String::from_utf8_lossy(&body)).is_err());
}

#[tokio::test]
async fn of_two_poisoned_mints_the_smaller_one_decides_in_any_order() {
    let mut mints = listed(2);
    mints.sort_unstable();
    let exchange = start(&[(mints[1], Poison::Status(500)), (mints[0], Poison::Status(404))]).await;
    for _ in 0..2 {
        assert_eq!(get(&exchange, "tokens/v1/solana", &mints).await.status().as_u16(), 404);
        mints.reverse();
    }
}
