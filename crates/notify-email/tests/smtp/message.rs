//! What is sent.

use std::sync::Arc;

use proptest::prelude::*;
use ttm_alert::testing::{Saying, any_about, any_attempt, wall};
use ttm_alert::words::About;
use ttm_alert::{Attempt, Item, Notifier, Outcome};
use ttm_notify_email::{EmailNotifier, Security};

use crate::example::{attempt, channel, config, header, item, over, words};
use crate::server::{Server, Taken};

const SECURITY: Security = Security::PlainOnLoopback;

async fn sent(attempt: &Attempt) -> (Outcome, Taken) {
    let server = Server::start(SECURITY).await;
    let outcome = channel(&server, SECURITY).send(attempt).await;
    assert_eq!(server.broken(), Vec::<String>::new());
    (outcome, server.last())
}

#[tokio::test]
async fn a_message_is_text_and_html_with_an_id_made_of_its_key() {
    let message = attempt(item(), 1, None);
    let id = format!("<{}@example.org>", message.row.key.idempotency_key());
    let (outcome, taken) = sent(&message).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some(id.clone().into()) });
    assert_eq!(taken.to, ["ops@example.org", "ada@example.org"]);
    let email = taken.email;
    let is = |name, expected: &str| assert_eq!(header(&email, name), expected, "{name}");
    is("Message-ID", &id);
    is("From", "\"To The Moon\" <ttm@example.org>");
    is("To", "Ops <ops@example.org>, ada@example.org");
    is("Subject", "CRITICAL: a group's <next> run is late (group=hot)");
    is("Date", "Fri, 15 Jan 2027 08:00:00 +0000");
    is("Auto-Submitted", "auto-generated");
    is("Importance", "high");
    is("X-Priority", "1");
    is("References", "");
    assert!(header(&email, "Content-Type").starts_with("multipart/alternative;"), "{email}");
    let said = email.replace("=\r\n", "").replace("=3D", "=").replace("=E2=80=A2", "•");
    assert!(said.contains("Content-Type: text/plain; charset=utf-8"), "{said}");
    let plain = "Runbook\r\n• https://ttm.example/runbooks/group_not_running\r\n• ttm recovery\r\n\r\nAcknowledge\r\n";
    assert!(said.contains(plain), "{said}");
    assert!(said.contains("Content-Type: text/html; charset=utf-8"), "{said}");
    assert!(
        said.contains("<p><strong>CRITICAL: a group's &lt;next&gt; run is late (group=hot)</strong></p>"),
        "{said}"
    );
    assert!(said.contains("<li><code>ttm recovery</code></li>"), "{said}");
    let link = "https://ttm.example/ack/1?a=1&amp;b=2";
    assert!(said.contains(&format!("<li><a href=\"{link}\">{link}</a></li>")), "{said}");
}

#[tokio::test]
async fn what_is_said_later_is_in_the_conversation_of_the_first_message() {
    let first = "<67602a9e482c5ca5cfc1d354820f3b93-12-3-1@example.org>";
    let (outcome, taken) = sent(&attempt(over(), 1, Some(first))).await;
    assert_eq!(outcome, Outcome::Delivered { remote_id: Some(first.into()) });
    assert_eq!(header(&taken.email, "In-Reply-To"), first);
    assert_eq!(header(&taken.email, "References"), first);
    assert_ne!(header(&taken.email, "Message-ID"), first);
    assert_eq!(header(&taken.email, "Importance"), "");
    for other in ["4711", "<a@b>\r\nBcc: x@example.org", "<a@b> <c@d>", "<a@b><c@d>", "<>", "<ü@b>"] {
        let (_, taken) = sent(&attempt(over(), 1, Some(other))).await;
        assert_eq!(header(&taken.email, "References"), "", "{other}");
        assert_eq!(header(&taken.email, "Bcc"), "");
    }
}

#[tokio::test]
async fn the_same_message_is_the_same_bytes_and_a_late_one_has_the_time_of_its_sending() {
    let server = Server::start(SECURITY).await;
    let channel = channel(&server, SECURITY);
    let mut message = attempt(item(), 1, None);
    for _ in 0..2 {
        channel.send(&message).await;
    }
    let taken = server.taken();
    assert_eq!(taken[0].email, taken[1].email);
    message.was_down = Some((wall(0), wall(3_600)));
    channel.send(&message).await;
    assert_eq!(header(&server.last().email, "Date"), "Fri, 15 Jan 2027 09:00:00 +0000");
}

#[tokio::test]
async fn words_in_every_script_are_readable_by_every_server() {
    let meaning = "späte Läufe: 遅い — \u{1f680}".to_owned();
    let server = Server::start(SECURITY).await;
    let about = About { meaning: Some(meaning), effect: Some("x".repeat(5_000)), ..About::default() };
    let channel = EmailNotifier::try_new(&config(&server, SECURITY), Arc::new(Saying(about))).expect("valid");
    channel.send(&attempt(Item { acknowledged_by: Some("Zoë".to_owned()), ..item() }, 1, None)).await;
    assert_eq!(server.broken(), Vec::<String>::new());
    assert!(header(&server.last().email, "Subject").contains("=?utf-8?"), "{}", server.last().email);
}

#[test]
fn the_settings_of_somebody_elses_machine_are_no_error_of_ours() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(Server::start(SECURITY));
    let config = ttm_notify_email::EmailConfig { authority: None, ..config(&server, Security::Tls) };
    // A machine without root certificates says so.
    let made = EmailNotifier::try_new(&config, words()).map(drop);
    assert!(matches!(made, Ok(()) | Err(ttm_notify_email::InvalidEmail::Tls(_))), "{made:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn a_strict_server_takes_every_message(attempts in proptest::collection::vec((any_attempt(), any_about()), 16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let broken = runtime.block_on(async {
            let server = Server::start(SECURITY).await;
            for (attempt, about) in &attempts {
                let channel = EmailNotifier::try_new(&config(&server, SECURITY), Arc::new(Saying(about.clone())));
                let outcome = channel.expect("valid").send(attempt).await;
                assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
            }
            assert!(server.taken().iter().all(|it| it.email.len() < 1_024 * 1_024));
            server.broken()
        });
        prop_assert_eq!(broken, Vec::<String>::new());
    }
}
