//! The port's suite over every channel, and messages of every shape.

use std::sync::Arc;

use proptest::prelude::*;
use ttm_alert::Attempt;
use ttm_alert::testing::notifier_conformance::{self, Receiver};
use ttm_alert::testing::{Saying, any_about, any_attempt};
use ttm_alert::words::About;

use crate::example::TIMEOUT;
use crate::stand_in::{Service, StandIn};
use crate::{discord, ntfy, pagerduty, slack, telegram, webhook};

async fn conforms(service: impl Service) {
    let stand_in = StandIn::start(service).await;
    let channel = stand_in.channel();
    notifier_conformance::check(&*channel, &stand_in).await;
    assert!(channel.patience() > TIMEOUT, "each request has its own timeout");
    assert_eq!(stand_in.broken(), Vec::<String>::new());
    // The suite sends two messages, all the time.
    assert_eq!(stand_in.duplicates(), stand_in.requests().len() - 2);
}

#[tokio::test]
async fn a_webhook_obeys_the_laws() {
    conforms(webhook::Hook).await;
}

#[tokio::test]
async fn a_webhook_of_slack_obeys_the_laws() {
    conforms(slack::Hook).await;
}

#[tokio::test]
async fn a_bot_of_slack_obeys_the_laws() {
    conforms(slack::Bot).await;
}

#[tokio::test]
async fn telegram_obeys_the_laws() {
    conforms(telegram::Api).await;
}

#[tokio::test]
async fn discord_obeys_the_laws() {
    conforms(discord::Hook).await;
}

#[tokio::test]
async fn ntfy_obeys_the_laws() {
    conforms(ntfy::Server).await;
}

#[tokio::test]
async fn pagerduty_obeys_the_laws() {
    conforms(pagerduty::Api).await;
}

async fn takes(service: impl Service, attempts: &[(Attempt, About)]) -> Vec<String> {
    let stand_in = StandIn::start(service).await;
    for (attempt, about) in attempts {
        stand_in.channel_with(Arc::new(Saying(about.clone()))).send(attempt).await;
    }
    stand_in.broken()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn strict_receivers_take_every_message(
        attempts in proptest::collection::vec((any_attempt(), any_about()), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let broken = runtime.block_on(async {
            let mut broken = takes(webhook::Hook, &attempts).await;
            broken.extend(takes(slack::Hook, &attempts).await);
            broken.extend(takes(slack::Bot, &attempts).await);
            broken.extend(takes(telegram::Api, &attempts).await);
            broken.extend(takes(discord::Hook, &attempts).await);
            broken.extend(takes(ntfy::Server, &attempts).await);
            broken.extend(takes(pagerduty::Api, &attempts).await);
            broken
        });
        prop_assert_eq!(broken, Vec::<String>::new());
    }
}
