//! Whatever a service says, no reason repeats a part of a secret.

use proptest::prelude::*;
use ttm_alert::testing::notifier_conformance::Receiver;
use wiremock::ResponseTemplate;

use crate::example::{attempt, failure, item};
use crate::stand_in::{Service, StandIn};
use crate::{discord, ntfy, pagerduty, slack, telegram, webhook};

/// So much of a secret in a row is a part of it.
const FRAGMENT: usize = 6;

/// An answer that repeats a part of what it was sent.
#[derive(Clone, Debug)]
struct Echo {
    status: u16,
    from: f64,
    length: usize,
    shape: usize,
    before: String,
}

fn any_echo() -> impl Strategy<Value = Echo> {
    let status = prop_oneof![Just(200), Just(302), Just(400), Just(404), Just(429), Just(500), 200..600_u16];
    (status, 0.0..1.0, FRAGMENT..80, 0..4_usize, "[a-z {\":]{0,40}")
        .prop_map(|(status, from, length, shape, before)| Echo { status, from, length, shape, before })
}

impl Echo {
    fn of(&self, secret: &str) -> ResponseTemplate {
        let most = secret.len() - FRAGMENT;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a short text"
        )]
        let from = (self.from * most as f64) as usize;
        let told = format!("{}{}", self.before, &secret[from..secret.len().min(from + self.length)]);
        let json = match self.shape {
            0 => return ResponseTemplate::new(self.status).set_body_string(told),
            1 => {
                serde_json::json!({ "ok": false, "error": told, "description": told, "code": 1, "message": told })
            }
            2 => serde_json::json!({ "status": told, "errors": [told] }),
            _ => serde_json::json!({ "ok": false, "error_code": 400, "description": told, "error": told }),
        };
        ResponseTemplate::new(self.status).set_body_json(json)
    }
}

async fn told(service: impl Service, echoes: &[Echo]) -> Vec<String> {
    let stand_in = StandIn::start(service).await;
    let secret = stand_in.secret().expect("it has one");
    let parts: Vec<String> = secret
        .as_bytes()
        .windows(FRAGMENT)
        .map(|part| String::from_utf8_lossy(part).to_lowercase())
        .collect();
    let mut told = Vec::new();
    for echo in echoes {
        stand_in.says(echo.of(&secret));
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        if !matches!(outcome, ttm_alert::Outcome::Delivered { .. }) {
            let why = failure(&outcome).2.to_lowercase();
            told.extend(parts.iter().any(|part| why.contains(part)).then_some(why));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn no_reason_repeats_a_part_of_a_secret(echoes in proptest::collection::vec(any_echo(), 12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let told = runtime.block_on(async {
            let mut all = told(webhook::Hook, &echoes).await;
            all.extend(told(slack::Hook, &echoes).await);
            all.extend(told(slack::Bot, &echoes).await);
            all.extend(told(telegram::Api, &echoes).await);
            all.extend(told(discord::Hook, &echoes).await);
            all.extend(told(ntfy::Server, &echoes).await);
            all.extend(told(pagerduty::Api, &echoes).await);
            all
        });
        prop_assert_eq!(told, Vec::<String>::new());
    }
}
