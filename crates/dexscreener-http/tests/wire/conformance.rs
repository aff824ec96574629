//! The laws of the ports, with a server at the other end that lists what it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use ttm_market::Mint;
use ttm_market::testing::conformance::pair_source::{self, Answer, Exchange, Profiles, Upstream};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::answers::{json_text, source};
use crate::bodies::full_pair;

/// What the API lists, and how it answers.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answer: Answer,
    requests: usize,
    pools: BTreeMap<String, Vec<Value>>,
    profiles: Vec<Value>,
}

impl Api {
    fn with<T>(&self, use_of: impl FnOnce(&mut State) -> T) -> T {
        use_of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.with(|state| {
            state.requests += 1;
            let mut words = request.url.path().trim_start_matches('/').split('/');
            let body = match (words.next(), words.nth(2)) {
                (Some("token-profiles"), _) => state.profiles.clone(),
                // A batch answers with the primary pool of each, which is the first one here.
                (Some("tokens"), Some(mints)) => {
                    mints.split(',').filter_map(|mint| state.pools.get(mint)?.first().cloned()).collect()
                }
                (_, mint) => mint.and_then(|mint| state.pools.get(mint)).cloned().unwrap_or_default(),
            };
            match state.answer {
                Answer::Lists => json_text(&Value::from(body).to_string()),
                Answer::Unavailable => ResponseTemplate::new(503),
                Answer::Limits => ResponseTemplate::new(429),
                Answer::Forbids => ResponseTemplate::new(403),
                Answer::Rejects => ResponseTemplate::new(400),
                Answer::Garbles => json_text("[{\"pairs\": "),
            }
        })
    }
}

impl Upstream for Api {
    fn answers(&self, answer: Answer) {
        self.with(|state| state.answer = answer);
    }

    fn requests(&self) -> usize {
        self.with(|state| state.requests)
    }
}

impl Exchange for Api {
    fn lists(&self, mint: Mint, pools: usize) {
        let mut quoted = full_pair(Mint::WSOL);
        quoted["quoteToken"]["address"] = mint.to_string().into();
        let of_mint = std::iter::repeat_n(full_pair(mint), pools);
        self.with(|state| state.pools.insert(mint.to_string(), of_mint.chain([quoted]).collect()));
    }
}

impl Profiles for Api {
    fn lists(&self, mints: &[Mint], unreadable: usize) {
        let profile = |address: String| json!({"chainId": "solana", "tokenAddress": address});
        let junk = (0..unreadable).map(|number| profile(format!("junk-{number}")));
        let listed = mints.iter().map(|mint| profile(mint.to_string())).chain(junk);
        self.with(|state| state.profiles = listed.collect());
    }
}

#[tokio::test]
async fn the_adapter_obeys_the_laws_of_its_ports() {
    let (server, api) = (MockServer::start().await, Api::default());
    Mock::given(wiremock::matchers::any()).respond_with(api.clone()).mount(&server).await;
    let source = source(&server.uri());
    pair_source::check(&source, &api).await;
    pair_source::check_profiles(&source, &api).await;
}
