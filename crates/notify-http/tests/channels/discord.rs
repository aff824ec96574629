//! Discord's webhooks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use ttm_alert::testing::notifier_conformance::Answer;
use ttm_alert::words::Words;
use ttm_alert::{Notifier, Outcome};
use ttm_notify_http::Discord;
use wiremock::{Request, ResponseTemplate};

use crate::example::{TIMEOUT, attempt, failure, item, over};
use crate::stand_in::{Service, StandIn, key_in, only, posted, rule, text, utf16};

const TOKEN: &str = "3d89bb7572e0fb30d8128367b3b1b44fecd1726de135cbe28a41f8b2f777c372";
const PATH: &str =
    "/api/webhooks/223704706495545344/3d89bb7572e0fb30d8128367b3b1b44fecd1726de135cbe28a41f8b2f777c372";

pub(crate) struct Hook;

impl Service for Hook {
    fn check(&self, request: &Request) -> Result<String, String> {
        let body = posted(request, PATH)?;
        rule(request.url.query() == Some("wait=true"), "nobody waits for the message")?;
        only(&body, &["content", "embeds", "allowed_mentions"])?;
        rule(body["allowed_mentions"] == json!({ "parse": [] }), "mentions")?;
        let content = text(&body, "/content")?;
        let embed = &body["embeds"][0];
        only(embed, &["description", "color"])?;
        let description = text(embed, "/description")?;
        rule((1..=2_000).contains(&utf16(content)), "BASE_TYPE_MAX_LENGTH of the content")?;
        rule((1..=4_096).contains(&utf16(description)), "BASE_TYPE_MAX_LENGTH of the description")?;
        rule(utf16(description) <= 6_000, "MAX_EMBED_SIZE_EXCEEDED")?;
        rule(embed["color"].as_u64().is_some_and(|color| color <= 0x00ff_ffff), "the color")?;
        key_in(description)
    }

    fn answer(&self, answer: Answer) -> ResponseTemplate {
        let says = |status, body| ResponseTemplate::new(status).set_body_json(body);
        match answer {
            Answer::Takes => says(200, json!({ "id": "1100000000000000001", "content": "…", "type": 0 })),
            Answer::Busy => says(
                429,
                json!({ "message": "You are being rate limited.", "retry_after": 30.0, "global": false }),
            ),
            Answer::Fails => ResponseTemplate::new(500).set_body_string(format!("error at {PATH}")),
            Answer::Refuses => {
                says(401, json!({ "message": format!("Invalid Webhook Token {TOKEN}"), "code": 50_027 }))
            }
        }
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }

    fn channel(&self, address: &str, words: Arc<dyn Words>) -> Box<dyn Notifier> {
        Box::new(Discord::try_new(&format!("{address}{PATH}").into(), words, TIMEOUT).expect("valid"))
    }
}

#[tokio::test]
async fn a_message_is_a_title_and_an_embed_in_the_colour_of_its_severity() {
    let stand_in = StandIn::start(Hook).await;
    let channel = stand_in.channel();
    let outcome = channel.send(&attempt(vec![item("group=hot")])).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some("1100000000000000001".into()) });
    let body = stand_in.last();
    assert_eq!(body["content"], r"**ERROR: a group's \<next\> run is late & late (group=hot)**");
    let description = body["embeds"][0]["description"].as_str().expect("a text");
    assert!(
        description.starts_with(r"group\_not\_running: firing since 2027-01-15 07:50:00 UTC"),
        "{description}"
    );
    assert!(
        description.contains("**Runbook**\n• <https://ttm.example/runbooks/group_not_running?a=1&b=2>\n")
    );
    let firing = body["embeds"][0]["color"].clone();
    channel.send(&attempt(vec![over("group=hot")])).await;
    assert_ne!(stand_in.last()["embeds"][0]["color"], firing);
}

#[tokio::test]
async fn what_discord_answers_is_told_as_what_it_means() {
    let stand_in = StandIn::start(Hook).await;
    let limited = json!({ "message": "You are being rate limited.", "retry_after": 0.65, "global": true });
    let of = |status, body| ResponseTemplate::new(status).set_body_json(body);
    for (answer, expected) in [
        (of(429, limited), (true, Some(Duration::from_millis(650)), "429, You are being rate limited.")),
        (
            of(404, json!({ "message": "Unknown Webhook", "code": 10_015 })),
            (false, None, "404, Unknown Webhook (code 10015)"),
        ),
        (
            of(400, json!({ "message": "Invalid Form Body", "code": 50_035, "errors": {} })),
            (false, None, "400, Invalid Form Body (code 50035)"),
        ),
        (ResponseTemplate::new(204), (true, None, "204, without a word, which is no answer of this service")),
        // What stands before Discord has a page of its own.
        (
            ResponseTemplate::new(429).insert_header("retry-after", "9").set_body_string("<html>1015"),
            (true, Some(Duration::from_secs(9)), "429, a page"),
        ),
    ] {
        stand_in.says(answer);
        let outcome = stand_in.channel().send(&attempt(vec![item("group=hot")])).await;
        assert_eq!(failure(&outcome), expected);
    }
}
